//! What the table by key shows and sorts by.

use crate::text::usage::{self, analytics as words};
use crate::types::UsageStat;

/// A column of the table by key: its name in the address, its head, and what it sorts by. Rows without a figure come last.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) word: &'static str,
    pub(super) value: fn(&UsageStat) -> Option<f64>,
}

pub(super) const COLUMNS: [Column; 11] = [
    Column {
        name: "key",
        word: usage::KEY_COLUMN,
        value: |stat| Some(f64::from(stat.key_number)),
    },
    Column {
        name: "requests",
        word: words::REQUESTS,
        value: |stat| Some(stat.total_requests as f64),
    },
    Column {
        name: "ok",
        word: words::OK,
        value: |stat| Some(stat.successful_requests as f64),
    },
    Column {
        name: "failed",
        word: words::FAILED,
        value: |stat| Some(stat.failed_requests as f64),
    },
    Column {
        name: "rate",
        word: words::RATE,
        value: rate,
    },
    Column {
        name: "avg",
        word: words::MEAN,
        value: |stat| stat.avg_response_time,
    },
    Column {
        name: "p50",
        word: words::P50,
        value: |stat| stat.p50.map(|ms| ms as f64),
    },
    Column {
        name: "p95",
        word: words::P95,
        value: |stat| stat.p95.map(|ms| ms as f64),
    },
    Column {
        name: "p99",
        word: words::P99,
        value: |stat| stat.p99.map(|ms| ms as f64),
    },
    Column {
        name: "tokens",
        word: words::TOKENS,
        value: |stat| Some(stat.total_tokens as f64),
    },
    Column {
        name: "quota",
        word: words::QUOTA_ERRORS,
        value: |stat| Some(stat.quota_errors as f64),
    },
];

/// Percent.
pub(super) fn rate(stat: &UsageStat) -> Option<f64> {
    let judged = stat.successful_requests + stat.failed_requests;
    (judged > 0).then(|| stat.successful_requests as f64 * 100.0 / judged as f64)
}

/// By keys' numbers where it is equal.
pub(super) fn sort(stats: &mut [UsageStat], value: fn(&UsageStat) -> Option<f64>, is_descending: bool) {
    stats.sort_by(|a, b| {
        let by_value = match (value(a), value(b)) {
            (Some(a), Some(b)) if is_descending => b.total_cmp(&a),
            (Some(a), Some(b)) => a.total_cmp(&b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        by_value.then(a.key_number.cmp(&b.key_number))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(key_number: u32, requests: u64, p95: Option<u64>) -> UsageStat {
        UsageStat {
            key_number,
            total_requests: requests,
            successful_requests: 0,
            failed_requests: 0,
            avg_response_time: None,
            quota_errors: 0,
            total_tokens: 0,
            p50: None,
            p95,
            p99: None,
        }
    }

    #[test]
    fn keys_without_a_figure_are_last_whichever_way_it_is_sorted() {
        let order = |name: &str, is_descending| {
            let mut stats = [stat(1, 5, None), stat(2, 9, Some(200)), stat(3, 9, Some(100))];
            let column = COLUMNS.iter().find(|column| column.name == name).unwrap();
            sort(&mut stats, column.value, is_descending);
            stats.map(|stat| stat.key_number)
        };
        assert_eq!(order("p95", true), [2, 3, 1]);
        assert_eq!(order("p95", false), [3, 2, 1]);
        assert_eq!(order("requests", true), [2, 3, 1], "by number where it is equal");
        assert_eq!(order("requests", false), [1, 2, 3]);
    }
}
