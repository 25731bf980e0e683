//! What the pool may know, kept as naively as possible: from the provider's answers and people's acts alone. The pool's own
//! view of itself is never asked. All instants are the process's clock, which may be wrong.

mod calls;
mod left_over;
mod outcomes;
mod roster;
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use pool::{AccountId, Fault, KeyId, Policy, ProjectId, Timestamp};

pub(crate) use calls::Leased;
pub(crate) use left_over::Tried;

use crate::story::Violation;

pub(crate) type Verdict = Result<(), Violation>;

/// A scope that may be told to rest.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rested {
    /// No call before this instant.
    forbidden_until: Timestamp,
    /// A call must be possible from this instant on, faults permitting.
    back_by: Timestamp,
    /// The newest call when the last rest began: until a later one succeeds, calls go one at a time.
    unproven_since: Option<u64>,
    /// The call that tries, and when it began.
    trial: Option<(u64, Timestamp)>,
    /// Somewhere between `forbidden_until` and `back_by` a restart came: who knows whether it still rests?
    is_doubtful: bool,
    /// The day's reset ends it.
    is_until_reset: bool,
}

#[derive(Clone, Copy, Debug)]
struct KeyFacts {
    project: ProjectId,
    account: AccountId,
    is_enabled: bool,
    fault: Option<Fault>,
    back_by: Timestamp,
}

#[derive(Clone, Copy, Debug, Default)]
struct ProjectFacts {
    fault: Option<Fault>,
    back_by: Timestamp,
}

#[derive(Clone, Copy, Debug, Default)]
struct AccountFacts {
    has_no_credit: bool,
    spend: Rested,
    back_by: Timestamp,
}

#[derive(Clone, Copy, Debug, Default)]
struct CellFacts {
    quota: Rested,
    /// The reset that the last exhaustion waited for.
    spent_until: Option<Timestamp>,
    /// The same where the pool may have counted to the limit by itself.
    maybe_spent_until: Option<Timestamp>,
    last_used: Timestamp,
    in_flight: u32,
    /// Charged calls of the day that ends at `day_end`.
    charged: u64,
    day_end: Timestamp,
    /// False while a crash may have forgotten some of them.
    is_count_known: bool,
}

/// Trouble that no oracle so naive can judge: it only knows when it is surely over.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    since: Option<u64>,
    back_by: Timestamp,
}

impl Trouble {
    fn began(&mut self, newest_call: u64, back_by: Timestamp) {
        self.since = Some(newest_call);
        self.back_by = self.back_by.max(back_by);
    }

    fn answered(&mut self, call: u64) {
        self.since = self.since.filter(|since| call <= *since);
    }
}

pub(crate) struct Oracle {
    policy: Policy,
    next_reset: fn(Timestamp) -> Timestamp,
    /// Leases given so far: their numbers order calls and rests.
    newest_call: u64,
    keys: BTreeMap<KeyId, KeyFacts>,
    projects: BTreeMap<ProjectId, ProjectFacts>,
    accounts: BTreeMap<AccountId, AccountFacts>,
    cells: BTreeMap<(ProjectId, usize), CellFacts>,
    hidden: [Rested; 2],
    failing: [Trouble; 2],
    storm: Trouble,
    bare: BTreeMap<(KeyId, usize), Trouble>,
    /// A day that began twice is counted by rules of its own.
    pub(crate) has_stepped_back: bool,
}

impl Rested {
    fn rest(&mut self, forbidden_until: Timestamp, back_by: Timestamp, newest_call: u64) {
        self.forbidden_until = self.forbidden_until.max(forbidden_until);
        self.back_by = self.back_by.max(back_by);
        self.unproven_since = Some(newest_call);
        self.is_until_reset = false;
        // A call that tried is now one of those that were under way before the rest.
        self.trial = None;
    }

    fn answered(&mut self, call: u64) {
        self.unproven_since = self.unproven_since.filter(|since| call <= *since);
        self.is_doubtful = false;
    }

    fn ended(&mut self, call: u64) {
        self.trial = self.trial.filter(|(trial, _)| *trial != call);
    }

    /// What has ended stays ended. Other instants were named by the clock that was ahead: of them only the end of the day
    /// still means something.
    fn stepped_back(&mut self, before: Timestamp, after: Timestamp, reset: Timestamp) {
        let until = if self.is_until_reset { reset } else { after };
        self.forbidden_until = if self.forbidden_until <= before {
            Timestamp::default()
        } else {
            self.forbidden_until.min(until)
        };
        self.trial = self.trial.map(|(call, began)| (call, began.min(after)));
    }

    /// Rests are stored, waiting for a trial is not.
    fn restarted(&mut self, now: Timestamp) {
        self.trial = None;
        if self.forbidden_until <= now {
            self.is_doubtful |= self.unproven_since.take().is_some() && self.back_by > now;
        }
        self.unproven_since = self.unproven_since.map(|_| 0);
    }

    fn is_calm(&self, now: Timestamp) -> bool {
        self.unproven_since.is_none() && !self.is_doubtful && self.forbidden_until <= now
    }
}

