//! Settings that this version knows but does not use: what is wrong with them is said today, not after an upgrade.

use crate::provider::is_base_url;

const AMOUNTS: [&str; 4] = [
    "RATE_LIMIT_REQUESTS",
    "RATE_LIMIT_WINDOW",
    "QUEUE_MAX",
    "CACHE_MAX_ENTRIES",
];
const DURATIONS: [&str; 2] = ["QUEUE_WAIT_MAX", "CACHE_TTL"];

/// What the value of this setting must be, when it is something else.
pub(super) fn fault(name: &str, value: &str) -> Option<&'static str> {
    let (right, must) = match name {
        _ if AMOUNTS.contains(&name) => (is_whole(value), "must be a whole number"),
        _ if DURATIONS.contains(&name) => (is_duration(value), "must be a duration such as 500ms, 30s, 15m or 1h"),
        "UPSTREAM_RPS" => (
            value.parse().is_ok_and(|rate: f64| rate.is_finite() && rate >= 0.0),
            "must be a number, 0 or more",
        ),
        // The address is printed, so it may hold no password.
        "OTEL_EXPORTER_OTLP_ENDPOINT" => (
            is_base_url(value),
            "must be an http or https address without user name, password, query and fragment",
        ),
        _ => (true, ""),
    };
    (!right).then_some(must)
}

fn is_whole(text: &str) -> bool {
    // `parse` alone would take a plus sign.
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok()
}

fn is_duration(text: &str) -> bool {
    ["ms", "s", "m", "h"]
        .iter()
        .any(|unit| text.strip_suffix(unit).is_some_and(is_whole))
}
