//! The keys as the provider sees them: quotas of a day and of a minute, an outage, a key that is withdrawn.

use std::time::Duration;

use pool::Timestamp;

use super::chance::Chance;
use super::rhythm::at_hour;
use super::{Demand, Plan};
use crate::clock::next_provider_midnight;
use crate::store::EventKey;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// So often there is one.
const OUTAGE_EVERY: Duration = Duration::from_secs(9 * 24 * 3600);
const OUTAGE: Duration = Duration::from_secs(3600);
/// What all keys together can do on a day, as a multiple of a usual day's demand: busy days end without a key.
const DAY_SUPPLY: f64 = 1.8;
/// The first key is asked most, and is dry before the day is over.
const FIRST_KEY_LASTS: f64 = 1.0;

/// How a call ends, as far as it is up to the key and the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruling {
    Fine,
    DayQuota,
    MinuteQuota,
    Invalid,
    Outage,
}

pub(super) struct Supply {
    keys: Vec<EventKey>,
    models: usize,
    /// By key, then by model.
    cells: Vec<Cell>,
    day_end: Timestamp,
    outages: Vec<(Timestamp, Timestamp)>,
    withdrawn: Option<Withdrawn>,
}

struct Cell {
    per_day: u64,
    per_minute: u64,
    day_end: Timestamp,
    today: u64,
    minute_end: Timestamp,
    this_minute: u64,
    rests_until: Timestamp,
}

/// A key that is called in vain once, and replaced some hours later.
struct Withdrawn {
    place: usize,
    from: Timestamp,
    until: Timestamp,
    is_known: bool,
}

impl Supply {
    pub(super) fn new(chance: &mut Chance, plan: &Plan, demand: &Demand) -> Self {
        let models = demand.by_model.len();
        let count = plan.keys.len();
        let mut cells = Vec::with_capacity(count * models);
        for place in 0..count {
            for of_model in &demand.by_model {
                cells.push(Cell::new(place, count, demand.attempts_per_day * of_model));
            }
        }
        let length = plan.to.since(plan.from);
        let moment = |part: f64| plan.from.plus(length.mul_f64(part));
        let withdrawn = (count > 1).then(|| Withdrawn {
            place: count - 1,
            from: moment(0.3 + chance.part() * 0.5),
            until: plan.to,
            is_known: false,
        });
        Self {
            keys: plan.keys.clone(),
            models,
            cells,
            day_end: plan.from,
            outages: outages(chance, plan),
            withdrawn: withdrawn.map(|withdrawn| Withdrawn {
                until: withdrawn.from.plus(DAY / 4),
                ..withdrawn
            }),
        }
    }

    pub(super) fn key(&self, place: usize) -> Option<&EventKey> {
        self.keys.get(place)
    }

    /// A key that may be called: one of the first, if it has room.
    pub(super) fn choose(&self, chance: &mut Chance, model: usize, at: Timestamp) -> Option<usize> {
        const TRIES: usize = 8;
        if self.keys.is_empty() {
            return None;
        }
        let any = (0..TRIES)
            .map(|_| chance.low(self.keys.len()))
            .find(|place| self.is_ready(*place, model, at));
        any.or_else(|| (0..self.keys.len()).find(|place| self.is_ready(*place, model, at)))
    }

    fn is_ready(&self, place: usize, model: usize, at: Timestamp) -> bool {
        let withdrawn = self.withdrawn.as_ref();
        let is_out = withdrawn.is_some_and(|out| out.is_known && out.place == place && at < out.until);
        !is_out
            && self
                .cells
                .get(place * self.models + model)
                .is_some_and(|cell| cell.rests_until <= at)
    }

    pub(super) fn call(&mut self, chance: &mut Chance, place: usize, model: usize, at: Timestamp) -> Ruling {
        if let Some(out) = &mut self.withdrawn
            && out.place == place
            && !out.is_known
            && at >= out.from
            && at < out.until
        {
            out.is_known = true;
            return Ruling::Invalid;
        }
        if at >= self.day_end {
            self.day_end = next_provider_midnight(at);
        }
        let is_outage = self.outages.iter().any(|(from, to)| *from <= at && at < *to);
        if is_outage && chance.happens(0.85) {
            return Ruling::Outage;
        }
        let day_end = self.day_end;
        let cell = self.cells.get_mut(place * self.models + model);
        cell.map_or(Ruling::Fine, |cell| cell.call(chance, at, day_end))
    }
}

impl Cell {
    /// `demand`: calls for the model on a usual day.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts below 2^53"
    )]
    fn new(place: usize, keys: usize, demand: f64) -> Self {
        // As `Chance::low` distributes them.
        let share = |place: usize| ((place + 1) as f64 / keys as f64).sqrt() - (place as f64 / keys as f64).sqrt();
        let first = if keys == 1 {
            DAY_SUPPLY
        } else {
            share(0) * FIRST_KEY_LASTS
        };
        let part = if place == 0 {
            first
        } else {
            (DAY_SUPPLY - first) / (keys - 1) as f64
        };
        let per_minute = demand * share(place) / 1_440.0;
        Self {
            per_day: (demand * part).max(20.0) as u64,
            per_minute: (per_minute * 7.0).max(3.0) as u64,
            day_end: Timestamp::from_millis(0),
            today: 0,
            minute_end: Timestamp::from_millis(0),
            this_minute: 0,
            rests_until: Timestamp::from_millis(0),
        }
    }

    fn call(&mut self, chance: &mut Chance, at: Timestamp, day_end: Timestamp) -> Ruling {
        if self.day_end != day_end {
            (self.day_end, self.today) = (day_end, 0);
        }
        if at >= self.minute_end {
            (self.minute_end, self.this_minute) = (at.plus(MINUTE), 0);
        }
        if self.today >= self.per_day {
            // A call that was under way is refused too.
            if chance.happens(0.7) {
                self.rests_until = day_end.plus(MINUTE.mul_f64(chance.part()));
            }
            return Ruling::DayQuota;
        }
        if self.this_minute >= self.per_minute {
            self.rests_until = self.minute_end;
            return Ruling::MinuteQuota;
        }
        self.today += 1;
        self.this_minute += 1;
        Ruling::Fine
    }
}

/// In working hours, where the time is long enough for that.
fn outages(chance: &mut Chance, plan: &Plan) -> Vec<(Timestamp, Timestamp)> {
    let length = plan.to.since(plan.from);
    let count = (length.as_secs() / OUTAGE_EVERY.as_secs()).max(1);
    let every = length / u32::try_from(count).unwrap_or(u32::MAX);
    let mut outages = Vec::new();
    let mut start = plan.from;
    for _ in 0..count {
        let any = start.plus(every.mul_f64(0.3 + 0.5 * chance.part()));
        let hour = 9 + i8::try_from(chance.low(7)).unwrap_or(0);
        let from = if every < 2 * DAY {
            any
        } else {
            at_hour(any, hour).unwrap_or(any)
        };
        outages.push((from, from.plus(OUTAGE.min(length / 50))));
        start = start.plus(every);
    }
    outages
}
