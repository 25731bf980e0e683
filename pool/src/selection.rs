//! Which ready cell goes next.

use crate::{
    journey::scaled,
    key::Tier,
    lease::Want,
    roster::{Class, KeyEntry, Roster},
    slots::NOWHERE,
    table::{IndexKind, Spot, Table},
    time::Timestamp,
};

mod headroom;
mod ordered;
mod sticky;
mod weighted;

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
    /// The usable key with the lowest number until it is out, then the next; it returns as soon as the first does.
    FillFirst,
    /// Each usable key in turn, by number. Nobody goes twice while another waits: a key that comes back, or that only the
    /// last request could not use, is next. Every model has turns of its own, for quota is counted per model.
    RoundRobin,
    /// At random, in proportion to the keys' [`weight`](crate::Key::weight)s.
    Weighted,
}

impl Strategy {
    /// All of them, the default first.
    pub const ALL: [Self; 5] = [
        Self::Headroom,
        Self::Sticky,
        Self::FillFirst,
        Self::RoundRobin,
        Self::Weighted,
    ];

    /// The strategy of this [`name`](Self::name).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.name() == name)
    }

    /// What every model's table must keep for it beside the ready lists.
    pub(crate) const fn index(self) -> IndexKind {
        match self {
            Self::Headroom => IndexKind::Nothing,
            Self::Sticky | Self::FillFirst => IndexKind::Order,
            Self::RoundRobin => IndexKind::Turns,
            Self::Weighted => IndexKind::Weights,
        }
    }

    /// A stable word for settings, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Headroom => "headroom",
            Self::Sticky => "sticky",
            Self::FillFirst => "fill_first",
            Self::RoundRobin => "round_robin",
            Self::Weighted => "weighted",
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

/// What a choice leaves behind. A key that the request's owner or journey demanded leaves nothing.
#[derive(Debug)]
pub(crate) enum Trace {
    Nothing,
    /// `sticky` stays here from now on.
    Stay(Current),
    /// It was this key's turn under `round_robin`.
    Turn(u32),
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
    /// Also leave out the key that the journey avoids.
    pub(crate) avoiding: bool,
}

impl Search<'_> {
    /// The next key, and what the choice leaves behind for the next one.
    pub(crate) fn choose(&self, strategy: Strategy, current: Option<Current>) -> Option<(Choice, Trace)> {
        let choice = self.choose_allowed(strategy, current);
        if choice.is_none() && self.avoiding && self.want.journey.avoid().is_some() {
            let avoiding = false;
            return Self { avoiding, ..*self }.choose_allowed(strategy, current);
        }
        choice
    }

    fn choose_allowed(&self, strategy: Strategy, current: Option<Current>) -> Option<(Choice, Trace)> {
        if let Some(owner) = self.want.owner {
            let (spot, at) = self.table.spot(self.roster.project_slot(owner)?)?;
            return Some((self.choice(spot, at)?, Trace::Nothing));
        }
        if let Some(choice) = self.same_key() {
            return Some((choice, Trace::Nothing));
        }
        match strategy {
            Strategy::Headroom => Some((headroom::choose(self)?, Trace::Nothing)),
            Strategy::Sticky => sticky::choose(self, current),
            Strategy::FillFirst => Some((ordered::first(self)?, Trace::Nothing)),
            Strategy::RoundRobin => {
                let choice = ordered::first(self)?;
                Some((choice, Trace::Turn(choice.key)))
            }
            Strategy::Weighted => Some((weighted::choose(self)?, Trace::Nothing)),
        }
    }

    /// After a failure of the provider the same key is asked again.
    fn same_key(&self) -> Option<Choice> {
        self.choice_of_key(self.roster.key_slot(self.want.journey.stay_on()?)?)
    }

    /// This very key, if it is usable and the journey allows it. Strategies that find keys pass here, those that find
    /// projects pass [`choice`](Self::choice).
    fn choice_of_key(&self, slot: u32) -> Option<Choice> {
        let (spot, at) = self.spot_of_key(slot)?;
        (self.allows_project(spot.project) && self.allows_key(slot) && self.fits(spot)).then_some(Choice {
            spot,
            at,
            key: slot,
        })
    }

    /// The project's spot, if this very key could be leased by some request.
    fn spot_of_key(&self, slot: u32) -> Option<(Spot, u32)> {
        let key = self.roster.keys.get(slot)?;
        let (spot, at) = self.table.spot(key.project)?;
        self.table
            .key_passes(spot.cell, slot, key, self.now)
            .then_some((spot, at))
    }

    /// A key of this project, if the journey allows one: of the best class, among equals by chance.
    pub(crate) fn choice(&self, spot: Spot, at: u32) -> Option<Choice> {
        if !self.fits(spot) {
            return None;
        }
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

    /// Is there room for the call's tokens?
    fn fits(&self, spot: Spot) -> bool {
        // Where tokens are limited no cell is calm.
        spot.score.calm || self.fits_at(spot) <= self.now
    }

    /// When there is room for the call's tokens in a cell that is ready.
    fn fits_at(&self, spot: Spot) -> Timestamp {
        self.table.fits_at(spot.cell, self.want.tokens, self.now, self.day_end)
    }

    /// When the first ready project that the request may use has room for its tokens; `None` if a call under way must end
    /// first, or there is no such project.
    pub(crate) fn soonest_fit(&self) -> Option<Timestamp> {
        let spots = self.classes().flat_map(|(_, spots)| spots);
        spots
            .filter(|spot| self.would_allow(spot.project))
            .filter_map(|spot| Some(self.fits_at(*spot).max(self.key_passes_at(*spot)?)))
            .filter(|at| *at < Timestamp::MAX)
            .min()
    }

    /// When the first key of the project that the request may use may be leased.
    fn key_passes_at(&self, spot: Spot) -> Option<Timestamp> {
        let project = self.roster.projects.get(spot.project)?;
        let allowed = project.keys.iter().filter(|&&slot| self.allows_key(slot));
        allowed
            .filter_map(|&slot| {
                let key = self.roster.keys.get(slot).filter(|key| key.is_sound())?;
                Some(self.table.key_passes_at(spot.cell, slot, key, self.now))
            })
            .min()
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
                let avoided = self.avoiding && journey.avoid() == Some(key.key.id);
                tier && !avoided && journey.allows_key(key.key.id, self.want.model)
            })
    }

    fn allows_class(&self, class: &Class) -> bool {
        !self.want.journey.paid_only() || matches!(class.tier, Tier::Paid)
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
        self.table
            .ready()
            .iter()
            .filter(|(class, _)| self.allows_class(class))
            .map(|(class, spots)| (class, spots.as_slice()))
    }
}
