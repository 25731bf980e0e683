//! Usage as admins see it: `/api/analytics/…` and the pages over it.

use serde::{Deserialize, Serialize};

use super::{ServiceStatus, TokenUsage};

/// What part of the usage to look at, as it stands in an address. Empty texts are as good as absent ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UsageQuery {
    /// `1h`, `24h`, `7d` or `30d`, up to now; not together with the two dates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// RFC 3339, or a day (`2026-11-30`) or a minute (`2026-11-30T14:05`) in `tz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_date: Option<String>,
    /// As `start_date`, now when absent; a day is included to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_date: Option<String>,
    /// IANA name of the zone; UTC when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The time a report is about. Instants are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimeRange {
    pub start: String,
    /// Not included.
    pub end: String,
    pub tz: String,
    /// `1h`, `24h`, `7d`, `30d`, or absent for one of its own.
    pub range: Option<String>,
}

/// Whether the figures of a report are whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// False: `ENABLE_ANALYTICS` is off, and nothing new is counted.
    pub recording: bool,
    /// Events lost since the server started because the store did not take them in time.
    pub dropped: u64,
    /// Events that wait for the store.
    pub waiting: u64,
}

/// Events added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measures {
    pub requests: u64,
    pub successes: u64,
    pub failures: u64,
    pub quota_errors: u64,
    /// Answered from the response cache.
    pub cached: u64,
    /// Percent; absent without requests.
    pub success_rate: Option<f64>,
    /// Milliseconds, as the percentiles; absent without requests. Percentiles are exact to 2 percent.
    pub avg_response_time: Option<f64>,
    pub p50: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
    /// To the first token, of answers that were streamed by the provider.
    pub first_token_p50: Option<u64>,
    pub first_token_p95: Option<u64>,
    pub prompt_tokens: u64,
    pub output_tokens: u64,
    pub total_tokens: u64,
}

/// `GET /api/analytics/api-usage`: the seed's shape. Rows count calls to the provider by key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiUsage {
    pub time_range: TimeRange,
    pub current_status: ServiceStatus,
    pub usage_stats: Vec<UsageStat>,
    /// Most frequent first.
    pub error_breakdown: Vec<ErrorCount>,
    pub summary: UsageSummary,
    pub coverage: Coverage,
}

/// Calls with one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageStat {
    /// The key's number.
    #[serde(rename = "_id")]
    pub key_number: u32,
    pub total_requests: u64,
    pub successful_requests: u64,
    pub failed_requests: u64,
    pub avg_response_time: Option<f64>,
    pub quota_errors: u64,
    pub total_tokens: u64,
    pub p50: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorCount {
    /// The error type.
    #[serde(rename = "_id")]
    pub error_type: String,
    pub count: u64,
    /// By number.
    pub key_breakdown: Vec<KeyCount>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyCount {
    pub key_number: u32,
    pub count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageSummary {
    pub total_keys: u32,
    /// 0-based place in `availableKeys`; -1 without keys.
    pub active_key: i64,
    pub healthy_keys: u32,
}

/// `GET /api/analytics/hourly-pattern`: one day in its zone, by the hour of its clock and key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HourlyPattern {
    /// Such as `2026-11-30`.
    pub date: String,
    pub tz: String,
    /// In the order of hour and key; hours without calls are left out. An hour that the clock went through twice is one row.
    pub hourly_pattern: Vec<HourlyRow>,
    /// Hours that the day has on its clock: 23, 24 or 25 of them, in their order.
    pub hours: Vec<u8>,
    pub coverage: Coverage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HourlyRow {
    #[serde(rename = "_id")]
    pub id: HourOfKey,
    pub requests: u64,
    pub successes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HourOfKey {
    /// 0 to 23.
    pub hour: u8,
    pub key_number: u32,
}

/// `GET /api/analytics/real-time-metrics`: the last hour, and what is wrong now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealTimeMetrics {
    pub timestamp: String,
    pub service_status: ServiceStatus,
    pub usage_statistics: RealTimeStatistics,
    /// Of the last hour.
    pub recent_activity: Vec<UsageStat>,
    pub alerts: Vec<SeedAlert>,
}

/// Of the last hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealTimeStatistics {
    pub total_requests: u64,
    pub key_stats: Vec<KeyStat>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyStat {
    pub key_number: u32,
    pub request_count: u64,
    pub error_count: u64,
    /// Percent, with at most two decimals; 0 without requests.
    pub success_rate: f64,
}

/// In the seed's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedAlert {
    /// `warning` or `error`.
    #[serde(rename = "type")]
    pub kind: String,
    pub message: String,
    /// `medium` or `critical`.
    pub severity: String,
}

/// What the lines of a time series are apart by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SeriesBy {
    /// One line: requests of callers.
    #[default]
    Total,
    /// Calls to the provider.
    Key,
    /// Requests of callers.
    Model,
    /// Failed requests of callers.
    ErrorType,
}

