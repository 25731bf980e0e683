//! Free calls that look at keys in doubt.

use alloc::vec::Vec;

use super::KeyPool;
use crate::{
    key::{AccountId, KeyId, ProjectId},
    outcome::Outcome,
    record::{Changes, Fault, Notice},
    rest::Gate,
    roster::{Faulty, KeyEntry, Probing},
    time::Timestamp,
};

/// What a probe is to tell about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Key(KeyId),
    Project(ProjectId),
    Account(AccountId),
}

/// What the answer to a free call says about the key that made it.
enum Finding {
    /// The provider let the key in.
    Accepted {
        /// And served it.
        served: bool,
    },
    Faulty {
        fault: Fault,
        whole_project: bool,
    },
    NoCredit,
    /// Nothing about the key.
    Nothing,
}

const fn finding(outcome: &Outcome) -> Finding {
    match outcome {
        Outcome::Success { .. } | Outcome::Blocked { .. } => Finding::Accepted { served: true },
        // The provider looks at quota and model only after it has accepted the key.
        Outcome::Empty
        | Outcome::Truncated
        | Outcome::ModelGone
        | Outcome::DayQuota { .. }
        | Outcome::MinuteQuota { .. }
        | Outcome::ZeroLimit
        | Outcome::Spend
        | Outcome::Bare429 => Finding::Accepted { served: false },
        Outcome::InvalidKey => Finding::Faulty {
            fault: Fault::Invalid,
            whole_project: false,
        },
        Outcome::Revoked { whole_project } => Finding::Faulty {
            fault: Fault::Revoked,
            whole_project: *whole_project,
        },
        Outcome::KeyConfig { whole_project } => Finding::Faulty {
            fault: Fault::NeedsSetup,
            whole_project: *whole_project,
        },
        Outcome::Billing => Finding::NoCredit,
        Outcome::Region
        | Outcome::FileForeign
        | Outcome::CallerFault
        | Outcome::Overload
        | Outcome::Server
        | Outcome::Transport
        | Outcome::Cancelled
        | Outcome::Unknown => Finding::Nothing,
    }
}

impl KeyPool {
    /// Keys to be looked at with a call that costs no quota. Each is named once, and again only after the policy's
    /// gap if no [`report_probe`](Self::report_probe) came.
    #[must_use = "each key is named once"]
    pub fn probes_due(&mut self, now: Timestamp) -> Vec<KeyId> {
        let after_now = now.plus(core::time::Duration::from_millis(1));
        let later = self.probes.split_off(&(after_now, Target::Key(KeyId(0))));
        let due = core::mem::replace(&mut self.probes, later);
        due.into_iter()
            .filter_map(|(at, target)| self.take_probe(target, at, now))
            .collect()
    }

    /// The key to probe for `target`, unless the entry is stale or the key was probed a moment ago.
    fn take_probe(&mut self, target: Target, at: Timestamp, now: Timestamp) -> Option<KeyId> {
        let probing = self.probing(target).filter(|probing| probing.at == at)?;
        let Some(slot) = self.key_to_probe(target) else {
            // No key can tell. A key that comes back is scheduled on its own account.
            let at = now.plus(self.policy.unanswered_probe.longest);
            self.schedule(target, Probing { at, ..probing });
            return None;
        };
        let gap = self.policy.probe_gap;
        let entry = self.roster.keys.get_mut(slot)?;
        let next = after_gap(now, entry.probed_at, gap);
        if next > now {
            self.schedule(target, Probing { at: next, ..probing });
            return None;
        }
        entry.probed_at = now;
        let key = entry.key.id;
        // Stands until the probe is reported, and for good if it answers nothing.
        let at = now.plus(self.policy.unanswered_probe.wait(probing.unanswered).max(gap));
        self.schedule(
            target,
            Probing {
                at,
                unanswered: probing.unanswered.saturating_add(1),
            },
        );
        Some(key)
    }

