//! Which rollups events go into. The same for every store.

use std::collections::BTreeMap;

use pool::Timestamp;

use super::{Grain, Level, Sums};
use crate::latency::Latency;
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
    pub outcome: &'a str,
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

/// Everything that is to be added to rollups for these events, each of which is counted once.
pub fn roll_up<'a>(events: impl IntoIterator<Item = &'a UsageEvent>) -> BTreeMap<Slot<'a>, Added> {
    // First into the finest slots, of which a group of events has few, then from there into all others.
    let mut finest: BTreeMap<Slot<'a>, Added> = BTreeMap::new();
    for event in events {
        let slot = Slot {
            level: Level::Minute,
            grain: Grain::Full,
            kind: event.kind,
            start: Level::Minute.start_of(event.at),
            key: event.key.as_ref().map(|key| (key.id, key.number)),
            model: Some(&event.model),
            operation: Some(&event.operation),
            outcome: &event.outcome,
            error_type: event.error_type.as_deref(),
        };
        finest.entry(slot).or_default().add(event);
    }
    let mut all: BTreeMap<Slot<'a>, Added> = BTreeMap::new();
    for (slot, added) in &finest {
        for level in Level::ALL {
            for grain in Grain::ALL {
                let (key, model, operation) = grain.keeps();
                let wider = Slot {
                    level,
                    grain,
                    start: level.start_of(slot.start),
                    key: slot.key.filter(|_| key),
                    model: slot.model.filter(|_| model),
                    operation: slot.operation.filter(|_| operation),
                    ..*slot
                };
                all.entry(wider).or_default().merge(added);
            }
        }
    }
    all
}
