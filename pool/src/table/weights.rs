//! Usable keys with their weights, for `weighted`: a key is drawn, comes or goes at a cost that grows with the logarithm
//! of their number. (Fenwick, "A new data structure for cumulative frequency tables", 1994.)

use alloc::{collections::BTreeMap, vec::Vec};

use crate::roster::{Class, KeyEntry};

#[derive(Debug, Default)]
pub(crate) struct Weights {
    urns: BTreeMap<Class, Urn>,
    /// Class and place in its urn, by the key's place in the roster.
    of_key: Vec<Option<(Class, usize)>>,
}

/// A key that was drawn, and the part of the urn's total it takes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) key: u32,
    pub(crate) start: u64,
    pub(crate) weight: u64,
}

/// The keys of one class.
#[derive(Debug, Default)]
pub(crate) struct Urn {
    /// Place in the roster, and weight.
    keys: Vec<(u32, u64)>,
    /// At `n - 1` the weights of the keys before `n`, as many as the lowest bit of `n` says.
    sums: Vec<u64>,
}

impl Weights {
    /// Gives a key its weight, or takes it out.
    pub(super) fn put(&mut self, slot: u32, key: Option<&KeyEntry>) {
        let index = slot as usize;
        if self.of_key.len() <= index {
            if key.is_none() {
                return;
            }
            self.of_key.resize(index + 1, None);
        }
        let known = self.of_key.get(index).copied().flatten();
        let Some((class, weight)) = key.map(|entry| (entry.class(), u64::from(entry.key.weight.max(1)))) else {
            self.take_out(slot, known);
            return;
        };
        if let Some((old, at)) = known
            && old == class
        {
            if let Some(urn) = self.urns.get_mut(&class) {
                urn.weigh(at, weight);
            }
            return;
        }
        self.take_out(slot, known);
        let at = self.urns.entry(class).or_default().push(slot, weight);
        self.set_place(slot, Some((class, at)));
    }

    /// Classes with a usable key, the best first.
    pub(crate) const fn urns(&self) -> &BTreeMap<Class, Urn> {
        &self.urns
    }

    fn take_out(&mut self, slot: u32, known: Option<(Class, usize)>) {
        let Some((class, at)) = known else { return };
        self.set_place(slot, None);
        let Some(urn) = self.urns.get_mut(&class) else { return };
        let moved = urn.swap_remove(at);
        if urn.keys.is_empty() {
            self.urns.remove(&class);
        }
        if let Some(moved) = moved {
            self.set_place(moved, Some((class, at)));
        }
    }

    fn set_place(&mut self, slot: u32, place: Option<(Class, usize)>) {
        if let Some(known) = self.of_key.get_mut(slot as usize) {
            *known = place;
        }
    }
}

impl Urn {
    /// The weights of all keys together.
    pub(crate) fn total(&self) -> u64 {
        self.before(self.sums.len())
    }

    /// Every key and its weight.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (u32, u64)> {
        self.keys.iter().copied()
    }

    /// The key that takes up this point of the total.
    pub(crate) fn find(&self, point: u64) -> Option<Drawn> {
        let mut at = 0;
        let mut start = 0;
        let mut step = self.sums.len().checked_ilog2().map_or(0, |bits| 1_usize << bits);
        while step > 0 {
            if let Some(sum) = self.sums.get(at + step - 1)
                && start + sum <= point
            {
                at += step;
                start += sum;
            }
            step /= 2;
        }
        let &(key, weight) = self.keys.get(at)?;
        Some(Drawn { key, start, weight })
    }

    /// The weights of the first `count` keys.
    fn before(&self, mut count: usize) -> u64 {
        let mut sum = 0;
        while count > 0 {
            sum += self.sums.get(count - 1).copied().unwrap_or(0);
            count -= lowest_bit(count);
        }
        sum
    }

    fn push(&mut self, key: u32, weight: u64) -> usize {
        let at = self.keys.len();
        let first = at + 1 - lowest_bit(at + 1);
        let sum = weight + self.before(at) - self.before(first);
        self.keys.push((key, weight));
        self.sums.push(sum);
        at
    }

    fn weigh(&mut self, at: usize, weight: u64) {
        let Some((_, known)) = self.keys.get_mut(at) else {
            return;
        };
        let before = core::mem::replace(known, weight);
        if before == weight {
            return;
        }
        let mut count = at + 1;
        while let Some(sum) = self.sums.get_mut(count - 1) {
            *sum = *sum - before + weight;
            count += lowest_bit(count);
        }
    }

    /// The last key takes the free place; its place in the roster is returned.
    fn swap_remove(&mut self, at: usize) -> Option<u32> {
        let &(key, weight) = self.keys.last()?;
        self.weigh(at, weight);
        self.keys.swap_remove(at);
        self.sums.pop();
        (at < self.keys.len()).then_some(key)
    }
}

const fn lowest_bit(count: usize) -> usize {
    count & count.wrapping_neg()
}
