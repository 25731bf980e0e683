//! Failures that may be no key's fault: of a model, or of the whole provider.

use super::{Call, KeyPool, cell_of};
use crate::{
    breaker::{Meaning, Refusal},
    pool::Reach,
    record::{Changes, Notice, Record},
    time::Timestamp,
};

impl KeyPool {
    pub(super) fn bare_429(&mut self, call: &Call<'_>, changes: &mut Changes) -> Reach {
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
            model: call.lease.facts.model,
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

    fn rest_key_on_model(&mut self, call: &Call<'_>, changes: &mut Changes) -> Reach {
        let newest = self.serial;
        // The key may have moved to another project since.
        if self
            .key_of(call)
            .is_none_or(|key| key.project != call.lease.project_slot)
        {
            return Reach::Nothing;
        }
        let Some(table) = self.tables.get_mut(call.lease.facts.model) else {
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
        let Some(table) = self.tables.get_mut(refusal.model) else {
            return;
        };
        let cell = table.cell_slot(refusal.project);
        if table
            .cells
            .get_mut(cell)
            .is_some_and(|cell| cell.forgive_key(refusal.key))
        {
            self.record_key_on_model(refusal.model, refusal.project, refusal.key, changes);
            self.refresh(Reach::Cell(refusal.project), refusal.model, now);
        }
    }

    pub(super) fn model_gone(&mut self, call: &Call<'_>, changes: &mut Changes) -> Reach {
        let until = call.now.plus(self.policy.model_hidden);
        let Some(table) = self.tables.get_mut(call.lease.facts.model) else {
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

    pub(super) fn provider_failed(&mut self, call: &Call<'_>, changes: &mut Changes) -> Reach {
        let Some(table) = self.tables.get_mut(call.lease.facts.model) else {
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
}
