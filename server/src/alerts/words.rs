//! What incidents say: cause and extent, in one line. Key numbers and names of models, never secrets. The seed's three
//! messages are in `app::text::alerts`.

use std::time::Duration;

use pool::Timestamp;

use crate::analytics::DryCell;
use crate::announcer::KeyFault;
use crate::clock::rfc3339;

pub(super) const STORE_FAILS: &str = "The data store does not answer, or does not take what is recorded";

pub(super) fn key_fault(number: u32, fault: KeyFault) -> String {
    match fault {
        KeyFault::Revoked => format!("Key {number} was revoked by the provider"),
        KeyFault::Invalid => format!("Key {number} is invalid"),
        KeyFault::NeedsSetup => format!("Key {number} is not set up at the provider"),
        KeyFault::NoCredit => format!("Key {number} is out of credit"),
    }
}

pub(super) fn error_rate(rate: f64, usual: f64, minutes: u32) -> String {
    format!("{rate}% of requests failed in the last {minutes} min; {usual}% did before")
}

pub(super) fn latency(now_ms: f64, usual_ms: f64, minutes: u32) -> String {
    let seconds = |ms: f64| format!("{:.1} s", ms / 1000.0);
    let (now, usual) = (seconds(now_ms), seconds(usual_ms));
    format!("One request in 20 took {now} or longer in the last {minutes} min; {usual} before")
}

pub(super) fn runs_dry(cell: &DryCell, now: Timestamp) -> String {
    let keys: Vec<String> = cell.key_numbers.iter().map(ToString::to_string).collect();
    let keys = match keys.len() {
        0 => format!("project {}", cell.project),
        1 => format!("key {}", keys[0]),
        _ => format!("keys {}", keys.join(", ")),
    };
    if cell.dry_at <= now {
        return format!("The day quota of {} for {keys} is used up", cell.model);
    }
    let minutes = cell.dry_at.since(now).max(Duration::from_secs(60)).as_secs() / 60;
    let left = match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    };
    // To the minute: a forecast is no more exact.
    let at: String = rfc3339(cell.dry_at).chars().take("2026-01-15T12:00".len()).collect();
    format!(
        "The day quota of {} for {keys} will be used up in {left} ({at} UTC)",
        cell.model
    )
}

pub(super) fn dropped(events: u64, minutes: u32) -> String {
    match events {
        1 => format!("1 usage event was lost in the last {minutes} min"),
        events => format!("{events} usage events were lost in the last {minutes} min"),
    }
}