/// How long the buckets of a time series are, in the zone of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    Minute,
    Hour,
    Day,
}

/// `GET /api/analytics/timeseries`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeseries {
    pub time_range: TimeRange,
    pub step: Step,
    pub by: SeriesBy,
    pub buckets: Vec<Bucket>,
    /// By key number, or the one with the most requests first.
    pub series: Vec<Series>,
    pub coverage: Coverage,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bucket {
    pub start: String,
    /// Not included; days may have 23 or 25 hours.
    pub end: String,
    /// In the report's zone, such as `14:00` or `30 Nov`.
    pub label: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// Such as `All requests`, `Key 2`, a model, an error type.
    pub name: String,
    pub key_number: Option<u32>,
    /// Over the whole range.
    pub total: Measures,
    /// One a bucket.
    pub points: Vec<Measures>,
}

/// What stands on the page *Overview*.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    pub time_range: TimeRange,
    /// Requests of callers.
    pub now: Measures,
    /// The same of the stretch of time before, as long.
    pub before: Measures,
    /// Calls to the provider, by key.
    pub by_key: Timeseries,
    /// Failed requests by error type, over the whole range, most frequent first.
    pub errors: Vec<ErrorCount>,
    pub coverage: Coverage,
}

/// What stands on the page *Errors*: failed calls to the provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorReport {
    pub time_range: TimeRange,
    pub calls: u64,
    /// Most frequent first.
    pub rows: Vec<ErrorRow>,
    pub coverage: Coverage,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorRow {
    pub error_type: String,
    pub count: u64,
    pub key_breakdown: Vec<KeyCount>,
    pub first_seen: String,
    pub last_seen: String,
}

/// `GET /api/analytics/forecast`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    pub generated_at: String,
    /// What runs dry first stands first.
    pub cells: Vec<CellForecast>,
}

/// A project's day quota of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellForecast {
    pub project: String,
    pub key_numbers: Vec<u32>,
    pub model: String,
    pub used_today: u64,
    /// Requests a day; absent while nobody knows it, and then there is no forecast.
    pub limit: Option<u64>,
    pub resets_at: String,
    /// Requests an hour that are expected until the reset, on average.
    pub expected_per_hour: f64,
    /// Absent when it lasts until the reset.
    pub dry_at: Option<String>,
    pub dry_in_ms: Option<u64>,
    /// It is used up already.
    pub is_dry: bool,
}

/// Which requests to list, as it stands in an address, beside the [`UsageQuery`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestQuery {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// `ok` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surface: Option<String>,
    /// An id or an e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// `GET /api/analytics/requests`: newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestPage {
    pub time_range: TimeRange,
    pub items: Vec<RequestRow>,
    /// Absent on the last page.
    pub next_cursor: Option<String>,
    /// The search stopped here to stay quick, before the page was full: older ones are behind `next_cursor`.
    pub searched_back_to: Option<String>,
    pub coverage: Coverage,
}

/// One request of a caller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRow {
    pub request_id: String,
    /// When it ended.
    pub at: String,
    pub operation: String,
    pub surface: String,
    pub model: String,
    /// The key that was asked last.
    pub key_number: Option<u32>,
    pub success: bool,
    pub outcome: String,
    pub error_type: Option<String>,
    pub response_time_ms: u64,
    pub first_token_ms: Option<u64>,
    pub usage: TokenUsage,
    pub cached: bool,
    /// Calls to the provider.
    pub attempts: u32,
    /// Whose request it was; absent when that account is gone.
    pub user_email: Option<String>,
    pub token_id: Option<String>,
    pub user_agent: Option<String>,
}

/// `GET /api/analytics/requests/{id}`: a request with its calls to the provider, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestDetail {
    pub request: RequestRow,
    pub attempts: Vec<AttemptRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRow {
    pub key_number: Option<u32>,
    pub project: Option<String>,
    pub model: String,
    pub success: bool,
    pub outcome: String,
    pub error_type: Option<String>,
    /// From the request's start to this call's.
    pub started_ms: u64,
    pub ms: u64,
    pub first_token_ms: Option<u64>,
}
