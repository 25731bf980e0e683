//! Facts to checks: what was found, how bad it is, what to do. Pure: the gatherers are elsewhere.

use std::io;
use std::path::PathBuf;

use app::text::{outage, remaining};
use app::types::{Check, CheckLevel, KeyState, KeyStatus, Level, Obstacle, ObstacleKind, ServiceStatus};
use pool::Timestamp;

use super::place::{DataDir, SecretSource};
use super::reach::{Reach, Step};
use crate::config::Mistake;
use crate::store::DeliveryState;
use crate::vault::Standing;

const FREE_BYTES_WARN: u64 = 1024 * 1024 * 1024;
const FREE_BYTES_FAIL: u64 = 100 * 1024 * 1024;
/// A provider's `Date` header has whole seconds, and the answer takes its time.
const SKEW_SECONDS_WARN: u64 = 30;
/// By so much, quotas come back at the wrong time and tokens are refused.
const SKEW_SECONDS_FAIL: u64 = 300;
/// Keys with a line of their own.
const KEYS_NAMED_MAX: usize = 20;

/// Everything the checks look at.
pub struct Facts {
    pub mistakes: Vec<Mistake>,
    /// Settings that are set but do nothing in this version.
    pub without_effect: Vec<String>,
    pub data_dir_path: PathBuf,
    pub data_dir: DataDir,
    pub free_bytes: Option<u64>,
    pub store: StoreFacts,
    pub secrets: Vec<(&'static str, SecretSource)>,
    /// Absent when the store is not open.
    pub vault: Option<Standing>,
    /// Absent when no call was to be made.
    pub reach: Option<Reach>,
    pub now: Timestamp,
    /// Absent when the pool could not be opened.
    pub status: Option<ServiceStatus>,
    /// Proposals that two keys share a project.
    pub siblings: usize,
    /// Variables whose key is in the pool already.
    pub repeated_variables: usize,
    pub site_dir: PathBuf,
    pub site_is_built: bool,
    /// Whether a password goes to the mail server without TLS.
    pub mail_in_the_clear: bool,
    pub channels: Vec<ChannelFacts>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreFacts {
    /// Wrong settings: it was not opened.
    NotLookedAt,
    NotMade,
    /// In the store's own words, which hold no stored value.
    Failed(String),
    Ready {
        /// Such as `SQLite 3.51.3`.
        engine: String,
        schema: u32,
    },
}

/// A way to tell people, and how the last telling went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelFacts {
    pub name: &'static str,
    pub last: Option<(DeliveryState, Option<String>)>,
}

/// All checks, in the order in which a person would fix them.
pub fn examine(facts: &Facts) -> Vec<Check> {
    let mut checks = settings(facts);
    checks.push(data_dir(facts));
    checks.push(disk_space(facts.free_bytes));
    checks.push(store(&facts.store));
    checks.extend(facts.secrets.iter().map(|(name, source)| secret(name, *source)));
    checks.extend(facts.vault.as_ref().and_then(rotation));
    checks.push(provider(facts.reach.as_ref()));
    checks.push(clock(facts.reach.as_ref(), facts.now));
    match &facts.status {
        Some(status) => {
            checks.push(service(status));
            checks.extend(keys(status));
            checks.push(quota(status));
        }
        None => checks.push(skipped("Keys", "The pool could not be opened.")),
    }
    checks.extend(shared_projects(facts));
    checks.push(site(facts));
    checks.extend(notifications(facts));
    checks.extend(facts.mail_in_the_clear.then(mail_in_the_clear));
    checks
}

fn settings(facts: &Facts) -> Vec<Check> {
    let name = "Settings";
    let wrong = facts.mistakes.iter().map(|mistake| {
        let remedy = "Correct it in the environment or in keypool.toml; `keypool config check` shows all of them.";
        failed(name, mistake.to_string(), remedy)
    });
    let idle = facts.without_effect.iter().map(|setting| {
        let message = format!("{setting} is set, but this version does nothing with it.");
        warning(name, message, "Take it out, or keep it for a later version.")
    });
    let mut checks: Vec<Check> = wrong.chain(idle).collect();
    if facts.repeated_variables > 0 {
        let message = format!(
            "{} of the GOOGLE_AI_API_KEY variables name a key that is in the pool already; it counts once.",
            facts.repeated_variables
        );
        checks.push(warning(name, message, "Remove the variable, or give it another key."));
    }
    if checks.is_empty() {
        checks.push(ok(name, "Every setting is valid."));
    }
    checks
}

fn data_dir(facts: &Facts) -> Check {
    let (name, path) = ("Data folder", facts.data_dir_path.display());
    match facts.data_dir {
        DataDir::NotMade => skipped(name, format!("{path} is not there yet: the first start makes it.")),
        DataDir::Refused(io::ErrorKind::NotADirectory) => failed(
            name,
            format!("{path} is a file."),
            "Set DATA_DIR to a folder, or move the file away.",
        ),
        DataDir::Refused(reason) => failed(
            name,
            format!("{path} cannot be used: {reason}."),
            "Give this user the right to read and write there, or set another DATA_DIR.",
        ),
        DataDir::Usable { open_to_others: true } => warning(
            name,
            format!("{path} can be looked into by other users of this machine."),
            format!("Run `chmod 700 {path}`."),
        ),
        DataDir::Usable { open_to_others: false } => ok(name, format!("{path} can be written, and by its owner only.")),
    }
}

fn disk_space(free_bytes: Option<u64>) -> Check {
    let name = "Disk space";
    let Some(free) = free_bytes else {
        return skipped(name, "The free space is not known on this system.");
    };
    let message = format!("{} MiB are free for the data folder.", free / 1024 / 1024);
    let remedy = "Free some space or move DATA_DIR: without space nothing can be stored.";
    match free {
        0..FREE_BYTES_FAIL => failed(name, message, remedy),
        FREE_BYTES_FAIL..FREE_BYTES_WARN => warning(name, message, remedy),
        _ => ok(name, message),
    }
}

fn store(facts: &StoreFacts) -> Check {
    let name = "Store";
    match facts {
        StoreFacts::NotLookedAt => skipped(name, "It is opened only with valid settings."),
        StoreFacts::NotMade => skipped(name, "There is no data yet: the first start makes the store."),
        StoreFacts::Failed(reason) => failed(
            name,
            sentence(reason),
            "While a server runs on the data, HOST and PORT must be the ones it listens on, so that it can be asked.",
        ),
        StoreFacts::Ready { engine, schema } => ok(name, format!("{engine} is ready with schema {schema}.")),
    }
}

fn secret(name: &'static str, source: SecretSource) -> Check {
    match source {
        SecretSource::Set(source) => ok(name, format!("Set ({source}).")),
        SecretSource::Generated => ok(
            name,
            "Generated, and kept in the data folder: back it up with the data.",
        ),
        SecretSource::AtFirstStart => skipped(name, "Not set: the first start generates it into the data folder."),
    }
}

/// Only while the master key is being changed.
fn rotation(vault: &Standing) -> Option<Check> {
    let name = "Master key";
    let Standing { values, left, .. } = vault;
    match (left, vault.previous) {
        (0, None) => None,
        (0, Some(_)) => {
            let remedy = if vault.is_made {
                "Run `keypool keys rewrap`: it forgets the previous one."
            } else {
                "Remove KEYPOOL_MASTER_KEY_PREVIOUS."
            };
            let message = "Nothing is under the previous master key any more.";
            Some(warning(name, message, remedy))
        }
        _ => {
            let message = format!("{left} of {values} stored secrets are still under the previous master key.");
            Some(warning(
                name,
                message,
                "Run `keypool keys rewrap`, and keep the previous key until it is done.",
            ))
        }
    }
}

fn provider(reach: Option<&Reach>) -> Check {
    let name = "Provider";
    let (message, remedy) = match reach {
        None => return skipped(name, "Not asked."),
        Some(Reach::Answered { ms, .. }) => return ok(name, format!("It answers within {ms} ms.")),
        Some(Reach::Failed(Step::Address)) => (
            "Its address cannot be read.",
            "Set GOOGLE_AI_BASE_URL to an http or https address.",
        ),
        Some(Reach::Failed(Step::Name)) => (
            "The name of its host is not found.",
            "Check this machine's DNS and the spelling of GOOGLE_AI_BASE_URL.",
        ),
        Some(Reach::Failed(Step::Connect)) => (
            "Its host does not take a connection.",
            "Check the firewall and routes out of this machine, and the port of GOOGLE_AI_BASE_URL.",
        ),
        Some(Reach::Failed(Step::Answer)) => (
            "It takes a connection but does not answer over TLS and HTTP.",
            "Check whether something between here and there inspects TLS, and whether GOOGLE_AI_BASE_URL should be https.",
        ),
    };
    failed(name, message, remedy)
}

fn clock(reach: Option<&Reach>, now: Timestamp) -> Check {
    let name = "Clock";
    let Some(Reach::Answered { date: Some(date), .. }) = reach else {
        return skipped(name, "The provider gave no time to compare with.");
    };
    let skew = now.as_millis().abs_diff(date.as_millis()) / 1000;
    let message = if now >= *date {
        format!("It is {skew} s ahead of the provider's.")
    } else {
        format!("It is {skew} s behind the provider's.")
    };
    let remedy = "Set this machine's clock by NTP: a wrong clock brings quotas back at the wrong time.";
    match skew {
        0..SKEW_SECONDS_WARN => ok(name, "It agrees with the provider's."),
        SKEW_SECONDS_WARN..SKEW_SECONDS_FAIL => warning(name, message, remedy),
        _ => failed(name, message, remedy),
    }
}

fn service(status: &ServiceStatus) -> Check {
    let (name, message) = ("Service", status.message.clone());
    let remedy = match status.level {
        _ if status.total_keys == 0 => {
            return failed(
                name,
                message,
                "Add a key with `keypool keys add`, or set GOOGLE_AI_API_KEY_1.",
            );
        }
        Level::Operational => return ok(name, message),
        Level::Degraded | Level::PartialOutage | Level::MajorOutage => hint(status),
    };
    // What time alone mends is no failure of this server.
    if status.level == Level::Degraded || comes_back_by_itself(status) {
        warning(name, message, remedy)
    } else {
        failed(name, message, remedy)
    }
}

/// Where to look, or that there is nothing to look for.
fn hint(status: &ServiceStatus) -> String {
    let any = |is: fn(KeyState) -> bool| status.available_keys.iter().any(|key| is(key.state));
    // An outage in spite of good keys is not the doing of the bad ones.
    let in_spite_of_keys = status.level != Level::Degraded && status.healthy_keys > 0;
    match status.obstacles.first() {
        Some(trouble) if in_spite_of_keys || !any(needs_a_person) => no_key_is_to_blame(trouble),
        _ if any(needs_a_person) => "The checks below name the keys.".to_owned(),
        _ if any(comes_back) => waiting(status),
        _ => "Switch keys on with `keypool keys enable`, or add one with `keypool keys add`.".to_owned(),
    }
}

fn no_key_is_to_blame(trouble: &Obstacle) -> String {
    let next = outage::what_next(trouble.kind, trouble.retry_in_ms);
    match trouble.kind {
        ObstacleKind::ProviderDown | ObstacleKind::ModelDown => {
            format!("No key is to blame, and calls are tried again by themselves. {next}")
        }
        ObstacleKind::ModelGone | ObstacleKind::RegionRefused => format!("No key is to blame. {next}"),
    }
}

fn keys(status: &ServiceStatus) -> Vec<Check> {
    let name = "Keys";
    let message = format!("{} of {} keys can be used.", status.healthy_keys, status.total_keys);
    let summary = match (status.healthy_keys, status.total_keys) {
        (0, 0) => skipped(name, "There is no key."),
        (0, _) if comes_back_by_itself(status) => warning(name, message, waiting(status)),
        (0, _) => failed(name, message, "Test the keys to learn what each of them needs."),
        _ => ok(name, message),
    };
    let troubled = status.available_keys.iter().filter_map(key);
    let mut checks = vec![summary];
    checks.extend(troubled.clone().take(KEYS_NAMED_MAX));
    let more = troubled.count().saturating_sub(KEYS_NAMED_MAX);
    if more > 0 {
        let message = format!("{more} more keys need a person.");
        checks.push(warning(name, message, "The list of keys names them all."));
    }
    checks
}

/// None can serve, but one will without a person.
fn comes_back_by_itself(status: &ServiceStatus) -> bool {
    status.healthy_keys == 0 && status.available_keys.iter().any(|key| comes_back(key.state))
}

fn waiting(status: &ServiceStatus) -> String {
    let coming = status.available_keys.iter().filter(|key| comes_back(key.state));
    match coming.filter_map(|key| key.ready_in_ms).min() {
        Some(ms) => format!(
            "Waiting is enough: keys come back by themselves, the first in {}.",
            remaining(ms)
        ),
        None => "Wait a minute: keys come back by themselves, or their checks say what they need.".to_owned(),
    }
}

fn comes_back(state: KeyState) -> bool {
    matches!(
        state,
        KeyState::CoolingDown | KeyState::QuotaReached | KeyState::Checking
    )
}

fn needs_a_person(state: KeyState) -> bool {
    match state {
        KeyState::Invalid | KeyState::Revoked | KeyState::NeedsSetup | KeyState::NoCredit => true,
        KeyState::Available
        | KeyState::InUse
        | KeyState::CoolingDown
        | KeyState::QuotaReached
        | KeyState::Checking
        | KeyState::Disabled => false,
    }
}

/// A key that does not come back by time alone.
fn key(key: &KeyStatus) -> Option<Check> {
    let (what, remedy) = match key.state {
        KeyState::Invalid => (
            "The provider does not accept it",
            "Check that it is complete, or make a new one in AI Studio.",
        ),
        KeyState::Revoked => (
            "The provider has withdrawn it (leaked or suspended)",
            "Make a new one in AI Studio and add it with `keypool keys add`.",
        ),
        KeyState::NeedsSetup => (
            "Its project needs set-up",
            "Enable the Generative Language API and remove referrer and address restrictions in the Cloud console; test the key for details.",
        ),
        KeyState::NoCredit => (
            "Its billing account is without credit",
            "Top the account up in AI Studio.",
        ),
        KeyState::Checking => (
            "It was refused once and is being checked",
            "Wait a minute, or test the keys.",
        ),
        KeyState::Available | KeyState::InUse | KeyState::CoolingDown | KeyState::QuotaReached | KeyState::Disabled => {
            return None;
        }
    };
    let name = format!("Key {}", key.key_number);
    Some(warning(&name, format!("{what}."), remedy))
}

fn quota(status: &ServiceStatus) -> Check {
    let name = "Quota";
    let spent = status.available_keys.iter().filter(|key| key.quota_exceeded).count();
    let reset = status.next_reset.as_ref();
    let reset = reset.map_or_else(String::new, |at| {
        format!(" The next comes back at {at}, midnight in Los Angeles.")
    });
    let keys = match spent {
        0 => return ok(name, "No key is out of its day's quota."),
        1 => "1 key has".to_owned(),
        _ => format!("{spent} keys have"),
    };
    let remedy = "Add keys of other projects, or wait: keys come back by themselves.";
    warning(name, format!("{keys} used up the day's quota.{reset}"), remedy)
}

fn shared_projects(facts: &Facts) -> Option<Check> {
    let message = match facts.siblings {
        0 => return None,
        1 => "Two keys may belong to one project and share its quota.".to_owned(),
        count => format!("{count} pairs of keys may each belong to one project and share its quota."),
    };
    let remedy = "Confirm or dismiss the proposal: keys of one project are then counted together.";
    Some(warning("Projects", message, remedy))
}

fn site(facts: &Facts) -> Check {
    let (name, path) = ("Web app", facts.site_dir.display());
    if facts.site_is_built {
        ok(name, format!("Its files are in {path}."))
    } else {
        let message = format!("Its files are not in {path}: the server does not start without them.");
        failed(name, message, "Run `cargo xtask build`, or set SITE_DIR.")
    }
}

fn notifications(facts: &Facts) -> Vec<Check> {
    let name = "Notifications";
    if facts.channels.is_empty() {
        let message = "Neither webhook nor e-mail is set up: notifications go to the log only.";
        return vec![skipped(name, message)];
    }
    let is_open = matches!(facts.store, StoreFacts::Ready { .. } | StoreFacts::NotMade);
    let check = |channel: &ChannelFacts| match &channel.last {
        _ if is_at_fault(channel, &facts.mistakes) => failed(
            name,
            format!("By {}: its settings are wrong.", channel.name),
            "The checks of the settings above say which and why.",
        ),
        None if !is_open => skipped(
            name,
            format!(
                "By {}: set up. What was sent stands in the store, which is not open.",
                channel.name
            ),
        ),
        None => ok(name, format!("By {}: set up, nothing was sent yet.", channel.name)),
        Some((DeliveryState::Delivered, _)) => ok(name, format!("By {}: the last one was delivered.", channel.name)),
        Some((state, reason)) => {
            let reason = reason
                .as_ref()
                .map_or_else(String::new, |reason| format!(" {}", sentence(reason)));
            let message = match state {
                DeliveryState::Pending => format!("By {}: the last one is still being tried.{reason}", channel.name),
                _ => format!("By {}: the last one was given up.{reason}", channel.name),
            };
            warning(
                name,
                message,
                "Check the channel's settings and send a test notification.",
            )
        }
    };
    facts.channels.iter().map(check).collect()
}

fn is_at_fault(channel: &ChannelFacts, mistakes: &[Mistake]) -> bool {
    let settings: &[&str] = match channel.name {
        "mail" => &["SMTP_", "ALERT_EMAIL_"],
        "chat" => &["ALERT_CHAT_"],
        _ => &["ALERT_WEBHOOK_"],
    };
    mistakes
        .iter()
        .any(|mistake| settings.iter().any(|setting| mistake.about.starts_with(setting)))
}

fn mail_in_the_clear() -> Check {
    warning(
        "Notifications",
        "By mail: SMTP_URL has a password, which goes to the mail server without TLS.",
        "Use smtps://, or add ?tls=required to the smtp:// address.",
    )
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut characters = text.trim().trim_end_matches('.').chars();
    let first = characters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(characters).chain(['.']).collect()
}

fn ok(name: &str, message: impl Into<String>) -> Check {
    check(name, CheckLevel::Ok, message, None)
}

fn skipped(name: &str, message: impl Into<String>) -> Check {
    check(name, CheckLevel::Skipped, message, None)
}

fn warning(name: &str, message: impl Into<String>, remedy: impl Into<String>) -> Check {
    check(name, CheckLevel::Warning, message, Some(remedy.into()))
}

fn failed(name: &str, message: impl Into<String>, remedy: impl Into<String>) -> Check {
    check(name, CheckLevel::Failed, message, Some(remedy.into()))
}

fn check(name: &str, level: CheckLevel, message: impl Into<String>, remedy: Option<String>) -> Check {
    Check {
        name: name.to_owned(),
        level,
        message: message.into(),
        remedy,
    }
}

#[cfg(test)]
mod tests;
