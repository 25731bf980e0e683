//! Keys, the projects that own them and the accounts that pay: who belongs to whom, and what is wrong with each.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::{cmp::Reverse, time::Duration};

use crate::{
    key::{AccountId, Key, KeyId, KeyState, ProjectId, Tier},
    policy::Pace,
    record::{Fault, StoredFault},
    rest::{Gate, Rest},
    slots::{NOWHERE, Slots},
    time::Timestamp,
};

/// Keys of the smaller class go first: free before paid, then the higher priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Class {
    pub(crate) tier: Tier,
    priority: Reverse<i32>,
}

/// When the next free call is due, and how many went unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probing {
    pub(crate) at: Timestamp,
    pub(crate) unanswered: u8,
}

impl Probing {
    pub(crate) const fn at(at: Timestamp) -> Self {
        Self { at, unanswered: 0 }
    }
}

/// What is wrong with a key or a project, and when to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Faulty {
    pub(crate) fault: Fault,
    pub(crate) probing: Probing,
    /// Probes that found it unchanged.
    pub(crate) probes: u8,
}

impl Faulty {
    pub(crate) const fn stored(self) -> StoredFault {
        StoredFault {
            fault: self.fault,
            probe_at: self.probing.at,
            probes: self.probes,
        }
    }

    pub(crate) const fn from_stored(stored: StoredFault) -> Self {
        Self {
            fault: stored.fault,
            probing: Probing::at(stored.probe_at),
            probes: stored.probes,
        }
    }

    const fn state(self) -> KeyState {
        let probe_at = self.probing.at;
        match self.fault {
            Fault::Suspect => KeyState::Suspect { probe_at },
            Fault::Invalid => KeyState::Invalid { probe_at },
            Fault::NeedsSetup => KeyState::NeedsSetup { probe_at },
            Fault::Revoked => KeyState::Revoked,
        }
    }
}

/// What every call needs lies in the first of two cache lines.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct KeyEntry {
    pub(crate) key: Key,
    pub(crate) project: u32,
    /// Its project's.
    pub(crate) account: u32,
    pub(crate) requests: u64,
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    /// The epoch while there was none.
    pub(crate) last_success: Timestamp,
    pub(crate) fault: Option<Faulty>,
    /// The epoch while it was not.
    pub(crate) probed_at: Timestamp,
    /// The key's pace allows no call before.
    next_call: Timestamp,
}

const _: () = assert!(size_of::<Option<KeyEntry>>() == 128, "two cache lines");

impl KeyEntry {
    const fn new(key: Key, project: u32, account: u32) -> Self {
        Self {
            key,
            project,
            account,
            fault: None,
            probed_at: Timestamp::EPOCH,
            next_call: Timestamp::EPOCH,
            requests: 0,
            successes: 0,
            failures: 0,
            last_success: Timestamp::EPOCH,
        }
    }

    pub(crate) const fn class(&self) -> Class {
        Class {
            tier: self.key.tier,
            priority: Reverse(self.key.priority),
        }
    }

    /// When the key's pace allows the next call. An instant far ahead dates from a clock that has stepped back since.
    pub(crate) fn paced_until(&self, now: Timestamp) -> Timestamp {
        if self.next_call.since(now) > PACE_LONGEST {
            Timestamp::EPOCH
        } else {
            self.next_call
        }
    }

    /// Counts a call (the generic cell rate algorithm, ITU-T I.371). True if the next one must wait.
    pub(crate) fn step(&mut self, pace: Pace, now: Timestamp) -> bool {
        let lead = pace.every.saturating_mul(pace.burst.saturating_sub(1));
        // As if `burst` calls had been saved up at most.
        let arrival = self.paced_until(now).plus(lead).max(now).plus(pace.every);
        self.next_call = Timestamp::from_millis(arrival.as_millis().saturating_sub(millis(lead)));
        self.next_call > now
    }

    /// As far as the key alone can tell.
    pub(crate) const fn is_sound(&self) -> bool {
        self.key.enabled && self.fault.is_none()
    }
}

/// No pace is slower than a call in so long.
const PACE_LONGEST: Duration = Duration::from_secs(120);

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Debug)]
pub(crate) struct ProjectEntry {
    pub(crate) id: ProjectId,
    pub(crate) account: u32,
    /// By number.
    pub(crate) keys: Vec<u32>,
    pub(crate) fault: Option<Faulty>,
}

impl ProjectEntry {
    /// A project is billed as a whole: its first key tells.
    pub(crate) fn tier(&self, keys: &Slots<KeyEntry>) -> Tier {
        let first = self.keys.first().and_then(|&key| keys.get(key));
        first.map_or(Tier::Free, |key| key.key.tier)
    }
}

#[derive(Debug)]
pub(crate) struct AccountEntry {
    pub(crate) id: AccountId,
    pub(crate) projects: BTreeSet<u32>,
    pub(crate) no_credit: Option<Probing>,
    pub(crate) spend: Rest,
}

#[derive(Debug)]
pub(crate) struct Roster {
    pub(crate) keys: Slots<KeyEntry>,
    pub(crate) projects: Slots<ProjectEntry>,
    pub(crate) accounts: Slots<AccountEntry>,
    key_slots: BTreeMap<KeyId, u32>,
    project_slots: BTreeMap<ProjectId, u32>,
    account_slots: BTreeMap<AccountId, u32>,
}

impl Roster {
    pub(crate) const fn new() -> Self {
        Self {
            keys: Slots::new(),
            projects: Slots::new(),
            accounts: Slots::new(),
            key_slots: BTreeMap::new(),
            project_slots: BTreeMap::new(),
            account_slots: BTreeMap::new(),
        }
    }

