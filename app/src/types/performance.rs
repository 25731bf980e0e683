use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The response cache and the queue before the provider: the seed's four figures and what else is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheStats {
    /// Answers kept.
    pub size: u64,
    /// Most answers kept; 0 is a cache that is switched off.
    pub max: u64,
    /// Requests that wait for a key.
    pub queue_length: u64,
    /// A call to the provider is under way.
    pub is_processing: bool,
    /// Requests answered with what was kept, since the start.
    pub hits: u64,
    /// Requests that had to ask the provider, since the start.
    pub misses: u64,
    /// Requests answered with what an identical one was just asking for, since the start.
    pub followers: u64,
    /// Bytes that the answers kept take up, each rounded up to 16 KiB.
    pub weight: u64,
}

/// What the seed's performance monitor reports, in its shapes: percentages and times with two digits after the point.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceReport {
    pub requests: u64,
    pub cache_hits: u64,
    /// Milliseconds from a request to its last byte, answers from the cache included.
    pub average_response_time: f64,
    /// Calls to the provider by key number.
    pub key_performance: BTreeMap<u32, KeyPerformance>,
    /// Share of all requests that failed for a reason, such as `{"quota":"12.50%"}`.
    pub error_rates: BTreeMap<String, String>,
    /// Such as `12.34%`; `0%` before the first request.
    pub cache_hit_rate: String,
    /// The same calls, worked out, by key number.
    pub key_performance_details: BTreeMap<u32, KeyPerformanceDetails>,
    /// Since when it is counted: the start or the last reset.
    pub since: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyPerformance {
    pub requests: u64,
    pub successes: u64,
    /// Milliseconds.
    pub total_response_time: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyPerformanceDetails {
    /// Such as `66.67%`.
    pub success_rate: String,
    /// Such as `123.45ms`.
    pub average_response_time: String,
    pub total_requests: u64,
}
