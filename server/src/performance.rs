//! How the server has been doing since it started or was last asked to forget: the seed's performance monitor.
//!
//! In memory and for this process only; what must outlive it is in the usage events.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use app::types::{KeyPerformance, KeyPerformanceDetails, PerformanceReport};
use pool::Timestamp;

use crate::clock::rfc3339;

/// Counts that grow with the number of keys and of error types, never with requests.
pub struct Performance(Mutex<Metrics>);

struct Metrics {
    since: Timestamp,
    requests: u64,
    cache_hits: u64,
    /// Milliseconds.
    total_response_time: u64,
    errors: BTreeMap<&'static str, u64>,
    keys: BTreeMap<u32, KeyPerformance>,
}

impl Metrics {
    fn since(now: Timestamp) -> Self {
        Self {
            since: now,
            requests: 0,
            cache_hits: 0,
            total_response_time: 0,
            errors: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }
}

impl Performance {
    pub fn new(now: Timestamp) -> Self {
        Self(Mutex::new(Metrics::since(now)))
    }

    /// One request of a caller, however many calls it took. `error_type`: the analytics' word for why it failed, such as `quota`.
    pub fn record_request(&self, response_ms: u64, from_cache: bool, error_type: Option<&'static str>) {
        let mut metrics = self.lock();
        metrics.requests += 1;
        metrics.cache_hits += u64::from(from_cache);
        metrics.total_response_time += response_ms;
        if let Some(error_type) = error_type {
            *metrics.errors.entry(error_type).or_default() += 1;
        }
    }

    /// One call to the provider.
    pub fn record_attempt(&self, key_number: u32, response_ms: u64, success: bool) {
        let mut metrics = self.lock();
        let key = metrics.keys.entry(key_number).or_default();
        key.requests += 1;
        key.successes += u64::from(success);
        key.total_response_time += response_ms;
    }

    pub fn report(&self) -> PerformanceReport {
        let metrics = self.lock();
        let details = |key: &KeyPerformance| KeyPerformanceDetails {
            success_rate: percent(key.successes, key.requests),
            average_response_time: mean_ms(key.total_response_time, key.requests),
            total_requests: key.requests,
        };
        PerformanceReport {
            requests: metrics.requests,
            cache_hits: metrics.cache_hits,
            average_response_time: if metrics.requests == 0 {
                0.0
            } else {
                metrics.total_response_time as f64 / metrics.requests as f64
            },
            key_performance: metrics.keys.clone(),
            error_rates: metrics
                .errors
                .iter()
                .map(|(error_type, count)| ((*error_type).to_owned(), percent(*count, metrics.requests)))
                .collect(),
            cache_hit_rate: percent(metrics.cache_hits, metrics.requests),
            key_performance_details: metrics
                .keys
                .iter()
                .map(|(number, key)| (*number, details(key)))
                .collect(),
            since: rfc3339(metrics.since),
        }
    }

    /// Forgets everything counted before `now`.
    pub fn reset(&self, now: Timestamp) {
        *self.lock() = Metrics::since(now);
    }

    /// A panic under the lock would be a bug; counts that miss one are better than none.
    fn lock(&self) -> MutexGuard<'_, Metrics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Such as `66.67%`; `0%` of nothing, as the seed writes it.
fn percent(part: u64, whole: u64) -> String {
    hundredths(u128::from(part) * 100, whole).map_or_else(|| "0%".to_owned(), |text| text + "%")
}

/// Such as `123.45ms`; `0ms` of nothing.
fn mean_ms(total_ms: u64, count: u64) -> String {
    hundredths(u128::from(total_ms), count).map_or_else(|| "0ms".to_owned(), |text| text + "ms")
}

/// A quotient with two digits after the point, halves rounded up as `toFixed` does; `format!` would round them to even.
fn hundredths(dividend: u128, divisor: u64) -> Option<String> {
    let divisor = u128::from(divisor);
    let rounded = (dividend * 200 + divisor).checked_div(divisor * 2)?;
    Some(format!("{}.{:02}", rounded / 100, rounded % 100))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_768_478_400_000);

    fn check(performance: &Performance, expected: serde_json::Value) {
        let report = serde_json::to_value(performance.report()).expect("a report is JSON");
        assert_eq!(report, expected);
    }

    fn nothing(since: &str) -> serde_json::Value {
        json!({
            "requests": 0, "cacheHits": 0, "averageResponseTime": 0.0, "keyPerformance": {}, "errorRates": {},
            "cacheHitRate": "0%", "keyPerformanceDetails": {}, "since": since,
        })
    }

    #[test]
    fn the_report_has_the_seeds_fields_and_its_formatted_strings() {
        let performance = Performance::new(START);
        check(&performance, nothing("2026-01-15T12:00:00.000Z"));
        for _ in 0..5 {
            performance.record_request(100, false, None);
        }
        performance.record_request(0, true, None);
        performance.record_request(90, false, Some("quota"));
        performance.record_request(10, false, Some("timeout"));
        for (ms, success) in [(100, true), (120, true), (151, false)] {
            performance.record_attempt(1, ms, success);
        }
        performance.record_attempt(12, 7, true);
        check(
            &performance,
            json!({
                "requests": 8, "cacheHits": 1, "averageResponseTime": 75.0, "cacheHitRate": "12.50%",
                "keyPerformance": {
                    "1": { "requests": 3, "successes": 2, "totalResponseTime": 371 },
                    "12": { "requests": 1, "successes": 1, "totalResponseTime": 7 },
                },
                "errorRates": { "quota": "12.50%", "timeout": "12.50%" },
                "keyPerformanceDetails": {
                    "1": { "successRate": "66.67%", "averageResponseTime": "123.67ms", "totalRequests": 3 },
                    "12": { "successRate": "100.00%", "averageResponseTime": "7.00ms", "totalRequests": 1 },
                },
                "since": "2026-01-15T12:00:00.000Z",
            }),
        );
        performance.reset(START.plus(std::time::Duration::from_secs(60)));
        check(&performance, nothing("2026-01-15T12:01:00.000Z"));
    }

    #[test]
    fn two_digits_follow_the_point_as_to_fixed_writes_them() {
        for (part, whole, text) in [
            (0, 0, "0%"),
            (0, 3, "0.00%"),
            (1, 3, "33.33%"),
            (2, 3, "66.67%"),
            (1, 32, "3.13%"),
            (1, 1_000_000, "0.00%"),
            (999_999, 1_000_000, "100.00%"),
        ] {
            assert_eq!(percent(part, whole), text, "{part} of {whole}");
        }
        for (total, count, text) in [
            (0, 0, "0ms"),
            (5, 1, "5.00ms"),
            (2_469, 20, "123.45ms"),
            (1, 8, "0.13ms"),
        ] {
            assert_eq!(mean_ms(total, count), text, "{total} ms over {count}");
        }
    }

    #[test]
    fn a_report_read_back_is_the_same_report() {
        let performance = Performance::new(START);
        performance.record_request(10, true, Some("quota"));
        performance.record_attempt(3, 10, false);
        let text = serde_json::to_string(&performance.report()).expect("a report is JSON");
        let read: PerformanceReport = serde_json::from_str(&text).expect("and back");
        assert_eq!(read, performance.report());
    }
}