    pub(crate) fn key_slot(&self, key: KeyId) -> Option<u32> {
        self.key_slots.get(&key).copied()
    }

    pub(crate) fn project_slot(&self, project: ProjectId) -> Option<u32> {
        self.project_slots.get(&project).copied()
    }

    pub(crate) fn account_slot(&self, account: AccountId) -> Option<u32> {
        self.account_slots.get(&account).copied()
    }

    /// The project's place, made if new. The second value is true for a new one.
    pub(crate) fn project_or_new(&mut self, project: ProjectId, account: AccountId) -> (u32, bool) {
        if let Some(slot) = self.project_slot(project) {
            return (slot, false);
        }
        let account = self.account_or_new(account);
        let slot = self.projects.insert(ProjectEntry {
            id: project,
            account,
            keys: Vec::new(),
            fault: None,
        });
        self.project_slots.insert(project, slot);
        self.join_account(slot, account);
        (slot, true)
    }

    fn account_or_new(&mut self, account: AccountId) -> u32 {
        if let Some(slot) = self.account_slot(account) {
            return slot;
        }
        let entry = AccountEntry {
            id: account,
            projects: BTreeSet::new(),
            no_credit: None,
            spend: Rest::default(),
        };
        let slot = self.accounts.insert(entry);
        self.account_slots.insert(account, slot);
        slot
    }

    fn join_account(&mut self, project: u32, account: u32) {
        if let Some(entry) = self.accounts.get_mut(account) {
            entry.projects.insert(project);
        }
    }

    fn leave_account(&mut self, project: u32, account: u32) {
        let Some(entry) = self.accounts.get_mut(account) else {
            return;
        };
        entry.projects.remove(&project);
        if entry.projects.is_empty() {
            let id = entry.id;
            self.account_slots.remove(&id);
            self.accounts.remove(account);
        }
    }

    /// A project's keys share one account, also in what they say of themselves.
    pub(crate) fn move_project(&mut self, project: u32, account: AccountId) {
        let new = self.account_or_new(account);
        let Some(entry) = self.projects.get_mut(project) else {
            return;
        };
        let old = core::mem::replace(&mut entry.account, new);
        for &slot in &entry.keys {
            if let Some(key) = self.keys.get_mut(slot) {
                key.account = new;
                key.key.account = account;
            }
        }
        if old != new {
            self.join_account(project, new);
            self.leave_account(project, old);
        }
    }

    /// Adds or changes a key of a project that exists. A key that was in another project must have left it.
    pub(crate) fn put_key(&mut self, key: Key, project: u32) -> u32 {
        let id = key.id;
        let account = self.projects.get(project).map_or(NOWHERE, |entry| entry.account);
        let slot = if let Some(slot) = self.key_slot(id) {
            if let Some(entry) = self.keys.get_mut(slot) {
                (entry.key, entry.project, entry.account) = (key, project, account);
            }
            slot
        } else {
            let slot = self.keys.insert(KeyEntry::new(key, project, account));
            self.key_slots.insert(id, slot);
            slot
        };
        let Self { keys, projects, .. } = self;
        if let Some(entry) = projects.get_mut(project) {
            if !entry.keys.contains(&slot) {
                entry.keys.push(slot);
            }
            entry
                .keys
                .sort_by_key(|&slot| keys.get(slot).map(|entry| (entry.key.number, entry.key.id)));
        }
        slot
    }

    /// Takes a key out of its project, which may then be empty.
    pub(crate) fn leave_project(&mut self, key: u32) {
        let Some(project) = self.keys.get(key).map(|entry| entry.project) else {
            return;
        };
        if let Some(entry) = self.projects.get_mut(project) {
            entry.keys.retain(|&slot| slot != key);
        }
    }

    pub(crate) fn remove_key(&mut self, key: u32) {
        self.leave_project(key);
        if let Some(entry) = self.keys.remove(key) {
            self.key_slots.remove(&entry.key.id);
        }
    }

    pub(crate) fn remove_project(&mut self, project: u32) {
        if let Some(entry) = self.projects.remove(project) {
            self.project_slots.remove(&entry.id);
            self.leave_account(project, entry.account);
        }
    }

    pub(crate) fn is_empty_project(&self, project: u32) -> bool {
        self.projects.get(project).is_some_and(|entry| entry.keys.is_empty())
    }

    pub(crate) fn tier(&self, project: u32) -> Tier {
        let entry = self.projects.get(project);
        entry.map_or(Tier::Free, |entry| entry.tier(&self.keys))
    }

    /// What stands between a key and any call.
    pub(crate) fn state(&self, key: &KeyEntry, now: Timestamp) -> KeyState {
        if !key.key.enabled {
            return KeyState::Disabled;
        }
        let project = self.projects.get(key.project);
        let faults = key.fault.into_iter().chain(project.and_then(|project| project.fault));
        if let Some(faulty) = faults.max_by_key(|faulty| faulty.fault) {
            return faulty.state();
        }
        let Some(account) = project.and_then(|project| self.accounts.get(project.account)) else {
            return KeyState::Ready;
        };
        if let Some(probing) = account.no_credit {
            return KeyState::NoCredit { probe_at: probing.at };
        }
        match account.spend.gate(now) {
            Gate::Closed { until } => KeyState::SpendLimited { until },
            Gate::Open | Gate::Trial | Gate::Busy { .. } => KeyState::Ready,
        }
    }

    /// A project with a key that nothing general speaks against.
    pub(crate) fn is_live(&self, project: &ProjectEntry) -> bool {
        project.fault.is_none()
            && self
                .accounts
                .get(project.account)
                .is_some_and(|account| account.no_credit.is_none())
            && project
                .keys
                .iter()
                .any(|&slot| self.keys.get(slot).is_some_and(KeyEntry::is_sound))
    }
}
