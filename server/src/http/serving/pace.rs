//! How fast an answer is taken. Only the time counts in which there is something to take.

use std::time::Duration;

use tokio::time::Instant;

use super::limits::ServeLimits;

#[derive(Debug, Default)]
pub(super) struct Taking {
    /// Something waits to be taken.
    waits: Option<Instant>,
    /// Before that, in all.
    waited: Duration,
    /// Taken in that time.
    bytes: u64,
}

impl Taking {
    pub(super) fn waits(&mut self, now: Instant) {
        self.waits.get_or_insert(now);
    }

    pub(super) fn took(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.waits.take() {
            self.waited += now.duration_since(since);
        }
        self.bytes += bytes as u64;
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.waits.is_some()
    }

    /// Nothing was taken for as long as an answer may stall, or too little in as much waiting.
    pub(super) fn is_too_slow(&mut self, limits: &ServeLimits, now: Instant) -> bool {
        let waiting = self.waits.map(|since| now.duration_since(since)).unwrap_or_default();
        if waiting >= limits.stall {
            return true;
        }
        let waited = self.waited + waiting;
        if waited < limits.stall {
            return false;
        }
        let least = waited.as_millis() * u128::from(limits.answer_bytes_per_second_min) / 1_000;
        if u128::from(self.bytes) < least {
            return true;
        }
        *self = Self {
            waits: self.waits.map(|_| now),
            ..Self::default()
        };
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Pieces of so many bytes are handed over, each waits so long until the next one is asked for, and that comes after a rest.
    fn is_cut(bytes: usize, seconds: u32, rest: Duration) -> bool {
        let limits = ServeLimits::default();
        let (mut taking, mut now) = (Taking::default(), Instant::now());
        for _ in 0..200 {
            taking.took(bytes, now);
            taking.waits(now);
            for _ in 0..seconds {
                now += SECOND;
                if taking.is_too_slow(&limits, now) {
                    return true;
                }
            }
            taking.took(0, now);
            now += rest;
        }
        false
    }

    #[test]
    fn a_reader_that_takes_hardly_anything_is_too_slow() {
        assert!(is_cut(16 * 1024, 59, Duration::ZERO), "a piece a minute");
        assert!(is_cut(1024 * 1024, 60, Duration::ZERO), "nothing for a minute");
        assert!(!is_cut(64 * 1024, 50, Duration::ZERO), "slow, and well enough");
        assert!(!is_cut(2 * 1024, 1, Duration::ZERO));
        assert!(is_cut(1000, 1, Duration::ZERO), "below the rate");
    }

    #[test]
    fn a_stream_that_has_nothing_to_send_is_not_slow() {
        assert!(!is_cut(20, 0, 3_600 * SECOND));
    }
}
