//! What the pages and the seed's endpoints show of a stretch of time.

use std::collections::BTreeMap;

use app::error::AppError;
use app::types::{
    ApiUsage, ErrorReport, ErrorRow, HourOfKey, HourlyPattern, HourlyRow, KeyCount, Overview, RealTimeMetrics,
    RealTimeStatistics, SeriesBy, ServiceStatus, Timeseries, UsageQuery, UsageStat, UsageSummary,
};
use pool::Timestamp;

use super::buckets::{day_bounds, day_of, hours_of_day};
use super::measures::{add, error_counts, key_stat, measures, usage_stat};
use super::range::{self, Range, wrong};
use super::{Analytics, pieces, seed_alerts};
use crate::clock::rfc3339;
use crate::store::{Dimensions, EventKind, Level, Rollup, RollupQuery};

/// As many as a list to choose from may have.
const MODELS_SEEN_MAX: usize = 50;

const BY_KEY: Dimensions = Dimensions {
    start: false,
    key: true,
    model: false,
    operation: false,
    outcome: false,
};
const BY_KEY_AND_OUTCOME: Dimensions = Dimensions {
    outcome: true,
    ..BY_KEY
};

impl Analytics {
    pub async fn overview(&self, query: &UsageQuery) -> Result<Overview, AppError> {
        let range = Range::parse(query, "24h", self.clock.now())?;
        let now = self.totals(&range, true).await?;
        let before = self.totals(&range.before(), true).await?;
        let errors = self
            .rollups(&range, EventKind::Request, BY_KEY_AND_OUTCOME, false)
            .await?;
        Ok(Overview {
            time_range: range.shown(),
            now: measures(&now),
            before: measures(&before),
            by_key: self.series(&range, SeriesBy::Key, false).await?,
            errors: error_counts(&errors),
            coverage: self.coverage(),
        })
    }

    pub async fn api_usage(&self, query: &UsageQuery) -> Result<ApiUsage, AppError> {
        let range = Range::parse(query, "7d", self.clock.now())?;
        let stats = self.rollups(&range, EventKind::Attempt, BY_KEY, true).await?;
        let errors = self
            .rollups(&range, EventKind::Attempt, BY_KEY_AND_OUTCOME, false)
            .await?;
        let current_status = self.status.read();
        Ok(ApiUsage {
            time_range: range.shown(),
            summary: summary(&current_status),
            current_status,
            usage_stats: stats.iter().filter_map(usage_stat).collect(),
            error_breakdown: error_counts(&errors),
            coverage: self.coverage(),
        })
    }

    pub async fn timeseries(&self, query: &UsageQuery, by: SeriesBy) -> Result<Timeseries, AppError> {
        let range = Range::parse(query, "7d", self.clock.now())?;
        self.series(&range, by, by != SeriesBy::ErrorType).await
    }

    /// `date`: a day in the query's zone; today when absent.
    pub async fn hourly_pattern(&self, query: &UsageQuery, date: Option<&str>) -> Result<HourlyPattern, AppError> {
        let now = self.clock.now();
        let (tz, zone) = range::zone(query.tz.as_deref())?;
        let key_number = range::key_number(query.key_number.as_deref())?;
        let day = match date.map(str::trim).filter(|date| !date.is_empty()) {
            None => day_of(now, &zone),
            Some(text) => text.parse().ok().and_then(|date| day_bounds(date, &zone)),
        };
        let (date, start, end) =
            day.ok_or_else(|| wrong("date", "date must be a day such as 2026-11-30, in the time zone tz."))?;
        if Level::Hour.kept().is_some_and(|kept| start < now.minus(kept)) {
            return Err(wrong("date", "Hours are kept for 400 days: ask for a later day."));
        }
        let hours = hours_of_day(start, end, &zone);
        let fits = hours.iter().all(|(hour, _)| Level::Hour.start_of(*hour) == *hour);
        let level = if fits { Level::Hour } else { Level::Quarter };
        let asked = RollupQuery {
            kind: EventKind::Attempt,
            pieces: pieces(start, end, level, now),
            key_number,
            model: None,
            by: Dimensions { start: true, ..BY_KEY },
            times: false,
        };
        let rows = self.store.usage_rollups(asked).await?;
        Ok(HourlyPattern {
            date: date.to_string(),
            tz,
            hourly_pattern: by_hour(&rows, &hours),
            hours: hours.into_iter().map(|(_, shown)| shown).collect(),
            coverage: self.coverage(),
        })
    }

