//! Five keys and the calls that bring them into every state.

use core::time::Duration;

use pool::{
    AccountId, CellState, GateState, Key, KeyId, KeyPool, KeyState, Lease, ModelId, Outcome, Policy, ProjectId,
    Strategy, Tier, Timestamp, Want,
};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Noon, twelve hours before the next reset.
const NOON: Timestamp = Timestamp::from_millis(20_000 * DAY_MS + DAY_MS / 2);
const MIDNIGHT: Timestamp = Timestamp::from_millis(20_001 * DAY_MS);

fn next_reset(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((now.as_millis() / DAY_MS).saturating_add(1).saturating_mul(DAY_MS))
}

/// Two keys of one project, a second project of the same account, and two strangers.
///
/// | key | project | account |
/// | --- | --- | --- |
/// | 1, 2 | 1 | 1 |
/// | 3 | 2 | 1 |
/// | 4 | 3 | 2 |
/// | 5 | 4 | 3 |
pub(crate) struct Scene {
    pub(crate) pool: KeyPool,
    pub(crate) model: ModelId,
    pub(crate) now: Timestamp,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let mut pool = KeyPool::new(Policy::default(), Strategy::Headroom, next_reset);
        let model = pool.model("flash").unwrap();
        for (id, project, account) in [(1, 1, 1), (2, 1, 1), (3, 2, 1), (4, 3, 2), (5, 4, 3)] {
            let key = Key {
                id: KeyId(id),
                number: u32::try_from(id).unwrap(),
                project: ProjectId(project),
                account: AccountId(account),
                tier: Tier::Free,
                priority: 0,
                weight: 1,
                enabled: true,
            };
            pool.upsert(key, NOON);
        }
        Self { pool, model, now: NOON }
    }

    pub(crate) fn pass(&mut self, secs: u64) {
        self.now = self.now.plus(Duration::from_secs(secs));
    }

    /// A call with the first usable key of a project.
    pub(crate) fn lease_of(&mut self, project: u64) -> Lease {
        let journey = self.pool.journey();
        let want = Want {
            model: self.model,
            tokens: 100,
            journey: &journey,
            owner: Some(ProjectId(project)),
        };
        self.pool.acquire(&want, self.now, 0).unwrap()
    }

    pub(crate) fn report(&mut self, lease: Lease, outcome: &Outcome) {
        let _changes = self.pool.report(lease, outcome, self.now);
    }

    pub(crate) fn call(&mut self, project: u64, outcome: &Outcome) {
        let lease = self.lease_of(project);
        self.report(lease, outcome);
    }

    fn secs_to(&self, until: Timestamp) -> u64 {
        until.since(self.now).as_secs()
    }

    /// One key in a word: `ready`, `cooling 60`, `suspect 0`, …; a day's rest up to the reset and its jitter is `spent`.
    pub(crate) fn key(&self, key: u64) -> String {
        let snapshot = self.pool.snapshot(self.now);
        let view = snapshot.keys.iter().find(|view| view.key.id == KeyId(key)).unwrap();
        let seconds = match view.state {
            KeyState::Ready => None,
            KeyState::Suspect { probe_at }
            | KeyState::Invalid { probe_at }
            | KeyState::NeedsSetup { probe_at }
            | KeyState::NoCredit { probe_at } => Some(self.secs_to(probe_at)),
            KeyState::SpendLimited { until } => Some(self.secs_to(until)),
            KeyState::Revoked | KeyState::Disabled => return view.state.name().into(),
        };
        if let Some(seconds) = seconds {
            return format!("{} {seconds}", view.state.name());
        }
        let Some(cell) = view.cells.first() else {
            return "ready".into();
        };
        match cell.state {
            CellState::Ready | CellState::Trial | CellState::Busy => cell.state.name().into(),
            CellState::Exhausted { until } if (30..=120).contains(&until.since(next_reset(self.now)).as_secs()) => {
                "spent".into()
            }
            CellState::Cooling { until } | CellState::Exhausted { until } | CellState::NotEntitled { until } => {
                format!("{} {}", cell.state.name(), self.secs_to(until))
            }
        }
    }

    /// What stands before every key: empty if nothing does.
    pub(crate) fn gates(&self) -> String {
        let snapshot = self.pool.snapshot(self.now);
        let model = &snapshot.models[0];
        let gates = [
            ("hidden", model.hidden),
            ("breaker", model.breaker),
            ("provider", snapshot.provider),
        ];
        let shut = gates.iter().filter_map(|(name, gate)| match gate {
            GateState::Open => None,
            GateState::Trial => Some(format!("{name} trial")),
            GateState::Busy => Some(format!("{name} busy")),
            GateState::Closed { until } => Some(format!("{name} {}", self.secs_to(*until))),
        });
        shut.collect::<Vec<_>>().join(", ")
    }
}

