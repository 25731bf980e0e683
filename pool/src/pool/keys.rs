//! Which keys there are.

use super::{KeyPool, probes::Target};
use crate::{
    cell::Cell,
    key::{Key, KeyId},
    record::{Changes, Fault},
    selection::Current,
    time::Timestamp,
};

impl KeyPool {
    /// Adds a key, or changes one with the same id. What is known of it and of its project stays. A project that loses its
    /// last key to another project hands on its rests: the quota was the same all along.
    pub fn upsert(&mut self, key: Key, now: Timestamp) {
        self.tick(now);
        let id = key.id;
        let (project, is_new) = self.roster.project_or_new(key.project, key.account);
        if !is_new {
            self.move_to_account(project, key.account, now);
        }
        let before = self.roster.key_slot(id);
        let left = before
            .and_then(|slot| Some((slot, self.roster.keys.get(slot)?.project)))
            .filter(|&(_, old)| old != project);
        if let Some((slot, old)) = left {
            self.forget_key_in_tables(old, slot);
            self.roster.leave_project(slot);
        }
        self.roster.put_key(key, project);
        if let Some((_, old)) = left {
            if self.roster.is_empty_project(old) {
                self.hand_on(old, project);
                self.drop_project(old);
            } else {
                self.refresh_project(old, now);
            }
        }
        if let Some(current) = self.current.filter(|current| current.key == id) {
            let number = before
                .and_then(|slot| self.roster.keys.get(slot))
                .map_or(current.number, |entry| entry.key.number);
            self.current = Some(Current { number, ..current });
        }
        self.refresh_project(project, now);
        self.schedule_key(id, now);
    }

    /// Forgets a key; the last key of a project takes the project's state with it. Unknown keys are ignored.
    pub fn remove(&mut self, key: KeyId) {
        let Some(slot) = self.roster.key_slot(key) else { return };
        let Some(project) = self.roster.keys.get(slot).map(|entry| entry.project) else {
            return;
        };
        self.forget_key_in_tables(project, slot);
        self.roster.remove_key(slot);
        if self.roster.is_empty_project(project) {
            self.drop_project(project);
        } else {
            // At the epoch no rest is over: a removal makes nothing ready that was not.
            self.refresh_project(project, Timestamp::EPOCH);
        }
    }

    /// Switches a key on or off. Switching on is a person's act: it also clears a revocation of the key and its project.
    pub fn set_enabled(&mut self, key: KeyId, enabled: bool, now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        self.tick(now);
        let Some(slot) = self.roster.key_slot(key) else {
            return changes;
        };
        let Some(entry) = self.roster.keys.get_mut(slot) else {
            return changes;
        };
        entry.key.enabled = enabled;
        let project = entry.project;
        if enabled {
            let revoked = |faulty: &mut Option<crate::roster::Faulty>| {
                faulty.take_if(|faulty| faulty.fault == Fault::Revoked).is_some()
            };
            if revoked(&mut entry.fault) {
                self.record_key(slot, &mut changes);
            }
            if self
                .roster
                .projects
                .get_mut(project)
                .is_some_and(|entry| revoked(&mut entry.fault))
            {
                self.record_project(project, &mut changes);
            }
            self.schedule_key(key, now);
        }
        self.refresh_project(project, now);
        changes
    }

    fn move_to_account(&mut self, project: u32, account: crate::key::AccountId, now: Timestamp) {
        let before = self.roster.projects.get(project).map(|entry| entry.account);
        self.roster.move_project(project, account);
        let after = self.roster.projects.get(project).map(|entry| entry.account);
        if before != after {
            self.refresh_project(project, now);
        }
    }

    fn forget_key_in_tables(&mut self, project: u32, slot: u32) {
        self.provider.forget_key(slot);
        for table in self.tables.iter_mut() {
            table.forget_key(project, slot);
        }
    }

    fn hand_on(&mut self, from: u32, to: u32) {
        let newest = self.serial;
        let fault = self.roster.projects.get(from).and_then(|entry| entry.fault);
        if let (Some(fault), Some(entry)) = (fault, self.roster.projects.get_mut(to))
            && entry.fault.is_none_or(|known| known.fault < fault.fault)
        {
            entry.fault = Some(fault);
            let target = Target::Project(entry.id);
            self.schedule(target, fault.probing);
        }
        for table in self.tables.iter_mut() {
            let old = table.cell_slot(from);
            let Some(used) = table.usage(old).cloned() else {
                continue;
            };
            let Some(rested) = table.cells.get(old).map(Cell::knowledge) else {
                continue;
            };
            let new = table.cell_or_new(to, newest);
            if let Some((cell, usage)) = table.cell_and_usage_mut(new) {
                cell.adopt(rested, newest);
                usage.absorb(&used);
            }
            table.forget_score(to);
        }
    }

    fn drop_project(&mut self, project: u32) {
        self.revision += 1;
        self.provider.forget_project(project);
        for table in self.tables.iter_mut() {
            table.forget_project(project);
        }
        self.roster.remove_project(project);
    }
}
