//! What an outcome changes: the table of outcomes, row by row.

mod faults;
mod provider;
mod quota;

use super::{KeyPool, Reach};
use crate::{
    cell::Cell,
    key::Tier,
    lease::Lease,
    outcome::Outcome,
    record::{Changes, Fault, Notice, Record},
    roster::{AccountEntry, KeyEntry},
    table::{Standing, Table},
    time::Timestamp,
    usage::Usage,
};

/// One report.
struct Call<'a> {
    lease: &'a Lease,
    now: Timestamp,
}

impl KeyPool {
    /// The provider accepted the call: its status line promises an answer, which may take minutes. Rests that this call
    /// tries end here, and its place in the minute's quota begins. Optional: a report says the same, later.
    pub fn accepted(&mut self, lease: &mut Lease, now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        if lease.accepted {
            return changes;
        }
        self.tick(now);
        let call = Call { lease, now };
        let reserved = call.lease.reserved();
        let table = self.tables.get_mut(call.lease.facts.model);
        if let Some(usage) = table.and_then(|table| usage_of(table, &call)) {
            usage.accept(&reserved, now);
        }
        let reach = self.answered(&call, &mut changes).max(self.room_for_more(&call));
        self.refresh(reach, call.lease.facts.model, now);
        self.rescore(&call);
        lease.accepted = true;
        changes
    }

    /// Takes in how a leased call ended.
    pub fn report(&mut self, lease: Lease, outcome: &Outcome, now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        self.tick(now);
        let call = Call { lease: &lease, now };
        let ended = self.end(&call, outcome);
        let judged = self.judge(&call, outcome, &mut changes);
        let reach = ended.max(judged).max(self.room_for_more(&call));
        self.refresh(reach, call.lease.facts.model, now);
        self.rescore(&call);
        changes
    }

    /// A cell without room may have some again.
    fn room_for_more(&mut self, call: &Call<'_>) -> Reach {
        let project = call.lease.project_slot;
        let table = self.tables.get_mut(call.lease.facts.model);
        match table.map_or(Standing::Never, |table| table.standing(project)) {
            Standing::Later(_) => Reach::Cell(project),
            Standing::Ready { .. } | Standing::Never => Reach::Nothing,
        }
    }

    fn rescore(&mut self, call: &Call<'_>) {
        let day_end = self.day_end;
        let Some(class) = self.key_of(call).map(|key| key.class()) else {
            return;
        };
        if let Some(table) = self.tables.get_mut(call.lease.facts.model)
            && usage_of(table, call).is_some()
        {
            let &Lease {
                at, project_slot, cell, ..
            } = call.lease;
            table.rescore((class, at), project_slot, cell, call.now, day_end);
        }
    }

    /// What every outcome does: the reservation is settled, trials end, the key's counts move.
    fn end(&mut self, call: &Call<'_>, outcome: &Outcome) -> Reach {
        let day_end = self.day_end;
        self.provider.rest.end_trial(call.lease.serial);
        if let Some(table) = self.tables.get_mut(call.lease.facts.model) {
            table.leases = table.leases.saturating_sub(1);
            if outcome.is_answer() || outcome.is_provider_failure() {
                table.budget.note(outcome.is_answer());
            }
            // What is charged was answered, if only with nothing.
            table.answered |= outcome.charged(0).is_some();
            table.hidden.end_trial(call.lease.serial);
            table.breaker.rest.end_trial(call.lease.serial);
            if let Some(usage) = usage_of(table, call) {
                usage.settle(outcome, &call.lease.reserved(), call.now, day_end);
            }
        }
        if let Some(key) = self.key_of(call) {
            if outcome.is_answer() {
                key.successes += 1;
                key.last_success = call.now;
            } else if outcome.is_failure() {
                key.failures += 1;
            }
        }
        // A calm lease holds no trial of what can rest by itself.
        if call.lease.calm {
            Reach::Nothing
        } else {
            self.end_trials(call)
        }
    }

    fn end_trials(&mut self, call: &Call<'_>) -> Reach {
        let mut reach = Reach::Nothing;
        if let Some(table) = self.tables.get_mut(call.lease.facts.model)
            && let Some(cell) = cell_of(table, call)
        {
            let key = cell.key_rest_mut(call.lease.key_slot);
            let key_ended = key.is_some_and(|rest| rest.end_trial(call.lease.serial));
            if cell.rest.end_trial(call.lease.serial) || key_ended {
                reach = Reach::Cell(call.lease.project_slot);
            }
        }
        if self
            .account_of(call)
            .is_some_and(|account| account.spend.end_trial(call.lease.serial))
        {
            reach = Reach::Account(call.lease.account_slot);
        }
        reach
    }

