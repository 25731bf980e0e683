//! A plausible history of usage, made up: for benchmarks, pictures and a first look. The same plan is the same events, to
//! the last bit of their ids.
//!
//! People work by day and by week; keys run dry late in the provider's day, minutes are full, the provider has an outage of
//! an hour and slow afternoons. Requests go from key to key as the product's do. Nobody's prompt or answer is in it.

mod caller;
mod chance;
mod filling;
mod once;
mod rhythm;
mod story;
mod supply;

use std::collections::BTreeMap;
use std::time::Duration;

use pool::Timestamp;

use self::chance::Chance;
use self::rhythm::Rhythm;
use self::story::Story;
use self::supply::Supply;
use crate::clock::provider_day_start;
use crate::store::{EventKey, StoredKey, UsageEvent};

pub use filling::{fill, has_usage};
pub use once::fill_once;

/// No key of the store's own ever has an id like these.
const MADE_UP_IDS: u64 = 1_000_000_000_000;

/// What to make up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub seed: u64,
    /// Exactly so many, requests and attempts together.
    pub events: u64,
    /// No event is before it.
    pub from: Timestamp,
    /// Nor after it.
    pub to: Timestamp,
    /// The first are asked most. With none of them, no request is answered but from the cache.
    pub keys: Vec<EventKey>,
    /// Of texts and images, the one that is used most first; at least one.
    pub models: Vec<String>,
}

impl Plan {
    /// Of the last days before `to`.
    pub fn of_days(days: u32, to: Timestamp) -> Self {
        Self {
            seed: 1,
            events: 0,
            from: to.minus(Duration::from_secs(u64::from(days) * 24 * 3600)),
            to,
            keys: made_up_keys(3, 1),
            models: models(&[]),
        }
    }

    /// The events in the order of instant and id.
    pub fn events(&self) -> Events {
        let mut chance = Chance::new(self.seed);
        let rhythm = Rhythm::new(chance.next(), self.from, self.to);
        let models = if self.models.is_empty() {
            models(&[])
        } else {
            self.models.clone()
        };
        let demand = Demand {
            attempts_per_day: attempts_per_day(self),
            by_model: story::shares(models.len()),
        };
        let supply = Supply::new(&mut chance, self, &demand);
        Events {
            left: self.events,
            made: 0,
            of: self.events,
            to: self.to,
            story: Story::new(&mut chance, self, models, supply),
            chance,
            rhythm,
            waiting: BTreeMap::new(),
            begun: self.from,
        }
    }
}

/// What is asked for on a usual day.
struct Demand {
    attempts_per_day: f64,
    /// Parts of the whole; the last is that of embeddings.
    by_model: Vec<f64>,
}

#[expect(clippy::cast_precision_loss, reason = "a count below 2^53")]
fn attempts_per_day(plan: &Plan) -> f64 {
    let days = plan.to.since(plan.from).as_secs_f64() / 86_400.0;
    // About every second event is an attempt.
    plan.events as f64 * 0.5 / days.max(1.0)
}

/// An iterator over a history: an event is made when it is asked for, so there may be hundreds of millions.
pub struct Events {
    /// Not made yet.
    left: u64,
    made: u64,
    of: u64,
    to: Timestamp,
    chance: Chance,
    rhythm: Rhythm,
    story: Story,
    /// Made, and not due before a request that begins later.
    waiting: BTreeMap<(Timestamp, String), UsageEvent>,
    /// The last request's start: no event that comes is before it.
    begun: Timestamp,
}

impl Events {
    #[expect(clippy::cast_precision_loss, reason = "a count below 2^53")]
    fn begin_request(&mut self) {
        let place = (self.made as f64 + self.chance.part()) / self.of as f64;
        let moment = self.rhythm.at(place);
        self.begun = self.begun.max(moment.at);
        let events = self.story.request(&mut self.chance, moment, self.left, self.to);
        self.left -= events.len() as u64;
        self.made += events.len() as u64;
        for event in events {
            self.waiting.insert((event.at, event.id.clone()), event);
        }
    }
}

impl Iterator for Events {
    type Item = UsageEvent;

    fn next(&mut self) -> Option<UsageEvent> {
        loop {
            let is_due = |first: &Timestamp| *first < self.begun || self.left == 0;
            if self.waiting.first_key_value().is_some_and(|((at, _), _)| is_due(at)) {
                return self.waiting.pop_first().map(|(_, event)| event);
            }
            if self.left == 0 {
                return None;
            }
            self.begin_request();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = usize::try_from(self.left).ok();
        let count = count.and_then(|left| left.checked_add(self.waiting.len()));
        (count.unwrap_or(usize::MAX), count)
    }
}

/// Keys that nobody has, numbered from `first` on.
pub fn made_up_keys(count: u32, first: u32) -> Vec<EventKey> {
    let keys = (first..).take(count as usize).map(|number| EventKey {
        id: MADE_UP_IDS + u64::from(number),
        number,
        project: Some(format!("demo-project-{number}")),
    });
    keys.collect()
}

/// Keys of a store as events name them.
pub fn keys_of(stored: &[StoredKey]) -> Vec<EventKey> {
    let keys = stored.iter().map(|key| EventKey {
        id: key.id,
        number: key.number,
        project: key.project.clone(),
    });
    keys.collect()
}

/// Of everybody who asks.
pub fn user_ids() -> Vec<String> {
    caller::user_ids()
}

/// The ones given, and others until there are three.
pub fn models(first: &[&str]) -> Vec<String> {
    let usual = ["gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-pro"];
    let mut models: Vec<String> = Vec::new();
    for model in first.iter().chain(&usual) {
        if models.len() < usual.len() && !models.iter().any(|known| known == model) {
            models.push((*model).to_owned());
        }
    }
    models
}

/// The last instant that no quota of the day at `now` is counted for.
pub fn end_of_yesterday(now: Timestamp) -> Timestamp {
    provider_day_start(now).minus(Duration::from_millis(1))
}

#[cfg(test)]
mod tests;
