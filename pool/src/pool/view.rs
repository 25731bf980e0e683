//! The pool as others see it.

use alloc::{string::ToString as _, vec::Vec};
use core::time::Duration;

use super::KeyPool;
use crate::{
    key::KeyState,
    model::ModelId,
    rest::Gate,
    roster::KeyEntry,
    snapshot::{CellState, CellView, Counts, KeyView, ModelView, Snapshot, Verdict},
    table::{KeptCounts, Table},
    time::Timestamp,
};

/// Some counts move without a change of what is ready: a spent key of an account that rests longer, say.
const COUNTS_KEPT: Duration = Duration::from_secs(1);

const MINUTE: Duration = Duration::from_secs(60);
const PROJECTS_COUNTED_MAX: usize = 1_000;

impl KeyPool {
    /// The soonest instant at which anything changes by time alone. Sleep until then; looking earlier is harmless.
    #[must_use]
    pub fn next_ready(&self, now: Timestamp) -> Option<Timestamp> {
        let cells = self
            .tables
            .iter()
            .map(|table| table.next_due(now))
            .filter(|at| *at < Timestamp::MAX);
        let gates = self
            .tables
            .iter()
            .flat_map(|table| [table.hidden.gate(now), table.breaker.rest.gate(now)]);
        let gates = gates
            .chain([self.provider.rest.gate(now)])
            .map(Gate::passes_at)
            .filter(|at| *at > now);
        cells.chain(gates).chain(self.next_probe(now)).min()
    }

    /// The state of the keys for one model, or over all models in use. Of one model the counts are kept and may be a
    /// second old, so asking after every call costs nothing while nothing changes.
    #[must_use]
    pub fn verdict(&mut self, model: Option<ModelId>, now: Timestamp) -> (Verdict, Counts) {
        let Some(model) = model else {
            return self.verdict_of_all(now);
        };
        let counts = self.kept_counts(model, now);
        (judge(&counts, self.refuses(model, now)), counts)
    }

    fn verdict_of_all(&self, now: Timestamp) -> (Verdict, Counts) {
        let counts = self.count(None, now);
        (judge(&counts, self.refuses_all(now)), counts)
    }

    pub(super) fn refuses(&self, model: ModelId, now: Timestamp) -> bool {
        is_shut(self.provider.rest.gate(now)) || self.tables.get(model).is_none_or(|table| is_refused(table, now))
    }

    fn refuses_all(&self, now: Timestamp) -> bool {
        let mut in_use = self.tables.iter().filter(|table| table.in_use).peekable();
        let known = in_use.peek().is_some();
        is_shut(self.provider.rest.gate(now)) || (known && in_use.all(|table| is_refused(table, now)))
    }

    /// The model's counts, kept until something changes or a second has passed: counting looks at every key.
    pub(super) fn kept_counts(&mut self, model: ModelId, now: Timestamp) -> Counts {
        if let Some(counts) = self.counts_in_store(model, now) {
            return counts;
        }
        let counts = self.count(Some(model), now);
        let revision = self.revision;
        if let Some(table) = self.tables.get_mut(model) {
            table.kept = Some(KeptCounts {
                revision,
                from: now,
                until: table.next_due(now).min(now.plus(COUNTS_KEPT)),
                counts,
            });
        }
        counts
    }

    /// As [`kept_counts`](Self::kept_counts), but keeps nothing.
    pub(super) fn counts_for(&self, model: ModelId, now: Timestamp) -> Counts {
        self.counts_in_store(model, now)
            .unwrap_or_else(|| self.count(Some(model), now))
    }

    fn counts_in_store(&self, model: ModelId, now: Timestamp) -> Option<Counts> {
        let kept = self.tables.get(model)?.kept?;
        (kept.revision == self.revision && kept.from <= now && now < kept.until).then_some(kept.counts)
    }

    fn count(&self, model: Option<ModelId>, now: Timestamp) -> Counts {
        let tables: Vec<&Table> = match model {
            Some(model) => self.tables.get(model).into_iter().collect(),
            None => self.tables.iter().filter(|table| table.in_use).collect(),
        };
        let mut counts = Counts::default();
        for (slot, key) in self.roster.keys.iter() {
            counts.total += 1;
            *self.count_for(slot, key, &tables, &mut counts, now) += 1;
        }
        counts
    }