impl Oracle {
    pub(crate) fn new(policy: Policy, next_reset: fn(Timestamp) -> Timestamp) -> Self {
        Self {
            policy,
            next_reset,
            newest_call: 0,
            keys: BTreeMap::new(),
            projects: BTreeMap::new(),
            accounts: BTreeMap::new(),
            cells: BTreeMap::new(),
            hidden: [Rested::default(); 2],
            failing: [Trouble::default(); 2],
            storm: Trouble::default(),
            bare: BTreeMap::new(),
            has_stepped_back: false,
        }
    }

    fn rests(&mut self) -> impl Iterator<Item = &mut Rested> {
        let cells = self.cells.values_mut().map(|cell| &mut cell.quota);
        let accounts = self.accounts.values_mut().map(|account| &mut account.spend);
        cells.chain(accounts).chain(&mut self.hidden)
    }

    pub(crate) fn clock_stepped(&mut self, before: Timestamp, after: Timestamp) {
        if after < before {
            self.has_stepped_back = true;
            let reset = (self.next_reset)(after);
            for rested in self.rests() {
                rested.stepped_back(before, after, reset);
            }
        }
    }

    /// `crash`: only what reports asked to be stored is known afterwards.
    pub(crate) fn restarted(&mut self, now: Timestamp, crash: bool) {
        for rested in self.rests() {
            rested.restarted(now);
        }
        self.failing = [Trouble::default(); 2];
        self.storm = Trouble::default();
        for trouble in self.bare.values_mut() {
            trouble.since = trouble.since.map(|_| 0);
        }
        // Calls of a lost process are numbered no more: numbers begin anew, and all that is known came before.
        self.newest_call = 0;
        for cell in self.cells.values_mut() {
            cell.in_flight = 0;
            cell.is_count_known &= !crash;
        }
        // A probe under way is lost with the process.
        let back_by = now.plus(self.policy.unanswered_probe.longest + self.policy.probe_gap);
        for key in self.keys.values_mut().filter(|key| key.fault.is_some()) {
            key.back_by = key.back_by.max(back_by);
        }
        for project in self.projects.values_mut().filter(|project| project.fault.is_some()) {
            project.back_by = project.back_by.max(back_by);
        }
        for account in self.accounts.values_mut().filter(|account| account.has_no_credit) {
            account.back_by = account.back_by.max(back_by);
        }
    }

    /// When this key must serve this model again, if it is healthy and enabled.
    pub(crate) fn back_by(&self, key: KeyId, model: usize) -> Timestamp {
        let Some(facts) = self.keys.get(&key) else {
            return Timestamp::default();
        };
        let project = self.projects.get(&facts.project).copied().unwrap_or_default();
        let account = self.accounts.get(&facts.account).copied().unwrap_or_default();
        let cell = self.cells.get(&(facts.project, model)).copied().unwrap_or_default();
        let bare = self.bare.get(&(key, model)).copied().unwrap_or_default();
        let scopes = [
            facts.back_by,
            project.back_by,
            account.back_by,
            account.spend.back_by,
            cell.quota.back_by,
            self.hidden[model].back_by,
            self.failing[model].back_by,
            self.storm.back_by,
            bare.back_by,
        ];
        scopes.into_iter().max().unwrap_or_default()
    }

    pub(crate) fn is_storm_over(&self, now: Timestamp) -> bool {
        self.storm.back_by <= now
    }

    /// Whether a model must be known again, and must be asked again after failures.
    pub(crate) fn is_model_over(&self, model: usize, now: Timestamp) -> (bool, bool) {
        (self.hidden[model].back_by <= now, self.failing[model].back_by <= now)
    }

    /// Whether the account's rest, and all of the cell's, must be over.
    pub(crate) fn is_key_over(&self, key: KeyId, model: usize, now: Timestamp) -> (bool, bool) {
        let Some(facts) = self.keys.get(&key) else {
            return (false, false);
        };
        let account = self.accounts.get(&facts.account);
        let cell = self.cells.get(&(facts.project, model));
        let bare = self.bare.get(&(key, model));
        let is_cell_over = cell.is_none_or(|cell| cell.quota.back_by <= now);
        (
            account.is_none_or(|account| account.spend.back_by <= now),
            is_cell_over && bare.is_none_or(|bare| bare.back_by <= now),
        )
    }

    pub(crate) fn is_revoked(&self, key: KeyId) -> bool {
        self.keys.get(&key).is_some_and(|facts| {
            let project = self.projects.get(&facts.project).and_then(|project| project.fault);
            [facts.fault, project].contains(&Some(Fault::Revoked))
        })
    }

    pub(crate) fn in_flight(&self, project: ProjectId, model: usize) -> u32 {
        self.cells.get(&(project, model)).map_or(0, |cell| cell.in_flight)
    }

    /// Charged calls of the running day, `None` where a crash or a clock may have changed the count.
    pub(crate) fn charged(&self, project: ProjectId, model: usize, now: Timestamp) -> Option<u64> {
        let cell = self.cells.get(&(project, model));
        let is_known = cell.is_none_or(|cell| cell.is_count_known) && !self.has_stepped_back;
        let today = cell.filter(|cell| cell.day_end == (self.next_reset)(now));
        is_known.then(|| today.map_or(0, |cell| cell.charged))
    }

    /// The last call of the cell, lease or end.
    pub(crate) fn last_used(&self, project: ProjectId, model: usize) -> Timestamp {
        let cell = self.cells.get(&(project, model));
        cell.map_or(Timestamp::default(), |cell| cell.last_used)
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