    fn judge(&mut self, call: &Call<'_>, outcome: &Outcome, changes: &mut Changes) -> Reach {
        match outcome {
            Outcome::Success { .. } | Outcome::Blocked { .. } => {
                let reach = self.answered(call, changes);
                reach.max(self.day_by_count(call, changes))
            }
            Outcome::InvalidKey => self.fault_of_key(call, Fault::Suspect, changes),
            Outcome::Revoked { whole_project: false } => self.fault_of_key(call, Fault::Revoked, changes),
            Outcome::Revoked { whole_project: true } => self.fault_of_project(call, Fault::Revoked, changes),
            Outcome::KeyConfig { whole_project: false } => self.fault_of_key(call, Fault::NeedsSetup, changes),
            Outcome::KeyConfig { whole_project: true } => self.fault_of_project(call, Fault::NeedsSetup, changes),
            Outcome::Billing => self.billing(call, changes),
            Outcome::Spend => self.spend(call, changes),
            Outcome::Region => self.region(call, changes),
            Outcome::ZeroLimit => self.zero_limit(call, changes),
            Outcome::DayQuota { limit } => self.day_quota(call, *limit, changes),
            Outcome::MinuteQuota { retry_after, limit } => self.minute_quota(call, *retry_after, *limit, changes),
            Outcome::Bare429 => self.bare_429(call, changes),
            Outcome::ModelGone => self.model_gone(call, changes),
            Outcome::Overload | Outcome::Server | Outcome::Transport => self.provider_failed(call, changes),
            Outcome::Empty => self.empty(call),
            Outcome::FileForeign
            | Outcome::CallerFault
            | Outcome::Truncated
            | Outcome::Cancelled
            | Outcome::Unknown => Reach::Nothing,
        }
    }

    fn answered(&mut self, call: &Call<'_>, changes: &mut Changes) -> Reach {
        let mut reach = Reach::Nothing;
        self.provider.answer(call.lease.serial);
        if matches!(call.lease.facts.tier, Tier::Free)
            && self
                .region_refused_since
                .is_some_and(|since| call.lease.facts.issued_at > since)
        {
            self.region_refused_since = None;
        }
        let Some(table) = self.tables.get_mut(call.lease.facts.model) else {
            return reach;
        };
        table.in_use = true;
        table.breaker.answer(call.lease.serial);
        if table.hidden.succeed(call.lease.serial) {
            changes.record(Record::Model {
                model: table.name.clone(),
                hidden_until: None,
            });
        }
        // Calls prove the end of a rest only if they began after it, and then they were not calm.
        if call.lease.calm {
            return reach;
        }
        if let Some(cell) = cell_of(table, call) {
            let quota_back = cell.succeed(call.lease.serial);
            let key_back = cell.succeed_key(call.lease.key_slot, call.lease.serial);
            if quota_back {
                reach = Reach::Cell(call.lease.project_slot);
                self.record_cell(call.lease.facts.model, call.lease.project_slot, changes);
            }
            if key_back {
                reach = Reach::Cell(call.lease.project_slot);
                self.record_key_on_model(
                    call.lease.facts.model,
                    call.lease.project_slot,
                    call.lease.key_slot,
                    changes,
                );
            }
        }
        if self
            .account_of(call)
            .is_some_and(|account| account.spend.succeed(call.lease.serial))
        {
            reach = Reach::Account(call.lease.account_slot);
            self.record_account(call.lease.account_slot, changes);
        }
        reach
    }

    fn region(&mut self, call: &Call<'_>, changes: &mut Changes) -> Reach {
        if self.region_refused_since.is_none() {
            self.region_refused_since = Some(call.now);
            changes.notice(Notice::RegionRefused);
        }
        Reach::Nothing
    }

    fn empty(&mut self, call: &Call<'_>) -> Reach {
        if let Some(table) = self.tables.get_mut(call.lease.facts.model) {
            table.empty_answers += 1;
            if let Some(usage) = usage_of(table, call) {
                usage.lower_success();
            }
        }
        Reach::Nothing
    }

    fn account_of(&mut self, call: &Call<'_>) -> Option<&mut AccountEntry> {
        self.roster
            .accounts
            .get_mut(call.lease.account_slot)
            .filter(|account| account.id == call.lease.facts.account)
    }

    fn key_of(&mut self, call: &Call<'_>) -> Option<&mut KeyEntry> {
        self.roster
            .keys
            .get_mut(call.lease.key_slot)
            .filter(|entry| entry.key.id == call.lease.facts.key)
    }
}

/// The usage the call reserved on, unless its place went to another project since.
fn usage_of<'a>(table: &'a mut Table, call: &Call<'_>) -> Option<&'a mut Usage> {
    table
        .usage_mut(call.lease.cell)
        .filter(|usage| usage.knows(call.lease.project_slot, call.lease.serial))
}

/// The cell beside that usage.
fn cell_of<'a>(table: &'a mut Table, call: &Call<'_>) -> Option<&'a mut Cell> {
    usage_of(table, call)?;
    table.cells.get_mut(call.lease.cell)
}
