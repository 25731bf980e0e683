//! Settings that this version knows but does not use: what is wrong with them is said today, not after an upgrade.

use crate::provider::is_base_url;

/// What the value of this setting must be, when it is something else.
pub(super) fn fault(name: &str, value: &str) -> Option<&'static str> {
    let (right, must) = match name {
        // The address is printed, so it may hold no password.
        "OTEL_EXPORTER_OTLP_ENDPOINT" => (
            is_base_url(value),
            "must be an http or https address without user name, password, query and fragment",
        ),
        _ => (true, ""),
    };
    (!right).then_some(must)
}
