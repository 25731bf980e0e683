//! What outlives the process.

use alloc::vec::Vec;

use super::KeyPool;
use crate::{
    cell::{Cell, Knowledge},
    key::KeyId,
    model::ModelId,
    record::{Changes, Record, StoredBilling},
    rest::Rest,
    roster::{AccountEntry, Faulty},
    table::Table,
    usage::Usage,
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
        .chain(cells().filter_map(|(table, slot, cell)| {
            let telling = table.answered || cell.is_telling() || table.usage(slot).is_some_and(Usage::is_telling);
            self.cell_record(table, slot, cell).filter(|_| telling)
        }))
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
        let (learned, learned_at) = usage.learned_at();
        Some(Record::Cell {
            project,
            model: table.name.clone(),
            rest,
            spent_until_reset,
            day_retries,
            learned,
            learned_at,
            minute: usage.stored_minute(),
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
        let table = self.tables.get(model);
        let record = table.and_then(|table| {
            let slot = table.cell_slot(project);
            self.cell_record(table, slot, table.cells.get(slot)?)
        });
        if let Some(record) = record {
            changes.record(record);
        }
    }

    pub(super) fn record_key_on_model(&self, model: ModelId, project: u32, key: u32, changes: &mut Changes) {
        let Some(table) = self.tables.get(model) else {
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
