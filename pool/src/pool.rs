//! The pool itself: what it holds, and how a change reaches the lists that choosing reads.

mod acquire;
mod keys;
mod probes;
mod records;
mod reinstate;
mod report;
mod restore;
mod steps;
mod view;

pub use acquire::Place;

use alloc::{collections::BTreeSet, string::String, vec::Vec};
use core::{fmt, time::Duration};

use crate::{
    breaker::Storm,
    journey::Journey,
    key::{KeyId, ProjectId, Tier},
    model::{ModelId, TooManyModels},
    policy::Policy,
    quota::Limits,
    record::Changes,
    rest::Serial,
    roster::Roster,
    selection::{Current, Strategy},
    table::Table,
    tables::Tables,
    time::Timestamp,
};
use probes::Target;

/// What a person resets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything the pool holds against any key.
    All,
    /// One key, its project and its billing account, for every model.
    Key(KeyId),
    /// One project's quota for one model.
    Cell {
        /// Subject.
        project: ProjectId,
        /// Subject.
        model: ModelId,
    },
}

/// The pool has no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKey(pub KeyId);

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the pool has no key {}", self.0)
    }
}

impl core::error::Error for UnknownKey {}

/// A provider's day is at most 25 hours long. An end further away dates from a clock that has stepped back since.
const DAY_LONGEST: Duration = Duration::from_hours(26);

/// Clocks are set right by less than this all the time.
const STEP_NOTICED: Duration = Duration::from_secs(5);

/// Small steps add up unnoticed; between two processes they need not be told from larger ones.
const STEP_NOTICED_AT_START: Duration = Duration::from_secs(60);

/// The keys of one provider and what is known of each.
#[derive(Debug)]
pub struct KeyPool {
    policy: Policy,
    strategy: Strategy,
    next_reset: fn(Timestamp) -> Timestamp,
    /// End of the provider's running day.
    day_end: Timestamp,
    /// The time of the last change.
    seen: Timestamp,
    /// The newest call.
    serial: Serial,
    /// Counts changes that may move a key from one count to another.
    revision: u64,
    roster: Roster,
    tables: Tables,
    /// When free calls are due. Entries that no longer fit their target are stale and skipped.
    probes: BTreeSet<(Timestamp, Target)>,
    /// When rests and trials of accounts end. An entry too many is harmless.
    accounts_due: BTreeSet<(Timestamp, u32)>,
    provider: Storm,
    current: Option<Current>,
    region_refused_since: Option<Timestamp>,
    /// As a person configured them: by model, or for every model that is not named.
    limits: Vec<(Option<String>, Tier, Limits)>,
    /// The last projects that spent a day's quota.
    spent: Vec<Spent>,
}

/// A project that spent a model's day.
#[derive(Clone, Copy, Debug)]
struct Spent {
    at: Timestamp,
    project: ProjectId,
    model: ModelId,
}

fn configure(table: &mut Table, limits: &[(Option<String>, Tier, Limits)]) {
    for tier in [Tier::Free, Tier::Paid] {
        let of_tier = || limits.iter().filter(|(_, of, _)| *of == tier);
        let named = of_tier().rfind(|(model, ..)| model.as_deref() == Some(table.name.as_str()));
        let any = || of_tier().rfind(|(model, ..)| model.is_none());
        let chosen = named.or_else(any).map_or(Limits::default(), |(.., limits)| *limits);
        table.configure(tier, chosen, named.is_some());
    }
}

/// How far a change of a call's model or account reaches: what must be looked at again. Faults of keys and projects
/// look after themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Nothing,
    /// This project on one model.
    Cell(u32),
    /// Every project of this account on every model.
    Account(u32),
}

impl KeyPool {
    /// A pool without keys. `next_reset` gives the first instant of the provider's next day after its argument.
    #[must_use]
    pub const fn new(policy: Policy, strategy: Strategy, next_reset: fn(Timestamp) -> Timestamp) -> Self {
        Self {
            policy,
            strategy,
            next_reset,
            day_end: Timestamp::EPOCH,
            seen: Timestamp::EPOCH,
            serial: 0,
            revision: 0,
            roster: Roster::new(),
            tables: Tables::new(),
            probes: BTreeSet::new(),
            accounts_due: BTreeSet::new(),
            provider: Storm::new(),
            current: None,
            region_refused_since: None,
            limits: Vec::new(),
            spent: Vec::new(),
        }
    }

    /// How keys are chosen.
    #[must_use]
    pub const fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// Changes how keys are chosen.
    pub fn set_strategy(&mut self, strategy: Strategy) {
        self.strategy = strategy;
        for table in self.tables.iter_mut() {
            table.set_index(strategy.index(), &self.roster);
        }
    }

    /// The rules in numbers.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A request that has tried nothing yet.
    #[must_use]
    pub const fn journey(&self) -> Journey {
        Journey::new(&self.policy)
    }

