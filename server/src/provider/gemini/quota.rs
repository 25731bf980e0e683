//! Which quota a 429 speaks of. The order matters: billing, zero limit, day, minute, bare.

use std::time::Duration;

use pool::{Limit, LimitUnit, Outcome};

use super::delay;
use super::error_body::{ErrorBody, Violation};

/// No minute's quota takes longer to come back.
const MINUTE_DELAY_MAX: Duration = Duration::from_secs(300);

// The ordinary quota text says "check your plan and billing details": that word alone proves nothing.
const BILLING_WORDS: [&str; 7] = [
    "prepayment",
    "prepaid",
    "credits are depleted",
    "spending cap",
    "spend cap",
    "spending limit",
    "spend limit",
];
const SPEND_WORDS: [&str; 3] = ["spend-based", "spend rate", "spending rate"];

/// `retry_after` is the header's delay. It only fills in for a minute's quota whose body names none: front ends send it
/// with anything.
pub(super) fn outcome(error: &ErrorBody, retry_after: Option<Duration>) -> Outcome {
    if error.mentions(&BILLING_WORDS) {
        return Outcome::Billing;
    }
    if error.mentions(&SPEND_WORDS) {
        return Outcome::Spend;
    }
    if is_zero(error) {
        return Outcome::ZeroLimit;
    }
    // Several windows can be listed; the day's is the longest and its `RetryInfo` is useless.
    if let Some(day) = error.violations.iter().find(|violation| violation.is_day()) {
        return Outcome::DayQuota { limit: day.limit() };
    }
    let delay = error.retry_delay.or_else(|| delay::in_words(&error.text));
    if delay.is_some_and(|delay| delay > MINUTE_DELAY_MAX) {
        return Outcome::DayQuota { limit: None };
    }
    let minute = error.violations.iter().find(|violation| violation.is_minute());
    if minute.is_some() || delay.is_some() {
        let retry_after = delay.or(retry_after).map(|delay| delay.min(MINUTE_DELAY_MAX));
        return Outcome::MinuteQuota {
            retry_after,
            limit: minute.and_then(Violation::limit),
        };
    }
    Outcome::Bare429
}

/// A project that may not use the model at all gets every window listed at once, without the value, which is zero.
/// A single window without a value is no proof: a wrong guess would cost a day.
fn is_zero(error: &ErrorBody) -> bool {
    let windows = &error.violations;
    let all_without_value = windows.iter().any(Violation::is_day)
        && windows.iter().any(Violation::is_minute)
        && windows.iter().all(|violation| violation.value.is_none());
    all_without_value || windows.iter().any(|violation| violation.value == Some(0)) || names_zero(&error.text)
}

/// `limit: 0`, but neither `limit: 05` nor `limit: 0.5`.
fn names_zero(text: &str) -> bool {
    text.split("limit: ").skip(1).any(|after| {
        let end = after
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(after.len());
        after[..end].trim_end_matches('.') == "0"
    })
}

impl Violation {
    fn is_day(&self) -> bool {
        self.quota_id.contains("perday") || self.quota_id.contains("daily")
    }

    fn is_minute(&self) -> bool {
        self.quota_id.contains("perminute")
    }

