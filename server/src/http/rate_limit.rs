//! Limits of callers on the way through the guard, and the headers that tell them.
//!
//! Headers as in draft-ietf-httpapi-ratelimit-headers-10: structured fields (RFC 9651).

use std::fmt::Write as _;
use std::time::Duration;

use app::error::{AppError, ErrorCode};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::AppState;
use super::answer::Failed;
use super::client_address::ClientAddress;
use super::guard::{Credential, SignedIn};
use crate::clock::rfc3339;
use crate::rate_limit::{Caller, Decision};

pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Structured fields know no larger whole number.
const WHOLE_MAX: u64 = 999_999_999_999_999;

/// What came of asking the limits; [`Seen::write`] belongs on every answer.
pub(super) struct Seen(Option<Decision>);

/// Takes one request of who asks. Nobody is a caller too, known by address; so is who sent a credential that is not good.
pub(super) fn take(state: &AppState, request: &Request, signed_in: Option<&SignedIn>) -> Seen {
    if is_unlimited(request.uri().path()) {
        return Seen(None);
    }
    let decision = match signed_in {
        None => {
            let address = request.extensions().get::<ClientAddress>();
            address.map(|ClientAddress(address)| state.limiter.take(&Caller::Address(*address)))
        }
        Some(signed_in) => caller(signed_in).map(|caller| state.limiter.take(&caller)),
    };
    Seen(decision)
}

/// Those who ask after the server's health ask often, and get nothing that costs.
fn is_unlimited(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// The command line of this machine has no limit.
fn caller(signed_in: &SignedIn) -> Option<Caller<'_>> {
    let owner = signed_in.user.id.as_str();
    match &signed_in.credential {
        Credential::Operator => None,
        Credential::Session(_) | Credential::AccessToken { .. } => Some(Caller::User(owner)),
        Credential::ApiToken {
            id,
            requests_per_minute,
            ..
        } => Some(Caller::Token {
            owner,
            id,
            requests_per_minute: *requests_per_minute,
        }),
    }
}

impl Seen {
    /// The answer to who is over a limit.
    pub(super) fn refusal(&self, state: &AppState) -> Option<Failed> {
        let wait = self.0.as_ref()?.retry_after?;
        let seconds = whole_seconds(wait).max(1);
        let mut error = AppError::new(
            ErrorCode::RateLimited,
            format!("Too many requests. Try again in {seconds} s."),
        );
        error.retry_after_seconds = Some(seconds);
        error.reset_at = Some(rfc3339(state.clock.now().plus(wait)));
        Some(Failed(error))
    }

    /// Every limit that applies, and where the tightest of them stands.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let Some(decision) = &self.0 else { return };
        let Some(tightest) = decision.tightest() else { return };
        let mut policy = String::new();
        for standing in &decision.standings {
            let (quota, window) = (standing.quota.min(WHOLE_MAX), whole_seconds(standing.window));
            let comma = if policy.is_empty() { "" } else { ", " };
            let _ = write!(policy, "{comma}\"{}\";q={quota};w={window}", standing.policy);
        }
        // Not before the time at which to come back.
        let reset = tightest.reset_after.max(decision.retry_after.unwrap_or_default());
        let remaining = if decision.allowed() {
            tightest.remaining.min(WHOLE_MAX)
        } else {
            0
        };
        let limit = format!("\"{}\";r={remaining};t={}", tightest.policy, whole_seconds(reset));
        for (name, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, limit)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
    }
}

/// Rounded up: who comes back after so many seconds comes late enough.
fn whole_seconds(duration: Duration) -> u64 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    seconds.min(WHOLE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate_limit::Standing;

    fn standing(policy: &'static str, quota: u64, window_ms: u64, remaining: u64, reset_ms: u64) -> Standing {
        Standing {
            policy,
            quota,
            window: Duration::from_millis(window_ms),
            remaining,
            reset_after: Duration::from_millis(reset_ms),
        }
    }

    fn check(standings: &[Standing], retry_after_ms: Option<u64>, policy: &str, limit: &str) {
        let seen = Seen(Some(Decision {
            standings: standings.to_vec(),
            retry_after: retry_after_ms.map(Duration::from_millis),
        }));
        let mut headers = HeaderMap::new();
        seen.write(&mut headers);
        let text = |name| {
            headers
                .get(name)
                .map_or("", |value: &HeaderValue| value.to_str().unwrap())
        };
        assert_eq!((text(RATE_LIMIT_POLICY), text(RATE_LIMIT)), (policy, limit));
    }

    #[test]
    fn headers_are_structured_fields_with_whole_seconds_rounded_up() {
        check(&[], None, "", "");
        check(
            &[standing("caller", 1000, 900_000, 998, 1_800)],
            None,
            "\"caller\";q=1000;w=900",
            "\"caller\";r=998;t=2",
        );
        check(
            &[
                standing("caller", 1000, 900_000, 998, 1_800),
                standing("token", 60, 60_000, 0, 60_000),
            ],
            Some(1_000),
            "\"caller\";q=1000;w=900, \"token\";q=60;w=60",
            "\"token\";r=0;t=60",
        );
        check(
            &[standing("caller", u64::MAX, 500, u64::MAX, 1)],
            None,
            "\"caller\";q=999999999999999;w=1",
            "\"caller\";r=999999999999999;t=1",
        );
    }
}
