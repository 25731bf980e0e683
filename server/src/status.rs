//! Use case: what the service can do right now. [`view`] is a pure function; nothing else decides what a level is.

use std::collections::BTreeMap;
use std::time::Duration;

use app::types::{CellState, CellStatus, Component, KeyState, KeyStatus, Level, ServiceStatus};
use pool::{Counts, KeyId, KeyView, Snapshot, Strategy, Timestamp, Verdict};

use crate::clock::{Clock, rfc3339};
use crate::shared_pool::SharedPool;

/// Reads the status whenever it is asked.
#[derive(Clone)]
pub struct StatusReader {
    pub pool: SharedPool,
    pub clock: Clock,
    pub text_model: String,
    pub vision_model: String,
    pub simulated: bool,
}

impl StatusReader {
    pub fn read(&self) -> ServiceStatus {
        let capability = |name: &str| self.pool.model(name).ok().map(|model| self.pool.verdict(model));
        view(&Facts {
            snapshot: self.pool.snapshot(),
            text: capability(&self.text_model),
            vision: capability(&self.vision_model),
            served_models: [&self.text_model, &self.vision_model],
            last_used: self.pool.last_used(),
            simulated: self.simulated,
            now: self.clock.now(),
        })
    }
}

/// Everything the status is made of.
pub struct Facts<'a> {
    pub snapshot: Snapshot,
    /// For the default model of each capability; absent when the pool cannot name it.
    pub text: Option<(Verdict, Counts)>,
    pub vision: Option<(Verdict, Counts)>,
    pub served_models: [&'a str; 2],
    pub last_used: BTreeMap<KeyId, Timestamp>,
    pub simulated: bool,
    pub now: Timestamp,
}

pub fn view(facts: &Facts<'_>) -> ServiceStatus {
    let keys: Vec<KeyStatus> = facts.snapshot.keys.iter().map(|key| key_status(key, facts)).collect();
    let total = count(keys.len());
    let healthy = count(
        keys.iter()
            .filter(|key| key.state.serves() && !key.quota_exceeded)
            .count(),
    );
    let serves =
        |capability: &Option<(Verdict, Counts)>| capability.is_some_and(|(verdict, _)| verdict == Verdict::Serving);
    let components = vec![
        component("Text analysis", serves(&facts.text), total, healthy),
        component("Image analysis", serves(&facts.vision), total, healthy),
    ];
    let level = level(&components, healthy == total);
    let next_reset = next_reset(facts);
    ServiceStatus {
        total_keys: total,
        current_key_index: current_index(facts),
        level,
        healthy_keys: healthy,
        message: message(level, facts, total, healthy, next_reset),
        next_reset: next_reset.map(rfc3339),
        next_reset_in_ms: next_reset.map(|at| millis(at.since(facts.now))),
        available_keys: keys,
        components,
        simulated: facts.simulated,
        checked_at: rfc3339(facts.now),
    }
}

fn component(name: &str, serves: bool, total: u32, healthy: u32) -> Component {
    let level = match (serves, healthy == total) {
        (true, true) => Level::Operational,
        (true, false) => Level::Degraded,
        (false, _) => Level::MajorOutage,
    };
    Component {
        name: name.to_owned(),
        level,
    }
}

fn level(components: &[Component], all_healthy: bool) -> Level {
    let down = components
        .iter()
        .filter(|component| component.level == Level::MajorOutage)
        .count();
    match down {
        0 if all_healthy => Level::Operational,
        0 => Level::Degraded,
        _ if down == components.len() => Level::MajorOutage,
        _ => Level::PartialOutage,
    }
}

fn key_status(view: &KeyView, facts: &Facts<'_>) -> KeyStatus {
    let now = facts.now;
    let cells: Vec<CellStatus> = view.cells.iter().map(|cell| cell_status(cell, now)).collect();
    let quota_reset = spent_until(view, facts).min();
    let (state, until) = key_state(view, facts);
    KeyStatus {
        key_number: view.key.number,
        state,
        quota_exceeded: quota_reset.is_some(),
        quota_reset_time: quota_reset.map(Timestamp::as_millis),
        ready_in_ms: until.map(|until| millis(until.since(now))),
        request_count: view.requests,
        success_count: view.successes,
        error_count: view.failures,
        last_used: facts.last_used.get(&view.key.id).copied().map(rfc3339),
        cells,
    }
}

