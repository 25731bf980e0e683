//! What a caller is told when there is no answer. The pool's verdict decides; the seed's three messages are its wording.

use app::error::{AppError, ErrorCode};
use pool::{Counts, Exhausted, Outcome, Timestamp, Verdict};

use super::words;
use crate::clock::rfc3339;
use crate::provider::Failure;

/// No key could be leased.
pub(super) fn exhausted(exhausted: &Exhausted, last: Option<&Failure>, now: Timestamp) -> AppError {
    match last {
        // Usable keys are left, so the pool is not what failed: the provider or the model is.
        Some(failure) if exhausted.counts.available > 0 || exhausted.verdict == Verdict::ProviderDown => {
            waiting(provider_error(failure, false), exhausted.retry_at, now)
        }
        _ => waiting(
            verdict_error(exhausted.verdict, &exhausted.counts),
            exhausted.retry_at,
            now,
        ),
    }
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
        _ => provider_error(failure, sent_on),
    }
}

fn verdict_error(verdict: Verdict, counts: &Counts) -> AppError {
    match verdict {
        Verdict::AllSpent => AppError::new(
            ErrorCode::QuotaExceeded,
            "AI service quota exceeded for today. Please try again tomorrow or contact support for higher limits.",
        )
        .details(format!(
            "\u{1f6ab} ALL API QUOTA EXCEEDED: All {} Google AI API key(s) have reached their daily quota limit.",
            counts.spent
        )),
        Verdict::PartlySpent => AppError::new(
            ErrorCode::PartialQuota,
            "Some AI services are at capacity, but analysis should still work. If this persists, please try again later.",
        )
        .details(words::partial_quota(counts)),
        Verdict::AllInvalid => AppError::new(ErrorCode::InvalidKeys, "AI service configuration error. Please contact support.")
            .details("\u{1f511} ALL API KEYS INVALID: All configured API keys are invalid."),
        Verdict::NoKeys => AppError::new(
            ErrorCode::NoKeys,
            "No provider key is configured yet. An admin can add the first one on the set-up page or as GOOGLE_AI_API_KEY_1.",
        ),
        Verdict::ProviderDown => {
            AppError::new(ErrorCode::UpstreamUnavailable, "The AI provider is not answering right now. Please try again in a moment.")
        }
        Verdict::Mixed | Verdict::Serving if counts.spent > 0 => AppError::new(
            ErrorCode::PartialQuota,
            "Some AI services are at capacity, but analysis should still work. If this persists, please try again later.",
        )
        .details(words::partial_quota(counts)),
        Verdict::Mixed | Verdict::Serving => {
            AppError::new(ErrorCode::NoCapacity, "No key can take this request right now. Please try again shortly.").details(reasons(counts))
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
        return AppError::new(
            ErrorCode::UpstreamBadResponse,
            "The answer broke off before its end. What came so far is kept; try again for a whole one.",
        );
    }
    match failure.outcome {
        Outcome::Blocked { .. } => AppError::new(
            ErrorCode::Blocked,
            "The provider declined to answer this request for safety reasons. Rephrase it and try again.",
        )
        .details(evidence.block_reason.clone().unwrap_or_else(|| "BLOCKED".to_owned())),
        Outcome::CallerFault => AppError::new(
            ErrorCode::BadRequest,
            "The provider does not accept this request as it is. Check the model, the options and the size of the input.",
        ),
        Outcome::ModelGone => AppError::new(
            ErrorCode::NotFound,
            "The provider has no such model. Choose another one.",
        )
        .field("model"),
        Outcome::FileForeign => AppError::new(
            ErrorCode::BadRequest,
            "The file is not there any more: upload it again.",
        ),
        Outcome::Region => AppError::new(
            ErrorCode::UpstreamUnavailable,
            "The AI provider does not serve this server's location. Please contact support.",
        ),
        Outcome::Transport if evidence.timed_out => AppError::new(
            ErrorCode::UpstreamTimeout,
            "The AI provider did not answer in time. Please try again.",
        ),
        Outcome::Server | Outcome::Overload | Outcome::Transport | Outcome::Cancelled => AppError::new(
            ErrorCode::UpstreamUnavailable,
            "The AI provider is having trouble. Please try again in a moment.",
        ),
        _ => AppError::new(
            ErrorCode::UpstreamBadResponse,
            "The AI provider's answer could not be used. Please try again.",
        ),
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
    AppError::new(
        ErrorCode::BadRequest,
        "Too many different models were asked for. Use one that was used before.",
    )
    .field("model")
}