    fn limit(&self) -> Option<Limit> {
        let unit = if self.quota_id.contains("token") {
            LimitUnit::Tokens
        } else {
            LimitUnit::Requests
        };
        self.value.map(|value| Limit { unit, value })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::provider::gemini::error_body;

    fn check(error: Value, expected: Outcome) {
        let parsed = error_body::find(&json!({ "error": error })).unwrap();
        assert_eq!(outcome(&parsed, None), expected, "{error}");
    }

    fn quota(violations: Value) -> Value {
        json!({ "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations })
    }

    fn retry(delay: &str) -> Value {
        json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay })
    }

    fn secs(secs: u64) -> Option<Duration> {
        Some(Duration::from_secs(secs))
    }

    #[test]
    fn the_quota_id_decides_and_the_metric_never() {
        let day_metric = json!([{ "quotaMetric": "x/requests_per_day", "quotaId": "RequestsPerMinute-FreeTier", "quotaValue": "10" }]);
        let limit = Some(Limit {
            unit: LimitUnit::Requests,
            value: 10,
        });
        check(
            json!({ "details": [quota(day_metric), retry("9s")] }),
            Outcome::MinuteQuota {
                retry_after: secs(9),
                limit,
            },
        );

        let minute_metric =
            json!([{ "quotaMetric": "x/requests_per_minute", "quotaId": "DailyTokens", "quotaValue": "5" }]);
        let limit = Some(Limit {
            unit: LimitUnit::Tokens,
            value: 5,
        });
        check(
            json!({ "details": [quota(minute_metric), retry("9s")] }),
            Outcome::DayQuota { limit },
        );
    }

    #[test]
    fn the_longest_window_wins_in_either_order_and_lends_its_limit() {
        let day = json!({ "quotaId": "RequestsPerDay", "quotaValue": "250" });
        let minute = json!({ "quotaId": "RequestsPerMinute", "quotaValue": "10" });
        let expected = Outcome::DayQuota {
            limit: Some(Limit {
                unit: LimitUnit::Requests,
                value: 250,
            }),
        };
        check(
            json!({ "details": [quota(json!([day, minute])), retry("45s")] }),
            expected.clone(),
        );
        check(
            json!({ "details": [quota(json!([minute, day])), retry("45s")] }),
            expected,
        );
    }

    #[test]
    fn a_delay_over_five_minutes_is_a_day() {
        let minute = quota(json!([{ "quotaId": "RequestsPerMinute", "quotaValue": "10" }]));
        check(
            json!({ "details": [minute, retry("301s")] }),
            Outcome::DayQuota { limit: None },
        );
        check(
            json!({ "message": "Please retry in 13h24m8.1s." }),
            Outcome::DayQuota { limit: None },
        );
        check(
            json!({ "details": [retry("300s")] }),
            Outcome::MinuteQuota {
                retry_after: secs(300),
                limit: None,
            },
        );
    }

    #[test]
    fn zero_is_told_by_words_by_value_or_by_its_absence_everywhere() {
        check(
            json!({ "message": "Quota exceeded for metric: x, limit: 0, model: y" }),
            Outcome::ZeroLimit,
        );
        check(
            json!({ "message": "Quota exceeded for metric: x, limit: 0" }),
            Outcome::ZeroLimit,
        );
        check(
            json!({ "details": [quota(json!([{ "quotaId": "RequestsPerDay", "quotaValue": "0" }]))] }),
            Outcome::ZeroLimit,
        );
        let both = json!([{ "quotaId": "RequestsPerDay" }, { "quotaId": "RequestsPerMinute" }]);
        check(json!({ "details": [quota(both), retry("1s")] }), Outcome::ZeroLimit);
    }

    #[test]
    fn other_limits_are_not_zero() {
        let one = json!([{ "quotaId": "RequestsPerDay" }]);
        check(json!({ "details": [quota(one)] }), Outcome::DayQuota { limit: None });
        let mixed = json!([{ "quotaId": "RequestsPerDay", "quotaValue": "20" }, { "quotaId": "RequestsPerMinute" }]);
        let limit = Some(Limit {
            unit: LimitUnit::Requests,
            value: 20,
        });
        check(
            json!({ "message": "limit: 20, limit: 05", "details": [quota(mixed)] }),
            Outcome::DayQuota { limit },
        );
    }

    #[test]
    fn money_comes_first() {
        let day = quota(json!([{ "quotaId": "RequestsPerDay", "quotaValue": "0" }]));
        check(
            json!({ "message": "Your prepayment credits are depleted.", "details": [day.clone()] }),
            Outcome::Billing,
        );
        check(
            json!({ "message": "Your project has exceeded its monthly spending cap." }),
            Outcome::Billing,
        );
        check(
            json!({ "message": "You exceeded the spend-based rate limit.", "details": [day] }),
            Outcome::Spend,
        );
    }

    #[test]
    fn the_usual_hint_at_billing_is_not_a_billing_fault() {
        check(
            json!({ "message": "You exceeded your current quota, please check your plan and billing details." }),
            Outcome::Bare429,
        );
    }

    #[test]
    fn the_older_shape_names_its_quota_in_the_error_info() {
        let metadata =
            json!({ "quota_limit": "GenerateContentRequestsPerMinutePerProjectPerRegion", "quota_limit_value": "60" });
        let info = json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED", "metadata": metadata });
        let limit = Some(Limit {
            unit: LimitUnit::Requests,
            value: 60,
        });
        check(
            json!({ "details": [info] }),
            Outcome::MinuteQuota {
                retry_after: None,
                limit,
            },
        );
    }

    #[test]
    fn the_header_only_fills_in_for_a_minute_without_a_delay() {
        let minute = json!({ "error": { "details": [quota(json!([{ "quotaId": "PerMinute" }]))] } });
        let parsed = error_body::find(&minute).unwrap();
        assert_eq!(
            outcome(&parsed, secs(900)),
            Outcome::MinuteQuota {
                retry_after: secs(300),
                limit: None
            }
        );
        assert_eq!(outcome(&ErrorBody::default(), secs(900)), Outcome::Bare429);
    }
}
