//! Words of the live state: levels, durations, ages.

use super::remaining;
use crate::types::{Level, PublicStatus};

pub const UNKNOWN: &str = "Unknown";
pub const NOT_SET_UP_SENTENCE: &str = "No provider key is configured, so nothing can be analysed.";
pub const SEE_STATUS: &str = "See status";
pub const OFFLINE: &str = "You are offline: this page cannot be kept up to date.";
pub const CAPACITY: &str = "Capacity";
pub const RESET: &str = "Quota";
pub const NO_RESET: &str = "No reset is awaited.";
pub const UPDATED: &str = "Updated";
pub const COMPONENTS: &str = "Components";
pub const KEYS: &str = "Keys";
pub const KEY: &str = "Key";
pub const NO_KEYS: &str = "No key is configured.";
pub const STATE: &str = "State";
pub const CELLS: &str = "Use by key and model";
pub const MODEL: &str = "Model";
pub const MINUTE: &str = "Last minute";
pub const TODAY: &str = "Today";
pub const OBSTACLES: &str = "What holds calls back";
pub const BACK: &str = "Back";
pub const ANY_MOMENT: &str = "any moment";
pub const REQUESTS: &str = "Requests";
pub const SUCCESS: &str = "Success";

/// Quotas come back at the provider's midnight: <https://ai.google.dev/gemini-api/docs/rate-limits>.
pub fn next_reset(left_ms: u64) -> String {
    format!("Next reset in {} (00:00 Pacific).", remaining(left_ms))
}

pub fn checked(age_ms: u64) -> String {
    match age_ms / 1000 {
        0..2 => "Checked just now".to_owned(),
        seconds @ 2..60 => format!("Checked {seconds} s ago"),
        seconds => format!("Checked {} min ago", seconds / 60),
    }
}

/// `checked_at` is RFC 3339 in UTC.
pub fn last_checked(checked_at: &str) -> String {
    format!("Unknown: last checked {}.", clock(checked_at))
}

/// Such as "14:02 UTC".
pub fn clock(instant: &str) -> String {
    match instant.get(11..16) {
        Some(time) => format!("{time} UTC"),
        None => instant.to_owned(),
    }
}

/// "Live" only when changes come by themselves.
pub fn streamed(age_ms: u64) -> String {
    match age_ms / 1000 {
        0..2 => "Live, updated just now".to_owned(),
        seconds @ 2..60 => format!("Live, updated {seconds} s ago"),
        seconds => format!("Live, updated {} min ago", seconds / 60),
    }
}

/// The level's word. A server without any key has not failed: it is not set up.
pub fn level(level: Level, total_keys: u32) -> &'static str {
    match (level, total_keys) {
        (Level::MajorOutage, 0) => super::analyze::NOT_SET_UP_TITLE,
        _ => super::level(level),
    }
}

/// The level's word and the server's sentence.
pub fn headline(status: &PublicStatus) -> String {
    format!("{}: {}", level(status.level, status.total_keys), sentence(status))
}

/// What the server says without its own "Next reset in …": here that line counts down, and is not read out every minute.
pub fn sentence(status: &PublicStatus) -> &str {
    if status.total_keys == 0 {
        return NOT_SET_UP_SENTENCE;
    }
    status.message.split(" Next reset in").next().unwrap_or_default()
}

pub fn key(number: u32) -> String {
    format!("Key {number}")
}

pub fn ready_in(left_ms: u64) -> String {
    format!("in {}", remaining(left_ms))
}

/// Such as "4 of 10", or "4" where no limit is known.
pub fn used(used: u64, limit: Option<u64>) -> String {
    match limit {
        Some(limit) => format!("{} of {}", super::count(used), super::count(limit)),
        None => super::count(used),
    }
}

/// Such as "98.1 %"; a dash before the first call. `judged` leaves out calls that were stopped or refused for the caller's sake.
pub fn success_rate(successes: u64, judged: u64) -> String {
    match (successes * 1000 + judged / 2).checked_div(judged) {
        Some(tenths) => format!("{}.{} %", tenths / 10, tenths % 10),
        None => super::NEVER.to_owned(),
    }
}

/// Why the button is off, when nothing can be served.
pub fn blocked(status: &PublicStatus, next_reset: Option<String>) -> String {
    match next_reset {
        Some(reset) => format!("{} {reset}", sentence(status)),
        None => sentence(status).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{checked, clock, success_rate};

    #[test]
    fn ages_are_rounded_down() {
        assert_eq!(checked(1_999), "Checked just now");
        assert_eq!(checked(59_999), "Checked 59 s ago");
        assert_eq!(checked(125_000), "Checked 2 min ago");
    }

    #[test]
    fn a_rate_needs_a_request() {
        assert_eq!(success_rate(0, 0), "—");
        assert_eq!(success_rate(981, 1000), "98.1 %");
        assert_eq!(success_rate(3, 3), "100.0 %");
    }

    #[test]
    fn the_time_of_day_names_its_zone() {
        assert_eq!(clock("2026-11-23T14:02:05.123Z"), "14:02 UTC");
        assert_eq!(clock("?"), "?");
    }
}
