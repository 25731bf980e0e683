//! A vector with reusable places: the pool refers to its entries by small numbers.

use alloc::vec::Vec;

/// No place.
pub(crate) const NOWHERE: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct Slots<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slots<T> {
    pub(crate) const fn new() -> Self {
        Self {
            items: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(crate) fn insert(&mut self, item: T) -> u32 {
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.items.get_mut(slot as usize)
        {
            *place = Some(item);
            return slot;
        }
        // Four billion entries do not fit into memory.
        let slot = u32::try_from(self.items.len()).unwrap_or(NOWHERE);
        self.items.push(Some(item));
        slot
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let item = self.items.get_mut(slot as usize)?.take();
        if item.is_some() {
            self.free.push(slot);
        }
        item
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.items.get(slot as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.items.get_mut(slot as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0_u32..)
            .zip(&self.items)
            .filter_map(|(slot, item)| Some((slot, item.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut().flatten()
    }

    /// One more than the largest place in use.
    pub(crate) fn end(&self) -> u32 {
        u32::try_from(self.items.len()).unwrap_or(NOWHERE)
    }
}
