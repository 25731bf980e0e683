//! One model: every project's cell, which projects are ready, and when the others return.
//!
//! Choosing must cost the same with 3 and with 100,000 keys. So ready projects lie in dense lists, one a class, and
//! each knows its place in its list; a project leaves by swapping with the last. Resting projects lie in a tree by
//! the instant at which they may return, and are looked at when that instant has passed.

mod index;
mod judging;
mod lists;
mod order;
mod score;
mod weights;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use core::time::Duration;

use index::Index;
pub(crate) use index::IndexKind;
pub(crate) use order::Order;
use order::Turns;
pub(crate) use score::{Merit, Reading, Score};
pub(crate) use weights::{Drawn, Urn, Weights};

use crate::{
    breaker::Breaker,
    budget::Budget,
    cell::{Cell, Longest},
    key::Tier,
    model::ModelId,
    quota::Limits,
    rest::{Rest, Serial},
    roster::Class,
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
    pub(crate) score: Score,
}

const _: () = assert!(size_of::<Spot>() == 20, "choosing is as fast as this is small");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Ready {
        class: Class,
        spot: u32,
        /// When another key of the project may come to stand before: `Timestamp::MAX` for never.
        review_at: Timestamp,
        /// As in [`Spot`].
        key: u32,
        /// As in [`Score`].
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
    pub(crate) id: ModelId,
    pub(crate) name: String,
    pub(crate) cells: Slots<Cell>,
    /// In the places of `cells`.
    usages: Vec<Usage>,
    pub(crate) hidden: Rest,
    pub(crate) breaker: Breaker,
    pub(crate) budget: Budget,
    pub(crate) empty_answers: u64,
    /// The provider is known to have this model: it answered, or it counted a quota.
    pub(crate) in_use: bool,
    /// The provider charged a call: there is such a model.
    pub(crate) answered: bool,
    /// Leases that are not reported.
    pub(crate) leases: u32,
    pub(crate) kept: Option<KeptCounts>,
    named_in_limits: bool,
    configured_free: Limits,
    configured_paid: Limits,
    places: Vec<Place>,
    ready: BTreeMap<Class, Vec<Spot>>,
    index: Index,
    turns: Turns,
    due: BTreeSet<(Timestamp, u32)>,
}

impl Table {
    pub(crate) fn new(id: ModelId, name: String, index: IndexKind) -> Self {
        Self {
            id,
            name,
            cells: Slots::new(),
            usages: Vec::new(),
            hidden: Rest::default(),
            breaker: Breaker::default(),
            budget: Budget::new(),
            empty_answers: 0,
            in_use: false,
            answered: false,
            leases: 0,
            kept: None,
            named_in_limits: false,
            configured_free: Limits::default(),
            configured_paid: Limits::default(),
            places: Vec::new(),
            ready: BTreeMap::new(),
            index: Index::new(index),
            turns: Turns::default(),
            due: BTreeSet::new(),
        }
    }

    /// What holds for a cell: limits that answers named before those that a person configured.
    pub(crate) fn limits(&self, usage: &Usage, tier: Tier, now: Timestamp) -> Limits {
        usage.learned(now).or(self.configured(tier))
    }

    pub(crate) const fn configured(&self, tier: Tier) -> Limits {
        match tier {
            Tier::Free => self.configured_free,
            Tier::Paid => self.configured_paid,
        }
    }

    /// `by_name`: a person named this very model, so it exists.
    pub(crate) fn configure(&mut self, tier: Tier, limits: Limits, by_name: bool) {
        self.forget_scores();
        self.named_in_limits |= by_name;
        match tier {
            Tier::Free => self.configured_free = limits,
            Tier::Paid => self.configured_paid = limits,
        }
    }

    /// Nothing would be lost but a few rests. Limits are a person's word that the model exists.
    pub(crate) fn may_be_forgotten(&self) -> bool {
        !self.answered && self.leases == 0 && !self.named_in_limits
    }

    pub(crate) const fn ready(&self) -> &BTreeMap<Class, Vec<Spot>> {
        &self.ready
    }

    pub(crate) const fn due(&self) -> &BTreeSet<(Timestamp, u32)> {
        &self.due
    }

    /// The first instant after now at which a project is looked at, [`Timestamp::MAX`] if there is none.
    pub(crate) fn next_due(&self, now: Timestamp) -> Timestamp {
        let just_after = now.plus(Duration::from_millis(1));
        self.due
            .range((just_after, 0)..)
            .next()
            .map_or(Timestamp::MAX, |&(at, _)| at)
    }

    /// The project's spot if it is ready, and where it lies in the list of its class.
    pub(crate) fn spot(&self, project: u32) -> Option<(Spot, u32)> {
        let place = self.place(project);
        match place.standing {
            Standing::Ready { key, calm, spot, .. } => Some((
                Spot {
                    project,
                    cell: place.cell,
                    key,
                    score: Score::unknown(calm),
                },
                spot,
            )),
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

    pub(crate) fn clamp_cells(&mut self, longest: &Longest, now: Timestamp) {
        for usage in &mut self.usages {
            usage.stepped_back(now);
        }
        for cell in self.cells.iter_mut() {
            cell.clamp(longest);
        }
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
}
