//! Usage as a test says it. Everything that people or the provider can name is hostile HTML.

use async_trait::async_trait;

use crate::backend::UsageBackend;
use crate::charts::{ChartSpec, ChartWidth};
use crate::error::{AppError, ErrorCode};
use crate::types::{
    ApiUsage, AttemptRow, Bucket, CellForecast, Coverage, ErrorCount, ErrorReport, ErrorRow, Forecast, HourOfKey,
    HourlyPattern, HourlyRow, KeyCount, Level, Measures, Overview, RequestDetail, RequestPage, RequestQuery,
    RequestRow, Series, SeriesBy, ServiceStatus, Step, TimeRange, Timeseries, TokenUsage, UsageQuery, UsageStat,
    UsageSummary,
};

pub(super) const HOSTILE: &str = "<img src=x onerror=alert(1)>";

#[derive(Clone)]
pub(super) struct UsageFixture {
    /// The store does not answer.
    pub(super) down: bool,
    /// Nothing was asked yet.
    pub(super) empty: bool,
    pub(super) coverage: Coverage,
    pub(super) searched_back_to: Option<String>,
    /// Of the day that is shown.
    pub(super) hours: Vec<u8>,
}

impl Default for UsageFixture {
    fn default() -> Self {
        Self {
            down: false,
            empty: false,
            coverage: Coverage {
                recording: true,
                dropped: 0,
                waiting: 0,
            },
            searched_back_to: None,
            hours: (0..24).collect(),
        }
    }
}

impl UsageFixture {
    fn up(&self, query: &UsageQuery) -> Result<(), AppError> {
        if self.down {
            return Err(AppError::new(ErrorCode::Internal, "The store does not answer."));
        }
        match query.tz.as_deref() {
            Some("Mars/Olympus") => {
                Err(AppError::new(ErrorCode::BadRequest, "There is no zone of this name.").field("tz"))
            }
            _ => Ok(()),
        }
    }

    fn range(query: &UsageQuery) -> TimeRange {
        let has_own = query.start_date.is_some();
        TimeRange {
            start: "2026-11-29T22:00:00Z".to_owned(),
            end: "2026-11-30T22:05:12Z".to_owned(),
            tz: query.tz.clone().unwrap_or_else(|| "UTC".to_owned()),
            range: (!has_own).then(|| query.range.clone().unwrap_or_else(|| "24h".to_owned())),
        }
    }

    fn measures(&self, requests: u64) -> Measures {
        if self.empty {
            return Measures::default();
        }
        Measures {
            requests,
            successes: requests - requests / 50,
            failures: requests / 50,
            quota_errors: 3,
            cached: 7,
            success_rate: Some(97.8),
            avg_response_time: Some(1_540.0),
            p50: Some(1_200),
            p95: Some(4_800),
            p99: Some(9_100),
            first_token_p50: Some(310),
            first_token_p95: Some(990),
            prompt_tokens: 10_000,
            output_tokens: 20_000,
            total_tokens: 30_000,
        }
    }

    fn series(&self, query: &UsageQuery, by: SeriesBy) -> Timeseries {
        let names: Vec<(String, Option<u32>)> = match by {
            SeriesBy::Total => vec![("All requests".to_owned(), None)],
            SeriesBy::Key => (1..=3).map(|number| (format!("Key {number}"), Some(number))).collect(),
            SeriesBy::Model => vec![("gemini-2.5-flash".to_owned(), None), (HOSTILE.to_owned(), None)],
            SeriesBy::ErrorType => vec![("quota".to_owned(), None)],
        };
        let series = names.into_iter().map(|(name, key_number)| Series {
            name,
            key_number,
            total: self.measures(18_204),
            points: vec![self.measures(9_000), self.measures(9_204)],
        });
        let bucket = |label: &str| Bucket {
            start: "2026-11-30T20:00:00Z".to_owned(),
            end: "2026-11-30T21:00:00Z".to_owned(),
            label: label.to_owned(),
        };
        Timeseries {
            time_range: Self::range(query),
            step: Step::Hour,
            by,
            buckets: vec![bucket("20:00"), bucket("21:00")],
            series: series.collect(),
            coverage: self.coverage.clone(),
        }
    }

