//! The pages about usage: figures, ranges, zones, and what is said when there is nothing to show.

pub mod analytics;
pub mod live;
pub mod overview;
pub mod requests;

use super::{NEVER, count, took};
use crate::types::Coverage;

pub const TABS: &str = "Pages of the analytics";
pub const TAB_USAGE: &str = "Usage";
pub const TAB_HOURLY: &str = "Hourly pattern";
pub const TAB_ERRORS: &str = "Errors";
pub const TAB_LATENCY: &str = "Latency";
pub const TAB_FORECAST: &str = "Forecast";

pub const TOOLBAR: &str = "What to show";
pub const RANGES: &str = "Time range";
pub const RANGE_LAST: &str = "Last";
pub const RANGE_WORDS: [(&str, &str, &str); 4] = [
    ("1h", "1 h", "The last hour"),
    ("24h", "24 h", "The last 24 hours"),
    ("7d", "7 d", "The last 7 days"),
    ("30d", "30 d", "The last 30 days"),
];
pub const CUSTOM: &str = "Custom";
pub const FROM: &str = "From";
pub const TO: &str = "To";
pub const TO_HINT: &str = "Up to now when left empty.";
pub const SHOW: &str = "Show";
pub const KEY: &str = "Key";
pub const MODEL: &str = "Model";
pub const ALL_KEYS: &str = "All keys";
pub const ALL_MODELS: &str = "All models";
pub const ZONE: &str = "Time zone";
pub const ZONE_UTC: &str = "UTC";
pub const ZONE_PACIFIC: &str = "Pacific";
pub const ZONE_OTHER: &str = "Another zone";
pub const ZONE_HINT: &str = "An IANA name, such as Europe/Berlin.";
pub const ZONES: [&str; 20] = [
    "UTC",
    "America/Los_Angeles",
    "America/Denver",
    "America/Chicago",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Paris",
    "Europe/Istanbul",
    "Africa/Lagos",
    "Africa/Johannesburg",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
    "America/St_Johns",
];
pub const EXPORT: &str = "Export";
pub const CSV: &str = "CSV";
pub const JSON: &str = "JSON";
pub const EXPORT_CSV: &str = "Download the requests of this range as CSV";
pub const EXPORT_JSON: &str = "Download the requests of this range as JSON";
pub const FAILED: &str = "These figures cannot be read just now";

pub const KEY_COLUMN: &str = "Key";
pub const MODEL_COLUMN: &str = "Model";
pub const REQUESTS: &str = "Requests";
pub const SUCCESS: &str = "Success";
pub const TOTAL: &str = "All";

/// What a zone is called on a page: its name, but for the provider's.
pub fn zone(name: &str) -> &str {
    match name {
        "America/Los_Angeles" => ZONE_PACIFIC,
        other => other,
    }
}

/// A column of times.
pub fn time_in(zone_name: &str) -> String {
    format!("Time ({})", zone(zone_name))
}

pub fn zone_now(zone_name: &str) -> String {
    format!("Zone: {}", zone(zone_name))
}

pub fn own_zone(zone_name: &str) -> String {
    format!("This browser's ({zone_name})")
}

pub fn key(number: u32) -> String {
    super::live::key(number)
}

pub fn other_keys(count: usize) -> String {
    match count {
        1 => "1 other key".to_owned(),
        _ => format!("{count} other keys"),
    }
}

pub fn others(count: usize) -> String {
    match count {
        1 => "1 other".to_owned(),
        _ => format!("{count} others"),
    }
}

/// "97.8 %"; a dash without requests.
pub fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| NEVER.to_owned(), |rate| format!("{rate:.1} %"))
}

pub fn ms(ms: Option<u64>) -> String {
    ms.map_or_else(|| NEVER.to_owned(), took)
}

/// An average in milliseconds.
pub fn mean_ms(mean: Option<f64>) -> String {
    ms(mean.filter(|mean| *mean >= 0.0).map(|mean| mean.round() as u64))
}

/// An error type in words; one that is not known yet by its own name.
pub fn error_type(name: &str) -> String {
    let words = match name {
        "quota" => "Quota used up",
        "rate_limit" => "Rate limit",
        "invalid_key" => "Invalid key",
        "permission" => "Not permitted",
        "billing" => "Billing",
        "model" => "No such model",
        "bad_request" => "Bad request",
        "blocked" => "Blocked",
        "overloaded" => "Provider overloaded",
        "server_error" => "Provider error",
        "timeout" => "Timed out",
        "network" => "Network",
        "truncated" => "Broke off",
        "cancelled" => "Cancelled",
        "capacity" => "No key free",
        other => return super::outcome(other),
    };
    words.to_owned()
}

/// So many events may wait without a word: they are stored within a second.
const WAITING_MAX: u64 = 1_000;

/// Why figures are not whole, one sentence a reason; nothing when they are.
pub fn not_whole(coverage: &Coverage) -> Vec<String> {
    let mut said = Vec::new();
    if !coverage.recording {
        said.push(
            "Recording is switched off (ENABLE_ANALYTICS): what happens now is not counted, and these figures end where it \
             was switched off."
                .to_owned(),
        );
    }
    match coverage.dropped {
        0 => {}
        1 => said.push(
            "1 event was lost since the server started, because the store did not take it in time. The figures are too low \
             by that much."
                .to_owned(),
        ),
        dropped => said.push(format!(
            "{} events were lost since the server started, because the store did not take them in time. The figures are too \
             low by that much.",
            count(dropped)
        )),
    }
    if coverage.waiting > WAITING_MAX {
        said.push(format!(
            "{} events wait for the store. They will be counted once it takes them.",
            count(coverage.waiting)
        ));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_figures_need_no_words() {
        let coverage = |recording, dropped, waiting| Coverage {
            recording,
            dropped,
            waiting,
        };
        assert!(not_whole(&coverage(true, 0, 1_000)).is_empty());
        assert!(not_whole(&coverage(true, 12_000, 0))[0].starts_with("12,000 events were lost"));
        assert!(not_whole(&coverage(true, 1, 0))[0].starts_with("1 event was lost"));
        assert_eq!(not_whole(&coverage(false, 2, 1_001)).len(), 3);
    }

    #[test]
    fn figures_that_are_not_there_are_dashes() {
        assert_eq!(percent(None), "—");
        assert_eq!(percent(Some(97.84)), "97.8 %");
        assert_eq!(mean_ms(Some(1_234.5)), "1.2 s");
        assert_eq!(ms(None), "—");
    }

    #[test]
    fn an_error_type_without_words_keeps_its_name() {
        assert_eq!(error_type("quota"), "Quota used up");
        assert_eq!(error_type("new_kind"), "New kind");
    }
}
