//! The records of usage: events, and the rollups that dashboards read instead of events.

mod rolling;

use std::time::Duration;

use pool::Timestamp;

pub use rolling::{Added, Slot, roll_up};

use super::{Cursor, EventKind, UsageEvent};
use crate::latency::Latency;

/// How long the interval of a rollup is. Intervals begin at whole multiples since the Unix epoch, so days are UTC's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    Minute,
    /// Zones are off UTC by multiples of it.
    Quarter,
    Hour,
    Day,
}

impl Level {
    pub const ALL: [Self; 4] = [Self::Minute, Self::Quarter, Self::Hour, Self::Day];

    pub const fn ms(self) -> u64 {
        match self {
            Self::Minute => 60_000,
            Self::Quarter => 15 * 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 24 * 3_600_000,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Quarter => "quarter",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// How long rollups of it are kept; for ever when absent.
    pub const fn kept(self) -> Option<Duration> {
        const DAY_S: u64 = 24 * 3600;
        match self {
            Self::Minute => Some(Duration::from_secs(2 * DAY_S)),
            Self::Quarter | Self::Hour => Some(Duration::from_secs(400 * DAY_S)),
            Self::Day => None,
        }
    }

    /// The start of the interval that the instant is in.
    pub fn start_of(self, at: Timestamp) -> Timestamp {
        Timestamp::from_millis(at.as_millis() / self.ms() * self.ms())
    }
}

/// A stretch of time in whole intervals of one level: from the first's start to the last's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub level: Level,
    pub from: Timestamp,
    /// Not included.
    pub to: Timestamp,
}

/// Which rollups to add up, and by what to keep them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupQuery {
    pub kind: EventKind,
    /// They do not overlap.
    pub pieces: Vec<Piece>,
    pub key_number: Option<u32>,
    pub model: Option<String>,
    pub by: Dimensions,
    /// Whether the rows are to have their distributions of times; without they are empty, and cheaper.
    pub times: bool,
}

/// What rows are kept apart by; what is false is added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dimensions {
    pub start: bool,
    pub key: bool,
    pub model: bool,
    pub operation: bool,
    /// Outcome and error type.
    pub outcome: bool,
}

/// Rollups are written at four grains, so that a question reads no more rows than its answer needs: one that names
/// neither key nor model reads as much with a thousand keys as with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grain {
    Total,
    Key,
    Model,
    /// Key, model and operation.
    Full,
}

impl Grain {
    pub const ALL: [Self; 4] = [Self::Total, Self::Key, Self::Model, Self::Full];

    /// What its rows are apart by, beside the interval and the outcome.
    pub const fn keeps(self) -> (bool, bool, bool) {
        match self {
            Self::Total => (false, false, false),
            Self::Key => (true, false, false),
            Self::Model => (false, true, false),
            Self::Full => (true, true, true),
        }
    }
}

impl RollupQuery {
    /// The coarsest that can answer it.
    pub fn grain(&self) -> Grain {
        let key = self.by.key || self.key_number.is_some();
        let model = self.by.model || self.model.is_some();
        match (key, model, self.by.operation) {
            (false, false, false) => Grain::Total,
            (true, false, false) => Grain::Key,
            (false, true, false) => Grain::Model,
            _ => Grain::Full,
        }
    }
}

/// Events added up. What the query added up over is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rollup {
    pub start: Option<Timestamp>,
    /// Also `None` where no key was asked.
    pub key_id: Option<u64>,
    pub key_number: Option<u32>,
    pub model: Option<String>,
    pub operation: Option<String>,
    pub outcome: Option<String>,
    /// Also `None` on success.
    pub error_type: Option<String>,
    pub sums: Sums,
    /// Of the response times of all events.
    pub times: Latency,
    /// Of the times to the first token of those that had one.
    pub first_tokens: Latency,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub count: u64,
    pub successes: u64,
    /// Failures whose error type is `quota`.
    pub quota_errors: u64,
    /// Answered from the response cache.
    pub cached: u64,
    pub response_time_ms: u64,
    pub prompt_tokens: u64,
    pub output_tokens: u64,
    pub cached_tokens: u64,
    pub thought_tokens: u64,
    pub total_tokens: u64,
}

impl Sums {
    pub fn of(event: &UsageEvent) -> Self {
        Self {
            count: 1,
            successes: u64::from(event.success),
            quota_errors: u64::from(event.error_type.as_deref() == Some("quota")),
            cached: u64::from(event.cached),
            response_time_ms: event.response_time_ms,
            prompt_tokens: event.prompt_tokens,
            output_tokens: event.output_tokens,
            cached_tokens: event.cached_tokens,
            thought_tokens: event.thought_tokens,
            total_tokens: event.total_tokens,
        }
    }

    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.count, other.count),
            (&mut self.successes, other.successes),
            (&mut self.quota_errors, other.quota_errors),
            (&mut self.cached, other.cached),
            (&mut self.response_time_ms, other.response_time_ms),
            (&mut self.prompt_tokens, other.prompt_tokens),
            (&mut self.output_tokens, other.output_tokens),
            (&mut self.cached_tokens, other.cached_tokens),
            (&mut self.thought_tokens, other.thought_tokens),
            (&mut self.total_tokens, other.total_tokens),
        ];
        for (sum, more) in pairs {
            *sum = sum.saturating_add(more);
        }
    }

    pub fn failures(&self) -> u64 {
        self.count.saturating_sub(self.successes)
    }
}

/// Which events to list; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub kind: Option<EventKind>,
    pub from: Option<Timestamp>,
    /// Not included.
    pub to: Option<Timestamp>,
    pub key_number: Option<u32>,
    pub model: Option<String>,
    pub operation: Option<String>,
    pub surface: Option<String>,
    pub success: Option<bool>,
    pub error_type: Option<String>,
    pub user_id: Option<String>,
    pub token_id: Option<String>,
    pub request_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

/// At most so many events, and at most so many looked at for them: a filter that hardly anything passes must not read
/// everything there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventBounds {
    pub events_max: u32,
    pub looked_at_max: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    pub events: Vec<UsageEvent>,
    /// Where to go on; absent when there is nothing behind. It may be behind the last event of the page, where more were
    /// looked at than found.
    pub next: Option<Cursor>,
}
