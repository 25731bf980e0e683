//! Stories: what a pool goes through in a day, told with a clock moved by hand.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

mod choosing;
mod days;
mod journeys;
mod limits;
mod models;
mod outages;
mod probes;
mod storage;
mod strategies;
mod trials;
mod turns;
mod verdicts;
mod weights;

use core::time::Duration;

use pool::{
    AccountId, CellState, Exhausted, Journey, Key, KeyId, KeyPool, KeyState, Lease, Limits, ModelId, Next, Notice,
    Outcome, Policy, ProjectId, Strategy, Tier, Timestamp, Verdict, Want,
};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Noon in a zone whose days begin at multiples of 24 hours.
const NOON: Timestamp = Timestamp::from_millis(20_000 * DAY_MS + DAY_MS / 2);
const MIDNIGHT: Timestamp = Timestamp::from_millis(20_001 * DAY_MS);
const DAY: Outcome = Outcome::DayQuota { limit: None };
const MINUTE: Outcome = Outcome::MinuteQuota {
    retry_after: None,
    limit: None,
};
const OK: Outcome = Outcome::Success { tokens: 90 };

fn next_reset(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((now.as_millis() / DAY_MS).saturating_add(1).saturating_mul(DAY_MS))
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A key with a project and an account of its own.
fn key(id: u64) -> Key {
    Key {
        id: KeyId(id),
        number: u32::try_from(id).unwrap(),
        project: ProjectId(id),
        account: AccountId(id),
        tier: Tier::Free,
        priority: 0,
        weight: 1,
        enabled: true,
    }
}

/// A pool, its one model, and the time.
struct Story {
    pool: KeyPool,
    model: ModelId,
    now: Timestamp,
    chance: u64,
}

impl Story {
    fn with(strategy: Strategy, keys: impl IntoIterator<Item = Key>) -> Self {
        Self::under(Policy::default(), strategy, keys)
    }

    fn under(policy: Policy, strategy: Strategy, keys: impl IntoIterator<Item = Key>) -> Self {
        let mut pool = KeyPool::new(policy, strategy, next_reset);
        let model = pool.model("flash").unwrap();
        for key in keys {
            pool.upsert(key, NOON);
        }
        Self {
            pool,
            model,
            now: NOON,
            chance: 1,
        }
    }

    fn of(keys: u64) -> Self {
        Self::with(Strategy::Headroom, (1..=keys).map(key))
    }

    /// What a person configured for the model's free keys.
    fn limit(&mut self, limits: Limits) {
        let name = self.pool.model_name(self.model).to_owned();
        let _ = self
            .pool
            .configure_limits(&[(Some(name), Tier::Free, limits)], self.now);
    }

    fn pass(&mut self, duration: Duration) {
        self.now = self.now.plus(duration);
    }

    fn acquire_on(&mut self, journey: &Journey, owner: Option<u64>) -> Result<Lease, Exhausted> {
        self.chance = self
            .chance
            .wrapping_mul(0x5851_F42D_4C95_7F2D)
            .wrapping_add(0x1405_7B7E_F767_814F);
        let want = Want {
            model: self.model,
            tokens: 100,
            journey,
            owner: owner.map(ProjectId),
        };
        self.pool.acquire(&want, self.now, self.chance)
    }

    fn acquire(&mut self) -> Result<Lease, Exhausted> {
        let journey = self.pool.journey();
        self.acquire_on(&journey, None)
    }

    fn lease_of(&mut self, project: u64) -> Lease {
        let journey = self.pool.journey();
        self.acquire_on(&journey, Some(project)).unwrap()
    }

    fn report(&mut self, lease: Lease, outcome: &Outcome) -> Vec<Notice> {
        self.pool.report(lease, outcome, self.now).notices
    }

    fn call_of(&mut self, project: u64, outcome: &Outcome) {
        let lease = self.lease_of(project);
        self.report(lease, outcome);
    }

    /// May a new request lease the key of this project?
    fn is_usable(&self, project: u64) -> bool {
        let journey = self.pool.journey();
        let want = Want {
            model: self.model,
            tokens: 100,
            journey: &journey,
            owner: Some(ProjectId(project)),
        };
        self.pool.peek(&want, self.now, 0).is_some()
    }

    fn cell(&self, key: u64) -> CellState {
        let snapshot = self.pool.snapshot(self.now);
        let mut keys = snapshot.keys.iter();
        let view = keys.find(|view| view.key.id == KeyId(key)).unwrap();
        view.cells.first().map_or(CellState::Ready, |cell| cell.state)
    }

    fn key_state(&self, key: u64) -> KeyState {
        let snapshot = self.pool.snapshot(self.now);
        snapshot
            .keys
            .iter()
            .find(|view| view.key.id == KeyId(key))
            .unwrap()
            .state
    }

    fn verdict(&mut self) -> Verdict {
        self.pool.verdict(Some(self.model), self.now).0
    }

    /// One request as a shell makes it: a bounded loop; the provider's answers depend on the key. Waits are not slept.
    fn request(&mut self, provider: impl Fn(KeyId, u32) -> Outcome) -> (Vec<u64>, Option<Outcome>) {
        let mut journey = self.pool.journey();
        let mut keys = Vec::new();
        let mut last = None;
        for attempt in 1..=20 {
            let Ok(lease) = self.acquire_on(&journey, None) else {
                break;
            };
            let facts = lease.facts();
            let outcome = provider(facts.key, attempt);
            keys.push(facts.key.0);
            self.report(lease, &outcome);
            let next = journey.after(&facts, &outcome, false, self.chance);
            last = Some(outcome);
            match next {
                Next::Again { .. } => {}
                Next::FallbackModel | Next::Stop => break,
            }
        }
        (keys, last)
    }
}
