//! What is wrong with keys, projects and accounts.

use super::{Call, KeyPool};
use crate::{
    pool::{
        Reach,
        probes::{Target, after_gap},
    },
    record::{Changes, Fault, Notice},
    roster::{Faulty, Probing},
    time::Timestamp,
};

impl KeyPool {
    /// A worse fault is never replaced by a lighter one: the call may have been under way when the worse one came.
    pub(super) fn fault_of_key(&mut self, call: &Call<'_>, fault: Fault, changes: &mut Changes) -> Reach {
        let Some(key) = self.key_of(call) else {
            return Reach::Nothing;
        };
        if key.fault.is_none_or(|before| before.fault < fault) {
            self.set_key_fault(call.lease.key_slot, fault, 0, call.now, changes);
        }
        Reach::Nothing
    }

    pub(super) fn fault_of_project(&mut self, call: &Call<'_>, fault: Fault, changes: &mut Changes) -> Reach {
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

    pub(in crate::pool) fn set_key_fault(
        &mut self,
        slot: u32,
        fault: Fault,
        probes: u8,
        now: Timestamp,
        changes: &mut Changes,
    ) {
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
    pub(in crate::pool) fn set_project_fault(
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

    pub(super) fn billing(&mut self, call: &Call<'_>, changes: &mut Changes) -> Reach {
        if self.is_of_account(call) {
            self.account_without_credit(call.lease.project_slot, call.now, changes);
        }
        Reach::Nothing
    }

    pub(in crate::pool) fn account_without_credit(&mut self, project: u32, now: Timestamp, changes: &mut Changes) {
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

    pub(super) fn spend(&mut self, call: &Call<'_>, changes: &mut Changes) -> Reach {
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

    fn is_of_account(&self, call: &Call<'_>) -> bool {
        let project = self
            .roster
            .projects
            .get(call.lease.project_slot)
            .filter(|entry| entry.id == call.lease.facts.project);
        project
            .and_then(|entry| self.roster.accounts.get(entry.account))
            .is_some_and(|account| account.id == call.lease.facts.account)
    }
}
