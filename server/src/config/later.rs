//! Settings that this version knows but does not use: what is wrong with them is said today, not after an upgrade.

use crate::provider::is_base_url;

const AMOUNTS: [&str; 2] = ["RATE_LIMIT_REQUESTS", "RATE_LIMIT_WINDOW"];

/// What the value of this setting must be, when it is something else.
pub(super) fn fault(name: &str, value: &str) -> Option<&'static str> {
    let (right, must) = match name {
        _ if AMOUNTS.contains(&name) => (is_whole(value), "must be a whole number"),
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
    super::amounts::whole(text).is_some()
}
