//! The arithmetic of one limit. Time is an argument; instants are nanoseconds since the epoch, because many requests a
//! millisecond are a limit too.

use std::time::Duration;

use pool::Timestamp;

/// Nanoseconds since the epoch.
pub(super) type Instant = u128;

/// So many requests at once, which come back evenly over the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    pub requests: u64,
    pub window: Duration,
}

impl Quota {
    /// Nothing is no limit.
    pub(super) fn new(requests: u64, window: Duration) -> Option<Self> {
        (requests > 0 && !window.is_zero()).then_some(Self { requests, window })
    }

    /// What one request costs: the time in which it comes back.
    fn interval(self) -> u128 {
        (self.window.as_nanos() / u128::from(self.requests)).max(1)
    }

    /// Never more than the whole quota: a debt beyond that was written by a clock that has been set back since.
    fn debt(self, spent_until: Option<Instant>, now: Timestamp) -> u128 {
        let debt = spent_until.unwrap_or(0).saturating_sub(nanos(now));
        if debt > self.whole() { 0 } else { debt }
    }

    fn whole(self) -> u128 {
        self.interval() * u128::from(self.requests)
    }

    /// Time until one more request is taken; absent when it is taken now.
    pub(super) fn wait(self, spent_until: Option<Instant>, now: Timestamp) -> Option<Duration> {
        let over = (self.debt(spent_until, now) + self.interval()).saturating_sub(self.whole());
        (over > 0).then(|| duration(over))
    }

    /// The state after one more request.
    pub(super) fn after_one(self, spent_until: Option<Instant>, now: Timestamp) -> Instant {
        nanos(now) + self.debt(spent_until, now) + self.interval()
    }

    pub(super) fn remaining(self, spent_until: Option<Instant>, now: Timestamp) -> u64 {
        let left = (self.whole() - self.debt(spent_until, now)) / self.interval();
        u64::try_from(left).unwrap_or(u64::MAX)
    }

    pub(super) fn reset_after(self, spent_until: Option<Instant>, now: Timestamp) -> Duration {
        duration(self.debt(spent_until, now))
    }
}

pub(super) fn nanos(at: Timestamp) -> Instant {
    u128::from(at.as_millis()) * 1_000_000
}

fn duration(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