    fn errors_by_key() -> Vec<KeyCount> {
        [(1, 100), (3, 20)]
            .map(|(key_number, count)| KeyCount { key_number, count })
            .to_vec()
    }
}

fn nobody() -> ServiceStatus {
    ServiceStatus {
        total_keys: 0,
        current_key_index: -1,
        available_keys: Vec::new(),
        level: Level::Operational,
        healthy_keys: 0,
        message: String::new(),
        next_reset: None,
        next_reset_in_ms: None,
        components: Vec::new(),
        obstacles: Vec::new(),
        simulated: false,
        checked_at: String::new(),
    }
}

pub(super) fn row(id: &str) -> RequestRow {
    let failed = id == "r2";
    RequestRow {
        request_id: id.to_owned(),
        at: "2026-11-30T21:59:58.120Z".to_owned(),
        operation: "generateContentText".to_owned(),
        surface: "api".to_owned(),
        model: HOSTILE.to_owned(),
        key_number: (!failed).then_some(2),
        success: !failed,
        outcome: if failed { "day_quota" } else { "success" }.to_owned(),
        error_type: failed.then(|| "quota".to_owned()),
        response_time_ms: 2_000,
        first_token_ms: Some(410),
        usage: TokenUsage {
            prompt_tokens: 812,
            output_tokens: 1_204,
            total_tokens: 2_016,
        },
        cached: false,
        attempts: 2,
        user_email: (!failed).then(|| format!("{HOSTILE}@example.com")),
        token_id: Some("t1".to_owned()),
        user_agent: Some(format!("{HOSTILE}/1.0")),
    }
}

fn attempt(key_number: u32, outcome: &str, started_ms: u64, ms: u64) -> AttemptRow {
    AttemptRow {
        key_number: Some(key_number),
        project: None,
        model: HOSTILE.to_owned(),
        success: outcome == "success",
        outcome: outcome.to_owned(),
        error_type: None,
        started_ms,
        ms,
        first_token_ms: None,
    }
}

#[async_trait]
impl UsageBackend for UsageFixture {
    async fn overview(&self, query: &UsageQuery) -> Result<Overview, AppError> {
        self.up(query)?;
        let error = ErrorCount {
            error_type: "quota".to_owned(),
            count: 120,
            key_breakdown: Self::errors_by_key(),
        };
        let hostile = ErrorCount {
            error_type: HOSTILE.to_owned(),
            ..error.clone()
        };
        Ok(Overview {
            time_range: Self::range(query),
            now: self.measures(18_204),
            before: self.measures(16_254),
            by_key: self.series(query, SeriesBy::Key),
            errors: if self.empty { Vec::new() } else { vec![error, hostile] },
            coverage: self.coverage.clone(),
        })
    }

    async fn api_usage(&self, query: &UsageQuery) -> Result<ApiUsage, AppError> {
        self.up(query)?;
        let stat = |key_number, requests, p95| UsageStat {
            key_number,
            total_requests: requests,
            successful_requests: requests,
            failed_requests: 0,
            avg_response_time: Some(1_540.0),
            quota_errors: 0,
            total_tokens: 30_000,
            p50: Some(1_200),
            p95,
            p99: Some(9_100),
        };
        Ok(ApiUsage {
            time_range: Self::range(query),
            current_status: nobody(),
            usage_stats: match self.empty {
                true => Vec::new(),
                false => vec![
                    stat(1, 100, Some(4_800)),
                    stat(2, 9_120, None),
                    stat(3, 300, Some(1_000)),
                ],
            },
            error_breakdown: Vec::new(),
            summary: UsageSummary {
                total_keys: 3,
                active_key: 0,
                healthy_keys: 2,
            },
            coverage: self.coverage.clone(),
        })
    }

