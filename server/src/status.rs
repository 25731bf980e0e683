//! Use case: what the service can do right now. [`view`] is a pure function; nothing else decides what a level is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use app::types::{CellState, CellStatus, Component, KeyState, KeyStatus, Level, Obstacle, ObstacleKind, ServiceStatus};
use pool::{GateState, KeyId, KeyView, Snapshot, Strategy, Timestamp, Verdict};

use crate::clock::{Clock, rfc3339};
use crate::config::QueueBounds;
use crate::shared_pool::SharedPool;

/// Reads the status whenever it is asked.
#[derive(Clone)]
pub struct StatusReader {
    pub pool: SharedPool,
    pub clock: Clock,
    pub text_model: String,
    pub vision_model: String,
    /// Asked when a default model cannot answer.
    pub fallback_models: Vec<String>,
    pub queue: QueueBounds,
    pub simulated: bool,
}

impl StatusReader {
    pub fn read(&self) -> ServiceStatus {
        let now = self.clock.now();
        let wait_max = match self.queue.waiting_max {
            0 => Duration::ZERO,
            _ => self.queue.wait_max,
        };
        let capability_of = |name: &str| {
            let Ok(model) = self.pool.model(name) else {
                return Capability::Out;
            };
            let (verdict, _) = self.pool.verdict(model);
            match self.pool.retry_at(model) {
                _ if verdict == Verdict::Serving => Capability::Serves,
                Some(at) if at.since(now) <= wait_max && !wait_max.is_zero() => Capability::Waits,
                _ => Capability::Out,
            }
        };
        let fallback = || {
            let mut others = self.fallback_models.iter();
            others.any(|name| capability_of(name) == Capability::Serves)
        };
        let capability = |name: &str| match capability_of(name) {
            Capability::Serves => Capability::Serves,
            Capability::Waits | Capability::Elsewhere | Capability::Out if fallback() => Capability::Elsewhere,
            out => out,
        };
        view(&Facts {
            snapshot: self.pool.snapshot(),
            text: capability(&self.text_model),
            vision: capability(&self.vision_model),
            served_models: [&self.text_model, &self.vision_model],
            last_used: self.pool.last_used(),
            simulated: self.simulated,
            now,
        })
    }
}

/// What becomes of a new request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    Serves,
    /// Another model answers.
    Elsewhere,
    /// A rest ends so soon that it waits in line.
    Waits,
    Out,
}

/// Everything the status is made of.
pub struct Facts<'a> {
    pub snapshot: Snapshot,
    /// Of the default model of each capability.
    pub text: Capability,
    pub vision: Capability,
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
    let components = vec![
        component("Text analysis", facts.text, total, healthy),
        component("Image analysis", facts.vision, total, healthy),
    ];
    let level = level(&components);
    let next_reset = next_reset(facts);
    let obstacles = obstacles(facts);
    ServiceStatus {
        total_keys: total,
        current_key_index: current_index(facts),
        level,
        healthy_keys: healthy,
        message: message(level, &keys, &obstacles, facts, next_reset),
        next_reset: next_reset.map(rfc3339),
        next_reset_in_ms: next_reset.map(|at| millis(at.since(facts.now))),
        available_keys: keys,
        components,
        obstacles,
        simulated: facts.simulated,
        checked_at: rfc3339(facts.now),
    }
}

fn component(name: &str, capability: Capability, total: u32, healthy: u32) -> Component {
    let level = match capability {
        Capability::Serves if healthy == total => Level::Operational,
        Capability::Serves | Capability::Elsewhere | Capability::Waits => Level::Degraded,
        Capability::Out => Level::MajorOutage,
    };
    Component {
        name: name.to_owned(),
        level,
    }
}

fn level(components: &[Component]) -> Level {
    let down = components
        .iter()
        .filter(|component| component.level == Level::MajorOutage)
        .count();
    let all_well = components.iter().all(|component| component.level == Level::Operational);
    match down {
        0 if all_well => Level::Operational,
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
        pool::KeyState::Revoked => return (KeyState::Revoked, None),
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
        pool::CellState::Trial => CellState::Trial,
        pool::CellState::Busy => CellState::Busy,
        pool::CellState::Cooling { .. } => CellState::CoolingDown,
        pool::CellState::Exhausted { .. } => CellState::QuotaReached,
        pool::CellState::NotEntitled { .. } => CellState::NotEntitled,
    };
    CellStatus {
        model: cell.model.clone(),
        state,
        ready_in_ms: cell.state.until().map(|until| millis(until.since(now))),
        used_minute: cell.used.requests_minute,
        limit_per_minute: cell.limits.requests_per_minute,
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

/// The provider's and the served models' gates that are not simply open. Other models are somebody's own affair, and their
/// names somebody's own words.
fn obstacles(facts: &Facts<'_>) -> Vec<Obstacle> {
    let gate = |kind: ObstacleKind, model: Option<&str>, gate: GateState| {
        let retry_in_ms = match gate {
            GateState::Open => return None,
            GateState::Trial => Some(0),
            GateState::Busy => None,
            GateState::Closed { until } => Some(millis(until.since(facts.now))),
        };
        Some(Obstacle {
            kind,
            model: model.map(ToOwned::to_owned),
            retry_in_ms,
        })
    };
    let snapshot = &facts.snapshot;
    let served = snapshot
        .models
        .iter()
        .filter(|view| facts.served_models.contains(&view.model.as_str()));
    let of_models = served.flat_map(|view| {
        let name = Some(view.model.as_str());
        [
            gate(ObstacleKind::ModelGone, name, view.hidden),
            gate(ObstacleKind::ModelDown, name, view.breaker),
        ]
    });
    let region = snapshot.region_refused_since.map(|_| Obstacle {
        kind: ObstacleKind::RegionRefused,
        model: None,
        retry_in_ms: None,
    });
    std::iter::once(gate(ObstacleKind::ProviderDown, None, snapshot.provider))
        .chain([region])
        .chain(of_models)
        .flatten()
        .collect()
}

/// Cause, effect, next step, time.
fn message(
    level: Level,
    keys: &[KeyStatus],
    obstacles: &[Obstacle],
    facts: &Facts<'_>,
    next_reset: Option<Timestamp>,
) -> String {
    let mut message = app::text::outage::message(level, keys, obstacles, &replaced_models(facts));
    if let Some(at) = next_reset.filter(|_| level != Level::Operational) {
        let _ = write!(
            message,
            " Next reset in {} (00:00 Pacific).",
            spoken(at.since(facts.now))
        );
    }
    message
}

/// The default models in whose place another answers. None while a capability waits: then waiting is what people notice.
fn replaced_models<'a>(facts: &Facts<'a>) -> Vec<&'a str> {
    let capabilities = [facts.text, facts.vision];
    if capabilities.contains(&Capability::Waits) {
        return Vec::new();
    }
    let of_models = capabilities.into_iter().zip(facts.served_models);
    let mut replaced: Vec<&str> = of_models
        .filter(|(capability, _)| *capability == Capability::Elsewhere)
        .map(|(_, model)| model)
        .collect();
    // One model may serve both.
    replaced.dedup();
    replaced
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
