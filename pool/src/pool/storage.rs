//! What outlives the process, and a person's reset.

use alloc::vec::Vec;

use super::{KeyPool, Scope, probes::Target};
use crate::{
    cell::{Cell, KeyRest, Knowledge},
    key::{AccountId, KeyId, ProjectId},
    model::ModelId,
    record::{Changes, Record, StoredBilling, StoredFault},
    rest::Rest,
    roster::{AccountEntry, Faulty, Probing},
    table::Table,
    time::Timestamp,
};

impl KeyPool {
    /// Everything that must outlive the process.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let keys = self.roster.keys.iter().filter(|(_, entry)| entry.fault.is_some());
        let projects = self.roster.projects.iter().filter(|(_, entry)| entry.fault.is_some());
        let accounts = self
            .roster
            .accounts
            .iter()
            .filter(|(_, entry)| billing_of(entry).is_some());
        let models = self
            .tables
            .iter()
            .filter(|table| table.hidden.resting_until().is_some());
        let cells = || {
            self.tables
                .iter()
                .flat_map(|table| table.cells.iter().map(move |(slot, cell)| (table, slot, cell)))
        };
        let key_rests = cells().flat_map(|(table, _, cell)| cell.key_rests.iter().map(move |resting| (table, resting)));
        keys.map(|(_, entry)| Record::Key {
            key: entry.key.id,
            fault: entry.fault.map(Faulty::stored),
        })
        .chain(projects.map(|(_, entry)| Record::Project {
            project: entry.id,
            fault: entry.fault.map(Faulty::stored),
        }))
        .chain(accounts.map(|(_, entry)| Record::Account {
            account: entry.id,
            billing: billing_of(entry),
        }))
        .chain(models.map(|table| Record::Model {
            model: table.name.clone(),
            hidden_until: table.hidden.resting_until(),
        }))
        .chain(cells().filter_map(|(table, slot, cell)| self.cell_record(table, slot, cell)))
        .chain(key_rests.filter_map(|(table, resting)| {
            let key = self.roster.keys.get(resting.key)?.key.id;
            Some(key_on_model_record(table, key, Some(&resting.rest)))
        }))
        .collect()
    }

    fn cell_record(&self, table: &Table, slot: u32, cell: &Cell) -> Option<Record> {
        let project = self.roster.projects.get(cell.project)?.id;
        let usage = table.usage(slot)?;
        let Knowledge {
            rest,
            spent_until_reset,
            day_retries,
        } = cell.knowledge();
        let (requests_today, tokens_today) = usage.today();
        Some(Record::Cell {
            project,
            model: table.name.clone(),
            rest,
            spent_until_reset,
            day_retries,
            learned: usage.learned(),
            requests_today,
            tokens_today,
            day_end: usage.day_end(),
        })
    }

    pub(super) fn record_key(&self, slot: u32, changes: &mut Changes) {
        if let Some(entry) = self.roster.keys.get(slot) {
            changes.record(Record::Key {
                key: entry.key.id,
                fault: entry.fault.map(Faulty::stored),
            });
        }
    }

    pub(super) fn record_project(&self, slot: u32, changes: &mut Changes) {
        if let Some(entry) = self.roster.projects.get(slot) {
            changes.record(Record::Project {
                project: entry.id,
                fault: entry.fault.map(Faulty::stored),
            });
        }
    }

    pub(super) fn record_account(&self, slot: u32, changes: &mut Changes) {
        if let Some(entry) = self.roster.accounts.get(slot) {
            changes.record(Record::Account {
                account: entry.id,
                billing: billing_of(entry),
            });
        }
    }

    pub(super) fn record_cell(&self, model: ModelId, project: u32, changes: &mut Changes) {
        let table = self.tables.get(model.index());
        let record = table.and_then(|table| {
            let slot = table.cell_slot(project);
            self.cell_record(table, slot, table.cells.get(slot)?)
        });
        if let Some(record) = record {
            changes.record(record);
        }
    }

    pub(super) fn record_key_on_model(&self, model: ModelId, project: u32, key: u32, changes: &mut Changes) {
        let Some(table) = self.tables.get(model.index()) else {
            return;
        };
        let Some(entry) = self.roster.keys.get(key) else { return };
        let rest = table
            .cell_of(project)
            .and_then(|cell| cell.key_rests.iter().find(|resting| resting.key == key));
        changes.record(key_on_model_record(
            table,
            entry.key.id,
            rest.map(|resting| &resting.rest),
        ));
    }

    /// Takes in stored records after the keys were upserted. Records about unknown keys or past instants are ignored, and
    /// nothing already known is shortened.
    pub fn restore(&mut self, records: Vec<Record>, now: Timestamp) {
        self.tick(now);
        for record in records {
            self.restore_one(record, now);
        }
        self.refresh_all(now);
    }

    fn restore_one(&mut self, record: Record, now: Timestamp) {
        match record {
            Record::Key { key, fault } => self.restore_key(key, fault, now),
            Record::Project { project, fault } => self.restore_project(project, fault, now),
            Record::Account { account, billing } => self.restore_account(account, billing, now),
            Record::KeyOnModel {
                key,
                model,
                until,
                rests,
            } => {
                if let Some(until) = until.filter(|until| *until > now) {
                    self.restore_key_on_model(key, &model, until, rests);
                }
            }
            Record::Model { model, hidden_until } => {
                let newest = self.serial;
                if let Some(until) = hidden_until.filter(|until| *until > now)
                    && let Some(table) = self.table_named(&model)
                {
                    table.hidden.rest(until, newest);
                }
            }
            Record::Cell { .. } => self.restore_cell(record, now),
        }
    }

    fn table_named(&mut self, model: &str) -> Option<&mut Table> {
        let model = self.model(model).ok()?;
        self.tables.get_mut(model.index())
    }

    fn restore_key(&mut self, key: KeyId, fault: Option<StoredFault>, now: Timestamp) {
        let entry = self
            .roster
            .key_slot(key)
            .and_then(|slot| self.roster.keys.get_mut(slot));
        if let (Some(fault), Some(entry)) = (fault, entry)
            && entry.fault.is_none_or(|known| known.fault <= fault.fault)
        {
            entry.fault = Some(Faulty::from_stored(fault));
            self.schedule(Target::Key(key), Probing::at(fault.probe_at.max(now)));
        }
    }

    fn restore_project(&mut self, project: ProjectId, fault: Option<StoredFault>, now: Timestamp) {
        let entry = self
            .roster
            .project_slot(project)
            .and_then(|slot| self.roster.projects.get_mut(slot));
        if let (Some(fault), Some(entry)) = (fault, entry)
            && entry.fault.is_none_or(|known| known.fault <= fault.fault)
        {
            entry.fault = Some(Faulty::from_stored(fault));
            self.schedule(Target::Project(project), Probing::at(fault.probe_at.max(now)));
        }
    }

    fn restore_account(&mut self, account: AccountId, billing: Option<StoredBilling>, now: Timestamp) {
        let newest = self.serial;
        let Some(slot) = self.roster.account_slot(account) else {
            return;
        };
        let Some(entry) = self.roster.accounts.get_mut(slot) else {
            return;
        };
        match billing {
            None => {}
            Some(StoredBilling::NoCredit { probe_at }) => {
                let probing = entry.no_credit.unwrap_or_else(|| Probing::at(probe_at.max(now)));
                entry.no_credit = Some(probing);
                self.schedule(Target::Account(account), probing);
            }
            Some(StoredBilling::SpendLimited { until, rests }) => {
                let rested = until > now && entry.spend.rest(until, newest);
                let count = entry.spend.count;
                entry.spend.count = if rested { count.max(rests) } else { count };
                self.await_account(slot);
            }
        }
    }

    fn restore_key_on_model(&mut self, key: KeyId, model: &str, until: Timestamp, rests: u8) {
        let newest = self.serial;
        let Some(slot) = self.roster.key_slot(key) else { return };
        let Some(project) = self.roster.keys.get(slot).map(|entry| entry.project) else {
            return;
        };
        let Some(table) = self.table_named(model) else { return };
        let cell = table.cell_or_new(project, newest);
        let Some(cell) = table.cells.get_mut(cell) else { return };
        table.in_use = true;
        if cell.key_rest_mut(slot).is_none() {
            cell.key_rests.push(KeyRest {
                key: slot,
                rest: Rest::new(),
            });
        }
        if let Some(rest) = cell.key_rest_mut(slot)
            && rest.rest(until, newest)
        {
            rest.count = rest.count.max(rests);
        }
    }

    fn restore_cell(&mut self, record: Record, now: Timestamp) {
        let (newest, day_end) = (self.serial, self.day_end);
        let Record::Cell {
            project,
            model,
            rest,
            spent_until_reset,
            day_retries,
            learned,
            requests_today,
            tokens_today,
            day_end: counted_until,
        } = record
        else {
            return;
        };
        let Some(project) = self.roster.project_slot(project) else {
            return;
        };
        let Some(table) = self.table_named(&model) else { return };
        let slot = table.cell_or_new(project, newest);
        table.in_use = true;
        let Some((cell, usage)) = table.cell_and_usage_mut(slot) else {
            return;
        };
        usage.recall(learned);
        if counted_until == day_end {
            usage.resume_day(requests_today, tokens_today, day_end);
        }
        let rest = rest.filter(|rest| rest.until > now);
        cell.adopt(
            Knowledge {
                rest,
                spent_until_reset,
                day_retries,
            },
            newest,
        );
    }

    /// A person's reset: clears rests and faults, but switches no key on. What is unknown is ignored.
    pub fn reinstate(&mut self, scope: Scope, now: Timestamp) -> Changes {
        let mut changes = Changes::default();
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
        for index in 0..u32::try_from(self.tables.len()).unwrap_or(u32::MAX) {
            self.reinstate_cell(ModelId(index), project, only, changes);
        }
    }

    fn reinstate_cell(&mut self, model: ModelId, project: u32, only: Option<u32>, changes: &mut Changes) {
        let Some(table) = self.tables.get_mut(model.index()) else {
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
        for table in &mut self.tables {
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

fn billing_of(entry: &AccountEntry) -> Option<StoredBilling> {
    let spend = || {
        let until = entry.spend.resting_until()?;
        Some(StoredBilling::SpendLimited {
            until,
            rests: entry.spend.count,
        })
    };
    entry
        .no_credit
        .map(|probing| StoredBilling::NoCredit { probe_at: probing.at })
        .or_else(spend)
}

fn key_on_model_record(table: &Table, key: KeyId, rest: Option<&Rest>) -> Record {
    Record::KeyOnModel {
        key,
        model: table.name.clone(),
        until: rest.and_then(Rest::resting_until),
        rests: rest.map_or(0, |rest| rest.count),
    }
}