    fn count_for<'a>(
        &self,
        slot: u32,
        key: &KeyEntry,
        tables: &[&Table],
        counts: &'a mut Counts,
        now: Timestamp,
    ) -> &'a mut u32 {
        let state = self.roster.state(key, now);
        match state {
            KeyState::Disabled => &mut counts.disabled,
            KeyState::Revoked => &mut counts.revoked,
            KeyState::Invalid { .. } => &mut counts.invalid,
            KeyState::NeedsSetup { .. } => &mut counts.needs_setup,
            KeyState::Suspect { .. } => &mut counts.suspect,
            KeyState::NoCredit { .. } => &mut counts.no_credit,
            KeyState::SpendLimited { .. } | KeyState::Ready => {
                let best = tables
                    .iter()
                    .map(|table| self.cell_state(slot, key, table, now))
                    .min_by_key(|state| rank(*state));
                let limited = matches!(state, KeyState::SpendLimited { .. });
                match best.unwrap_or(CellState::Ready) {
                    CellState::Exhausted { .. } => &mut counts.spent,
                    CellState::NotEntitled { .. } => &mut counts.not_entitled,
                    CellState::Cooling { .. } => &mut counts.cooling,
                    CellState::Ready | CellState::Trial | CellState::Busy if limited => &mut counts.cooling,
                    CellState::Busy => &mut counts.busy,
                    CellState::Ready | CellState::Trial => &mut counts.available,
                }
            }
        }
    }

    /// The key's sight of the model; a trial of its account is a trial of all its cells.
    fn cell_state(&self, slot: u32, key: &KeyEntry, table: &Table, now: Timestamp) -> CellState {
        let state = table
            .cell_of(key.project)
            .map_or(CellState::Ready, |cell| cell.state(slot, now));
        let state = match state {
            CellState::Ready | CellState::Trial => self.without_room(key, table, now).unwrap_or(state),
            CellState::Busy
            | CellState::Cooling { .. }
            | CellState::Exhausted { .. }
            | CellState::NotEntitled { .. } => state,
        };
        let account = self
            .roster
            .projects
            .get(key.project)
            .and_then(|project| self.roster.accounts.get(project.account));
        let gate = account.map_or(Gate::Open, |account| account.spend.gate(now));
        match (state, gate) {
            (CellState::Ready | CellState::Trial, Gate::Busy { .. }) => CellState::Busy,
            (CellState::Ready, Gate::Trial) => CellState::Trial,
            (
                CellState::Ready
                | CellState::Trial
                | CellState::Busy
                | CellState::Cooling { .. }
                | CellState::Exhausted { .. }
                | CellState::NotEntitled { .. },
                Gate::Open | Gate::Trial | Gate::Busy { .. } | Gate::Closed { .. },
            ) => state,
        }
    }

    /// What a cell is that nothing speaks against but its own limits or the key's pace; `None` when a call has room.
    fn without_room(&self, key: &KeyEntry, table: &Table, now: Timestamp) -> Option<CellState> {
        let day_end = self.day_end_at(now);
        let usage = table.usage(table.cell_slot(key.project));
        if usage.is_some_and(|usage| usage.tested_until() > now) {
            return Some(CellState::Busy);
        }
        let room_at = usage.map_or(Timestamp::EPOCH, |usage| {
            let limits = table.limits(usage, self.roster.tier(key.project), now);
            usage.room_at(&limits, now, day_end)
        });
        if room_at == Timestamp::MAX {
            Some(CellState::Busy)
        } else if room_at > now && room_at >= day_end {
            Some(CellState::Exhausted { until: room_at })
        } else if room_at > now {
            Some(CellState::Cooling { until: room_at })
        } else {
            // For a fraction of a second, mostly.
            (key.paced_until(now) > now).then_some(CellState::Busy)
        }
    }

    /// How many calls of the model fit into a minute over all projects; `None` where some project has no known limit, or so
    /// many projects are there that a line is no matter of minutes.
    #[must_use]
    pub fn calls_per_minute(&self, model: ModelId, now: Timestamp) -> Option<u64> {
        let table = self.tables.get(model)?;
        let live = || {
            self.roster
                .projects
                .iter()
                .filter(|(_, entry)| self.roster.is_live(entry))
        };
        if live().nth(PROJECTS_COUNTED_MAX).is_some() {
            return None;
        }
        let mut calls = 0_u64;
        for (project, _) in live() {
            let tier = self.roster.tier(project);
            let usage = table.usage(table.cell_slot(project));
            let limits = usage.map_or_else(|| table.configured(tier), |usage| table.limits(usage, tier, now));
            // A day that is over gives nothing, however many a minute would allow.
            let rests_on = table
                .cell_of(project)
                .is_some_and(|cell| !cell.serves_within(now, MINUTE));
            if !rests_on {
                calls = calls.saturating_add(limits.requests_per_minute?);
            }
        }
        (calls > 0).then_some(calls)
    }

    /// Everything there is to see.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        let mut tables: Vec<&Table> = self.tables.iter().collect();
        tables.sort_by_key(|table| table.id);
        let mut keys: Vec<KeyView> = self
            .roster
            .keys
            .iter()
            .map(|(slot, key)| self.key_view(slot, key, &tables, now))
            .collect();
        keys.sort_by_key(|view| (view.key.number, view.key.id));
        let (verdict, counts) = self.verdict_of_all(now);
        Snapshot {
            keys,
            models: tables.iter().map(|table| model_view(table, now)).collect(),
            strategy: self.strategy,
            current: self
                .current
                .map(|current| current.key)
                .filter(|key| self.roster.key_slot(*key).is_some()),
            verdict,
            counts,
            provider: self.provider.rest.gate(now).view(),
            region_refused_since: self.region_refused_since,
            next_reset: self.day_end_at(now),
        }
    }

    fn key_view(&self, slot: u32, key: &KeyEntry, tables: &[&Table], now: Timestamp) -> KeyView {
        KeyView {
            key: key.key.clone(),
            state: self.roster.state(key, now),
            cells: tables
                .iter()
                .filter_map(|table| self.cell_view(slot, key, table, now))
                .collect(),
            requests: key.requests,
            successes: key.successes,
            failures: key.failures,
            last_success: key.last_success.unless_epoch(),
        }
    }

    fn cell_view(&self, slot: u32, key: &KeyEntry, table: &Table, now: Timestamp) -> Option<CellView> {
        let usage = table.usage(table.cell_slot(key.project))?;
        let limits = table.limits(usage, self.roster.tier(key.project), now);
        let used = usage.used(now, self.day_end_at(now));
        let state = self.cell_state(slot, key, table, now);
        if !table.answered && state == CellState::Ready && !usage.is_telling() {
            return None;
        }
        Some(CellView {
            model: table.name.to_string(),
            state,
            in_flight: usage.in_flight,
            used,
            limits,
            headroom_ppm: usage.headroom_ppm(&limits, &used),
            success_permille: usage.success_permille,
            last_success: usage.last_success(),
        })
    }
}