    fn probing(&self, target: Target) -> Option<Probing> {
        let faulty = |faulty: Faulty| (faulty.fault != Fault::Revoked).then_some(faulty.probing);
        match target {
            Target::Key(key) => self.roster.keys.get(self.roster.key_slot(key)?)?.fault.and_then(faulty),
            Target::Project(project) => self
                .roster
                .projects
                .get(self.roster.project_slot(project)?)?
                .fault
                .and_then(faulty),
            Target::Account(account) => self.roster.accounts.get(self.roster.account_slot(account)?)?.no_credit,
        }
    }

    fn key_to_probe(&self, target: Target) -> Option<u32> {
        let sound_key = |project: u32| {
            let entry = self.roster.projects.get(project)?;
            entry
                .keys
                .iter()
                .copied()
                .find(|&slot| self.roster.keys.get(slot).is_some_and(KeyEntry::is_sound))
        };
        match target {
            Target::Key(key) => {
                let slot = self.roster.key_slot(key)?;
                self.roster
                    .keys
                    .get(slot)
                    .filter(|entry| entry.key.enabled)
                    .map(|_| slot)
            }
            Target::Project(project) => sound_key(self.roster.project_slot(project)?),
            Target::Account(account) => {
                let entry = self.roster.accounts.get(self.roster.account_slot(account)?)?;
                let sound = |project: &u32| {
                    self.roster
                        .projects
                        .get(*project)
                        .is_some_and(|entry| entry.fault.is_none())
                };
                entry.projects.iter().copied().filter(sound).find_map(sound_key)
            }
        }
    }

    pub(super) fn schedule(&mut self, target: Target, probing: Probing) {
        let known = match target {
            Target::Key(key) => {
                let slot = self.roster.key_slot(key);
                slot.and_then(|slot| self.roster.keys.get_mut(slot)?.fault.as_mut())
                    .map(|faulty| &mut faulty.probing)
            }
            Target::Project(project) => {
                let slot = self.roster.project_slot(project);
                slot.and_then(|slot| self.roster.projects.get_mut(slot)?.fault.as_mut())
                    .map(|faulty| &mut faulty.probing)
            }
            Target::Account(account) => {
                let slot = self.roster.account_slot(account);
                slot.and_then(|slot| self.roster.accounts.get_mut(slot)?.no_credit.as_mut())
            }
        };
        if let Some(known) = known {
            self.probes.remove(&(known.at, target));
            *known = probing;
            // Where no probe helps none is due.
            if probing.at < Timestamp::MAX {
                self.probes.insert((probing.at, target));
            }
        }
    }

    /// A key that came back may be probed for itself, its project and its account.
    pub(super) fn schedule_key(&mut self, key: KeyId, now: Timestamp) {
        let Some(entry) = self.roster.key_slot(key).and_then(|slot| self.roster.keys.get(slot)) else {
            return;
        };
        if !entry.key.enabled {
            return;
        }
        let soonest = after_gap(now, entry.probed_at, self.policy.probe_gap);
        let project = self.roster.projects.get(entry.project);
        let account = project.and_then(|project| self.roster.accounts.get(project.account));
        let targets = [
            Some(Target::Key(key)),
            project.map(|project| Target::Project(project.id)),
            account.map(|account| Target::Account(account.id)),
        ];
        for target in targets.into_iter().flatten() {
            if let Some(probing) = self.probing(target) {
                self.schedule(
                    target,
                    Probing {
                        at: probing.at.min(soonest),
                        ..probing
                    },
                );
            }
        }
    }

