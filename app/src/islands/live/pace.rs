//! When to ask for the state again, and when to try the stream again. Time and chance are arguments.

/// Between two questions while there is no stream.
const POLL_MS: u64 = 15_000;
/// A stream that says nothing for so long is asked whether it is still true.
const QUIET_MS: u64 = 45_000;
const RETRY_MS: u64 = 1_000;
const RETRY_MS_MAX: u64 = 60_000;

#[derive(Debug, Default)]
pub(in crate::islands) struct Pace {
    next_poll_at_ms: u64,
    next_stream_at_ms: u64,
    poll_failures: u32,
    stream_failures: u32,
}

impl Pace {
    pub(in crate::islands) fn wants_poll(&self, now_ms: u64) -> bool {
        now_ms >= self.next_poll_at_ms
    }

    pub(in crate::islands) fn wants_stream(&self, now_ms: u64) -> bool {
        now_ms >= self.next_stream_at_ms
    }

    /// The stream brought a state: nobody needs to ask for a while.
    pub(in crate::islands) fn streamed(&mut self, now_ms: u64) {
        self.stream_failures = 0;
        self.poll_failures = 0;
        self.next_poll_at_ms = now_ms + QUIET_MS;
    }

    /// `chance` from 0 to 1 spreads the tabs that a restart made ask at once.
    pub(in crate::islands) fn stream_broke(&mut self, now_ms: u64, chance: f64) {
        let wait_ms = RETRY_MS
            .saturating_mul(1 << self.stream_failures.min(10))
            .min(RETRY_MS_MAX);
        self.stream_failures += 1;
        self.next_stream_at_ms = now_ms + spread(wait_ms, chance);
        self.next_poll_at_ms = self.next_poll_at_ms.min(now_ms + spread(RETRY_MS, chance));
    }

    /// A question is under way: no second one before its time.
    pub(in crate::islands) fn polled(&mut self, now_ms: u64, chance: f64) {
        let wait_ms = POLL_MS.saturating_mul(1 << self.poll_failures.min(2)).min(RETRY_MS_MAX);
        self.next_poll_at_ms = now_ms + spread(wait_ms, chance);
    }

    pub(in crate::islands) fn poll_ended(&mut self, worked: bool) {
        self.poll_failures = if worked { 0 } else { self.poll_failures + 1 };
    }

    /// The tab is looked at again, or the network is back: now is the time for both.
    pub(in crate::islands) fn hurry(&mut self) {
        *self = Self::default();
    }
}

/// From 80 to 120 per cent.
fn spread(wait_ms: u64, chance: f64) -> u64 {
    let tenths_of_percent = 800 + (chance.clamp(0.0, 1.0) * 400.0) as u64;
    wait_ms * tenths_of_percent / 1000
}

#[cfg(test)]
mod tests {
    use super::Pace;

    const MIDDLE: f64 = 0.5;

    #[test]
    fn the_first_question_and_the_first_stream_are_due_at_once() {
        let pace = Pace::default();
        assert!(pace.wants_poll(0) && pace.wants_stream(0));
    }

    #[test]
    fn without_a_stream_the_state_is_asked_every_15_seconds_with_jitter() {
        let mut pace = Pace::default();
        pace.polled(0, MIDDLE);
        assert!(!pace.wants_poll(14_999) && pace.wants_poll(15_000));
        pace.polled(0, 0.0);
        assert!(pace.wants_poll(12_000));
        pace.polled(0, 1.0);
        assert!(!pace.wants_poll(17_999) && pace.wants_poll(18_000));
    }

    #[test]
    fn failed_questions_are_asked_less_often_up_to_a_minute() {
        let mut pace = Pace::default();
        for expected_ms in [15_000, 30_000, 60_000, 60_000] {
            pace.polled(0, MIDDLE);
            assert!(!pace.wants_poll(expected_ms - 1) && pace.wants_poll(expected_ms));
            pace.poll_ended(false);
        }
        pace.poll_ended(true);
        pace.polled(0, MIDDLE);
        assert!(pace.wants_poll(15_000));
    }

    #[test]
    fn a_broken_stream_is_tried_again_later_and_later() {
        let mut pace = Pace::default();
        for expected_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            pace.stream_broke(0, MIDDLE);
            assert!(!pace.wants_stream(expected_ms - 1) && pace.wants_stream(expected_ms));
        }
        pace.streamed(0);
        pace.stream_broke(0, MIDDLE);
        assert!(pace.wants_stream(1_000));
    }

    #[test]
    fn a_quiet_stream_is_asked_and_a_broken_one_sooner() {
        let mut pace = Pace::default();
        pace.streamed(0);
        assert!(!pace.wants_poll(44_999) && pace.wants_poll(45_000));
        pace.streamed(0);
        pace.stream_broke(0, MIDDLE);
        assert!(pace.wants_poll(1_000));
    }

    #[test]
    fn coming_back_to_the_tab_asks_at_once() {
        let mut pace = Pace::default();
        pace.polled(0, MIDDLE);
        pace.stream_broke(0, MIDDLE);
        pace.hurry();
        assert!(pace.wants_poll(1) && pace.wants_stream(1));
    }
}
