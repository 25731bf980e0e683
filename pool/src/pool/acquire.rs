//! Leasing a key, or saying why not.

use super::{KeyPool, Reach, view};
use crate::{
    key::KeyId,
    lease::{Exhausted, Lease, LeaseFacts, Want},
    model::ModelId,
    quota::Limits,
    rest::Gate,
    selection::{Choice, Search, Trace},
    slots::NOWHERE,
    snapshot::Verdict,
    table::Standing,
    time::Timestamp,
};

/// Where a key stands in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u32);

impl KeyPool {
    /// Leases the next key. `chance` is any random number; the same number chooses the same key.
    ///
    /// # Errors
    /// [`Exhausted`] when no key may be used now.
    pub fn acquire(&mut self, want: &Want<'_>, now: Timestamp, chance: u64) -> Result<Lease, Exhausted> {
        self.tick(now);
        if want.journey.is_over() || !self.lets_pass(want.model, now) {
            return Err(self.exhausted(want, now));
        }
        if !self.may_repeat(want) {
            let retry_at = None;
            return Err(Exhausted {
                retry_at,
                ..self.exhausted(want, now)
            });
        }
        match self.choose(want, now, chance) {
            Some(choice) => self.lease(choice, want, now).ok_or_else(|| self.exhausted(want, now)),
            None => Err(self.exhausted(want, now)),
        }
    }

    /// Wakes what is due and asks the gates that do not depend on the key.
    fn lets_pass(&mut self, model: ModelId, now: Timestamp) -> bool {
        let Some(table) = self.tables.get_mut(model) else {
            return false;
        };
        table.wake(&mut self.roster, now, self.day_end);
        let gates = [
            self.provider.rest.settle(now),
            table.hidden.settle(now),
            table.breaker.rest.settle(now),
        ];
        gates.iter().all(|gate| gate.passes_at() <= now)
    }

    /// A repetition after a failure of the provider has to be saved up for.
    fn may_repeat(&self, want: &Want<'_>) -> bool {
        let table = self.tables.get(want.model);
        !want.journey.repeats() || table.is_some_and(|table| table.budget.allows_retry())
    }

    /// Where the key is that [`acquire`](Self::acquire) would lease, if it were asked with the same arguments and nothing
    /// came due. Changes nothing, and reads nothing of the key itself: [`key_at`](Self::key_at) names it.
    #[must_use]
    pub fn peek(&self, want: &Want<'_>, now: Timestamp, chance: u64) -> Option<Place> {
        let table = self.tables.get(want.model)?;
        let gates = [&self.provider.rest, &table.hidden, &table.breaker.rest];
        if want.journey.is_over() || !self.may_repeat(want) || gates.iter().any(|gate| gate.gate(now).passes_at() > now)
        {
            return None;
        }
        let (choice, _) = self.search(want, now, chance)?.choose(self.strategy, self.current)?;
        Some(Place(choice.key))
    }

    /// The key at a place, until keys are added or removed.
    #[must_use]
    pub fn key_at(&self, place: Place) -> Option<KeyId> {
        Some(self.roster.keys.get(place.0)?.key.id)
    }

    fn choose(&mut self, want: &Want<'_>, now: Timestamp, chance: u64) -> Option<Choice> {
        let search = self.search(want, now, chance)?;
        let (choice, trace) = search.choose(self.strategy, self.current)?;
        match trace {
            Trace::Nothing => {}
            Trace::Stay(current) => self.current = Some(current),
            Trace::Turn(key) => self.tables.get_mut(want.model)?.take_turn(key, &self.roster),
        }
        Some(choice)
    }