    pub async fn errors(&self, query: &UsageQuery) -> Result<ErrorReport, AppError> {
        let range = Range::parse(query, "24h", self.clock.now())?;
        let rows = self
            .rollups(&range, EventKind::Attempt, BY_KEY_AND_OUTCOME, false)
            .await?;
        Ok(ErrorReport {
            time_range: range.shown(),
            calls: rows.iter().map(|row| row.sums.count).sum(),
            rows: error_rows(&rows),
            coverage: self.coverage(),
        })
    }

    pub async fn real_time_metrics(&self) -> Result<RealTimeMetrics, AppError> {
        let now = self.clock.now();
        let query = UsageQuery::default();
        let range = Range::parse(&query, "1h", now)?;
        let requests = self.totals(&range, false).await?;
        let stats = self.rollups(&range, EventKind::Attempt, BY_KEY, true).await?;
        let recent_activity: Vec<UsageStat> = stats.iter().filter_map(usage_stat).collect();
        let service_status = self.status.read();
        let key_stats: Vec<_> = recent_activity.iter().map(key_stat).collect();
        Ok(RealTimeMetrics {
            timestamp: rfc3339(now),
            alerts: seed_alerts(&service_status, &key_stats),
            service_status,
            usage_statistics: RealTimeStatistics {
                total_requests: requests.sums.count,
                key_stats,
            },
            recent_activity,
        })
    }

    /// Models that requests of the last 30 days named, those asked for most first.
    pub async fn models_seen(&self) -> Result<Vec<String>, AppError> {
        let range = Range::parse(&UsageQuery::default(), "30d", self.clock.now())?;
        let by = Dimensions {
            model: true,
            ..Dimensions::default()
        };
        let mut rows = self.rollups(&range, EventKind::Request, by, false).await?;
        rows.sort_by_key(|row| std::cmp::Reverse(row.sums.count));
        Ok(rows
            .into_iter()
            .filter_map(|row| row.model)
            .take(MODELS_SEEN_MAX)
            .collect())
    }

    /// Requests of the range, all together.
    async fn totals(&self, range: &Range, times: bool) -> Result<Rollup, AppError> {
        let rows = self
            .rollups(range, EventKind::Request, Dimensions::default(), times)
            .await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    async fn rollups(
        &self,
        range: &Range,
        kind: EventKind,
        by: Dimensions,
        times: bool,
    ) -> Result<Vec<Rollup>, AppError> {
        let query = RollupQuery {
            kind,
            pieces: pieces(range.from, range.to, Level::Day, range.now),
            key_number: range.key_number,
            model: range.model.clone(),
            by,
            times,
        };
        Ok(self.store.usage_rollups(query).await?)
    }
}

fn summary(status: &ServiceStatus) -> UsageSummary {
    UsageSummary {
        total_keys: status.total_keys,
        active_key: status.current_key_index,
        healthy_keys: status.healthy_keys,
    }
}

/// `hours`: the first instant of each hour of the day and what the clock showed then.
fn by_hour(rows: &[Rollup], hours: &[(Timestamp, u8)]) -> Vec<HourlyRow> {
    let mut cells: BTreeMap<(u8, u32), Rollup> = BTreeMap::new();
    for row in rows {
        let (Some(start), Some(key_number)) = (row.start, row.key_number) else {
            continue;
        };
        let behind = hours.partition_point(|(hour, _)| *hour <= start);
        if let Some((_, shown)) = behind.checked_sub(1).and_then(|place| hours.get(place)) {
            add(cells.entry((*shown, key_number)).or_default(), row);
        }
    }
    cells
        .into_iter()
        .map(|((hour, key_number), sum)| HourlyRow {
            id: HourOfKey { hour, key_number },
            requests: sum.sums.count,
            successes: sum.sums.successes,
        })
        .collect()
}

fn error_rows(rows: &[Rollup]) -> Vec<ErrorRow> {
    let mut seen: BTreeMap<&str, Rollup> = BTreeMap::new();
    for row in rows {
        if let Some(error_type) = row.error_type.as_deref() {
            add(seen.entry(error_type).or_default(), row);
        }
    }
    error_counts(rows)
        .into_iter()
        .map(|counted| {
            let sum = seen.get(counted.error_type.as_str()).cloned().unwrap_or_default();
            ErrorRow {
                count: counted.count,
                key_breakdown: counted.key_breakdown.into_iter().collect::<Vec<KeyCount>>(),
                first_seen: rfc3339(sum.first_at),
                last_seen: rfc3339(sum.last_at),
                error_type: counted.error_type,
            }
        })
        .collect()
}
