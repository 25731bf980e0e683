//! What people read while they wait.

use pool::{Counts, Outcome};

use crate::waiting::Place;

pub(super) fn asking() -> String {
    "Asking the provider".to_owned()
}

pub(super) fn asking_again(outcome: &Outcome) -> String {
    format!("Asking again after {}", cause(outcome))
}

/// Such as "Waiting for a key: 3rd in line, about 12 s".
pub(super) fn waiting(place: Place) -> String {
    let nth = match (place.position % 10, place.position % 100) {
        (1, hundred) if hundred != 11 => "st",
        (2, hundred) if hundred != 12 => "nd",
        (3, hundred) if hundred != 13 => "rd",
        _ => "th",
    };
    let seconds = place.estimate.as_secs().max(1);
    format!("Waiting for a key: {}{nth} in line, about {seconds} s", place.position)
}

pub(super) fn following() -> String {
    "The same question is being answered already".to_owned()
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

/// What a caller should know of an answer that was given in spite of something: the seed's words where keys are out of
/// quota, and which model answered if it is another one.
pub(super) fn warnings(counts: &Counts, wanted: &str, answered: &str) -> Option<String> {
    let quota = (counts.spent > 0).then(|| partial_quota(counts));
    let other = (wanted != answered).then(|| format!("Answered by {answered} because {wanted} could not."));
    match (quota, other) {
        (Some(quota), Some(other)) => Some(format!("{quota} {other}")),
        (quota, other) => quota.or(other),
    }
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
