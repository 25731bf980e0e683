//! When day quotas will run dry.
//!
//! A cell's next hour is expected to be as its last one was; the time from then to the reset as the same time of the day was
//! yesterday and a week ago, on average of those of the two in which anything was asked. Where neither knows anything, the
//! last hour goes on. Only calls that the provider counts are counted.

use std::collections::BTreeMap;
use std::time::Duration;

use app::error::AppError;
use app::types::{CellForecast, Forecast};
use pool::{Snapshot, Timestamp};

use super::{Analytics, CHARGED, pieces};
use crate::clock::{next_provider_midnight, rfc3339};
use crate::store::{Dimensions, EventKind, Level, RollupQuery, StoreError};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A project's day quota of one model that will not last until its reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DryCell {
    pub project: String,
    pub model: String,
    pub key_numbers: Vec<u32>,
    /// Not after now when it is used up already.
    pub dry_at: Timestamp,
}

/// What is known of a project's use of a model.
#[derive(Debug, Clone, PartialEq)]
struct CellFacts {
    project: String,
    key_numbers: Vec<u32>,
    model: String,
    used_today: u64,
    limit: Option<u64>,
    is_spent: bool,
    last_hour: u64,
    /// In the time of yesterday, and of the day a week ago, that lies as long before this day's as the day is long: from an
    /// hour after now to the reset.
    yesterday: u64,
    a_week_ago: u64,
}

impl Analytics {
    pub async fn forecast(&self) -> Result<Forecast, AppError> {
        let now = self.clock.now();
        let mut cells = self.forecasts(now).await?;
        cells.sort_by(|left, right| {
            let rank = |cell: &CellForecast| (!cell.is_dry, cell.dry_in_ms.unwrap_or(u64::MAX), cell.limit.is_none());
            rank(left)
                .cmp(&rank(right))
                .then_with(|| (&left.project, &left.model).cmp(&(&right.project, &right.model)))
        });
        Ok(Forecast {
            generated_at: rfc3339(now),
            cells,
        })
    }

    /// Those that run dry before their reset, and those that have.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn dry_cells(&self, now: Timestamp) -> Result<Vec<DryCell>, StoreError> {
        let dry = self.forecasts(now).await?.into_iter().filter_map(|cell| {
            let dry_in = Duration::from_millis(cell.dry_in_ms?);
            Some(DryCell {
                project: cell.project,
                model: cell.model,
                key_numbers: cell.key_numbers,
                dry_at: now.plus(dry_in),
            })
        });
        Ok(dry.collect())
    }

    async fn forecasts(&self, now: Timestamp) -> Result<Vec<CellForecast>, StoreError> {
        let (facts, reset) = (self.cell_facts(now).await?, next_provider_midnight(now));
        Ok(facts.iter().map(|facts| forecast(facts, now, reset)).collect())
    }

    async fn cell_facts(&self, now: Timestamp) -> Result<Vec<CellFacts>, StoreError> {
        let (soon, reset) = (now.plus(HOUR), next_provider_midnight(now));
        let last_hour = self
            .charged(now.minus(HOUR), now.plus(Duration::from_millis(1)), now)
            .await?;
        let yesterday = self.charged(soon.minus(DAY), reset.minus(DAY), now).await?;
        let a_week_ago = self.charged(soon.minus(WEEK), reset.minus(WEEK), now).await?;
        let mut cells = cells(&self.status.pool.snapshot());
        for cell in &mut cells {
            let of = |used: &BTreeMap<(u32, String), u64>| {
                let keys = cell.key_numbers.iter();
                keys.filter_map(|number| used.get(&(*number, cell.model.clone()))).sum()
            };
            let sums = (of(&last_hour), of(&yesterday), of(&a_week_ago));
            (cell.last_hour, cell.yesterday, cell.a_week_ago) = sums;
        }
        Ok(cells)
    }

    /// Calls that count, by key and model.
    async fn charged(
        &self,
        from: Timestamp,
        to: Timestamp,
        now: Timestamp,
    ) -> Result<BTreeMap<(u32, String), u64>, StoreError> {
        let query = RollupQuery {
            kind: EventKind::Attempt,
            pieces: pieces(from, to, Level::Day, now),
            key_number: None,
            model: None,
            by: Dimensions {
                key: true,
                model: true,
                outcome: true,
                ..Dimensions::default()
            },
            times: false,
        };
        let mut used = BTreeMap::new();
        for row in self.store.usage_rollups(query).await? {
            let is_charged = row.outcome.as_deref().is_some_and(|outcome| CHARGED.contains(&outcome));
            if let (true, Some(number), Some(model)) = (is_charged, row.key_number, row.model) {
                *used.entry((number, model)).or_default() += row.sums.count;
            }
        }
        Ok(used)
    }
}