    /// The id of a model name, learned on first use. At the policy's bound a new name takes the place of a model that
    /// never answered, has no call under way and no configured limits; its cells and rests go with it.
    ///
    /// # Errors
    /// [`TooManyModels`] when the name is new and there is no such model.
    pub fn model(&mut self, name: &str) -> Result<ModelId, TooManyModels> {
        if let Some(model) = self.tables.named(name) {
            return Ok(model);
        }
        let index = self.strategy.index();
        let table = self.tables.add(name, index, self.policy.models_max)?;
        configure(table, &self.limits);
        // At the epoch every rest lies ahead: those that are over are woken by the first call.
        for project in 0..self.roster.projects.end() {
            table.refresh(project, &mut self.roster, Timestamp::EPOCH, self.day_end);
        }
        Ok(table.id)
    }

    /// The name of a model; empty for one that was forgotten.
    #[must_use]
    pub fn model_name(&self, model: ModelId) -> &str {
        self.tables.get(model).map_or("", |table| table.name.as_str())
    }

    /// Replaces the configured limits: of a model and tier, or where no model is named of every other model. Limits learned
    /// from answers go before them.
    ///
    /// A cell that rests because our own count had reached an earlier limit is free again where there is room now.
    pub fn configure_limits(&mut self, limits: &[(Option<String>, Tier, Limits)], now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        self.tick(now);
        self.limits = limits.to_vec();
        let mut freed = Vec::new();
        for table in self.tables.iter_mut() {
            configure(table, &self.limits);
            let model = table.id;
            let projects = table.free_counted(&self.roster, now, self.day_end);
            freed.extend(projects.into_iter().map(|project| (model, project)));
        }
        self.refresh_all(now);
        for (model, project) in freed {
            self.record_cell(model, project, &mut changes);
        }
        changes
    }

    /// Moves the key that `sticky` stays on.
    ///
    /// # Errors
    /// [`UnknownKey`] when the pool has no such key.
    pub fn switch_to(&mut self, key: KeyId) -> Result<(), UnknownKey> {
        let entry = self
            .roster
            .key_slot(key)
            .and_then(|slot| self.roster.keys.get(slot))
            .ok_or(UnknownKey(key))?;
        self.current = Some(Current {
            key,
            number: entry.key.number,
        });
        Ok(())
    }

    /// Begins every change: what time alone has changed comes first. The calendar is asked once a day, not once a call.
    fn tick(&mut self, now: Timestamp) {
        self.day_end = self.day_end_at(now);
        let stepped_back = self.seen.since(now) > STEP_NOTICED;
        self.seen = now;
        if stepped_back {
            self.step_back(now, STEP_NOTICED);
        }
        self.wake_accounts(now);
    }

    fn day_end_at(&self, now: Timestamp) -> Timestamp {
        let known = now < self.day_end && self.day_end.since(now) <= DAY_LONGEST;
        if known { self.day_end } else { (self.next_reset)(now) }
    }

    fn refresh(&mut self, reach: Reach, model: ModelId, now: Timestamp) {
        match reach {
            Reach::Nothing => {}
            Reach::Cell(project) => {
                self.revision += 1;
                if let Some(table) = self.tables.get_mut(model) {
                    table.refresh(project, &mut self.roster, now, self.day_end);
                }
            }
            Reach::Account(account) => self.refresh_account(account, now),
        }
    }

    fn refresh_project(&mut self, project: u32, now: Timestamp) {
        self.revision += 1;
        for table in self.tables.iter_mut() {
            table.refresh(project, &mut self.roster, now, self.day_end);
        }
    }

    fn refresh_account(&mut self, account: u32, now: Timestamp) {
        let Some(entry) = self.roster.accounts.get(account) else {
            return;
        };
        let projects: Vec<u32> = entry.projects.iter().copied().collect();
        for project in projects {
            self.refresh_project(project, now);
        }
    }

    /// Must follow every rest and every trial of an account.
    fn await_account(&mut self, account: u32) {
        let due = self.roster.accounts.get(account).map(|entry| entry.spend.due());
        if let Some(at) = due.filter(|at| *at > Timestamp::EPOCH) {
            self.accounts_due.insert((at, account));
        }
    }

    /// Ends the rests of accounts whose instant has passed, on every model.
    fn wake_accounts(&mut self, now: Timestamp) {
        while let Some(&(at, account)) = self.accounts_due.first()
            && at <= now
        {
            self.accounts_due.pop_first();
            if let Some(entry) = self.roster.accounts.get_mut(account) {
                entry.spend.settle(now);
                self.refresh_account(account, now);
            }
        }
    }

    fn refresh_all(&mut self, now: Timestamp) {
        for project in 0..self.roster.projects.end() {
            self.refresh_project(project, now);
        }
    }
}
