//! Usable keys class by class, for the strategies that follow an order: by number, or first by whose turn is longest past.

use alloc::{collections::BTreeSet, vec::Vec};
use core::ops::Bound;

use crate::{
    key::KeyId,
    roster::{Class, KeyEntry},
};

/// Where a key stands in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    class: Class,
    /// As in [`Turns`]; zero for all where only the number counts.
    turn: u64,
    number: u32,
    /// Keys of one number stand by their ids.
    id: KeyId,
    pub(crate) slot: u32,
}

/// When each key had its last turn under `round_robin`. Outlives a change of strategy: who comes back goes on where it was.
#[derive(Debug, Default)]
pub(super) struct Turns {
    newest: u64,
    /// By the key's place in the roster; zero for none yet.
    of_key: Vec<u64>,
}

impl Turns {
    pub(super) fn of(&self, slot: u32) -> u64 {
        self.of_key.get(slot as usize).copied().unwrap_or(0)
    }

    pub(super) fn take(&mut self, slot: u32) {
        self.newest += 1;
        let index = slot as usize;
        if self.of_key.len() <= index {
            self.of_key.resize(index + 1, 0);
        }
        if let Some(turn) = self.of_key.get_mut(index) {
            *turn = self.newest;
        }
    }

    /// The place will be used again.
    pub(super) fn forget(&mut self, slot: u32) {
        if let Some(turn) = self.of_key.get_mut(slot as usize) {
            *turn = 0;
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Order {
    ranks: BTreeSet<Rank>,
    /// What stands in `ranks`, by the key's place in the roster.
    of_key: Vec<Option<Rank>>,
}

impl Order {
    /// Gives a key its place, or takes it out.
    pub(super) fn put(&mut self, slot: u32, key: Option<&KeyEntry>, turn: u64) {
        let index = slot as usize;
        if self.of_key.len() <= index {
            if key.is_none() {
                return;
            }
            self.of_key.resize(index + 1, None);
        }
        let Some(known) = self.of_key.get_mut(index) else {
            return;
        };
        let rank = key.map(|entry| Rank {
            class: entry.class(),
            turn,
            number: entry.key.number,
            id: entry.key.id,
            slot,
        });
        if *known == rank {
            return;
        }
        if let Some(old) = known {
            self.ranks.remove(old);
        }
        self.ranks.extend(rank);
        *known = rank;
    }

    /// Classes with a usable key, the best first.
    pub(crate) fn classes(&self) -> impl Iterator<Item = Class> {
        let first = self.ranks.first().map(|rank| rank.class);
        core::iter::successors(first, |class| {
            let end = last_of(*class);
            let mut later = self.ranks.range((Bound::Excluded(end), Bound::Unbounded));
            later.next().map(|rank| rank.class)
        })
    }

    /// Keys of a class in order.
    pub(crate) fn keys(&self, class: Class) -> impl Iterator<Item = &Rank> {
        self.ranks.range(first_of(class)..=last_of(class))
    }

    /// Keys of a class by number alone, beginning after this one; after the last comes the first, and this one at the end.
    pub(crate) fn keys_after(&self, class: Class, last: (u32, KeyId)) -> impl Iterator<Item = &Rank> {
        let (number, id) = last;
        let here = Rank {
            number,
            id,
            slot: u32::MAX,
            ..first_of(class)
        };
        let after = self
            .ranks
            .range((Bound::Excluded(here), Bound::Included(last_of(class))));
        after.chain(self.ranks.range(first_of(class)..=here))
    }
}

const fn first_of(class: Class) -> Rank {
    Rank {
        class,
        turn: 0,
        number: 0,
        id: KeyId(0),
        slot: 0,
    }
}

const fn last_of(class: Class) -> Rank {
    Rank {
        class,
        turn: u64::MAX,
        number: u32::MAX,
        id: KeyId(u64::MAX),
        slot: u32::MAX,
    }
}