/// One a project and model, with what the pool knows.
fn cells(snapshot: &Snapshot) -> Vec<CellFacts> {
    let mut cells: BTreeMap<(String, String), CellFacts> = BTreeMap::new();
    for view in &snapshot.keys {
        for cell in &view.cells {
            let project = view.key.project.to_string();
            let facts = cells
                .entry((project.clone(), cell.model.clone()))
                .or_insert_with(|| CellFacts {
                    project,
                    key_numbers: Vec::new(),
                    model: cell.model.clone(),
                    used_today: cell.used.requests_today,
                    limit: cell.limits.requests_per_day,
                    is_spent: matches!(cell.state, pool::CellState::Exhausted { .. }),
                    last_hour: 0,
                    yesterday: 0,
                    a_week_ago: 0,
                });
            facts.key_numbers.push(view.key.number);
        }
    }
    cells.into_values().collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn forecast(facts: &CellFacts, now: Timestamp, reset: Timestamp) -> CellForecast {
    let rest = reset.since(now);
    let next_hour = rest.min(HOUR);
    let later = rest.saturating_sub(HOUR);
    let recent = facts.last_hour as f64;
    let soon = recent * hours(next_hour);
    let days: Vec<f64> = [facts.yesterday, facts.a_week_ago]
        .into_iter()
        .filter(|used| *used > 0)
        .map(|used| used as f64)
        .collect();
    let then = if later.is_zero() {
        0.0
    } else if days.is_empty() {
        recent * hours(later)
    } else {
        days.iter().sum::<f64>() / days.len() as f64
    };
    let left = facts.limit.map(|limit| limit.saturating_sub(facts.used_today) as f64);
    let is_dry = facts.is_spent || left.is_some_and(|left| left <= 0.0);
    let dry_in = match left {
        _ if is_dry => Some(Duration::ZERO),
        Some(left) if left <= soon => Some(part(next_hour, left / soon)),
        Some(left) if left <= soon + then => Some(next_hour + part(later, (left - soon) / then)),
        Some(_) | None => None,
    };
    let expected_per_hour = if rest.is_zero() {
        0.0
    } else {
        (soon + then) / hours(rest)
    };
    CellForecast {
        project: facts.project.clone(),
        key_numbers: facts.key_numbers.clone(),
        model: facts.model.clone(),
        used_today: facts.used_today,
        limit: facts.limit,
        resets_at: rfc3339(reset),
        expected_per_hour: (expected_per_hour * 10.0).round() / 10.0,
        dry_at: dry_in.filter(|_| !is_dry).map(|dry_in| rfc3339(now.plus(dry_in))),
        dry_in_ms: dry_in.map(|dry_in| u64::try_from(dry_in.as_millis()).unwrap_or(u64::MAX)),
        is_dry,
    }
}

fn hours(of: Duration) -> f64 {
    of.as_secs_f64() / HOUR.as_secs_f64()
}

/// `part` is 0 to 1; where nothing is expected it is not asked for.
fn part(of: Duration, part: f64) -> Duration {
    of.mul_f64(part.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::super::range::tests::at;
    use super::*;

    /// Noon in Los Angeles; the reset is twelve hours away.
    const NOW: &str = "2026-01-15T20:00:00Z";
    const RESET: &str = "2026-01-16T08:00:00Z";

    fn facts(used_today: u64, limit: Option<u64>, (last_hour, yesterday, a_week_ago): (u64, u64, u64)) -> CellFacts {
        CellFacts {
            project: "projects/1".to_owned(),
            key_numbers: vec![1],
            model: "flash".to_owned(),
            used_today,
            limit,
            is_spent: false,
            last_hour,
            yesterday,
            a_week_ago,
        }
    }

    /// Requests an hour, and minutes until it runs dry.
    #[track_caller]
    fn check(facts: &CellFacts, per_hour: f64, dry_in_minutes: Option<u64>) {
        let found = forecast(facts, at(NOW), at(RESET));
        let minutes = found.dry_in_ms.map(|ms| ms / 60_000);
        assert_eq!(
            (found.expected_per_hour, minutes),
            (per_hour, dry_in_minutes),
            "{facts:?}"
        );
        assert_eq!(found.dry_at.is_some(), dry_in_minutes.is_some() && !found.is_dry);
    }

    #[test]
    fn without_a_history_the_last_hour_goes_on() {
        check(&facts(100, Some(250), (60, 0, 0)), 60.0, Some(150));
        check(&facts(100, Some(130), (60, 0, 0)), 60.0, Some(30));
        check(&facts(0, Some(250), (10, 0, 0)), 10.0, None);
    }

    #[test]
    fn later_hours_are_as_those_days_were() {
        // 60 in the first hour, then 110 over eleven hours.
        check(&facts(100, Some(250), (60, 110, 0)), 14.2, Some(60 + 9 * 60));
        check(&facts(100, Some(250), (60, 0, 110)), 14.2, Some(60 + 9 * 60));
        check(&facts(100, Some(250), (60, 165, 55)), 14.2, Some(60 + 9 * 60));
        check(&facts(100, Some(300), (60, 110, 0)), 14.2, None);
        // A quiet hour says nothing of the evening.
        check(&facts(100, Some(250), (0, 165, 0)), 13.8, Some(60 + 10 * 60));
    }

    #[test]
    fn what_is_used_up_is_dry_and_what_has_no_limit_is_not_foretold() {
        check(&facts(250, Some(250), (60, 0, 0)), 60.0, Some(0));
        let spent = CellFacts {
            is_spent: true,
            ..facts(10, None, (60, 0, 0))
        };
        check(&spent, 60.0, Some(0));
        check(&facts(1_000, None, (60, 0, 0)), 60.0, None);
        check(&facts(0, Some(250), (0, 0, 0)), 0.0, None);
    }

    #[test]
    fn the_instant_of_a_reset_has_nothing_to_expect() {
        let at = at(RESET);
        assert_eq!(forecast(&facts(1, Some(2), (60, 5, 5)), at, at).dry_in_ms, None);
    }
}
