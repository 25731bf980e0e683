//! What an outcome changes: the table of outcomes, row by row.

use core::time::Duration;

use super::{
    KeyPool, Reach,
    probes::{Target, after_gap},
};
use crate::{
    breaker::{Meaning, Refusal},
    cell::{Cell, DayContext},
    journey::scaled,
    key::Tier,
    lease::Lease,
    model::ModelId,
    outcome::{Limit, Outcome},
    record::{Changes, Fault, Notice, Record, RestCause},
    rest::Serial,
    roster::{AccountEntry, Faulty, KeyEntry, Probing},
    selection::remixed,
    table::Table,
    time::Timestamp,
    usage::Usage,
};

/// One report.
struct Call {
    lease: Lease,
    now: Timestamp,
}

impl KeyPool {
    /// Takes in how a leased call ended.
    pub fn report(&mut self, lease: Lease, outcome: &Outcome, now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        self.tick(now);
        let call = Call { lease, now };
        let ended = self.end(&call, outcome);
        let judged = self.judge(&call, outcome, &mut changes);
        self.refresh(ended.max(judged), call.lease.facts.model, now);
        changes
    }

    /// What every outcome does: the reservation is settled, trials end, the key's counts move.
    fn end(&mut self, call: &Call, outcome: &Outcome) -> Reach {
        let day_end = self.day_end;
        self.provider.rest.end_trial(call.lease.serial);
        if let Some(table) = self.tables.get_mut(call.lease.facts.model.index()) {
            table.hidden.end_trial(call.lease.serial);
            table.breaker.rest.end_trial(call.lease.serial);
            if let Some(usage) = usage_of(table, call) {
                usage.settle(outcome, call.lease.facts.tokens, call.now, day_end);
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

    fn end_trials(&mut self, call: &Call) -> Reach {
        let mut reach = Reach::Nothing;
        if let Some(table) = self.tables.get_mut(call.lease.facts.model.index())
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

    fn judge(&mut self, call: &Call, outcome: &Outcome, changes: &mut Changes) -> Reach {
        match outcome {
            Outcome::Success { .. } | Outcome::Blocked { .. } => self.answered(call, changes),
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

    fn answered(&mut self, call: &Call, changes: &mut Changes) -> Reach {
        let mut reach = Reach::Nothing;
        self.provider.answer(call.lease.serial);
        if matches!(call.lease.facts.tier, Tier::Free)
            && self
                .region_refused_since
                .is_some_and(|since| call.lease.facts.issued_at > since)
        {
            self.region_refused_since = None;
        }
        let Some(table) = self.tables.get_mut(call.lease.facts.model.index()) else {
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

    /// A worse fault is never replaced by a lighter one: the call may have been under way when the worse one came.
    fn fault_of_key(&mut self, call: &Call, fault: Fault, changes: &mut Changes) -> Reach {
        let Some(key) = self.key_of(call) else {
            return Reach::Nothing;
        };
        if key.fault.is_none_or(|before| before.fault < fault) {
            self.set_key_fault(call.lease.key_slot, fault, 0, call.now, changes);
        }
        Reach::Nothing
    }

    fn fault_of_project(&mut self, call: &Call, fault: Fault, changes: &mut Changes) -> Reach {
        let project = self
            .roster
            .projects
            .get(call.lease.project_slot)
            .filter(|entry| entry.id == call.lease.facts.project);
        if project.is_some_and(|entry| entry.fault.is_none_or(|before| before.fault < fault)) {
            self.set_project_fault(call.lease.project_slot, fault, 0, call.now, changes);
        }
        Reach::Nothing
    }

    pub(super) fn set_key_fault(&mut self, slot: u32, fault: Fault, probes: u8, now: Timestamp, changes: &mut Changes) {
        let policy = &self.policy;
        let Some(entry) = self.roster.keys.get_mut(slot) else {
            return;
        };
        let (id, project) = (entry.key.id, entry.project);
        let before = entry.fault.map(|before| before.fault);
        let at = match fault {
            Fault::Suspect => after_gap(now, entry.probed_at, policy.probe_gap),
            Fault::NeedsSetup => now.plus(policy.setup_probe.wait(probes)),
            Fault::Invalid => now.plus(policy.invalid_probe_every),
            Fault::Revoked => Timestamp::MAX,
        };
        entry.fault = Some(Faulty {
            fault,
            probing: Probing::at(at),
            probes,
        });
        if fault != Fault::Revoked {
            self.schedule(Target::Key(id), Probing::at(at));
        }
        if before != Some(fault) {
            changes.notice(match fault {
                Fault::Suspect => Notice::KeySuspect(id),
                Fault::NeedsSetup => Notice::KeyNeedsSetup(id),
                Fault::Invalid => Notice::KeyInvalid(id),
                Fault::Revoked => Notice::KeyRevoked(id),
            });
        }
        self.record_key(slot, changes);
        self.refresh_project(project, now);
    }

    /// Projects are revoked or need setup; validity is a key's own matter.
    pub(super) fn set_project_fault(
        &mut self,
        project: u32,
        fault: Fault,
        probes: u8,
        now: Timestamp,
        changes: &mut Changes,
    ) {
        let wait = self.policy.setup_probe.wait(probes);
        let Some(entry) = self.roster.projects.get_mut(project) else {
            return;
        };
        let id = entry.id;
        let before = entry.fault.map(|before| before.fault);
        let revoked = fault == Fault::Revoked;
        let at = if revoked { Timestamp::MAX } else { now.plus(wait) };
        entry.fault = Some(Faulty {
            fault,
            probing: Probing::at(at),
            probes,
        });
        if !revoked {
            self.schedule(Target::Project(id), Probing::at(at));
        }
        if before != Some(fault) {
            changes.notice(if revoked {
                Notice::ProjectRevoked(id)
            } else {
                Notice::ProjectNeedsSetup(id)
            });
        }
        self.record_project(project, changes);
        self.refresh_project(project, now);
    }

    fn billing(&mut self, call: &Call, changes: &mut Changes) -> Reach {
        if self.is_of_account(call) {
            self.account_without_credit(call.lease.project_slot, call.now, changes);
        }
        Reach::Nothing
    }

    pub(super) fn account_without_credit(&mut self, project: u32, now: Timestamp, changes: &mut Changes) {
        let at = now.plus(self.policy.credit_probe_every);
        let Some(slot) = self.roster.projects.get(project).map(|entry| entry.account) else {
            return;
        };
        let Some(account) = self.roster.accounts.get_mut(slot) else {
            return;
        };
        let id = account.id;
        // A later deadline wins, also over the probe that was planned for calls of the same moment.
        let news = account.no_credit.is_none();
        let probing = Probing::at(account.no_credit.map_or(at, |before| before.at.max(at)));
        account.no_credit = Some(probing);
        self.schedule(Target::Account(id), probing);
        if news {
            changes.notice(Notice::NoCredit(id));
        }
        self.record_account(slot, changes);
        self.refresh_account(slot, now);
    }

    fn spend(&mut self, call: &Call, changes: &mut Changes) -> Reach {
        if !self.is_of_account(call) {
            return Reach::Nothing;
        }
        let Some(account) = self.roster.accounts.get_mut(call.lease.account_slot) else {
            return Reach::Nothing;
        };
        let wait = self.policy.spend.wait(account.spend.grow(call.lease.serial));
        account.spend.rest(call.now.plus(wait), self.serial);
        self.await_account(call.lease.account_slot);
        self.record_account(call.lease.account_slot, changes);
        Reach::Account(call.lease.account_slot)
    }

    fn is_of_account(&self, call: &Call) -> bool {
        let project = self
            .roster
            .projects
            .get(call.lease.project_slot)
            .filter(|entry| entry.id == call.lease.facts.project);
        project
            .and_then(|entry| self.roster.accounts.get(entry.account))
            .is_some_and(|account| account.id == call.lease.facts.account)
    }

    fn region(&mut self, call: &Call, changes: &mut Changes) -> Reach {
        if self.region_refused_since.is_none() {
            self.region_refused_since = Some(call.now);
            changes.notice(Notice::RegionRefused);
        }
        Reach::Nothing
    }

    fn zero_limit(&mut self, call: &Call, changes: &mut Changes) -> Reach {
        let until = call.now.plus(self.policy.not_entitled);
        self.change_cell(call, changes, |cell, _, newest| {
            cell.rest(RestCause::NotEntitled, until, newest)
        })
    }

    fn day_quota(&mut self, call: &Call, limit: Option<Limit>, changes: &mut Changes) -> Reach {
        let reset = (self.next_reset)(call.now);
        let model_name = self
            .tables
            .get(call.lease.facts.model.index())
            .map_or("", |table| table.name.as_str());
        let day = DayContext {
            now: call.now,
            reset_of_call: (self.next_reset)(call.lease.facts.issued_at),
            reset,
            jitter: self.day_jitter(call.lease.facts.project.0, model_name, reset),
            again: self.policy.day_again,
        };
        let mut exhausted_until = None;
        let reach = self.change_cell(call, changes, |cell, usage, newest| {
            let learned = usage.learn_day(limit);
            let rested = cell.exhaust(day, call.lease.serial, newest);
            if rested {
                exhausted_until = cell.rest.resting_until();
            }
            learned || rested
        });
        if let Some(until) = exhausted_until {
            changes.notice(Notice::Exhausted {
                project: call.lease.facts.project,
                model: call.lease.facts.model,
                until,
            });
        }
        reach
    }

    fn minute_quota(
        &mut self,
        call: &Call,
        retry_after: Option<Duration>,
        limit: Option<Limit>,
        changes: &mut Changes,
    ) -> Reach {
        let policy = &self.policy;
        let advised = retry_after.map_or(policy.minute_default, |advice| {
            advice.saturating_add(policy.minute_extra)
        });
        let until = call.now.plus(advised.min(policy.minute_max).max(policy.minute_min));
        self.change_cell(call, changes, |cell, usage, newest| {
            usage.lower_success();
            let learned = usage.learn_minute(limit);
            cell.rest(RestCause::Cooling, until, newest) || learned
        })
    }

    /// Applies a change to the call's cell and records it if it says so.
    fn change_cell(
        &mut self,
        call: &Call,
        changes: &mut Changes,
        change: impl FnOnce(&mut Cell, &mut Usage, Serial) -> bool,
    ) -> Reach {
        let newest = self.serial;
        let Some(table) = self.tables.get_mut(call.lease.facts.model.index()) else {
            return Reach::Nothing;
        };
        // A quota is counted on the model, so the model exists.
        table.in_use = true;
        if usage_of(table, call).is_none() {
            return Reach::Nothing;
        }
        let Some((cell, usage)) = table.cell_and_usage_mut(call.lease.cell) else {
            return Reach::Nothing;
        };
        if !change(cell, usage, newest) {
            return Reach::Nothing;
        }
        self.record_cell(call.lease.facts.model, call.lease.project_slot, changes);
        Reach::Cell(call.lease.project_slot)
    }

    fn bare_429(&mut self, call: &Call, changes: &mut Changes) -> Reach {
        let live = self
            .roster
            .projects
            .iter()
            .filter(|(_, entry)| self.roster.is_live(entry));
        let live = live.take(self.policy.storm_projects).count();
        let refusal = Refusal {
            at: call.now,
            project: call.lease.project_slot,
            key: call.lease.key_slot,
            model: call.lease.facts.model.0,
        };
        match self
            .provider
            .refused(refusal, call.lease.serial, self.serial, live, &self.policy)
        {
            Meaning::Known => Reach::Nothing,
            Meaning::Key => self.rest_key_on_model(call, changes),
            Meaning::Storm { until, forgiven } => {
                changes.notice(Notice::ProviderRefuses { until });
                for refusal in forgiven {
                    self.forgive(refusal, call.now, changes);
                }
                Reach::Nothing
            }
        }
    }

    fn rest_key_on_model(&mut self, call: &Call, changes: &mut Changes) -> Reach {
        let newest = self.serial;
        // The key may have moved to another project since.
        if self
            .key_of(call)
            .is_none_or(|key| key.project != call.lease.project_slot)
        {
            return Reach::Nothing;
        }
        let Some(table) = self.tables.get_mut(call.lease.facts.model.index()) else {
            return Reach::Nothing;
        };
        table.in_use = true;
        let Some(cell) = cell_of(table, call) else {
            return Reach::Nothing;
        };
        cell.rest_key(call.lease.key_slot, call.lease.serial, newest, &self.policy, call.now);
        self.record_key_on_model(
            call.lease.facts.model,
            call.lease.project_slot,
            call.lease.key_slot,
            changes,
        );
        Reach::Cell(call.lease.project_slot)
    }

    fn forgive(&mut self, refusal: Refusal, now: Timestamp, changes: &mut Changes) {
        let model = ModelId(refusal.model);
        let Some(table) = self.tables.get_mut(model.index()) else {
            return;
        };
        let cell = table.cell_slot(refusal.project);
        if table
            .cells
            .get_mut(cell)
            .is_some_and(|cell| cell.forgive_key(refusal.key))
        {
            self.record_key_on_model(model, refusal.project, refusal.key, changes);
            self.refresh(Reach::Cell(refusal.project), model, now);
        }
    }

    fn model_gone(&mut self, call: &Call, changes: &mut Changes) -> Reach {
        let until = call.now.plus(self.policy.model_hidden);
        let Some(table) = self.tables.get_mut(call.lease.facts.model.index()) else {
            return Reach::Nothing;
        };
        let was_open = table.hidden.is_open();
        if table.hidden.rest(until, self.serial) {
            changes.record(Record::Model {
                model: table.name.clone(),
                hidden_until: Some(until),
            });
            if was_open {
                changes.notice(Notice::ModelHidden(call.lease.facts.model));
            }
        }
        Reach::Nothing
    }

    fn provider_failed(&mut self, call: &Call, changes: &mut Changes) -> Reach {
        let Some(table) = self.tables.get_mut(call.lease.facts.model.index()) else {
            return Reach::Nothing;
        };
        if let Some(until) = table
            .breaker
            .failure(call.lease.serial, self.serial, &self.policy, call.now)
        {
            changes.notice(Notice::BreakerOpened {
                model: call.lease.facts.model,
                until,
            });
        }
        Reach::Nothing
    }

    fn empty(&mut self, call: &Call) -> Reach {
        if let Some(table) = self.tables.get_mut(call.lease.facts.model.index()) {
            table.empty_answers += 1;
            if let Some(usage) = usage_of(table, call) {
                usage.lower_success();
            }
        }
        Reach::Nothing
    }

    fn account_of(&mut self, call: &Call) -> Option<&mut AccountEntry> {
        self.roster
            .accounts
            .get_mut(call.lease.account_slot)
            .filter(|account| account.id == call.lease.facts.account)
    }

    fn key_of(&mut self, call: &Call) -> Option<&mut KeyEntry> {
        self.roster
            .keys
            .get_mut(call.lease.key_slot)
            .filter(|entry| entry.key.id == call.lease.facts.key)
    }

    /// The same project, model and day always wait the same; different ones spread.
    fn day_jitter(&self, project: u64, model: &str, reset: Timestamp) -> Duration {
        let named = model
            .bytes()
            .fold(project, |hash, byte| remixed(hash ^ u64::from(byte)));
        let (least, most) = (self.policy.day_jitter_min, self.policy.day_jitter_max);
        let span_ms = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(u64::MAX);
        least.saturating_add(Duration::from_millis(scaled(
            remixed(named ^ reset.as_millis()),
            span_ms.saturating_add(1),
        )))
    }
}

/// The usage the call reserved on, unless its place went to another project since.
fn usage_of<'a>(table: &'a mut Table, call: &Call) -> Option<&'a mut Usage> {
    table
        .usage_mut(call.lease.cell)
        .filter(|usage| usage.knows(call.lease.project_slot, call.lease.serial))
}

/// The cell beside that usage.
fn cell_of<'a>(table: &'a mut Table, call: &Call) -> Option<&'a mut Cell> {
    usage_of(table, call)?;
    table.cells.get_mut(call.lease.cell)
}