    async fn timeseries(&self, query: &UsageQuery, by: SeriesBy) -> Result<Timeseries, AppError> {
        self.up(query)?;
        Ok(self.series(query, by))
    }

    async fn hourly_pattern(&self, query: &UsageQuery, date: Option<&str>) -> Result<HourlyPattern, AppError> {
        self.up(query)?;
        let row = HourlyRow {
            id: HourOfKey {
                hour: 14,
                key_number: 2,
            },
            requests: 75,
            successes: 70,
        };
        Ok(HourlyPattern {
            date: date.unwrap_or("2026-11-30").to_owned(),
            tz: query.tz.clone().unwrap_or_else(|| "UTC".to_owned()),
            hourly_pattern: if self.empty { Vec::new() } else { vec![row] },
            hours: self.hours.clone(),
            coverage: self.coverage.clone(),
        })
    }

    async fn errors(&self, query: &UsageQuery) -> Result<ErrorReport, AppError> {
        self.up(query)?;
        let row = |error_type: &str| ErrorRow {
            error_type: error_type.to_owned(),
            count: 120,
            key_breakdown: Self::errors_by_key(),
            first_seen: "2026-11-30T02:00:00Z".to_owned(),
            last_seen: "2026-11-30T21:59:58Z".to_owned(),
        };
        Ok(ErrorReport {
            time_range: Self::range(query),
            calls: if self.empty { 0 } else { 9_520 },
            rows: if self.empty {
                Vec::new()
            } else {
                vec![row("quota"), row(HOSTILE)]
            },
            coverage: self.coverage.clone(),
        })
    }

    async fn forecast(&self) -> Result<Forecast, AppError> {
        self.up(&UsageQuery::default())?;
        let cell = |limit, dry_at: Option<&str>, is_dry| CellForecast {
            project: HOSTILE.to_owned(),
            key_numbers: vec![1, 4],
            model: HOSTILE.to_owned(),
            used_today: 120,
            limit,
            resets_at: "2026-12-01T08:00:00Z".to_owned(),
            expected_per_hour: 31.4,
            dry_at: dry_at.map(str::to_owned),
            dry_in_ms: dry_at.map(|_| 5_700_000),
            is_dry,
        };
        Ok(Forecast {
            generated_at: "2026-11-30T22:05:00Z".to_owned(),
            cells: match self.empty {
                true => Vec::new(),
                false => vec![
                    cell(Some(120), None, true),
                    cell(Some(250), Some("2026-11-30T23:40:00Z"), false),
                    cell(Some(1_000), None, false),
                    cell(None, None, false),
                ],
            },
        })
    }

    async fn requests(&self, query: &UsageQuery, wanted: &RequestQuery) -> Result<RequestPage, AppError> {
        self.up(query)?;
        let none = self.empty || self.searched_back_to.is_some() || wanted.user.as_deref() == Some("nobody");
        Ok(RequestPage {
            time_range: Self::range(query),
            items: if none { Vec::new() } else { vec![row("r1"), row("r2")] },
            next_cursor: (!self.empty).then(|| "a+b".to_owned()),
            searched_back_to: self.searched_back_to.clone(),
            coverage: self.coverage.clone(),
        })
    }

    async fn request(&self, request_id: &str) -> Result<RequestDetail, AppError> {
        self.up(&UsageQuery::default())?;
        if request_id != "r1" {
            return Err(AppError::new(ErrorCode::NotFound, "There is no such request."));
        }
        Ok(RequestDetail {
            request: row("r1"),
            attempts: vec![attempt(1, "day_quota", 0, 12), attempt(2, "success", 100, 1_900)],
        })
    }

    async fn models_seen(&self) -> Result<Vec<String>, AppError> {
        self.up(&UsageQuery::default())?;
        Ok(vec!["gemini-2.5-flash".to_owned(), HOSTILE.to_owned()])
    }

    fn draw(&self, chart: &ChartSpec, width: ChartWidth) -> String {
        format!(
            "<svg data-drawn=\"{width:?}\" data-labels=\"{}\"></svg>",
            chart.labels.len()
        )
    }
}
