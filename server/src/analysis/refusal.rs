//! What a caller is told when there is no answer. The pool's verdict decides; the seed's three messages are its wording.

use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::text::refusal as text;
use pool::{Counts, Exhausted, Outcome, Timestamp, Verdict};

use super::words;
use crate::clock::rfc3339;
use crate::provider::Failure;

/// Until a server that was told to stop is likely to be back.
const RESTART_SECONDS: u64 = 5;

/// No key could be leased.
pub(super) fn exhausted(exhausted: &Exhausted, last: Option<&Failure>, now: Timestamp) -> AppError {
    match last {
        // The pool is not what failed: the provider or the model is.
        Some(failure) if is_provider_failure(&failure.outcome) => waiting(
            provider_error(failure, false),
            exhausted.retry_at.or(Some(soon(now))),
            now,
        ),
        _ => waiting(
            verdict_error(exhausted.verdict, &exhausted.counts),
            exhausted.retry_at,
            now,
        ),
    }
}

/// A key would come back in time, but too many wait for one.
pub(super) fn line_is_full(exhausted: &Exhausted, waiting: usize, now: Timestamp) -> AppError {
    let error = AppError::new(ErrorCode::NoCapacity, text::LINE_IS_FULL).details(format!("{waiting} requests wait."));
    self::waiting(error, exhausted.retry_at, now)
}

/// The server ends, and the answer is not there yet.
pub(super) fn server_stops(sent_on: bool) -> AppError {
    let words = if sent_on { text::STOPS_MIDWAY } else { text::STOPS };
    let mut error = AppError::new(ErrorCode::NoCapacity, words);
    error.retry_after_seconds = Some(RESTART_SECONDS);
    error
}

/// The time for the whole request ran out.
pub(super) fn late(failure: &Failure) -> AppError {
    provider_error(failure, false)
}

/// A call failed and no other key is asked.
pub(super) fn failed(
    failure: &Failure,
    (verdict, counts): &(Verdict, Counts),
    retry_at: Option<Timestamp>,
    now: Timestamp,
    sent_on: bool,
) -> AppError {
    match failure.outcome {
        Outcome::InvalidKey
        | Outcome::Revoked { .. }
        | Outcome::KeyConfig { .. }
        | Outcome::Billing
        | Outcome::ZeroLimit
        | Outcome::DayQuota { .. }
        | Outcome::MinuteQuota { .. }
        | Outcome::Spend
        | Outcome::Bare429
            if !sent_on =>
        {
            waiting(verdict_error(*verdict, counts), retry_at, now)
        }
        ref outcome if is_provider_failure(outcome) && !sent_on => {
            waiting(provider_error(failure, false), retry_at.or(Some(soon(now))), now)
        }
        _ => provider_error(failure, sent_on),
    }
}

fn is_provider_failure(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Overload
            | Outcome::Server
            | Outcome::Transport
            | Outcome::Empty
            | Outcome::ModelGone
            | Outcome::Region
    )
}

/// While nobody knows when the provider is back, a second is soon enough to ask again.
fn soon(now: Timestamp) -> Timestamp {
    now.plus(Duration::from_secs(1))
}

fn verdict_error(verdict: Verdict, counts: &Counts) -> AppError {
    let partly = || AppError::new(ErrorCode::PartialQuota, text::PARTIAL_QUOTA).details(words::partial_quota(counts));
    match verdict {
        Verdict::AllSpent => AppError::new(ErrorCode::QuotaExceeded, text::QUOTA_EXCEEDED)
            .details(text::quota_exceeded_details(counts.spent)),
        Verdict::PartlySpent => partly(),
        Verdict::AllInvalid => {
            AppError::new(ErrorCode::InvalidKeys, text::INVALID_KEYS).details(text::INVALID_KEYS_DETAILS)
        }
        Verdict::NoKeys => AppError::new(ErrorCode::NoKeys, text::NO_KEYS),
        Verdict::ProviderDown => AppError::new(ErrorCode::UpstreamUnavailable, text::PROVIDER_DOWN),
        Verdict::Mixed | Verdict::Serving if counts.spent > 0 => partly(),
        Verdict::Mixed | Verdict::Serving => {
            AppError::new(ErrorCode::NoCapacity, text::NO_CAPACITY).details(reasons(counts))
        }
    }
}

/// Such as "2 of 3 keys are cooling down, 1 is invalid".
fn reasons(counts: &Counts) -> String {
    let parts = [
        (counts.available, "available"),
        (counts.busy, "busy with a trial call"),
        (counts.spent, "out of day quota"),
        (counts.cooling, "cooling down"),
        (counts.not_entitled, "without this model"),
        (counts.no_credit, "without credit"),
        (counts.needs_setup, "in need of set-up"),
        (counts.suspect, "being checked"),
        (counts.invalid, "invalid"),
        (counts.revoked, "revoked"),
        (counts.disabled, "disabled"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!("Of {} key(s): {}.", counts.total, parts.join(", "))
}

fn provider_error(failure: &Failure, sent_on: bool) -> AppError {
    let evidence = &failure.evidence;
    if sent_on {
        return AppError::new(ErrorCode::UpstreamBadResponse, text::BROKE_OFF);
    }
    let slow = evidence.timed_out || evidence.http_status == Some(504);
    match failure.outcome {
        Outcome::Blocked { .. } => AppError::new(ErrorCode::Blocked, text::BLOCKED)
            .details(evidence.block_reason.clone().unwrap_or_else(|| "BLOCKED".to_owned())),
        Outcome::CallerFault => AppError::new(ErrorCode::BadRequest, text::NOT_ACCEPTED),
        Outcome::ModelGone => AppError::new(ErrorCode::NotFound, text::NO_SUCH_MODEL).field("model"),
        Outcome::FileForeign => AppError::new(ErrorCode::BadRequest, text::FILE_GONE),
        Outcome::Region => AppError::new(ErrorCode::UpstreamUnavailable, text::REGION),
        Outcome::Transport | Outcome::Server if slow => AppError::new(ErrorCode::UpstreamTimeout, text::PROVIDER_SLOW),
        Outcome::Server | Outcome::Overload | Outcome::Transport | Outcome::Cancelled => {
            AppError::new(ErrorCode::UpstreamUnavailable, text::PROVIDER_TROUBLE)
        }
        _ => AppError::new(ErrorCode::UpstreamBadResponse, text::PROVIDER_GARBLED),
    }
}

/// With the time at which trying again makes sense.
fn waiting(mut error: AppError, retry_at: Option<Timestamp>, now: Timestamp) -> AppError {
    if let Some(at) = retry_at {
        // Rounded up: a caller that waits so long finds the key ready.
        error.retry_after_seconds = Some(at.since(now).as_millis().div_ceil(1000).max(1) as u64);
        error.reset_at = Some(rfc3339(at));
    }
    error
}

pub(super) fn too_many_models() -> AppError {
    AppError::new(ErrorCode::BadRequest, text::TOO_MANY_MODELS).field("model")
}
