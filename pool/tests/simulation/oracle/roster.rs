//! What people do to the keys.

use pool::{Fault, Key, KeyId, Timestamp};

use super::{KeyFacts, Oracle, Rested};

impl Oracle {
    /// A key was added, or changed its project.
    pub(crate) fn upserted(&mut self, key: &Key) {
        self.projects.entry(key.project).or_default();
        self.accounts.entry(key.account).or_default();
        let before = self.keys.get(&key.id).copied();
        let facts = KeyFacts {
            project: key.project,
            account: key.account,
            is_enabled: key.enabled,
            fault: before.and_then(|before| before.fault),
            back_by: before.map_or(Timestamp::default(), |before| before.back_by),
        };
        self.keys.insert(key.id, facts);
        if let Some(old) = before.map(|before| before.project).filter(|old| *old != key.project) {
            // Rests of the key itself belong to the cell that it left.
            self.bare.retain(|(bare, _), _| *bare != key.id);
            if !self.keys.values().any(|other| other.project == old) {
                self.hand_on(old, key.project);
            }
        }
    }

    /// The quota, and the project's faults, were the same all along.
    fn hand_on(&mut self, old: pool::ProjectId, new: pool::ProjectId) {
        for model in 0..2 {
            let Some(from) = self.cells.remove(&(old, model)) else {
                continue;
            };
            let to = self.cells.entry((new, model)).or_default();
            let is_known = from.is_count_known && (to.is_count_known || to.day_end == pool::Timestamp::default());
            // What was charged to either was charged to the one project.
            if from.day_end > to.day_end {
                (to.charged, to.day_end) = (0, from.day_end);
            }
            if from.day_end == to.day_end {
                to.charged += from.charged;
            }
            to.is_count_known = is_known;
            if from.quota.forbidden_until > to.quota.forbidden_until {
                to.quota.forbidden_until = from.quota.forbidden_until;
                to.spent_until = from.spent_until;
            }
            to.maybe_spent_until = to.maybe_spent_until.max(from.maybe_spent_until).max(from.spent_until);
            to.quota.is_doubtful = true;
            to.quota.back_by = to.quota.back_by.max(from.quota.back_by);
            to.last_used = to.last_used.max(from.last_used);
        }
        if let Some(from) = self.projects.remove(&old)
            && let Some(to) = self.projects.get_mut(&new)
        {
            to.fault = to.fault.max(from.fault);
            to.back_by = to.back_by.max(from.back_by);
        }
    }

    pub(crate) fn removed(&mut self, key: KeyId) {
        let Some(facts) = self.keys.remove(&key) else { return };
        self.bare.retain(|(bare, _), _| *bare != key);
        if !self.keys.values().any(|other| other.project == facts.project) {
            self.projects.remove(&facts.project);
            for model in 0..2 {
                self.cells.remove(&(facts.project, model));
            }
        }
        if !self.keys.values().any(|other| other.account == facts.account) {
            self.accounts.remove(&facts.account);
        }
    }

    /// Switching on is a person's act: it also clears a revocation.
    pub(crate) fn enabled(&mut self, key: KeyId, is_enabled: bool, now: Timestamp) {
        let probed_by = now.plus(self.policy.probe_gap);
        let Some(facts) = self.keys.get_mut(&key) else { return };
        facts.is_enabled = is_enabled;
        if !is_enabled {
            return;
        }
        let revoked = |fault: &mut Option<Fault>| {
            if *fault == Some(Fault::Revoked) {
                *fault = None;
            }
        };
        revoked(&mut facts.fault);
        if let Some(project) = self.projects.get_mut(&facts.project) {
            revoked(&mut project.fault);
        }
        self.postpone(key, probed_by);
    }

    /// A person's reset of one key, or of all.
    pub(crate) fn reset(&mut self, only: Option<KeyId>) {
        let keys: Vec<KeyId> = self
            .keys
            .keys()
            .copied()
            .filter(|key| only.is_none_or(|only| only == *key))
            .collect();
        for key in keys {
            let Some(facts) = self.keys.get_mut(&key) else { continue };
            facts.fault = None;
            let (project, account) = (facts.project, facts.account);
            if let Some(project) = self.projects.get_mut(&project) {
                project.fault = None;
            }
            if let Some(account) = self.accounts.get_mut(&account) {
                account.has_no_credit = false;
                account.spend = Rested::default();
            }
            for model in 0..2 {
                self.reset_cell(project, model, Some(key));
            }
        }
        if only.is_none() {
            self.hidden = [Rested::default(); 2];
            self.failing = Default::default();
            self.storm = Default::default();
        }
    }

    /// `key`: whose refusals without detail are forgiven; none for all.
    pub(crate) fn reset_cell(&mut self, project: pool::ProjectId, model: usize, key: Option<KeyId>) {
        if let Some(cell) = self.cells.get_mut(&(project, model)) {
            cell.quota = Rested::default();
            cell.spent_until = None;
            cell.maybe_spent_until = None;
        }
        let keys = &self.keys;
        self.bare.retain(|(bare, on), _| {
            let same_project = keys.get(bare).is_none_or(|facts| facts.project == project);
            !(*on == model && same_project && key.is_none_or(|key| key == *bare))
        });
    }
}
