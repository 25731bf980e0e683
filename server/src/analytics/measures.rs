//! Sums as people read them.

use std::collections::BTreeMap;

use app::types::{ErrorCount, KeyCount, KeyStat, Measures, UsageStat};

use crate::store::Rollup;

/// Rows added up.
pub(super) fn add(into: &mut Rollup, row: &Rollup) {
    let is_new = into.sums.count == 0;
    into.first_at = if is_new {
        row.first_at
    } else {
        into.first_at.min(row.first_at)
    };
    into.last_at = into.last_at.max(row.last_at);
    into.sums.add(&row.sums);
    into.times.merge(&row.times);
    into.first_tokens.merge(&row.first_tokens);
}

pub(super) fn measures(row: &Rollup) -> Measures {
    let sums = &row.sums;
    Measures {
        requests: sums.count,
        successes: sums.successes,
        failures: sums.failures(),
        quota_errors: sums.quota_errors,
        cached: sums.cached,
        success_rate: percent(sums.successes, sums.count),
        avg_response_time: average(sums.response_time_ms, sums.count),
        p50: row.times.quantile(0.50),
        p95: row.times.quantile(0.95),
        p99: row.times.quantile(0.99),
        first_token_p50: row.first_tokens.quantile(0.50),
        first_token_p95: row.first_tokens.quantile(0.95),
        prompt_tokens: sums.prompt_tokens,
        output_tokens: sums.output_tokens,
        total_tokens: sums.total_tokens,
    }
}

/// Of a key's calls; `None` of those without a key.
pub(super) fn usage_stat(row: &Rollup) -> Option<UsageStat> {
    let measures = measures(row);
    Some(UsageStat {
        key_number: row.key_number?,
        total_requests: measures.requests,
        successful_requests: measures.successes,
        failed_requests: measures.failures,
        avg_response_time: measures.avg_response_time,
        quota_errors: measures.quota_errors,
        total_tokens: measures.total_tokens,
        p50: measures.p50,
        p95: measures.p95,
        p99: measures.p99,
    })
}

pub(super) fn key_stat(stat: &UsageStat) -> KeyStat {
    KeyStat {
        key_number: stat.key_number,
        request_count: stat.total_requests,
        error_count: stat.failed_requests,
        success_rate: percent(stat.successful_requests, stat.total_requests).unwrap_or_default(),
    }
}

/// Failures by error type, the most frequent first, each by key.
pub(super) fn error_counts(rows: &[Rollup]) -> Vec<ErrorCount> {
    let mut types: BTreeMap<&str, (u64, BTreeMap<u32, u64>)> = BTreeMap::new();
    for row in rows {
        let Some(error_type) = row.error_type.as_deref() else {
            continue;
        };
        let (count, keys) = types.entry(error_type).or_default();
        *count += row.sums.count;
        if let Some(number) = row.key_number {
            *keys.entry(number).or_default() += row.sums.count;
        }
    }
    let mut counts: Vec<_> = types
        .into_iter()
        .map(|(error_type, (count, keys))| ErrorCount {
            error_type: error_type.to_owned(),
            count,
            key_breakdown: keys
                .into_iter()
                .map(|(key_number, count)| KeyCount { key_number, count })
                .collect(),
        })
        .collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    counts
}

/// With two decimals; `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
pub(super) fn percent(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| (part as f64 / of as f64 * 10_000.0).round() / 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "sums of milliseconds below 2^53")]
fn average(sum: u64, count: u64) -> Option<f64> {
    (count > 0).then(|| (sum as f64 / count as f64 * 100.0).round() / 100.0)
}
