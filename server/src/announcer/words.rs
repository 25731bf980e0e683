//! What is told, in words: cause, effect, next step. Key numbers and labels, never secrets.

use std::collections::BTreeMap;

use app::types::{Level, Obstacle, ServiceStatus};
use serde_json::{Value, json};

use super::rules::KeyFault;
use crate::notify::{Announcement, Severity};

/// Keys named in one message; a pool may have very many.
const NAMED_MAX: usize = 20;

pub(super) fn degraded(status: &ServiceStatus) -> Announcement {
    let (healthy, total) = (status.healthy_keys, status.total_keys);
    Announcement {
        kind: "service.degraded".into(),
        severity: Severity::Warning,
        title: format!("Service degraded: {healthy} of {total} keys available"),
        text: format!("{} The page Doctor shows what each key needs.", situation(status)),
        data: service_data(status),
    }
}

pub(super) fn down(status: &ServiceStatus) -> Announcement {
    let next_step = if status.next_reset.is_some() {
        "To serve before that, add a key of another project with `keypool keys add`."
    } else {
        "The page Doctor shows what each key needs."
    };
    Announcement {
        kind: "service.down".into(),
        severity: Severity::Critical,
        title: match status.total_keys {
            1 => "Service down: the only key cannot serve".to_owned(),
            total => format!("Service down: none of {total} keys can serve"),
        },
        text: format!("{} {next_step}", situation(status)),
        data: service_data(status),
    }
}

pub(super) fn restored(status: &ServiceStatus) -> Announcement {
    let (healthy, total) = (status.healthy_keys, status.total_keys);
    Announcement {
        kind: "service.restored".into(),
        severity: Severity::Info,
        title: format!("Service restored: {healthy} of {total} keys available"),
        text: situation(status),
        data: service_data(status),
    }
}

/// Keys that came back with the provider's new day.
pub(super) fn day_restored(back: usize, status: &ServiceStatus) -> Announcement {
    let keys = if back == 1 {
        "1 key".to_owned()
    } else {
        format!("{back} keys")
    };
    let mut data = service_data(status);
    if let Some(data) = data.as_object_mut() {
        data.insert("keysBack".to_owned(), json!(back));
    }
    Announcement {
        kind: "service.restored".into(),
        severity: Severity::Info,
        title: format!("Service restored: {keys} came back with the new day"),
        text: format!("The provider's day quotas began anew. {}", situation(status)),
        data,
    }
}

pub(super) fn needs_person(fault: KeyFault, numbers: &[u32], labels: &BTreeMap<u32, String>) -> Announcement {
    let (word, severity, verb, cause, link) = match fault {
        KeyFault::Revoked => (
            "revoked",
            Severity::Critical,
            "revoked",
            "The provider has withdrawn it (leaked, suspended or denied). It is not used any more: make a new key in AI Studio and add it.",
            "https://aistudio.google.com/apikey",
        ),
        KeyFault::Invalid => (
            "invalid",
            Severity::Warning,
            "invalid",
            "The provider does not accept it, and a second check said the same. It is not used: see that it is complete, or make a new one in AI Studio.",
            "https://aistudio.google.com/apikey",
        ),
        KeyFault::NeedsSetup => (
            "needs_setup",
            Severity::Warning,
            "not set up",
            "Its project does not let it in: enable the Generative Language API there, and remove restrictions to referrers or addresses. It is tried again by itself.",
            "https://console.cloud.google.com/apis/library/generativelanguage.googleapis.com",
        ),
        KeyFault::NoCredit => (
            "no_credit",
            Severity::Warning,
            "out of credit",
            "Its billing account has no credit or has reached its limit: top it up in AI Studio. It is tried again by itself.",
            "https://aistudio.google.com/usage",
        ),
    };
    let (title, cause) = match numbers {
        [one] => (format!("Key {one} is {verb}"), cause.to_owned()),
        several => (
            format!("{} keys are {verb}", several.len()),
            format!("For each of them: {cause}"),
        ),
    };
    Announcement {
        kind: "key.needs_person".into(),
        severity,
        title,
        text: format!("{}. {cause} {link}", named(numbers, labels)),
        data: json!({ "reason": word, "keys": keys(numbers, labels), "helpUrl": link }),
    }
}

