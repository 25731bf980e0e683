//! What rules look at, and how it is gathered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::types::{Level as ServiceLevel, ServiceStatus};
use pool::{Snapshot, Timestamp};
use tracing::warn;

use super::rules::{Rule, RuleId};
use super::tally::Tally;
use crate::analytics::{Analytics, DryCell, pieces, spent_keys};
use crate::announcer::{KeyFault, Sight, sight};
use crate::status::StatusReader;
use crate::store::{Dimensions, EventKind, Level, Result, Rollup, RollupQuery, Store, StoreError};

/// An event is stored some moments after it happened: a minute is counted this long after its end.
const SETTLE: Duration = Duration::from_secs(5);
/// A store that takes longer to answer is in trouble.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// Everything that is looked at, as of one instant. What is absent is not known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    pub now: Timestamp,
    pub pool: Option<PoolFacts>,
    /// By the rule whose window it is of.
    pub usage: BTreeMap<RuleId, Measured>,
    pub dry: Option<Vec<DryCell>>,
    pub store_fails: Option<bool>,
    /// Usage events lost in the window of the rule about them.
    pub dropped: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolFacts {
    pub total: usize,
    /// Keys that have used up a day quota.
    pub spent: usize,
    /// Nothing can be served, and no key could.
    pub none_available: bool,
    /// Keys that wait for a person, by number.
    pub faulty: BTreeMap<u32, KeyFault>,
    /// Keys that are being checked.
    pub doubtful: BTreeSet<u32>,
}

/// What was counted in a window of whole minutes, and in the one before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measured {
    /// The window's end.
    pub until: Timestamp,
    pub now: Tally,
    pub before: Tally,
}

impl PoolFacts {
    pub(super) fn read(status: &StatusReader) -> Self {
        Self::of(&status.read(), &status.pool.snapshot())
    }

    fn of(status: &ServiceStatus, snapshot: &Snapshot) -> Self {
        let mut facts = Self {
            total: status.available_keys.len(),
            spent: spent_keys(status),
            // A pool without keys is being set up or taken down by a person.
            none_available: status.total_keys > 0
                && status.healthy_keys == 0
                && status.level == ServiceLevel::MajorOutage,
            ..Self::default()
        };
        for view in &snapshot.keys {
            match sight(view.state) {
                Sight::Faulty(fault) => drop(facts.faulty.insert(view.key.number, fault)),
                Sight::Unsure => drop(facts.doubtful.insert(view.key.number)),
                Sight::Off | Sight::Well => {}
            }
        }
        facts
    }
}

/// What was read of usage.
struct Counted {
    rules: Vec<Rule>,
    until: Timestamp,
    usage: BTreeMap<RuleId, Measured>,
    dry: Vec<DryCell>,
}

/// Gathers facts again and again, and remembers what is costly to read and does not change within a minute.
pub(super) struct Gatherer {
    analytics: Analytics,
    counted: Option<Counted>,
    losses: Arc<Mutex<Losses>>,
}

impl Gatherer {
    /// `losses`: those of the server, whoever gathers.
    pub(super) fn new(analytics: Analytics, losses: Arc<Mutex<Losses>>) -> Self {
        Self {
            analytics,
            counted: None,
            losses,
        }
    }

    pub(super) async fn gather(&mut self, rules: &[Rule], now: Timestamp) -> Facts {
        let store = Arc::clone(&self.analytics.store);
        let ready = tokio::time::timeout(STORE_PATIENCE, store.ready()).await;
        let is_ready = matches!(ready, Ok(Ok(())));
        let counted = if is_ready { self.count(rules, now).await } else { None };
        let (usage, dry) = counted
            .map(|counted| (counted.usage.clone(), Some(counted.dry.clone())))
            .unwrap_or_default();
        let window = rules
            .iter()
            .find(|rule| rule.id == RuleId::EventsDropped)
            .map(Rule::window);
        Facts {
            now,
            pool: Some(PoolFacts::read(&self.analytics.status)),
            usage,
            dry,
            store_fails: Some(!is_ready || self.analytics.recorder.is_refused()),
            dropped: window.map(|window| self.lost(window, now)),
        }
    }

    fn lost(&self, window: Duration, now: Timestamp) -> u64 {
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        losses.within(window, self.analytics.recorder.coverage().dropped, now)
    }

    /// Anew once a minute, and when a rule was changed.
    async fn count(&mut self, rules: &[Rule], now: Timestamp) -> Option<&Counted> {
        let until = counted_until(now);
        let is_fresh = |counted: &Counted| counted.until == until && counted.rules == rules;
        if !self.counted.as_ref().is_some_and(is_fresh) {
            self.counted = match read(&self.analytics, rules, now).await {
                Ok((usage, dry)) => Some(Counted {
                    rules: rules.to_vec(),
                    until,
                    usage,
                    dry,
                }),
                Err(error) => {
                    warn!(%error, "usage cannot be read for alert rules");
                    None
                }
            };
        }
        self.counted.as_ref()
    }
}

