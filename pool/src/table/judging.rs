//! Where a project stands: ready, resting until an instant, or in need of more than time.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Standing, Table, UNUSED};
use crate::{
    cell::Cell,
    quota::Limits,
    rest::Gate,
    roster::{Class, KeyEntry, Roster},
    slots::NOWHERE,
    time::Timestamp,
};

impl Table {
    /// Looks at the projects whose instant has passed.
    pub(crate) fn wake(&mut self, roster: &mut Roster, now: Timestamp, day_end: Timestamp) {
        while let Some(&(at, project)) = self.due.first()
            && at <= now
        {
            self.refresh(project, roster, now, day_end);
        }
    }

    /// Decides anew where a project stands. Must follow every change of its cell, keys, project or account, and of its
    /// usage where that may leave no room, or some again.
    pub(crate) fn refresh(&mut self, project: u32, roster: &mut Roster, now: Timestamp, day_end: Timestamp) {
        let standing = self.judge(project, roster, now, day_end);
        self.stand(project, standing);
        self.index_project(project, roster, now);
    }

    fn judge(&mut self, project: u32, roster: &mut Roster, now: Timestamp, day_end: Timestamp) -> Standing {
        let Roster {
            keys,
            projects,
            accounts,
            ..
        } = roster;
        let Some(entry) = projects.get(project) else {
            return Standing::Never;
        };
        let Some(account) = accounts.get(entry.account) else {
            return Standing::Never;
        };
        if entry.fault.is_some() || account.no_credit.is_some() {
            return Standing::Never;
        }
        // An account is settled for all tables at once, by the pool: here a rest lasts until that has happened.
        let mut at = account.spend.due();
        if at > Timestamp::EPOCH {
            at = at.max(now.plus(Duration::from_millis(1)));
        }
        let tier = entry.tier(keys);
        let cell_slot = self.cell_slot(project);
        let limits = self
            .usage(cell_slot)
            .map_or(self.configured(tier), |usage| self.limits(usage, tier, now));
        if let Some(usage) = self.usages.get_mut(cell_slot as usize) {
            usage.limited = limits != Limits::default();
            usage.tier = tier;
            at = at.max(usage.room_at(&limits, now, day_end));
        }
        let cell = self.cells.get_mut(cell_slot).map(|cell| {
            at = at.max(cell.settle(now).passes_at());
            &*cell
        });
        // Whether a call's tokens fit depends on the call.
        let counts_tokens = limits.tokens_per_minute.is_some() || limits.tokens_per_day.is_some();
        let calm = account.spend.is_open() && cell.is_none_or(Cell::is_calm) && !counts_tokens;
        let only_key = match entry.keys.as_slice() {
            [key] => *key,
            _ => NOWHERE,
        };
        let mut best: Option<Class> = None;
        let mut soonest: Option<Timestamp> = None;
        for &slot in &entry.keys {
            let Some(key) = keys.get(slot).filter(|key| key.is_sound()) else {
                continue;
            };
            let rested_at = cell.map_or(Gate::Open, |cell| cell.key_gate(slot, now)).passes_at();
            let key_at = rested_at.max(key.paced_until(now));
            if key_at <= now {
                best = Some(best.map_or(key.class(), |best| best.min(key.class())));
            } else {
                soonest = Some(soonest.map_or(key_at, |soonest| soonest.min(key_at)));
            }
        }
        match (best, soonest) {
            (Some(class), _) if at <= now => Standing::Ready {
                class,
                spot: NOWHERE,
                review_at: soonest.unwrap_or(Timestamp::MAX),
                key: only_key,
                calm,
            },
            (Some(_), _) => Standing::Later(at),
            (None, Some(soonest)) => Standing::Later(at.max(soonest)),
            (None, None) => Standing::Never,
        }
    }

    /// Ends the rests that follow from our own count where the limits leave room now. Returns their projects.
    pub(crate) fn free_counted(&mut self, roster: &Roster, now: Timestamp, day_end: Timestamp) -> Vec<u32> {
        let counted = self.cells.iter().filter(|(_, cell)| cell.by_count);
        let has_room = |slot: u32, project: u32| {
            self.usage(slot).is_some_and(|usage| {
                let limits = self.limits(usage, roster.tier(project), now);
                !usage.is_day_spent(&limits, day_end)
            })
        };
        let freed: Vec<(u32, u32)> = counted
            .map(|(slot, cell)| (slot, cell.project))
            .filter(|&(slot, project)| has_room(slot, project))
            .collect();
        for (slot, _) in &freed {
            if let Some(cell) = self.cells.get_mut(*slot) {
                cell.reinstate();
                cell.by_count = false;
            }
        }
        freed.into_iter().map(|(_, project)| project).collect()
    }

    /// The project's place will be used again.
    pub(crate) fn forget_project(&mut self, project: u32) {
        self.stand(project, Standing::Never);
        let cell = self.cell_slot(project);
        self.cells.remove(cell);
        self.set_place(project, UNUSED);
    }

    pub(crate) fn forget_key(&mut self, project: u32, key: u32) {
        self.unindex_key(key);
        let slot = self.cell_slot(project);
        if let Some(cell) = self.cells.get_mut(slot) {
            cell.forgive_key(key);
        }
    }

    /// When a call of so many tokens has room in a cell that is ready: the epoch if now, [`Timestamp::MAX`] if a call under
    /// way must end first.
    pub(crate) fn fits_at(&self, cell: u32, tokens: u64, now: Timestamp, day_end: Timestamp) -> Timestamp {
        self.usage(cell).map_or(Timestamp::EPOCH, |usage| {
            usage.fits_at(tokens, &self.limits(usage, usage.tier, now), now, day_end)
        })
    }

    /// When this key may be leased, given that its project is ready and the key is sound.
    pub(crate) fn key_passes_at(&self, cell: u32, slot: u32, key: &KeyEntry, now: Timestamp) -> Timestamp {
        let gate = self.cells.get(cell).map_or(Gate::Open, |cell| cell.key_gate(slot, now));
        gate.passes_at().max(key.paced_until(now))
    }

    /// May this key be leased now, given that its project is ready?
    pub(crate) fn key_passes(&self, cell: u32, slot: u32, key: &KeyEntry, now: Timestamp) -> bool {
        key.is_sound() && self.key_passes_at(cell, slot, key, now) <= now
    }
}
