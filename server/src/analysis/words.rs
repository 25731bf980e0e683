//! What people read while they wait.

use std::time::Duration;

use pool::{Counts, Outcome};

pub(super) fn asking() -> String {
    "Asking the provider".to_owned()
}

pub(super) fn asking_again(outcome: &Outcome) -> String {
    format!("Asking again after {}", cause(outcome))
}

/// Such as "Waiting 22 s for a minute limit".
pub(super) fn waiting(wait: Duration) -> String {
    format!("Waiting {} s for a minute limit", wait.as_millis().div_ceil(1000))
}

/// Such as "Switched key after a day quota, 2 of 3".
pub(super) fn switched(outcome: &Outcome, attempt: u32, keys: u32) -> String {
    format!("Switched key after {}, {attempt} of {keys}", cause(outcome))
}

/// Keeps the reason for a switch in sight while the text comes.
pub(super) fn writing(switched_after: Option<&Outcome>, attempt: u32, keys: u32) -> String {
    switched_after.map_or_else(
        || "Writing".to_owned(),
        |outcome| format!("Writing. {}", switched(outcome, attempt, keys)),
    )
}

/// The seed's words for a service that serves although some keys are out of quota; `None` when none is.
pub fn warning(counts: &Counts) -> Option<String> {
    (counts.spent > 0).then(|| partial_quota(counts))
}

pub(super) fn partial_quota(counts: &Counts) -> String {
    app::text::refusal::partial_quota_details(counts.spent, counts.total, counts.available)
}

fn cause(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::DayQuota { .. } => "a day quota",
        Outcome::MinuteQuota { .. } => "a minute limit",
        Outcome::Bare429 | Outcome::Spend => "a rate limit",
        Outcome::ZeroLimit => "a key without this model",
        Outcome::InvalidKey => "an invalid key",
        Outcome::Revoked { .. } => "a revoked key",
        Outcome::KeyConfig { .. } => "a key that needs set-up",
        Outcome::Billing => "a key without credit",
        Outcome::Region => "a refused location",
        Outcome::Overload => "an overloaded model",
        Outcome::Server => "a provider error",
        Outcome::Transport => "a lost connection",
        Outcome::Empty => "an empty answer",
        Outcome::ModelGone => "an unknown model",
        Outcome::Success { .. }
        | Outcome::FileForeign
        | Outcome::CallerFault
        | Outcome::Blocked { .. }
        | Outcome::Truncated
        | Outcome::Cancelled
        | Outcome::Unknown => "an unexpected answer",
    }
}
