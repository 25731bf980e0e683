//! What one strategy needs beside the ready lists. It is kept only while that strategy is the chosen one, and holds keys,
//! not projects: every usable key of a ready project has a place of its own.

use super::{Order, Standing, Table, Weights, order::Turns};
use crate::{
    roster::{KeyEntry, Roster},
    time::Timestamp,
};

/// What a strategy needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexKind {
    Nothing,
    /// Keys by number.
    Order,
    /// Keys by their last turn.
    Turns,
    Weights,
}

#[derive(Debug)]
pub(super) enum Index {
    Nothing,
    Order(Order),
    Turns(Order),
    Weights(Weights),
}

impl Index {
    pub(super) fn new(kind: IndexKind) -> Self {
        match kind {
            IndexKind::Nothing => Self::Nothing,
            IndexKind::Order => Self::Order(Order::default()),
            IndexKind::Turns => Self::Turns(Order::default()),
            IndexKind::Weights => Self::Weights(Weights::default()),
        }
    }

    const fn kind(&self) -> IndexKind {
        match self {
            Self::Nothing => IndexKind::Nothing,
            Self::Order(_) => IndexKind::Order,
            Self::Turns(_) => IndexKind::Turns,
            Self::Weights(_) => IndexKind::Weights,
        }
    }

    fn put(&mut self, slot: u32, key: Option<&KeyEntry>, turns: &Turns) {
        match self {
            Self::Nothing => {}
            Self::Order(order) => order.put(slot, key, 0),
            Self::Turns(order) => order.put(slot, key, turns.of(slot)),
            Self::Weights(weights) => weights.put(slot, key),
        }
    }
}

impl Table {
    /// Keeps what another strategy needs from now on. A key that rests by itself in a ready project is kept too until
    /// the project is looked at: whether it may be leased is asked when it is chosen.
    pub(crate) fn set_index(&mut self, kind: IndexKind, roster: &Roster) {
        if kind == self.index.kind() {
            return;
        }
        self.forget_scores();
        self.index = Index::new(kind);
        for (slot, key) in roster.keys.iter() {
            if self.is_ready(key.project) && key.is_sound() {
                self.index.put(slot, Some(key), &self.turns);
            }
        }
    }

    /// Must follow every change of a project's standing or keys.
    pub(super) fn index_project(&mut self, project: u32, roster: &Roster, now: Timestamp) {
        if self.is_unindexed() {
            return;
        }
        let Some(entry) = roster.projects.get(project) else {
            return;
        };
        let is_ready = self.is_ready(project);
        let cell = self.cell_slot(project);
        for &slot in &entry.keys {
            let key = roster.keys.get(slot);
            let usable = key.filter(|key| is_ready && self.key_passes(cell, slot, key, now));
            self.index.put(slot, usable, &self.turns);
        }
    }

    /// Must precede a key's leaving its project.
    pub(super) fn unindex_key(&mut self, slot: u32) {
        self.index.put(slot, None, &self.turns);
        self.turns.forget(slot);
    }

    /// The strategy needs the ready lists alone, and their scores.
    pub(super) const fn is_unindexed(&self) -> bool {
        matches!(self.index, Index::Nothing)
    }

    /// Kept only for a strategy that follows an order.
    pub(crate) const fn order(&self) -> Option<&Order> {
        match &self.index {
            Index::Order(order) | Index::Turns(order) => Some(order),
            Index::Nothing | Index::Weights(_) => None,
        }
    }

    /// Kept only for `weighted`.
    pub(crate) const fn weights(&self) -> Option<&Weights> {
        match &self.index {
            Index::Weights(weights) => Some(weights),
            Index::Nothing | Index::Order(_) | Index::Turns(_) => None,
        }
    }

    /// The key goes behind all others. It must be the one that was just chosen.
    pub(crate) fn take_turn(&mut self, slot: u32, roster: &Roster) {
        self.turns.take(slot);
        self.index.put(slot, roster.keys.get(slot), &self.turns);
    }

    fn is_ready(&self, project: u32) -> bool {
        match self.standing(project) {
            Standing::Ready { .. } => true,
            Standing::Later(_) | Standing::Never => false,
        }
    }
}