const fn is_shut(gate: Gate) -> bool {
    match gate {
        Gate::Open | Gate::Trial => false,
        Gate::Busy { .. } | Gate::Closed { .. } => true,
    }
}

fn is_refused(table: &Table, now: Timestamp) -> bool {
    is_shut(table.hidden.gate(now)) || is_shut(table.breaker.rest.gate(now))
}

/// The better a state, the smaller.
const fn rank(state: CellState) -> u8 {
    match state {
        CellState::Ready | CellState::Trial => 0,
        CellState::Busy => 1,
        CellState::Cooling { .. } => 2,
        CellState::Exhausted { .. } => 3,
        CellState::NotEntitled { .. } => 4,
    }
}

fn model_view(table: &Table, now: Timestamp) -> ModelView {
    ModelView {
        model: table.name.clone(),
        hidden: table.hidden.gate(now).view(),
        breaker: table.breaker.rest.gate(now).view(),
        empty_answers: table.empty_answers,
    }
}

/// `refused`: the model or the provider is refused whatever the key.
pub(super) const fn judge(counts: &Counts, refused: bool) -> Verdict {
    let dead = counts.invalid + counts.revoked + counts.disabled;
    let beside_spent = counts.not_entitled + counts.disabled;
    if counts.total == 0 {
        Verdict::NoKeys
    } else if dead == counts.total {
        Verdict::AllInvalid
    } else if counts.spent > 0 && counts.spent + beside_spent == counts.total {
        Verdict::AllSpent
    } else if refused {
        Verdict::ProviderDown
    } else if counts.available > 0 {
        Verdict::Serving
    } else if counts.spent > 0 {
        Verdict::PartlySpent
    } else {
        Verdict::Mixed
    }
}
