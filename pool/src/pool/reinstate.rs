//! A person's reset.

use alloc::vec::Vec;

use super::{KeyPool, Scope};
use crate::{
    model::ModelId,
    record::{Changes, Record},
    time::Timestamp,
};

impl KeyPool {
    /// A person's reset: clears rests and faults, but switches no key on. What is unknown is ignored.
    pub fn reinstate(&mut self, scope: Scope, now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        self.tick(now);
        match scope {
            Scope::All => {
                let projects: Vec<u32> = self.roster.projects.iter().map(|(slot, _)| slot).collect();
                for project in projects {
                    self.reinstate_project(project, None, &mut changes);
                }
                self.reinstate_models(&mut changes);
                self.provider.reinstate();
                self.region_refused_since = None;
                self.refresh_all(now);
            }
            Scope::Key(key) => {
                let slot = self.roster.key_slot(key);
                let Some(project) = slot
                    .and_then(|slot| self.roster.keys.get(slot))
                    .map(|entry| entry.project)
                else {
                    return changes;
                };
                self.reinstate_project(project, slot, &mut changes);
                if let Some(account) = self.roster.projects.get(project).map(|entry| entry.account) {
                    self.refresh_account(account, now);
                }
            }
            Scope::Cell { project, model } => {
                if let Some(project) = self.roster.project_slot(project) {
                    self.reinstate_cell(model, project, None, &mut changes);
                    self.refresh_project(project, now);
                }
            }
        }
        changes
    }

    /// Clears a project, its account, its cells and its keys, or of the keys only one.
    fn reinstate_project(&mut self, project: u32, only: Option<u32>, changes: &mut Changes) {
        let Some(entry) = self.roster.projects.get_mut(project) else {
            return;
        };
        let keys: Vec<u32> = entry
            .keys
            .iter()
            .copied()
            .filter(|&slot| only.is_none_or(|only| only == slot))
            .collect();
        let account = entry.account;
        if entry.fault.take().is_some() {
            self.record_project(project, changes);
        }
        for slot in keys {
            if self
                .roster
                .keys
                .get_mut(slot)
                .is_some_and(|entry| entry.fault.take().is_some())
            {
                self.record_key(slot, changes);
            }
        }
        if let Some(entry) = self.roster.accounts.get_mut(account)
            && (entry.no_credit.take().is_some() || !entry.spend.is_open())
        {
            entry.spend.clear();
            self.record_account(account, changes);
        }
        let models: Vec<ModelId> = self.tables.iter().map(|table| table.id).collect();
        for model in models {
            self.reinstate_cell(model, project, only, changes);
        }
    }

    fn reinstate_cell(&mut self, model: ModelId, project: u32, only: Option<u32>, changes: &mut Changes) {
        let Some(table) = self.tables.get_mut(model) else {
            return;
        };
        let slot = table.cell_slot(project);
        let Some(cell) = table.cells.get_mut(slot) else { return };
        let rested = cell.reinstate();
        let keys: Vec<u32> = cell.key_rests.iter().map(|resting| resting.key).collect();
        let keys = keys.into_iter().filter(|&key| only.is_none_or(|only| only == key));
        let forgiven: Vec<u32> = keys.filter(|&key| cell.forgive_key(key)).collect();
        if rested {
            self.record_cell(model, project, changes);
        }
        for key in forgiven {
            self.record_key_on_model(model, project, key, changes);
        }
    }

    fn reinstate_models(&mut self, changes: &mut Changes) {
        for table in self.tables.iter_mut() {
            if !table.hidden.is_open() {
                changes.record(Record::Model {
                    model: table.name.clone(),
                    hidden_until: None,
                });
            }
            table.hidden.clear();
            table.breaker.reinstate();
        }
    }
}
