//! One model: every project's cell, which projects are ready, and when the others return.
//!
//! Choosing must cost the same with 3 and with 100,000 keys. So ready projects lie in dense lists, one a class, and
//! each knows its place in its list; a project leaves by swapping with the last. Resting projects lie in a tree by
//! the instant at which they may return, and are looked at when that instant has passed.

mod lists;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use core::time::Duration;

use crate::{
    breaker::Breaker,
    cell::Cell,
    key::Tier,
    quota::Limits,
    rest::{Gate, Rest, Serial},
    roster::{Class, KeyEntry, Roster},
    slots::{NOWHERE, Slots},
    snapshot::Counts,
    time::Timestamp,
    usage::Usage,
};

/// A ready project in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) project: u32,
    /// Its cell, `NOWHERE` while it was never used.
    pub(crate) cell: u32,
    /// Its only key, `NOWHERE` if it has several.
    pub(crate) key: u32,
    /// No trial is due, of the cell, the key or the account: a lease has nothing to look at but the usage.
    pub(crate) calm: bool,
}

/// Where a project stands in the order that `sticky` follows: class, number of its first usable key, project.
pub(crate) type Rank = (Class, u32, u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Ready {
        class: Class,
        number: u32,
        spot: u32,
        /// When another key of the project may come to stand before: `Timestamp::MAX` for never.
        review_at: Timestamp,
        /// As in [`Spot`].
        key: u32,
        calm: bool,
    },
    /// At this instant it may be ready.
    Later(Timestamp),
    /// Time alone does not help.
    Never,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    standing: Standing,
    cell: u32,
}

const UNUSED: Place = Place {
    standing: Standing::Never,
    cell: NOWHERE,
};

/// Counts are worth keeping: an exhausted pool is asked over and over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeptCounts {
    pub(crate) revision: u64,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) counts: Counts,
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) cells: Slots<Cell>,
    /// In the places of `cells`.
    usages: Vec<Usage>,
    pub(crate) hidden: Rest,
    pub(crate) breaker: Breaker,
    pub(crate) empty_answers: u64,
    /// The provider is known to have this model: it answered, or it counted a quota.
    pub(crate) in_use: bool,
    pub(crate) kept: Option<KeptCounts>,
    configured_free: Limits,
    configured_paid: Limits,
    places: Vec<Place>,
    ready: BTreeMap<Class, Vec<Spot>>,
    /// Kept only for a strategy that follows an order.
    order: Option<BTreeSet<Rank>>,
    due: BTreeSet<(Timestamp, u32)>,
}

impl Table {
    pub(crate) fn new(name: String, ordered: bool) -> Self {
        Self {
            name,
            cells: Slots::new(),
            usages: Vec::new(),
            hidden: Rest::default(),
            breaker: Breaker::default(),
            empty_answers: 0,
            in_use: false,
            kept: None,
            configured_free: Limits::default(),
            configured_paid: Limits::default(),
            places: Vec::new(),
            ready: BTreeMap::new(),
            order: ordered.then(BTreeSet::new),
            due: BTreeSet::new(),
        }
    }

    pub(crate) const fn configured(&self, tier: Tier) -> Limits {
        match tier {
            Tier::Free => self.configured_free,
            Tier::Paid => self.configured_paid,
        }
    }

    pub(crate) const fn configure(&mut self, tier: Tier, limits: Limits) {
        match tier {
            Tier::Free => self.configured_free = limits,
            Tier::Paid => self.configured_paid = limits,
        }
    }

    pub(crate) const fn ready(&self) -> &BTreeMap<Class, Vec<Spot>> {
        &self.ready
    }

    pub(crate) const fn order(&self) -> Option<&BTreeSet<Rank>> {
        self.order.as_ref()
    }

    pub(crate) const fn due(&self) -> &BTreeSet<(Timestamp, u32)> {
        &self.due
    }

    /// The project's spot if it is ready.
    pub(crate) fn spot(&self, project: u32) -> Option<Spot> {
        let place = self.place(project);
        match place.standing {
            Standing::Ready { key, calm, .. } => Some(Spot {
                project,
                cell: place.cell,
                key,
                calm,
            }),
            Standing::Later(_) | Standing::Never => None,
        }
    }

    pub(crate) fn standing(&self, project: u32) -> Standing {
        self.place(project).standing
    }

    pub(crate) fn cell_slot(&self, project: u32) -> u32 {
        self.place(project).cell
    }

    pub(crate) fn cell_of(&self, project: u32) -> Option<&Cell> {
        self.cells.get(self.cell_slot(project))
    }

    /// The project's cell, made on first use.
    pub(crate) fn cell_or_new(&mut self, project: u32, newest_call: Serial) -> u32 {
        let slot = self.cell_slot(project);
        if slot != NOWHERE {
            return slot;
        }
        let cell = self.cells.insert(Cell::new(project));
        self.set_usage(cell, Usage::new(project, newest_call));
        let place = self.place(project);
        self.set_place(project, Place { cell, ..place });
        if let Standing::Ready { class, spot, .. } = place.standing
            && let Some(spot) = self
                .ready
                .get_mut(&class)
                .and_then(|spots| spots.get_mut(spot as usize))
        {
            spot.cell = cell;
        }
        cell
    }

    pub(crate) fn usage(&self, cell: u32) -> Option<&Usage> {
        self.usages.get(cell as usize)
    }

    pub(crate) fn usage_mut(&mut self, cell: u32) -> Option<&mut Usage> {
        self.usages.get_mut(cell as usize)
    }

    pub(crate) fn cell_and_usage_mut(&mut self, cell: u32) -> Option<(&mut Cell, &mut Usage)> {
        Some((self.cells.get_mut(cell)?, self.usages.get_mut(cell as usize)?))
    }

    fn set_usage(&mut self, cell: u32, usage: Usage) {
        match self.usages.get_mut(cell as usize) {
            Some(old) => *old = usage,
            // The cells and their usages grow together.
            None => self.usages.push(usage),
        }
    }

    fn place(&self, project: u32) -> Place {
        self.places.get(project as usize).copied().unwrap_or(UNUSED)
    }

    fn set_place(&mut self, project: u32, place: Place) {
        let index = project as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, UNUSED);
        }
        if let Some(old) = self.places.get_mut(index) {
            *old = place;
        }
    }

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