async fn read(
    analytics: &Analytics,
    rules: &[Rule],
    now: Timestamp,
) -> Result<(BTreeMap<RuleId, Measured>, Vec<DryCell>)> {
    let forecast = rules.iter().any(|rule| rule.enabled && rule.id == RuleId::ForecastDry);
    let dry = if forecast {
        analytics.dry_cells(now).await?
    } else {
        Vec::new()
    };
    Ok((measured(analytics.store.as_ref(), rules, now).await?, dry))
}

/// What rules of usage look at, as of now.
///
/// # Errors
/// When the store does not answer.
pub async fn measured(store: &dyn Store, rules: &[Rule], now: Timestamp) -> Result<BTreeMap<RuleId, Measured>> {
    let mut measured = BTreeMap::new();
    for rule in rules.iter().filter(|rule| rule.enabled && rule.id.is_of_usage()) {
        measured.insert(rule.id, measure(store, rule, counted_until(now), now).await?);
    }
    Ok(measured)
}

/// The end of the last minute that is whole and stored.
pub(super) fn counted_until(now: Timestamp) -> Timestamp {
    Level::Minute.start_of(now.minus(SETTLE))
}

async fn measure(store: &dyn Store, rule: &Rule, until: Timestamp, now: Timestamp) -> Result<Measured> {
    let (middle, begin) = (until.minus(rule.window()), until.minus(rule.window() * 2));
    let read = async |from, to| {
        let rows = store.usage_rollups(query(rule, from, to, Level::Day, now)).await?;
        Ok::<_, StoreError>(tally(&rows))
    };
    Ok(Measured {
        until,
        now: read(middle, until).await?,
        // The seed's rule compares with nothing.
        before: match rule.id {
            RuleId::LowSuccessRate => Tally::default(),
            _ => read(begin, middle).await?,
        },
    })
}

/// What a rule of usage reads, in rollups no longer than `longest`.
pub(super) fn query(rule: &Rule, from: Timestamp, to: Timestamp, longest: Level, now: Timestamp) -> RollupQuery {
    let is_by_key = rule.id == RuleId::LowSuccessRate;
    RollupQuery {
        kind: if is_by_key {
            EventKind::Attempt
        } else {
            EventKind::Request
        },
        pieces: pieces(from, to, longest, now),
        key_number: None,
        model: None,
        by: Dimensions {
            start: longest == Level::Minute,
            key: is_by_key,
            outcome: true,
            ..Dimensions::default()
        },
        times: rule.id == RuleId::LatencyJump,
    }
}

pub(super) fn tally<'a>(rows: impl IntoIterator<Item = &'a Rollup>) -> Tally {
    let mut tally = Tally::default();
    rows.into_iter().for_each(|row| tally.add_row(row));
    tally
}

/// How a count of losses that only grows has grown lately.
#[derive(Debug, Default)]
pub(super) struct Losses(VecDeque<(Timestamp, u64)>);

impl Losses {
    /// Since `window` ago, or since the server started. `total`: now.
    fn within(&mut self, window: Duration, total: u64, now: Timestamp) -> u64 {
        // What a clock that was stepped back saw later, it saw now.
        for seen in self.0.iter_mut().rev().take_while(|(at, _)| *at > now) {
            seen.0 = now;
        }
        if self.0.back().map_or(0, |(_, last)| *last) != total {
            self.0.push_back((now, total));
        }
        let begin = now.minus(window);
        let before = self
            .0
            .iter()
            .take_while(|(at, _)| *at <= begin)
            .last()
            .map_or(0, |(_, count)| *count);
        // The longest window there can be: an admin may set it while the server runs.
        let oldest = now.minus(Duration::from_secs(24 * 3600));
        while self.0.get(1).is_some_and(|(at, _)| *at <= oldest) {
            self.0.pop_front();
        }
        total.saturating_sub(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_counted_when_its_events_are_stored() {
        let minute = |minute: u64, ms: u64| Timestamp::from_millis(minute * 60_000 + ms);
        for (now, expected) in [
            (minute(10, 0), minute(9, 0)),
            (minute(10, 4_999), minute(9, 0)),
            (minute(10, 5_000), minute(10, 0)),
        ] {
            assert_eq!(counted_until(now), expected);
        }
    }

    #[test]
    fn losses_are_those_of_the_window() {
        let at = |second: u64| Timestamp::from_millis(1_000_000_000 + second * 1000);
        let window = Duration::from_secs(60);
        let mut losses = Losses::default();
        let rows = [
            (0, 0, 0),
            (10, 5, 5),
            (50, 5, 5),
            (69, 8, 8),
            (70, 8, 3),
            (128, 8, 3),
            (129, 8, 0),
            // A clock that is stepped back makes nothing of it.
            (20, 8, 8),
            (81, 8, 0),
        ];
        for (second, total, expected) in rows {
            assert_eq!(losses.within(window, total, at(second)), expected, "at {second} s");
        }
    }
}
