//! Promises that hold whatever happens: random histories of calls, keys coming and going, restarts and clocks that
//! step back. The naive model is the snapshot, which looks at every key; choosing looks at two.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

use core::time::Duration;

use pool::{
    AccountId, CellState, GateState, Journey, Key, KeyId, KeyPool, KeyState, KeyView, Lease, Limit, LimitUnit, ModelId,
    Next, Notice, Outcome, Policy, ProjectId, Scope, Snapshot, Strategy as Choosing, Tier, Timestamp, Verdict, Want,
};
use proptest::{collection::vec, prelude::*, sample::select};

const DAY_MS: u64 = 86_400_000;
const NOON: Timestamp = Timestamp::from_millis(20_000 * DAY_MS + DAY_MS / 2);
const MODELS: [&str; 2] = ["pro", "flash"];

fn next_reset(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((now.as_millis() / DAY_MS + 1) * DAY_MS)
}

#[derive(Clone, Debug)]
enum Step {
    Upsert(Key),
    Remove(KeyId),
    SetEnabled(KeyId, bool),
    Acquire {
        model: usize,
        owner: Option<u64>,
        chance: u64,
    },
    /// A whole request; every attempt ends with the next of these outcomes.
    Request {
        model: usize,
        outcomes: Vec<Outcome>,
        chance: u64,
    },
    Report {
        lease: usize,
        outcome: Outcome,
    },
    Probe(Outcome),
    Pass(u64),
    SetBack(u64),
    Reinstate(Option<u64>),
    Restart,
    Choosing(Choosing),
    SwitchTo(KeyId),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let limit = select(vec![
        None,
        Some(Limit {
            unit: LimitUnit::Requests,
            value: 15,
        }),
    ]);
    prop_oneof![
        8 => (0..5_000_u64).prop_map(|tokens| Outcome::Success { tokens }),
        2 => Just(Outcome::InvalidKey),
        1 => any::<bool>().prop_map(|whole_project| Outcome::Revoked { whole_project }),
        1 => any::<bool>().prop_map(|whole_project| Outcome::KeyConfig { whole_project }),
        1 => Just(Outcome::Billing),
        2 => Just(Outcome::Spend),
        3 => limit.clone().prop_map(|limit| Outcome::DayQuota { limit }),
        4 => (select(vec![None, Some(0), Some(20), Some(250)]), limit).prop_map(|(secs, limit)| {
            Outcome::MinuteQuota { retry_after: secs.map(Duration::from_secs), limit }
        }),
        4 => Just(Outcome::Bare429),
        4 => select(vec![Outcome::Overload, Outcome::Server, Outcome::Transport]),
        6 => select(vec![
            Outcome::Region,
            Outcome::ZeroLimit,
            Outcome::ModelGone,
            Outcome::FileForeign,
            Outcome::CallerFault,
            Outcome::Blocked { tokens: 7 },
            Outcome::Empty,
            Outcome::Truncated,
            Outcome::Cancelled,
            Outcome::Unknown,
        ]),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    let moved = prop_oneof![4 => Just(None), 1 => (1..=4_u64).prop_map(Some)];
    let weight = select(vec![0, 1, 3, u32::MAX]);
    (1..=7_u64, moved, -1..=1_i32, weight, prop::bool::weighted(0.9)).prop_map(
        |(id, moved, priority, weight, enabled)| {
            let project = moved.unwrap_or(id.div_ceil(2));
            Key {
                id: KeyId(id),
                number: u32::try_from(id).unwrap(),
                project: ProjectId(project),
                account: AccountId(project / 2),
                tier: if project == 4 { Tier::Paid } else { Tier::Free },
                priority,
                weight,
                enabled,
            }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let id = || (1..=7_u64).prop_map(KeyId);
    let model = || 0..MODELS.len();
    let pass = select(vec![
        1, 900, 1_000, 5_000, 16_000, 61_000, 301_000, 3_600_000, 43_300_000, 90_000_000,
    ]);
    let back = select(vec![1, 2_000, 600_000, 100_000_000]);
    prop_oneof![
        3 => key().prop_map(Step::Upsert),
        1 => id().prop_map(Step::Remove),
        1 => (id(), any::<bool>()).prop_map(|(id, enabled)| Step::SetEnabled(id, enabled)),
        12 => (model(), prop::option::weighted(0.2, 1..=4_u64), any::<u64>())
            .prop_map(|(model, owner, chance)| Step::Acquire { model, owner, chance }),
        4 => (model(), vec(outcome(), 8), any::<u64>())
            .prop_map(|(model, outcomes, chance)| Step::Request { model, outcomes, chance }),
        12 => (any::<usize>(), outcome()).prop_map(|(lease, outcome)| Step::Report { lease, outcome }),
        2 => outcome().prop_map(Step::Probe),
        6 => pass.prop_map(Step::Pass),
        1 => back.prop_map(Step::SetBack),
        1 => prop::option::of(1..=7_u64).prop_map(Step::Reinstate),
        1 => Just(Step::Restart),
        1 => select(Choosing::ALL.to_vec()).prop_map(Step::Choosing),
        1 => id().prop_map(Step::SwitchTo),
    ]
}

/// The pool, and what its shell knows of it.
struct World {
    pool: KeyPool,
    models: Vec<ModelId>,
    now: Timestamp,
    outstanding: Vec<Lease>,
}

impl World {
    fn new() -> Self {
        let (pool, models) = empty_pool();
        Self {
            pool,
            models,
            now: NOON,
            outstanding: Vec::new(),
        }
    }

    fn run(&mut self, step: Step) {
        let before = self.pool.snapshot(self.now);
        let mut may_shorten = false;
        match step {
            Step::Upsert(key) => {
                self.pool.upsert(key, self.now);
                may_shorten = true;
            }
            Step::Remove(id) => self.pool.remove(id),
            Step::SetEnabled(id, enabled) => drop(self.pool.set_enabled(id, enabled, self.now)),
            Step::Acquire { model, owner, chance } => {
                let journey = self.pool.journey();
                if let Some(lease) = self.acquire(model, owner, &journey, chance, &[], None) {
                    self.outstanding.push(lease);
                }
            }
            Step::Request {
                model,
                outcomes,
                chance,
            } => may_shorten = self.request(model, &outcomes, chance),
            Step::Report { lease, outcome } => {
                if !self.outstanding.is_empty() {
                    let lease = self.outstanding.swap_remove(lease % self.outstanding.len());
                    may_shorten = self.report(lease, &outcome);
                }
            }
            Step::Probe(outcome) => {
                for key in self.pool.probes_due(self.now) {
                    drop(self.pool.report_probe(key, &outcome, self.now));
                }
                assert!(self.pool.probes_due(self.now).is_empty(), "each key is named once");
            }
            Step::Pass(ms) => self.now = self.now.plus(Duration::from_millis(ms)),
            Step::SetBack(ms) => {
                self.now = Timestamp::from_millis(self.now.as_millis().saturating_sub(ms));
                // Rests of a clock that was ahead may end sooner. Any change notices the step.
                drop(self.pool.report_probe(KeyId(99), &Outcome::Unknown, self.now));
                may_shorten = true;
            }
            Step::Reinstate(key) => {
                let scope = key.map_or(Scope::All, |key| Scope::Key(KeyId(key)));
                drop(self.pool.reinstate(scope, self.now));
                may_shorten = true;
            }
            Step::Restart => self.check_restart(),
            Step::Choosing(strategy) => self.pool.set_strategy(strategy),
            Step::SwitchTo(key) => drop(self.pool.switch_to(key)),
        }
        if !may_shorten {
            self.check_no_rest_was_shortened(&before);
        }
        self.check_counts();
    }

    /// True when the report showed that earlier rests were a mistake.
    fn report(&mut self, lease: Lease, outcome: &Outcome) -> bool {
        let changes = self.pool.report(lease, outcome, self.now);
        changes
            .notices
            .iter()
            .any(|notice| matches!(notice, Notice::ProviderRefuses { .. }))
    }

    fn acquire(
        &mut self,
        model: usize,
        owner: Option<u64>,
        journey: &Journey,
        chance: u64,
        tried: &[KeyId],
        tried_with: Option<&Outcome>,
    ) -> Option<Lease> {
        let before = self.pool.snapshot(self.now);
        let (verdict, counts) = self.pool.verdict(Some(self.models[model]), self.now);
        let want = Want {
            model: self.models[model],
            tokens: 100,
            journey,
            owner: owner.map(ProjectId),
        };
        let result = self.pool.acquire(&want, self.now, chance);
        let usable: Vec<&KeyView> = before
            .keys
            .iter()
            .filter(|view| is_usable(&before, view, MODELS[model]))
            .collect();
        match &result {
            Ok(lease) => {
                let facts = lease.facts();
                let view = usable.iter().find(|view| view.key.id == facts.key);
                let view = view.unwrap_or_else(|| panic!("{facts:?} rests: {before:#?}"));
                assert_eq!((view.key.project, view.key.account), (facts.project, facts.account));
                assert!(owner.is_none_or(|owner| facts.project == ProjectId(owner)));
                if cell_state(view, MODELS[model]) == CellState::Trial {
                    assert!(facts.trial);
                    assert_eq!(self.state_of(facts.key, model), CellState::Busy, "one trial at a time");
                }
            }
            Err(refused) => {
                assert_eq!(refused.counts.total, counts.total);
                assert_ne!(refused.verdict, Verdict::Serving);
                assert!(refused.retry_at.is_none_or(|at| at >= self.now));
                if owner.is_none() && tried.is_empty() {
                    assert_ne!(verdict, Verdict::Serving, "{refused:?} {before:#?}");
                }
                // A repetition may lack the budget.
                if repeats(tried_with) {
                    return None;
                }
                // What is left must be excluded by what the request tried, or wait for its account's trial.
                for view in usable {
                    let left = owner.is_none_or(|owner| view.key.project == ProjectId(owner));
                    let excluded = tried.iter().any(|tried| {
                        let tried = before.keys.iter().find(|view| view.key.id == *tried).unwrap();
                        tried.key.project == view.key.project || tried.key.account == view.key.account
                    });
                    assert!(
                        !left || excluded || self.account_is_tried(view),
                        "{view:#?} was left over"
                    );
                }
            }
        }
        result.ok()
    }

    fn request(&mut self, model: usize, outcomes: &[Outcome], chance: u64) -> bool {
        let mut journey = self.pool.journey();
        let mut tried = Vec::new();
        let mut forgiven = false;
        let mut over_quota = Vec::new();
        let mut last = None;
        for outcome in outcomes {
            let Some(lease) = self.acquire(model, None, &journey, chance, &tried, last) else {
                break;
            };
            let facts = lease.facts();
            assert!(
                !over_quota.contains(&facts.project),
                "a project that said quota is not asked again"
            );
            tried.push(facts.key);
            forgiven |= self.report(lease, outcome);
            last = Some(outcome);
            if matches!(
                outcome,
                Outcome::DayQuota { .. } | Outcome::MinuteQuota { .. } | Outcome::ZeroLimit
            ) {
                over_quota.push(facts.project);
            }
            match journey.after(&facts, outcome, false, chance) {
                // A region's refusal leaves only paid keys, which the naive model does not know.
                Next::Again { .. } if *outcome != Outcome::Region => {}
                Next::Again { .. } | Next::FallbackModel | Next::Stop => break,
            }
        }
        assert!(journey.attempts() <= Policy::default().attempts_max);
        forgiven
    }

    fn account_is_tried(&self, view: &KeyView) -> bool {
        let mut trials = self.outstanding.iter().map(Lease::facts).filter(|facts| facts.trial);
        trials.any(|facts| facts.account == view.key.account)
    }

    fn state_of(&self, key: KeyId, model: usize) -> CellState {
        let snapshot = self.pool.snapshot(self.now);
        let view = snapshot.keys.iter().find(|view| view.key.id == key).unwrap();
        cell_state(view, MODELS[model])
    }

    fn check_no_rest_was_shortened(&self, before: &Snapshot) {
        let after = self.pool.snapshot(self.now);
        for old in &before.keys {
            let Some(new) = after.keys.iter().find(|new| new.key.id == old.key.id) else {
                continue;
            };
            for model in MODELS {
                let until = cell_state(old, model).until();
                if let Some(until) = until.filter(|until| *until > self.now) {
                    let now_until = cell_state(new, model).until();
                    assert!(now_until >= Some(until), "{model}: {old:#?} {new:#?}");
                }
            }
            if let (KeyState::SpendLimited { until }, KeyState::Ready) = (old.state, new.state) {
                assert!(until <= self.now, "{old:#?} {new:#?}");
            }
        }
    }

    fn check_counts(&mut self) {
        let snapshot = self.pool.snapshot(self.now);
        let c = snapshot.counts;
        let parts = c.available + c.busy + c.spent + c.cooling + c.not_entitled + c.no_credit + c.needs_setup;
        assert_eq!(parts + c.suspect + c.invalid + c.revoked + c.disabled, c.total);
        assert_eq!(c.total as usize, snapshot.keys.len());
        for view in &snapshot.keys {
            for cell in &view.cells {
                let facts = self.outstanding.iter().map(Lease::facts);
                let leased = facts.filter(|facts| {
                    facts.project == view.key.project && self.pool.model_name(facts.model) == cell.model
                });
                // Leases of a project that was forgotten and made again are not counted on the new one.
                assert!(cell.in_flight as usize <= leased.count(), "{cell:#?}");
                assert!(cell.headroom_ppm <= 1_000_000 && cell.success_permille <= 1_000);
            }
        }
        // Until the next instant nothing becomes usable by time alone.
        if let Some(next) = self.pool.next_ready(self.now).filter(|next| *next > self.now) {
            let just_before = Timestamp::from_millis(next.as_millis() - 1);
            for model in &self.models {
                let mut serves = |at| self.pool.verdict(Some(*model), at).0 == Verdict::Serving;
                assert_eq!(serves(self.now), serves(just_before), "{next:?}");
            }
        }
    }

    /// A new process with the same keys and the stored records knows the same rests.
    fn check_restart(&mut self) {
        let before = self.pool.snapshot(self.now);
        let records = self.pool.records();
        let (mut restarted, _) = empty_pool();
        for view in &before.keys {
            restarted.upsert(view.key.clone(), self.now);
        }
        restarted.restore(records.clone(), self.now);
        let after = restarted.snapshot(self.now);
        assert_eq!(before.keys.len(), after.keys.len());
        for (old, new) in before.keys.iter().zip(&after.keys) {
            assert_eq!(old.state.name(), new.state.name(), "{old:#?} {new:#?}");
            for model in MODELS {
                let (was, is) = (cell_state(old, model), cell_state(new, model));
                // A start looks whether the clock has stepped back, if only by a little.
                let lost = was.until().map(|was| was.since(is.until().unwrap_or(self.now)));
                assert!(
                    lost.is_none_or(|lost| lost <= Duration::from_secs(5)),
                    "{model}: {old:#?} {new:#?}"
                );
                assert_eq!(
                    was.until().is_some(),
                    is.until().is_some(),
                    "{model}: {old:#?} {new:#?}"
                );
                if was.until().is_none() {
                    assert_eq!(is, CellState::Ready, "a trial is not remembered");
                }
            }
        }
        for (old, new) in before.models.iter().zip(&after.models) {
            if let GateState::Closed { .. } = old.hidden {
                assert_eq!(old.hidden, new.hidden);
            }
        }
        // The same records again change nothing.
        self.pool.restore(records, self.now);
        let again = self.pool.snapshot(self.now);
        for (old, new) in before.keys.iter().zip(&again.keys) {
            assert_eq!((old.state.name(), &old.cells), (new.state.name(), &new.cells));
        }
    }
}

/// The request's next call repeats one that failed through no key's fault.
fn repeats(last: Option<&Outcome>) -> bool {
    use Outcome::{Empty, Overload, Server, Transport};
    matches!(last, Some(Empty | Overload | Server | Transport))
}

fn empty_pool() -> (KeyPool, Vec<ModelId>) {
    let mut pool = KeyPool::new(Policy::default(), Choosing::Headroom, next_reset);
    let models = MODELS.iter().map(|name| pool.model(name).unwrap()).collect();
    (pool, models)
}

fn cell_state(view: &KeyView, model: &str) -> CellState {
    view.cells
        .iter()
        .find(|cell| cell.model == model)
        .map_or(CellState::Ready, |cell| cell.state)
}

/// As far as a snapshot tells: an account's trial under way shows only in cells that were used before.
fn is_usable(snapshot: &Snapshot, view: &KeyView, model: &str) -> bool {
    let model_view = snapshot.models.iter().find(|view| view.model == model).unwrap();
    let gates = [snapshot.provider, model_view.hidden, model_view.breaker];
    view.state == KeyState::Ready
        && matches!(cell_state(view, model), CellState::Ready | CellState::Trial)
        && gates
            .iter()
            .all(|gate| matches!(gate, GateState::Open | GateState::Trial))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_histories_keep_the_promises(
        strategy in select(Choosing::ALL.to_vec()),
        keys in vec(key(), 1..7),
        steps in vec(step(), 1..120),
    ) {
        let mut world = World::new();
        world.pool.set_strategy(strategy);
        for key in keys {
            world.pool.upsert(key, NOON);
        }
        for step in steps {
            world.run(step);
        }
    }
}