    /// Takes in how a probe ended.
    pub fn report_probe(&mut self, key: KeyId, outcome: &Outcome, now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        self.tick(now);
        let Some(slot) = self.roster.key_slot(key) else {
            return changes;
        };
        let Some(project) = self.roster.keys.get(slot).map(|entry| entry.project) else {
            return changes;
        };
        match finding(outcome) {
            Finding::Nothing => {}
            Finding::NoCredit => {
                // The bill is looked at only after the key was accepted.
                self.probe_found_nothing(slot, project, false, now, &mut changes);
                self.account_without_credit(project, now, &mut changes);
            }
            Finding::Faulty {
                fault,
                whole_project: true,
            } => self.probe_found_project(project, fault, now, &mut changes),
            Finding::Faulty {
                fault,
                whole_project: false,
            } => self.probe_found_key(slot, fault, now, &mut changes),
            Finding::Accepted { served } => self.probe_found_nothing(slot, project, served, now, &mut changes),
        }
        changes
    }

    fn probe_found_key(&mut self, slot: u32, fault: Fault, now: Timestamp, changes: &mut Changes) {
        let Some(before) = self.roster.keys.get(slot).map(|entry| entry.fault) else {
            return;
        };
        let known = before.map(|faulty| faulty.fault);
        let fault = match (fault, known) {
            (_, Some(Fault::Revoked)) => return,
            // One witness is not enough, here as in a call.
            (Fault::Invalid, None | Some(Fault::NeedsSetup)) => Fault::Suspect,
            (Fault::Suspect | Fault::NeedsSetup | Fault::Invalid | Fault::Revoked, _) => fault,
        };
        let probes = before
            .filter(|before| before.fault == fault)
            .map_or(0, |before| before.probes.saturating_add(1));
        self.set_key_fault(slot, fault, probes, now, changes);
    }

    fn probe_found_project(&mut self, project: u32, fault: Fault, now: Timestamp, changes: &mut Changes) {
        let Some(before) = self.roster.projects.get(project).map(|entry| entry.fault) else {
            return;
        };
        if before.is_some_and(|before| before.fault == Fault::Revoked) {
            return;
        }
        let probes = before
            .filter(|before| before.fault == fault)
            .map_or(0, |before| before.probes.saturating_add(1));
        self.set_project_fault(project, fault, probes, now, changes);
    }

    fn probe_found_nothing(&mut self, slot: u32, project: u32, served: bool, now: Timestamp, changes: &mut Changes) {
        let not_revoked = |faulty: &mut Faulty| faulty.fault != Fault::Revoked;
        let Some(entry) = self.roster.keys.get_mut(slot) else {
            return;
        };
        let key = entry.key.id;
        let mut recovered = false;
        if entry.fault.take_if(not_revoked).is_some() {
            recovered = true;
            self.record_key(slot, changes);
        }
        if self
            .roster
            .projects
            .get_mut(project)
            .is_some_and(|entry| entry.fault.take_if(not_revoked).is_some())
        {
            recovered = true;
            self.record_project(project, changes);
        }
        let account_slot = self.roster.projects.get(project).map(|entry| entry.account);
        let account = account_slot.and_then(|slot| self.roster.accounts.get_mut(slot));
        if let (true, Some(slot), Some(account)) = (served, account_slot, account)
            && account.no_credit.take().is_some()
        {
            recovered = true;
            // A free call costs nothing, so it proves little about credit: one paid call tries first.
            if !matches!(account.spend.gate(now), Gate::Closed { .. }) {
                account.spend.await_trial();
            }
            self.record_account(slot, changes);
            self.refresh_account(slot, now);
        }
        if recovered {
            changes.notice(Notice::KeyRecovered(key));
            self.refresh_project(project, now);
        }
    }

    pub(super) fn next_probe(&self, now: Timestamp) -> Option<Timestamp> {
        self.probes.first().map(|&(at, _)| at.max(now))
    }
}

/// The soonest instant at which a key may be probed again.
pub(super) fn after_gap(now: Timestamp, probed_at: Timestamp, gap: core::time::Duration) -> Timestamp {
    // A probe that seems to lie far ahead dates from a clock that has stepped back since.
    let recent = now.since(probed_at) < gap && probed_at.since(now) < gap;
    if recent && probed_at.unless_epoch().is_some() {
        probed_at.plus(gap)
    } else {
        now
    }
}
