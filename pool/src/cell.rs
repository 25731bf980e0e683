//! One project's quota for one model.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    policy::{Doubling, Policy},
    record::{RestCause, StoredRest},
    rest::{Gate, Rest, Serial},
    snapshot::CellState,
    time::Timestamp,
};

/// A key refused on this model without detail, while the project's other keys may go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyRest {
    pub(crate) key: u32,
    pub(crate) rest: Rest,
}

/// The provider's day as seen by an outcome that names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DayContext {
    pub(crate) now: Timestamp,
    /// End of the day the call began in.
    pub(crate) reset_of_call: Timestamp,
    /// End of the day it is now.
    pub(crate) reset: Timestamp,
    /// Spreads returns after a reset.
    pub(crate) jitter: Duration,
    /// Waits where the reset has passed and the day is still said to be used up.
    pub(crate) again: Doubling,
}

/// A provider's day is at most 25 hours long.
const DAY_LONGEST: Duration = Duration::from_hours(25);

/// What is known of a cell's rest, apart from calls under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Knowledge {
    pub(crate) rest: Option<StoredRest>,
    pub(crate) spent_until_reset: Option<Timestamp>,
    pub(crate) day_retries: u8,
}

/// What is known of the cell's quota beside its [`Usage`](crate::usage::Usage).
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) project: u32,
    pub(crate) cause: RestCause,
    pub(crate) rest: Rest,
    /// The reset that the last exhaustion waits or waited for; forgotten at the next success.
    pub(crate) spent_until_reset: Option<Timestamp>,
    pub(crate) day_retries: u8,
    /// The rest follows from our own count against a limit, not from an answer.
    pub(crate) by_count: bool,
    pub(crate) key_rests: Vec<KeyRest>,
}

/// When rests that begin now end at the latest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Longest {
    pub(crate) cooling: Timestamp,
    pub(crate) spent: Timestamp,
    pub(crate) not_entitled: Timestamp,
    /// Of a key on the model.
    pub(crate) key: Timestamp,
    pub(crate) trial: Timestamp,
}

impl Cell {
    pub(crate) fn clamp(&mut self, longest: &Longest) {
        let rest = match self.cause {
            RestCause::Cooling => longest.cooling,
            RestCause::Exhausted => longest.spent,
            RestCause::NotEntitled => longest.not_entitled,
        };
        self.rest.clamp(rest, longest.trial);
        for resting in &mut self.key_rests {
            resting.rest.clamp(longest.key, longest.trial);
        }
    }

    pub(crate) const fn new(project: u32) -> Self {
        Self {
            project,
            cause: RestCause::Cooling,
            rest: Rest::new(),
            spent_until_reset: None,
            day_retries: 0,
            by_count: false,
            key_rests: Vec::new(),
        }
    }

    pub(crate) fn settle(&mut self, now: Timestamp) -> Gate {
        for resting in &mut self.key_rests {
            resting.rest.settle(now);
        }
        self.rest.settle(now)
    }

    /// Nothing rests or waits for a trial.
    pub(crate) fn is_calm(&self) -> bool {
        self.rest.is_open() && self.key_rests.is_empty() && self.spent_until_reset.is_none()
    }

    pub(crate) fn key_gate(&self, key: u32, now: Timestamp) -> Gate {
        self.key_rests
            .iter()
            .find(|resting| resting.key == key)
            .map_or(Gate::Open, |resting| resting.rest.gate(now))
    }

    /// As one key sees it: until the later of its own rest and the project's.
    pub(crate) fn state(&self, key: u32, now: Timestamp) -> CellState {
        let resting = |until| match self.cause {
            RestCause::Cooling => CellState::Cooling { until },
            RestCause::Exhausted => CellState::Exhausted { until },
            RestCause::NotEntitled => CellState::NotEntitled { until },
        };
        match (self.rest.gate(now), self.key_gate(key, now)) {
            (Gate::Closed { until }, Gate::Closed { until: key_until }) => resting(until.max(key_until)),
            (Gate::Closed { until }, Gate::Open | Gate::Trial | Gate::Busy { .. }) => resting(until),
            (Gate::Open | Gate::Trial | Gate::Busy { .. }, Gate::Closed { until }) => CellState::Cooling { until },
            (Gate::Busy { .. }, _) | (_, Gate::Busy { .. }) => CellState::Busy,
            (Gate::Trial, _) | (_, Gate::Trial) => CellState::Trial,
            (Gate::Open, Gate::Open) => CellState::Ready,
        }
    }

    pub(crate) fn key_rest_mut(&mut self, key: u32) -> Option<&mut Rest> {
        self.key_rests
            .iter_mut()
            .find(|resting| resting.key == key)
            .map(|resting| &mut resting.rest)
    }

