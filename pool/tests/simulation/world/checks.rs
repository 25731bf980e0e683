//! The pool's own numbers against the oracle's.

use std::collections::BTreeMap;

use pool::{Changes, GateState, KeyState, ProjectId, Snapshot, Timestamp};

use super::{World, ms};
use crate::oracle::Verdict;
use crate::plan::{MINUTE_MS, MODELS, SECOND_MS};
use crate::story::Violation;

impl World<'_> {
    /// What is under way, and what was charged today.
    pub(super) fn check_counts(&self) -> Verdict {
        let now = self.now();
        let snapshot = self.pool.snapshot(now);
        for view in &snapshot.keys {
            for cell in &view.cells {
                let model = MODELS.iter().position(|name| *name == cell.model).unwrap();
                let expected = self.oracle.in_flight(view.key.project, model);
                if cell.in_flight != expected {
                    return Err(Violation::new(
                        "no reservation is lost or leaked",
                        format!(
                            "project {} has {} calls to model {model} under way, the pool counts {}",
                            view.key.project, expected, cell.in_flight
                        ),
                    ));
                }
                let charged = self.oracle.charged(view.key.project, model, now);
                if let Some(charged) = charged.filter(|charged| *charged != cell.used.requests_today) {
                    return Err(Violation::new(
                        "the day's count is the number of charged calls",
                        format!(
                            "project {} was charged {charged} calls to model {model} today, the pool counts {}",
                            view.key.project, cell.used.requests_today
                        ),
                    ));
                }
            }
        }
        self.check_no_rest_is_too_long(&snapshot, now)
    }

    /// Liveness while faults go on: what rests for a time never rests longer than promised.
    fn check_no_rest_is_too_long(&self, snapshot: &Snapshot, now: Timestamp) -> Verdict {
        let too_long = |what: String| Err(Violation::new("no rest is longer than promised", what));
        if is_closed(snapshot.provider) && self.oracle.is_storm_over(now) {
            return too_long(format!("the provider: {:?}", snapshot.provider));
        }
        for (model, name) in MODELS.into_iter().enumerate() {
            let Some(view) = snapshot.models.iter().find(|view| view.model == name) else {
                continue;
            };
            let (is_found, is_working) = self.oracle.is_model_over(model, now);
            if (is_closed(view.hidden) && is_found) || (is_closed(view.breaker) && is_working) {
                return too_long(format!("{view:?}"));
            }
            for view in &snapshot.keys {
                let (key, project) = (view.key.id, view.key.project);
                let (is_account_over, is_cell_over) = self.oracle.is_key_over(key, model, now);
                if matches!(view.state, KeyState::SpendLimited { .. }) && is_account_over {
                    return too_long(format!("key {key}: {:?}", view.state));
                }
                // Known limits without room are no rest.
                let has_room = self.oracle.charged(project, model, now).is_some()
                    && self.oracle.in_flight(project, model) == 0
                    && self.oracle.last_used(project, model).plus(ms(MINUTE_MS + SECOND_MS)) <= now
                    && !self.is_day_full(project, key, model);
                let cell = view.cells.iter().find(|cell| cell.model == name);
                if let Some(until) = cell.and_then(|cell| cell.state.until())
                    && has_room
                    && is_cell_over
                {
                    return too_long(format!("key {key} on {name} until {until:?}"));
                }
            }
        }
        Ok(())
    }

    /// After the last answer nothing may be reserved.
    pub(super) fn check_nothing_is_under_way(&self) -> Verdict {
        let snapshot = self.pool.snapshot(self.now());
        let mut cells = snapshot.keys.iter().flat_map(|view| &view.cells);
        match cells.find(|cell| cell.in_flight > 0) {
            Some(cell) => Err(Violation::new(
                "no reservation is lost or leaked",
                format!("nothing is under way, yet {} calls are reserved", cell.in_flight),
            )),
            None => Ok(()),
        }
    }

    /// After an answer that tells nothing of the key: no key and no cell is worse off than before.
    pub(super) fn check_nobody_is_blamed(&self, before: &Snapshot, changes: &Changes) -> Verdict {
        let broken = |what: String| Err(Violation::new("a bad prompt blames nobody", what));
        if !changes.is_empty() {
            return broken(format!("{changes:?}"));
        }
        let after = self.pool.snapshot(self.now());
        let rests = |snapshot: &Snapshot| -> BTreeMap<(u64, String), Option<Timestamp>> {
            let cells = snapshot.keys.iter().flat_map(|view| {
                let cells = view.cells.iter();
                cells.map(|cell| ((view.key.id.0, cell.model.clone()), cell.state.until()))
            });
            cells.collect()
        };
        let (rested, rests) = (rests(before), rests(&after));
        // What was reserved for the call is free again, so a full minute may have room.
        let longer = rests
            .iter()
            .find(|(cell, until)| **until > rested.get(*cell).copied().flatten());
        if let Some((cell, until)) = longer {
            return broken(format!("{cell:?} rests until {until:?}"));
        }
        let states = |snapshot: &Snapshot| -> Vec<KeyState> { snapshot.keys.iter().map(|view| view.state).collect() };
        if states(before) != states(&after) {
            return broken(format!("{:?} became {:?}", states(before), states(&after)));
        }
        Ok(())
    }

    /// The day is used up as far as anybody can know it.
    pub(super) fn is_day_full(&self, project: ProjectId, key: pool::KeyId, model: usize) -> bool {
        let held = &self.keys[&key];
        let truth = self.plan.secrets[held.secret].project;
        let used = self.provider.used_today(truth, model, self.at_ms);
        // Where a clock or a crash blurred the count, the pool's own word must do.
        let counted = self.oracle.charged(project, model, self.now()).unwrap_or_else(|| {
            let snapshot = self.pool.snapshot(self.now());
            let mut views = snapshot
                .keys
                .iter()
                .filter(|view| view.key.id == key)
                .flat_map(|view| &view.cells);
            let cell = views.find(|cell| cell.model == MODELS[model]);
            cell.map_or(0, |cell| cell.used.requests_today)
        });
        self.day_limit(key, model)
            .is_some_and(|limit| used >= limit || counted >= limit)
    }
}

const fn is_closed(gate: GateState) -> bool {
    matches!(gate, GateState::Closed { .. })
}
