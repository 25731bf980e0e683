//! What a person can do about a key that failed its test.

use pool::Outcome;

/// Said where the provider did not answer about the key.
pub(super) const NOT_ASKED: &str = "The provider could not be asked: try again later.";

/// Said of a key that was kept all the same.
pub(super) const ADDED_UNTESTED: &str = "Added, not tested: the provider could not be asked. Test it later.";

/// `None` when the key is not what failed.
pub(super) fn of(outcome: &Outcome) -> Option<&'static str> {
    Some(match outcome {
        Outcome::InvalidKey => {
            "The provider does not accept this key: check that it is complete, or make a new one in AI Studio."
        }
        Outcome::Revoked { .. } => {
            "The provider has withdrawn this key (leaked or suspended): make a new one in AI Studio."
        }
        Outcome::KeyConfig { .. } => {
            "The key's project is not set up: enable the Generative Language API and remove referrer and address restrictions in the Cloud console."
        }
        Outcome::Billing => "The key's billing account has no credit: top it up in AI Studio.",
        Outcome::Success { .. }
        | Outcome::Region
        | Outcome::ZeroLimit
        | Outcome::DayQuota { .. }
        | Outcome::MinuteQuota { .. }
        | Outcome::Spend
        | Outcome::Bare429
        | Outcome::ModelGone
        | Outcome::FileForeign
        | Outcome::CallerFault
        | Outcome::Overload
        | Outcome::Server
        | Outcome::Transport
        | Outcome::Blocked { .. }
        | Outcome::Empty
        | Outcome::Truncated
        | Outcome::Cancelled
        | Outcome::Unknown => return None,
    })
}
