//! Taking in what was stored before a restart.

use alloc::vec::Vec;

use super::{KeyPool, STEP_NOTICED_AT_START, probes::Target};
use crate::{
    cell::{KeyRest, Knowledge},
    key::{AccountId, KeyId, ProjectId},
    record::{Record, StoredBilling, StoredFault},
    rest::Rest,
    roster::{Faulty, Probing},
    table::Table,
    time::Timestamp,
};

impl KeyPool {
    /// Takes in stored records after the keys were upserted. Records about unknown keys or past instants are ignored, and
    /// nothing already known is shortened.
    pub fn restore(&mut self, records: Vec<Record>, now: Timestamp) {
        self.tick(now);
        for record in records {
            self.restore_one(record, now);
        }
        // The clock may have been set right while the process was away.
        self.step_back(now, STEP_NOTICED_AT_START);
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
        self.tables.get_mut(model)
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
            learned_at,
            minute,
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
        table.answered |= requests_today > 0;
        let Some((cell, usage)) = table.cell_and_usage_mut(slot) else {
            return;
        };
        usage.recall(learned, learned_at.min(now));
        if let Some(minute) = minute {
            usage.resume_minute(minute, now);
        }
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
        table.forget_score(project);
    }
}
