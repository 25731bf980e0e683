//! Which ready cell goes next.

use crate::{
    journey::scaled,
    key::Tier,
    lease::Want,
    roster::{Class, KeyEntry, Roster},
    slots::NOWHERE,
    table::{Spot, Table},
    time::Timestamp,
};

mod headroom;
mod sticky;

pub(crate) use headroom::remixed;
pub(crate) use sticky::Current;

/// How the next key is chosen among the usable ones of the best tier and priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strategy {
    /// Two at random, the one with more quota left and more recent success.
    #[default]
    Headroom,
    /// Stay on one key until it fails, then the next by number.
    Sticky,
}

impl Strategy {
    /// Needs the ready projects in the order of their numbers.
    pub(crate) const fn is_ordered(self) -> bool {
        match self {
            Self::Headroom => false,
            Self::Sticky => true,
        }
    }

    /// A stable word for settings, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Headroom => "headroom",
            Self::Sticky => "sticky",
        }
    }
}

/// A key of a ready project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) spot: Spot,
    /// Where the spot lies in the list of its class.
    pub(crate) at: u32,
    pub(crate) key: u32,
}

/// One look at a model's ready projects. The table must have been woken.
#[derive(Clone, Copy)]
pub(crate) struct Search<'a> {
    pub(crate) table: &'a Table,
    pub(crate) roster: &'a Roster,
    pub(crate) want: &'a Want<'a>,
    pub(crate) now: Timestamp,
    pub(crate) day_end: Timestamp,
    pub(crate) chance: u64,
    /// Also leave out what the journey leaves out for a short rest only.
    pub(crate) brief: bool,
}

impl Search<'_> {
    /// The next key, and where `sticky` stays from now on.
    pub(crate) fn choose(&self, strategy: Strategy, current: Option<Current>) -> Option<(Choice, Option<Current>)> {
        if let Some(owner) = self.want.owner {
            let (spot, at) = self.table.spot(self.roster.project_slot(owner)?)?;
            return Some((self.choice(spot, at)?, current));
        }
        if let Some(choice) = self.same_key() {
            return Some((choice, current));
        }
        match strategy {
            Strategy::Headroom => Some((headroom::choose(self)?, current)),
            Strategy::Sticky => sticky::choose(self, current),
        }
    }

    /// After a failure of the provider the same key is asked again.
    fn same_key(&self) -> Option<Choice> {
        let slot = self.roster.key_slot(self.want.journey.stay_on()?)?;
        let (spot, at) = self.spot_of_key(slot)?;
        self.allows_key(slot)
            .then_some(Choice { spot, at, key: slot })
            .filter(|choice| self.allows_project(choice.spot.project))
    }

    /// The project's spot, if this very key could be leased.
    fn spot_of_key(&self, slot: u32) -> Option<(Spot, u32)> {
        let key = self.roster.keys.get(slot)?;
        let (spot, at) = self.table.spot(key.project)?;
        self.table
            .key_passes(spot.cell, slot, key, self.now)
            .then_some((spot, at))
    }

    /// A key of this project, if the journey allows one: of the best class, among equals by chance.
    pub(crate) fn choice(&self, spot: Spot, at: u32) -> Option<Choice> {
        if spot.key != NOWHERE && self.want.journey.is_fresh() {
            return Some(Choice {
                spot,
                at,
                key: spot.key,
            });
        }
        if !self.allows_project(spot.project) {
            return None;
        }
        let project = self.roster.projects.get(spot.project)?;
        let passing = || {
            project.keys.iter().filter_map(|&slot| {
                let key = self.roster.keys.get(slot)?;
                (self.table.key_passes(spot.cell, slot, key, self.now) && self.allows_key(slot))
                    .then(|| (key.class(), slot))
            })
        };
        let best = passing().map(|(class, _)| class).min()?;
        let equals = || passing().filter(|(class, _)| *class == best);
        let count = u64::try_from(equals().count()).unwrap_or(u64::MAX);
        let nth = usize::try_from(scaled(self.chance, count)).unwrap_or(0);
        equals().nth(nth).map(|(_, key)| Choice { spot, at, key })
    }

    fn allows_project(&self, project: u32) -> bool {
        let journey = self.want.journey;
        if journey.is_fresh() {
            return true;
        }
        let Some(project) = self.roster.projects.get(project) else {
            return false;
        };
        let Some(account) = self.roster.accounts.get(project.account) else {
            return false;
        };
        journey.allows_project(project.id, account.id, self.want.model, self.brief)
    }

    fn allows_key(&self, slot: u32) -> bool {
        let journey = self.want.journey;
        journey.is_fresh()
            || self.roster.keys.get(slot).is_some_and(|key| {
                let tier = !journey.paid_only() || matches!(key.key.tier, Tier::Paid);
                tier && journey.allows_key(key.key.id, self.want.model)
            })
    }

    /// Could the request use this project if it were ready?
    pub(crate) fn would_allow(&self, project: u32) -> bool {
        let Some(entry) = self.roster.projects.get(project) else {
            return false;
        };
        let owner = self.want.owner.is_none_or(|owner| owner == entry.id);
        owner
            && self.allows_project(project)
            && entry
                .keys
                .iter()
                .any(|&slot| self.roster.keys.get(slot).is_some_and(KeyEntry::is_sound) && self.allows_key(slot))
    }

    /// Ready projects, class by class, the best first.
    fn classes(&self) -> impl Iterator<Item = (&Class, &[Spot])> {
        let paid_only = self.want.journey.paid_only();
        let fits = move |class: &Class| !paid_only || matches!(class.tier, Tier::Paid);
        self.table
            .ready()
            .iter()
            .filter(move |(class, _)| fits(class))
            .map(|(class, spots)| (class, spots.as_slice()))
    }
}