fn minute(advice_secs: u64) -> Outcome {
    Outcome::MinuteQuota {
        retry_after: Some(Duration::from_secs(advice_secs)),
        limit: None,
    }
}

pub(crate) const DAY: Outcome = Outcome::DayQuota { limit: None };
pub(crate) const MINUTE: Outcome = Outcome::MinuteQuota {
    retry_after: None,
    limit: None,
};

/// Every outcome there is. The match keeps the list whole: a new outcome does not compile before it is named here.
pub(crate) fn all_outcomes() -> Vec<Outcome> {
    let all = vec![
        Outcome::Success { tokens: 90 },
        Outcome::Blocked { tokens: 90 },
        Outcome::InvalidKey,
        Outcome::Revoked { whole_project: false },
        Outcome::Revoked { whole_project: true },
        Outcome::KeyConfig { whole_project: false },
        Outcome::KeyConfig { whole_project: true },
        Outcome::Billing,
        Outcome::Region,
        Outcome::ZeroLimit,
        DAY,
        MINUTE,
        Outcome::Spend,
        Outcome::Bare429,
        Outcome::ModelGone,
        Outcome::FileForeign,
        Outcome::CallerFault,
        Outcome::Overload,
        Outcome::Server,
        Outcome::Transport,
        Outcome::Empty,
        Outcome::Truncated,
        Outcome::Cancelled,
        Outcome::Unknown,
    ];
    for outcome in &all {
        match outcome {
            Outcome::Success { .. } | Outcome::Blocked { .. } | Outcome::InvalidKey | Outcome::Revoked { .. } => {}
            Outcome::KeyConfig { .. } | Outcome::Billing | Outcome::Region | Outcome::ZeroLimit => {}
            Outcome::DayQuota { .. } | Outcome::MinuteQuota { .. } | Outcome::Spend | Outcome::Bare429 => {}
            Outcome::ModelGone | Outcome::FileForeign | Outcome::CallerFault | Outcome::Overload => {}
            Outcome::Server | Outcome::Transport | Outcome::Empty | Outcome::Truncated => {}
            Outcome::Cancelled | Outcome::Unknown => {}
        }
    }
    all
}

/// A state of things with a call of key 1 under way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    /// Nothing happened before.
    Ready,
    /// The cell has rested for its minute.
    Trial,
    /// The cell has rested for its day; it is the next day.
    DayTrial,
    /// The key has rested on the model.
    BareTrial,
    /// The account has rested.
    SpendTrial,
    /// The model was hidden for an hour.
    HiddenTrial,
    /// The model's breaker lets one call through.
    HalfOpen,
    /// The provider refused everybody and now one call is let through.
    StormTrial,
    /// Since the call began, another one found the minute used up, for 300 s.
    LateCooling,
    /// Since the call began, another one found the day used up.
    LateSpent,
}

pub(crate) fn from(state: From) -> (Scene, Lease) {
    let mut scene = Scene::new();
    match state {
        From::Ready => {}
        From::Trial => {
            scene.call(1, &MINUTE);
            scene.pass(60);
        }
        From::DayTrial => {
            scene.call(1, &DAY);
            scene.now = MIDNIGHT.plus(Duration::from_secs(120));
        }
        From::BareTrial => {
            scene.call(1, &Outcome::Bare429);
            // The sibling rests longer, so that key 1 is the one that tries.
            scene.call(1, &Outcome::InvalidKey);
            scene.pass(5);
        }
        From::SpendTrial => {
            scene.call(1, &Outcome::Spend);
            scene.pass(60);
        }
        From::HiddenTrial => {
            scene.call(1, &Outcome::ModelGone);
            scene.pass(3_600);
        }
        From::HalfOpen => {
            for _ in 0..5 {
                scene.call(1, &Outcome::Overload);
            }
            scene.pass(5);
        }
        From::StormTrial => {
            for project in [2, 3, 4] {
                scene.call(project, &Outcome::Bare429);
            }
            scene.pass(5);
        }
        From::LateCooling | From::LateSpent => {
            let late = scene.lease_of(1);
            let other = scene.lease_of(1);
            let outcome = if matches!(state, From::LateSpent) {
                DAY
            } else {
                minute(299)
            };
            scene.report(other, &outcome);
            return (scene, late);
        }
    }
    let lease = scene.lease_of(1);
    assert_eq!(lease.key(), KeyId(1));
    (scene, lease)
}
