//! Which rollups events go into. The same for every store.

use std::collections::BTreeMap;

use pool::Timestamp;

use super::{Grain, Level, Sums};
use crate::latency::{Latency, Total};
use crate::store::{EventKind, UsageEvent};

/// What is counted together. What the grain adds up over is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot<'a> {
    pub level: Level,
    pub grain: Grain,
    pub kind: EventKind,
    pub start: Timestamp,
    /// Id and number; also `None` where no key was asked.
    pub key: Option<(u64, u32)>,
    pub model: Option<&'a str>,
    pub operation: Option<&'a str>,
    /// Every slot is there once for each outcome, and once for all of them together, where it is absent: most questions do
    /// not ask how events ended, and so need not read more the more ways to fail there were.
    pub outcome: Option<&'a str>,
    /// Of an outcome; also absent on success.
    pub error_type: Option<&'a str>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    pub sums: Sums,
    pub times: Latency,
    pub first_tokens: Latency,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

impl Added {
    fn add(&mut self, event: &UsageEvent) {
        self.see(event.at, event.at);
        self.sums.add(&Sums::of(event));
        self.times.add(event.response_time_ms);
        if let Some(ms) = event.first_token_ms {
            self.first_tokens.add(ms);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.see(other.first_at, other.last_at);
        self.sums.add(&other.sums);
        self.times.merge(&other.times);
        self.first_tokens.merge(&other.first_tokens);
    }

    /// Before anything is counted.
    fn see(&mut self, first_at: Timestamp, last_at: Timestamp) {
        let is_new = self.sums.count == 0;
        self.first_at = if is_new { first_at } else { self.first_at.min(first_at) };
        self.last_at = self.last_at.max(last_at);
    }
}

/// Rows of a store, added up.
#[derive(Default)]
pub struct Sum {
    pub sums: Sums,
    /// Before the first is added it means nothing.
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub times: Total,
    pub first_tokens: Total,
}

impl Sum {
    pub fn add(&mut self, sums: &Sums, first_at: Timestamp, last_at: Timestamp) {
        let is_new = self.sums.count == 0;
        self.first_at = if is_new { first_at } else { self.first_at.min(first_at) };
        self.last_at = self.last_at.max(last_at);
        self.sums.add(sums);
    }

    pub fn merge(&mut self, added: &Added) {
        self.add(&added.sums, added.first_at, added.last_at);
        self.times.add(&added.times);
        self.first_tokens.add(&added.first_tokens);
    }
}

pub type Slots<'a> = BTreeMap<Slot<'a>, Added>;

/// Everything that is to be added to rollups for these events, each of which is counted once.
pub fn roll_up<'a>(events: impl IntoIterator<Item = &'a UsageEvent>) -> Slots<'a> {
    // First into the finest slots, of which a group of events has few; each wider one out of the narrowest before it.
    let mut full = finest(events);
    let mut all = Slots::new();
    for level in Level::ALL {
        if level != Level::Minute {
            full = gathered(&full, |slot| Slot {
                level,
                start: level.start_of(slot.start),
                ..slot
            });
        }
        let by_key = gathered(&full, |slot| at_grain(slot, Grain::Key));
        let by_model = gathered(&full, |slot| at_grain(slot, Grain::Model));
        let total = gathered(&by_model, |slot| at_grain(slot, Grain::Total));
        for mut slots in [total, by_key, by_model, full.clone()] {
            all.append(&mut gathered(&slots, of_all_outcomes));
            all.append(&mut slots);
        }
    }
    all
}

fn finest<'a>(events: impl IntoIterator<Item = &'a UsageEvent>) -> Slots<'a> {
    let mut finest = Slots::new();
    for event in events {
        let slot = Slot {
            level: Level::Minute,
            grain: Grain::Full,
            kind: event.kind,
            start: Level::Minute.start_of(event.at),
            key: event.key.as_ref().map(|key| (key.id, key.number)),
            model: Some(&event.model),
            operation: Some(&event.operation),
            outcome: Some(&event.outcome),
            error_type: event.error_type.as_deref(),
        };
        finest.entry(slot).or_default().add(event);
    }
    finest
}

fn gathered<'a>(from: &Slots<'a>, wider: impl Fn(Slot<'a>) -> Slot<'a>) -> Slots<'a> {
    let mut gathered = Slots::new();
    for (slot, added) in from {
        gathered.entry(wider(*slot)).or_default().merge(added);
    }
    gathered
}

fn at_grain(slot: Slot<'_>, grain: Grain) -> Slot<'_> {
    let (key, model, operation) = grain.keeps();
    Slot {
        grain,
        key: slot.key.filter(|_| key),
        model: slot.model.filter(|_| model),
        operation: slot.operation.filter(|_| operation),
        ..slot
    }
}

fn of_all_outcomes(slot: Slot<'_>) -> Slot<'_> {
    Slot {
        outcome: None,
        error_type: None,
        ..slot
    }
}
