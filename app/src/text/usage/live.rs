//! What stays up to date by itself says so.

use crate::text::remaining;

pub const LABEL: &str = "Live updates";
pub const PAUSE: &str = "Pause";
pub const RESUME: &str = "Resume";
pub const FOLLOW: &str = "Follow new requests";
pub const STOP_FOLLOWING: &str = "Stop following";
pub const OFFLINE: &str = "Offline";
pub const HELD: &str = "Waits while you read";
/// Read out once, where the pill's age is not.
pub const SAID_LIVE: &str = "Live updates are on.";
pub const SAID_PAUSED: &str = "Live updates are paused.";

/// Such as "updated 3 s ago".
fn age(age_ms: u64) -> String {
    match age_ms {
        0..2_000 => "updated just now".to_owned(),
        2_000..60_000 => format!("updated {} s ago", age_ms / 1_000),
        _ => format!("updated {} ago", remaining(age_ms / 60_000 * 60_000)),
    }
}

pub fn streamed(age_ms: u64) -> String {
    format!("Live · {}", age(age_ms))
}

/// By asking every now and then.
pub fn asked(age_ms: u64) -> String {
    let age = age(age_ms);
    let mut letters = age.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

pub fn paused(age_ms: u64) -> String {
    format!("Paused · {}", age(age_ms))
}

/// `as_of`: when the figures are from, such as "14:02 UTC".
pub fn stale(as_of: &str) -> String {
    format!("Stale: as of {as_of}")
}

pub fn stale_why(failure: &str) -> String {
    format!("These figures cannot be brought up to date: {failure} It is tried again by itself.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_rounded_down_and_never_counts_seconds_beyond_a_minute() {
        assert_eq!(streamed(0), "Live · updated just now");
        assert_eq!(streamed(3_999), "Live · updated 3 s ago");
        assert_eq!(paused(125_000), "Paused · updated 2 min ago");
        assert_eq!(asked(12_000), "Updated 12 s ago");
        assert_eq!(paused(3_700_000), "Paused · updated 1 h 1 min ago");
    }
}