/// The key's own trouble first, else the worst of the cells that the service needs.
fn key_state(view: &KeyView, facts: &Facts<'_>) -> (KeyState, Option<Timestamp>) {
    match view.state {
        pool::KeyState::Suspect { .. } => return (KeyState::Checking, None),
        pool::KeyState::Invalid { .. } => return (KeyState::Invalid, None),
        pool::KeyState::NeedsSetup { .. } => return (KeyState::NeedsSetup, None),
        pool::KeyState::NoCredit { .. } => return (KeyState::NoCredit, None),
        pool::KeyState::SpendLimited { until } => return (KeyState::CoolingDown, Some(until)),
        pool::KeyState::Revoked => return (KeyState::Invalid, None),
        pool::KeyState::Disabled => return (KeyState::Disabled, None),
        pool::KeyState::Ready => {}
    }
    let worst = needed(view, facts)
        .filter(|cell| cell.state.until().is_some())
        .max_by_key(|cell| cell.state.until());
    match worst.map(|cell| cell.state) {
        Some(pool::CellState::Exhausted { until }) => (KeyState::QuotaReached, Some(until)),
        Some(pool::CellState::NotEntitled { until }) => (KeyState::NeedsSetup, Some(until)),
        Some(pool::CellState::Cooling { until }) => (KeyState::CoolingDown, Some(until)),
        Some(pool::CellState::Ready | pool::CellState::Trial | pool::CellState::Busy) | None => {
            let busy = view.cells.iter().any(|cell| cell.in_flight > 0);
            (if busy { KeyState::InUse } else { KeyState::Available }, None)
        }
    }
}

fn cell_status(cell: &pool::CellView, now: Timestamp) -> CellStatus {
    let state = match cell.state {
        pool::CellState::Ready => CellState::Available,
        pool::CellState::Trial | pool::CellState::Busy => CellState::Trial,
        pool::CellState::Cooling { .. } => CellState::CoolingDown,
        pool::CellState::Exhausted { .. } => CellState::QuotaReached,
        pool::CellState::NotEntitled { .. } => CellState::NotEntitled,
    };
    CellStatus {
        model: cell.model.clone(),
        state,
        ready_in_ms: cell.state.until().map(|until| millis(until.since(now))),
        used_today: cell.used.requests_today,
        limit_per_day: cell.limits.requests_per_day,
    }
}

/// The key that `sticky` stays on, else the one that was used last.
fn current_index(facts: &Facts<'_>) -> i64 {
    let last = || facts.last_used.iter().max_by_key(|(_, at)| **at).map(|(key, _)| *key);
    let stayed_on = facts
        .snapshot
        .current
        .filter(|_| facts.snapshot.strategy == Strategy::Sticky);
    let current = stayed_on.or_else(last);
    let keys = &facts.snapshot.keys;
    let place = current
        .and_then(|id| keys.iter().position(|view| view.key.id == id))
        .or((!keys.is_empty()).then_some(0));
    place.map_or(-1, |index| index as i64)
}

/// When the first spent key comes back.
fn next_reset(facts: &Facts<'_>) -> Option<Timestamp> {
    facts.snapshot.keys.iter().flat_map(|key| spent_until(key, facts)).min()
}

/// The spent cells that the service needs. A key that is spent on a model somebody else named still serves everybody.
fn spent_until<'a>(view: &'a KeyView, facts: &Facts<'a>) -> impl Iterator<Item = Timestamp> + use<'a> {
    needed(view, facts).filter_map(|cell| match cell.state {
        pool::CellState::Exhausted { until } => Some(until),
        _ => None,
    })
}

fn needed<'a>(view: &'a KeyView, facts: &Facts<'a>) -> impl Iterator<Item = &'a pool::CellView> + use<'a> {
    let models = facts.served_models;
    view.cells
        .iter()
        .filter(move |cell| models.contains(&cell.model.as_str()))
}

/// Cause, effect, next step, time.
fn message(level: Level, facts: &Facts<'_>, total: u32, healthy: u32, next_reset: Option<Timestamp>) -> String {
    if total == 0 {
        return "No provider key is configured yet.".to_owned();
    }
    let reset = next_reset
        .map(|at| format!(" Next reset in {} (00:00 Pacific).", spoken(at.since(facts.now))))
        .unwrap_or_default();
    let out = total - healthy;
    let spent = facts.text.map_or(0, |(_, counts)| counts.spent);
    let keys_out = match (spent == out, out) {
        (true, 1) => format!("1 of {total} keys has reached its quota."),
        (true, _) => format!("{out} of {total} keys have reached their quota."),
        (false, 1) => format!("1 of {total} keys cannot serve right now."),
        (false, _) => format!("{out} of {total} keys cannot serve right now."),
    };
    match level {
        Level::Operational => "All keys are available.".to_owned(),
        Level::Degraded => format!("{keys_out} Requests still work.{reset}"),
        Level::PartialOutage => format!("{keys_out} Part of the service is not available.{reset}"),
        Level::MajorOutage if spent == total => {
            format!("All {total} keys have reached their quota. Analyses are not possible right now.{reset}")
        }
        Level::MajorOutage => format!("No key can serve right now. Analyses are not possible.{reset}"),
    }
}

/// Such as "4 h 12 min", "12 min" or "40 s".
fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds % 3600 / 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
