//! A new process with the same keys and what was stored.

use pool::{KeyPool, Policy, Record};

use super::{World, next_reset};
use crate::plan::{MODELS, SECOND_MS};

/// Out of work for so long.
const DOWN_MS: u64 = 3 * SECOND_MS;

impl World<'_> {
    /// `crash`: nothing is stored but what reports asked for.
    pub(super) fn restart(&mut self, crash: bool) {
        self.figures.restarts += 1;
        if !crash {
            self.store_all();
        }
        self.requests.clear();
        self.calls.clear();
        self.probes.clear();
        let strategy = self.pool.strategy();
        self.pool = KeyPool::new(Policy::default(), strategy, next_reset);
        self.models = MODELS.map(|name| self.pool.model(name).unwrap());
        self.set_limits();
        let now = self.now();
        for held in self.keys.values() {
            self.pool.upsert(held.key.clone(), now);
        }
        self.pool.restore(self.stored.values().cloned().collect(), now);
        self.oracle.restarted(now, crash);
        self.stopped_until_ms = self.stopped_until_ms.max(self.at_ms + DOWN_MS);
    }

    /// As at a shutdown, and after a change that says nothing of what it changed.
    pub(super) fn store_all(&mut self) {
        let records = self.pool.records().into_iter();
        self.stored = records.map(|record| (subject(&record), record)).collect();
    }
}

/// A newer record about the same subject replaces an older one.
pub(super) fn subject(record: &Record) -> String {
    match record {
        Record::Key { key, .. } => format!("key {key}"),
        Record::Project { project, .. } => format!("project {project}"),
        Record::Account { account, .. } => format!("account {account}"),
        Record::Cell { project, model, .. } => format!("cell {project} {model}"),
        Record::KeyOnModel { key, model, .. } => format!("key {key} on {model}"),
        Record::Model { model, .. } => format!("model {model}"),
    }
}