pub(super) fn recovered(numbers: &[u32], labels: &BTreeMap<u32, String>) -> Announcement {
    Announcement {
        kind: "key.recovered".into(),
        severity: Severity::Info,
        title: match numbers {
            [one] => format!("Key {one} is usable again"),
            several => format!("{} keys are usable again", several.len()),
        },
        text: format!("{}. Nothing has to be done.", named(numbers, labels)),
        data: json!({ "keys": keys(numbers, labels) }),
    }
}

pub(super) fn provider_down<'a>(troubles: impl Iterator<Item = &'a Obstacle>) -> Announcement {
    let troubles: Vec<&Obstacle> = troubles.collect();
    let causes: Vec<String> = troubles
        .iter()
        .map(|trouble| app::text::outage::obstacle(trouble))
        .collect();
    let models: Vec<&str> = troubles.iter().filter_map(|trouble| trouble.model.as_deref()).collect();
    Announcement {
        kind: "provider.down".into(),
        severity: Severity::Warning,
        title: "The AI provider fails for every key".to_owned(),
        text: format!(
            "{} No key is to blame. Calls pause, and one tries again every minute or sooner; see https://aistudio.google.com/status.",
            causes.join(" ")
        ),
        data: json!({ "models": models }),
    }
}

pub(super) fn provider_recovered() -> Announcement {
    Announcement {
        kind: "provider.recovered".into(),
        severity: Severity::Info,
        title: "The AI provider answers again".to_owned(),
        text: "Calls go through again. Nothing has to be done.".to_owned(),
        data: json!({}),
    }
}

pub(super) fn region_refused() -> Announcement {
    Announcement {
        kind: "region.refused".into(),
        severity: Severity::Critical,
        title: "The AI provider does not serve this server's location".to_owned(),
        text: "Keys of projects without billing are refused here. Add a key of a project with billing, or run the server in a supported region: https://ai.google.dev/gemini-api/docs/available-regions".to_owned(),
        data: json!({ "helpUrl": "https://ai.google.dev/gemini-api/docs/available-regions" }),
    }
}

/// The sentence of the status page, and the instant of the reset for whoever reads it later.
fn situation(status: &ServiceStatus) -> String {
    let reset = status
        .next_reset
        .as_ref()
        .filter(|_| status.level != Level::Operational);
    let at = reset.map(|at| format!(" In UTC that is {at}.")).unwrap_or_default();
    format!("{}{at}", status.message)
}

fn service_data(status: &ServiceStatus) -> Value {
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    let out = status.available_keys.iter().filter(|key| !key.state.serves());
    for key in out {
        if let Ok(Value::String(state)) = serde_json::to_value(key.state) {
            *reasons.entry(state).or_default() += 1;
        }
    }
    json!({
        "level": status.level,
        "totalKeys": status.total_keys,
        "healthyKeys": status.healthy_keys,
        "reasons": reasons,
        "nextReset": status.next_reset,
    })
}

fn named(numbers: &[u32], labels: &BTreeMap<u32, String>) -> String {
    let name = |number: &u32| match labels.get(number) {
        Some(label) => format!("Key {number} ({label})"),
        None => format!("Key {number}"),
    };
    let mut names: Vec<String> = numbers.iter().take(NAMED_MAX).map(name).collect();
    if numbers.len() > NAMED_MAX {
        names.push(format!("{} more", numbers.len() - NAMED_MAX));
    }
    names.join(", ")
}

fn keys(numbers: &[u32], labels: &BTreeMap<u32, String>) -> Value {
    let key = |number: &u32| json!({ "keyNumber": number, "label": labels.get(number) });
    numbers.iter().take(NAMED_MAX).map(key).collect()
}
