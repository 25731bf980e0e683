//! Where a project stands: ready, resting until an instant, or in need of more than time.

use core::time::Duration;

use super::{Standing, Table, UNUSED};
use crate::{
    cell::Cell,
    rest::Gate,
    roster::{Class, KeyEntry, Roster},
    slots::NOWHERE,
    time::Timestamp,
};

impl Table {
    /// Looks at the projects whose instant has passed.
    pub(crate) fn wake(&mut self, roster: &mut Roster, now: Timestamp) {
        while let Some(&(at, project)) = self.due.first()
            && at <= now
        {
            self.refresh(project, roster, now);
        }
    }

    /// Decides anew where a project stands. Must follow every change of its cell, keys, project or account.
    pub(crate) fn refresh(&mut self, project: u32, roster: &mut Roster, now: Timestamp) {
        let standing = self.judge(project, roster, now);
        self.stand(project, standing);
    }

    fn judge(&mut self, project: u32, roster: &mut Roster, now: Timestamp) -> Standing {
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
        let cell = self
            .cells
            .get_mut(self.places.get(project as usize).map_or(NOWHERE, |place| place.cell));
        let cell = cell.map(|cell| {
            at = at.max(cell.settle(now).passes_at());
            &*cell
        });
        let calm = account.spend.is_open() && cell.is_none_or(Cell::is_calm);
        let only_key = match entry.keys.as_slice() {
            [key] => *key,
            _ => NOWHERE,
        };
        let mut best: Option<(Class, u32)> = None;
        let mut soonest: Option<Timestamp> = None;
        for &slot in &entry.keys {
            let Some(key) = keys.get(slot).filter(|key| key.is_sound()) else {
                continue;
            };
            let key_at = cell.map_or(Gate::Open, |cell| cell.key_gate(slot, now)).passes_at();
            if key_at <= now {
                let rank = (key.class(), key.key.number);
                best = Some(best.map_or(rank, |best| best.min(rank)));
            } else {
                soonest = Some(soonest.map_or(key_at, |soonest| soonest.min(key_at)));
            }
        }
        match (best, soonest) {
            (Some((class, number)), _) if at <= now => Standing::Ready {
                class,
                number,
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

    /// The project's place will be used again.
    pub(crate) fn forget_project(&mut self, project: u32) {
        self.stand(project, Standing::Never);
        let cell = self.cell_slot(project);
        self.cells.remove(cell);
        self.set_place(project, UNUSED);
    }

    pub(crate) fn forget_key(&mut self, project: u32, key: u32) {
        let slot = self.cell_slot(project);
        if let Some(cell) = self.cells.get_mut(slot) {
            cell.forgive_key(key);
        }
    }

    /// May this key be leased now, given that its project is ready?
    pub(crate) fn key_passes(&self, cell: u32, slot: u32, key: &KeyEntry, now: Timestamp) -> bool {
        key.is_sound()
            && match self.cells.get(cell).map_or(Gate::Open, |cell| cell.key_gate(slot, now)) {
                Gate::Open | Gate::Trial => true,
                Gate::Busy { .. } | Gate::Closed { .. } => false,
            }
    }
}