    fn search<'a>(&'a self, want: &'a Want<'a>, now: Timestamp, chance: u64) -> Option<Search<'a>> {
        let table = self.tables.get(want.model)?;
        Some(Search {
            table,
            roster: &self.roster,
            want,
            now,
            day_end: self.day_end,
            chance,
            brief: true,
            avoiding: true,
        })
    }

    /// Makes the choice a lease: reserves, and begins the trials that are due.
    fn lease(&mut self, choice: Choice, want: &Want<'_>, now: Timestamp) -> Option<Lease> {
        let Choice {
            spot,
            at,
            key: key_slot,
        } = choice;
        let born = self.serial;
        let serial = born + 1;
        let lost_at = now.plus(self.policy.trial_lost_after);
        let table = self.tables.get_mut(want.model)?;
        let cell = match spot.cell {
            NOWHERE => table.cell_or_new(spot.project, born),
            cell => cell,
        };
        let key = self.roster.keys.get_mut(key_slot)?;
        key.requests += 1;
        let has_limits = table.usage(cell)?.limited || table.configured(key.key.tier) != Limits::default();
        let limits = if has_limits {
            table.limits(table.usage(cell)?, key.key.tier, now)
        } else {
            Limits::default()
        };
        let usage = table.usage_mut(cell)?;
        usage.tier = key.key.tier;
        usage.reserve(want.tokens, &limits, &self.policy, now);
        let is_full = usage.room_at(&limits, now, self.day_end) > now;
        let must_pause = self.policy.pace.is_some_and(|pace| key.step(pace, now));
        if want.journey.is_new() {
            table.budget.deposit(self.policy.retry_permille);
        } else if want.journey.repeats() {
            table.budget.spend();
        }
        table.rescore((key.class(), at), spot.project, cell, now, self.day_end);
        table.leases = table.leases.saturating_add(1);
        self.serial = serial;
        let gates = [&mut self.provider.rest, &mut table.hidden, &mut table.breaker.rest];
        let mut trial = false;
        for gate in gates {
            trial |= gate.try_begin(serial, now, lost_at);
        }
        let mut lease = Lease {
            facts: LeaseFacts {
                key: key.key.id,
                number: key.key.number,
                project: key.key.project,
                account: key.key.account,
                tier: key.key.tier,
                model: want.model,
                tokens: want.tokens,
                issued_at: now,
                trial,
            },
            serial,
            key_slot,
            project_slot: spot.project,
            account_slot: key.account,
            cell,
            calm: spot.score.calm,
            at,
            accepted: false,
        };
        if !spot.score.calm {
            lease.facts.trial |= self.begin_trials(&lease, lost_at);
        }
        if must_pause {
            self.refresh_project(spot.project, now);
        } else if is_full {
            self.refresh(Reach::Cell(spot.project), want.model, now);
        }
        Some(lease)
    }

    /// Trials of the cell, the key on the model, and the account. True if one began.
    fn begin_trials(&mut self, lease: &Lease, lost_at: Timestamp) -> bool {
        let now = lease.facts.issued_at;
        let mut reach = Reach::Nothing;
        let table = self.tables.get_mut(lease.facts.model);
        if let Some(cell) = table.and_then(|table| table.cells.get_mut(lease.cell)) {
            let key = cell.key_rest_mut(lease.key_slot);
            let key_tries = key.is_some_and(|rest| rest.try_begin(lease.serial, now, lost_at));
            if cell.rest.try_begin(lease.serial, now, lost_at) || key_tries {
                reach = Reach::Cell(lease.project_slot);
            }
        }
        if let Some(account) = self.roster.accounts.get_mut(lease.account_slot)
            && account.spend.try_begin(lease.serial, now, lost_at)
        {
            reach = Reach::Account(lease.account_slot);
            self.await_account(lease.account_slot);
        }
        self.refresh(reach, lease.facts.model, now);
        reach != Reach::Nothing
    }

    fn exhausted(&mut self, want: &Want<'_>, now: Timestamp) -> Exhausted {
        let counts = self.kept_counts(want.model, now);
        let verdict = match view::judge(&counts, self.refuses(want.model, now)) {
            // Usable keys are left, but none for this request.
            Verdict::Serving => Verdict::Mixed,
            verdict @ (Verdict::NoKeys
            | Verdict::AllInvalid
            | Verdict::AllSpent
            | Verdict::PartlySpent
            | Verdict::ProviderDown
            | Verdict::Mixed) => verdict,
        };
        Exhausted {
            verdict,
            counts,
            retry_at: self.retry_of(want, now),
        }
    }

    /// When a new request for the model may be served, as far as time alone decides. `None` when it may be now, or
    /// when only a person or a probe can help. Changes nothing: no lease is given and no trial begins.
    #[must_use]
    pub fn retry_at(&self, model: ModelId, now: Timestamp) -> Option<Timestamp> {
        let journey = self.journey();
        let want = Want {
            model,
            tokens: 0,
            journey: &journey,
            owner: None,
        };
        self.retry_of(&want, now).filter(|at| *at > now)
    }

    /// When this request may be served: now, if only it stands in its own way.
    fn retry_of(&self, want: &Want<'_>, now: Timestamp) -> Option<Timestamp> {
        if want.journey.is_over() {
            return None;
        }
        let table = self.tables.get(want.model)?;
        let busy_until = now.plus(self.policy.busy_retry);
        let gates = [
            self.provider.rest.gate(now),
            table.hidden.gate(now),
            table.breaker.rest.gate(now),
        ];
        let passes_at = |gate: &Gate| match gate {
            Gate::Busy { .. } => busy_until,
            Gate::Open | Gate::Trial | Gate::Closed { .. } => gate.passes_at(),
        };
        let gates_at = gates.iter().map(passes_at).max().unwrap_or(now);
        let keys_at = match self.soonest_project(want, now) {
            Some(at) if at <= busy_until => at,
            // Who waits for the end of a trial need not wait until it counts as lost.
            later => {
                let busy = self.counts_for(want.model, now).busy > 0;
                if busy { busy_until } else { later? }
            }
        };
        Some(gates_at.max(keys_at).max(now))
    }

    /// When the first project that this request may still use can serve: now, if only a gate stands before it.
    fn soonest_project(&self, want: &Want<'_>, now: Timestamp) -> Option<Timestamp> {
        let search = Search {
            brief: false,
            avoiding: false,
            ..self.search(want, now, 0)?
        };
        // A wait ends the preference for a key.
        if search.choose(crate::selection::Strategy::Headroom, None).is_some() {
            return Some(now);
        }
        if let Some(owner) = want.owner {
            let project = self.roster.project_slot(owner)?;
            return match search.table.standing(project) {
                Standing::Later(at) if search.would_allow(project) => Some(at),
                Standing::Later(_) | Standing::Never | Standing::Ready { .. } => None,
            };
        }
        let mut due = search.table.due().iter();
        let due = due.find(|(_, project)| search.would_allow(*project)).map(|&(at, _)| at);
        // A call with many tokens may have to wait although a cell is ready for smaller ones.
        due.into_iter().chain(search.soonest_fit()).min()
    }
}
