//! Items of the plan that are more than a mood of the provider: people's acts, clocks and restarts.

use pool::{Changes, KeyId, Scope};

use super::{Held, World};
use crate::oracle::Verdict;
use crate::plan::Kind;

impl World<'_> {
    pub(super) fn begins(&mut self, item: usize) {
        let planned = self.plan.items[item];
        self.tell("begins", &[item as u64], || format!("{:?}", planned.kind));
        let now = self.now();
        match planned.kind {
            Kind::ClockStep { by_ms } => self.step_clock(by_ms),
            Kind::Restart { crash } => self.restart(crash),
            Kind::Paused => self.stopped_until_ms = self.stopped_until_ms.max(planned.end_ms(self.plan.horizon_ms)),
            Kind::Choosing(strategy) => self.pool.set_strategy(strategy),
            Kind::SwitchTo { secret } => {
                if let Some(key) = self.key_of(secret) {
                    self.pool.switch_to(key).unwrap();
                }
            }
            Kind::ResetAll => {
                let changes = self.pool.reinstate(Scope::All, now);
                self.oracle.reset(None);
                self.store(&changes);
            }
            Kind::ResetKey { secret } => {
                if let Some(key) = self.key_of(secret) {
                    let changes = self.pool.reinstate(Scope::Key(key), now);
                    self.oracle.reset(Some(key));
                    self.store(&changes);
                }
            }
            Kind::ResetCell { secret, model } => {
                if let Some(project) = self.key_of(secret).map(|key| self.keys[&key].key.project) {
                    let scope = Scope::Cell {
                        project,
                        model: self.models[model],
                    };
                    let changes = self.pool.reinstate(scope, now);
                    self.oracle.reset_cell(project, model, None);
                    self.store(&changes);
                }
            }
            Kind::SwitchedOff { secret } => self.switch(secret, false),
            Kind::Removed { secret } => {
                if let Some(key) = self.key_of(secret) {
                    self.pool.remove(key);
                    self.oracle.removed(key);
                    self.keys.remove(&key);
                    self.store_all();
                }
            }
            Kind::Regrouped { secret } => self.regroup(secret),
            Kind::Outage { .. }
            | Kind::Storm
            | Kind::BareRefusals { .. }
            | Kind::Invalid { .. }
            | Kind::Revoked { .. }
            | Kind::NeedsSetup { .. }
            | Kind::NoCredit { .. }
            | Kind::SpendsTooFast { .. }
            | Kind::SlowReset
            | Kind::ZeroLimit { .. }
            | Kind::ModelGone { .. }
            | Kind::RegionRefused
            | Kind::Slow { .. }
            | Kind::OddAnswers { .. }
            | Kind::BadPrompts { .. }
            | Kind::Leavers { .. }
            | Kind::Burst { .. } => {}
        }
    }

    pub(super) fn ends(&mut self, item: usize) -> Verdict {
        let planned = self.plan.items[item];
        self.tell("ends", &[item as u64], || format!("{:?}", planned.kind));
        if matches!(planned.kind, Kind::Outage { .. }) {
            self.check_outage(item)?;
        }
        if let Kind::SwitchedOff { secret } = planned.kind {
            self.switch(secret, true);
        }
        if let Kind::Removed { secret } = planned.kind
            && self.key_of(secret).is_none()
        {
            self.add_key(secret);
        }
        // Only a person brings a revoked key back.
        if let Kind::Revoked {
            secret, whole_project, ..
        } = planned.kind
        {
            for other in 0..self.plan.secrets.len() {
                if self.plan.hits(secret, whole_project, other) {
                    self.switch(other, true);
                }
            }
        }
        Ok(())
    }

    fn key_of(&self, secret: usize) -> Option<KeyId> {
        let mut keys = self.keys.iter();
        keys.find(|(_, held)| held.secret == secret).map(|(key, _)| *key)
    }

    fn switch(&mut self, secret: usize, is_enabled: bool) {
        let Some(key) = self.key_of(secret) else { return };
        let now = self.now();
        let changes: Changes = self.pool.set_enabled(key, is_enabled, now);
        self.oracle.enabled(key, is_enabled, now);
        self.store(&changes);
        if let Some(held) = self.keys.get_mut(&key) {
            held.key.enabled = is_enabled;
        }
    }

    /// An answer named the project: the key joins another key of it.
    fn regroup(&mut self, secret: usize) {
        let Some(key) = self.key_of(secret) else { return };
        let now = self.now();
        let truth = |held: &Held| self.plan.secrets[held.secret].project;
        let mine = self.keys[&key].clone();
        let sibling = self
            .keys
            .values()
            .find(|held| truth(held) == truth(&mine) && held.key.project != mine.key.project);
        if let Some(project) = sibling.map(|held| held.key.project) {
            let moved = pool::Key { project, ..mine.key };
            self.pool.upsert(moved.clone(), now);
            self.oracle.upserted(&moved);
            self.store_all();
            self.tell("regrouped", &[key.0, project.0], || {
                format!("key {key} is of project {project}")
            });
            if let Some(held) = self.keys.get_mut(&key) {
                held.key = moved;
            }
        }
    }

    pub(super) fn step_clock(&mut self, by_ms: i64) {
        let before = self.now();
        self.clock_error_ms += by_ms;
        self.oracle.clock_stepped(before, self.now());
    }
}