    /// The later deadline wins, and brings its cause.
    pub(crate) fn rest(&mut self, cause: RestCause, until: Timestamp, newest_call: Serial) -> bool {
        let decided = self.rest.rest(until, newest_call);
        if decided {
            self.cause = cause;
            self.by_count = false;
        }
        decided
    }

    /// A key was refused without detail. Returns the end of its rest.
    pub(crate) fn rest_key(
        &mut self,
        key: u32,
        call: Serial,
        newest_call: Serial,
        policy: &Policy,
        now: Timestamp,
    ) -> Timestamp {
        if self.key_rest_mut(key).is_none() {
            self.key_rests.push(KeyRest {
                key,
                rest: Rest::default(),
            });
        }
        let Some(rest) = self.key_rest_mut(key) else { return now };
        let earlier = usize::from(rest.grow(call)).min(policy.bare_429.len().saturating_sub(1));
        let until = now.plus(policy.bare_429.get(earlier).copied().unwrap_or_default());
        rest.rest(until, newest_call);
        rest.resting_until().unwrap_or(until)
    }

    /// It was the provider, not the key. True if that changed anything.
    pub(crate) fn forgive_key(&mut self, key: u32) -> bool {
        let before = self.key_rests.len();
        self.key_rests.retain(|resting| resting.key != key);
        before != self.key_rests.len()
    }

    /// The day's quota is used up.
    pub(crate) fn exhaust(&mut self, day: DayContext, call: Serial, newest_call: Serial) -> bool {
        let late = self.rest.is_late(call);
        // A call that began yesterday tells of yesterday's quota, whenever its answer comes.
        let over = self
            .spent_until_reset
            .or_else(|| (day.reset_of_call <= day.now).then_some(day.reset_of_call));
        // A reset of days ago tells nothing of today's quota.
        let over = over.filter(|over| *over <= day.now && day.reset.since(*over) <= DAY_LONGEST);
        let until = if let Some(over) = over {
            // The reset has passed and the provider still says "day": it may be slow, so the answer is not "tomorrow".
            self.spent_until_reset = Some(over);
            if !late || self.day_retries == 0 {
                self.day_retries = self.day_retries.saturating_add(1);
            }
            day.now.plus(day.again.wait(self.day_retries.saturating_sub(1)))
        } else {
            self.spent_until_reset = Some(day.reset);
            self.day_retries = 0;
            day.reset.plus(day.jitter)
        };
        self.rest(RestCause::Exhausted, until, newest_call)
    }

    /// An answer came. True if that ended a rest worth storing.
    pub(crate) fn succeed(&mut self, call: Serial) -> bool {
        if self.rest.is_late(call) {
            return false;
        }
        let spent = self.spent_until_reset.take().is_some();
        self.day_retries = 0;
        self.rest.succeed(call) || spent
    }

    /// The key was answered: its own rest is over. True if there was one.
    pub(crate) fn succeed_key(&mut self, key: u32, call: Serial) -> bool {
        if self.key_rests.is_empty() {
            return false;
        }
        let cleared = self.key_rest_mut(key).is_some_and(|rest| rest.succeed(call));
        cleared && self.forgive_key(key)
    }

    /// A person's reset. True if there was anything to clear.
    pub(crate) const fn reinstate(&mut self) -> bool {
        let rested = !self.rest.is_open() || self.spent_until_reset.is_some();
        self.rest.clear();
        self.spent_until_reset = None;
        self.day_retries = 0;
        rested
    }

    /// The cell rests no longer than so.
    pub(crate) fn serves_within(&self, now: Timestamp, wait: Duration) -> bool {
        self.rest.gate(now).passes_at() <= now.plus(wait)
    }

    /// There is something to store.
    pub(crate) const fn is_telling(&self) -> bool {
        self.rest.resting_until().is_some() || self.spent_until_reset.is_some() || self.day_retries > 0
    }

    /// What outlives the cell.
    pub(crate) fn knowledge(&self) -> Knowledge {
        Knowledge {
            rest: self.rest.resting_until().map(|until| StoredRest {
                cause: self.cause,
                until,
            }),
            spent_until_reset: self.spent_until_reset,
            day_retries: self.day_retries,
        }
    }

    /// Takes over what was known before a restart, or of a project merged into this one. The later deadline wins.
    pub(crate) fn adopt(&mut self, known: Knowledge, newest_call: Serial) {
        let decided = known
            .rest
            .is_some_and(|StoredRest { cause, until }| self.rest(cause, until, newest_call));
        // The newest reset tells whether the provider is late with it.
        if known.spent_until_reset > self.spent_until_reset && (decided || known.rest.is_none()) {
            self.spent_until_reset = known.spent_until_reset;
            self.day_retries = known.day_retries;
        }
    }
}
