//! The only clock, and the provider's midnight.

use std::sync::Arc;
use std::time::Duration;

use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use pool::Timestamp;
use tokio::sync::watch;

/// The zone in which Gemini's day quotas begin: <https://ai.google.dev/gemini-api/docs/rate-limits>.
pub const PROVIDER_ZONE: &str = "America/Los_Angeles";

/// The system's clock may be stepped and the machine suspended: a long sleep looks at it again this often.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Reads the time: the system's, or in tests one that is moved by hand.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<watch::Sender<Timestamp>>>);

impl Clock {
    pub fn system() -> Self {
        Self(None)
    }

    /// Stands still until [`Clock::advance`] or [`Clock::set`].
    pub fn by_hand(start: Timestamp) -> Self {
        Self(Some(Arc::new(watch::Sender::new(start))))
    }

    pub fn now(&self) -> Timestamp {
        self.0.as_ref().map_or_else(system_now, |hand| *hand.borrow())
    }

    /// Moves a hand-moved clock; the system's clock is left alone.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    pub fn set(&self, to: Timestamp) {
        if let Some(hand) = &self.0 {
            hand.send_replace(to);
        }
    }

    /// Returns once it is `at` or later, however the clock got there.
    pub async fn sleep_until(&self, at: Timestamp) {
        let Some(hand) = &self.0 else {
            while self.now() < at {
                tokio::time::sleep(at.since(self.now()).min(LOOK_EVERY)).await;
            }
            return;
        };
        // The sender lives in this clock, so it cannot be gone.
        let _ = hand.subscribe().wait_for(|now| *now >= at).await;
    }

    /// As [`Clock::sleep_until`], but returns after half a minute at the latest: a clock that was stepped back would
    /// otherwise stall whoever waits, so the caller looks again what is due.
    pub async fn sleep_towards(&self, at: Timestamp) {
        tokio::select! {
            () = self.sleep_until(at) => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the system for the time"
)]
fn system_now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// First instant of the next day in [`PROVIDER_ZONE`], days of 23 and 25 hours included.
pub fn next_provider_midnight(now: Timestamp) -> Timestamp {
    let tomorrow = provider_time(now).and_then(|day| day.tomorrow().ok()?.start_of_day().ok());
    tomorrow
        .and_then(|midnight| timestamp(&midnight))
        .unwrap_or_else(|| now.plus(Duration::from_secs(24 * 3600)))
}

/// First instant of the day in [`PROVIDER_ZONE`] that `now` is in.
pub fn provider_day_start(now: Timestamp) -> Timestamp {
    let today = provider_time(now).and_then(|day| day.start_of_day().ok());
    today.and_then(|midnight| timestamp(&midnight)).unwrap_or(now)
}

fn provider_time(now: Timestamp) -> Option<ZonedDateTime> {
    let instant = jiff::Timestamp::from_millisecond(i64::try_from(now.as_millis()).ok()?).ok()?;
    Some(instant.to_zoned_datetime(TimeZone::get(PROVIDER_ZONE).ok()?))
}

fn timestamp(zoned: &ZonedDateTime) -> Option<Timestamp> {
    u64::try_from(zoned.timestamp().as_millisecond())
        .ok()
        .map(Timestamp::from_millis)
}

/// RFC 3339 in UTC, to the millisecond.
pub fn rfc3339(at: Timestamp) -> String {
    i64::try_from(at.as_millis())
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|instant| format!("{instant:.3}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(now: &str, midnight: &str) {
        let at = |text: &str| {
            let instant: jiff::Timestamp = text.parse().expect("a timestamp");
            Timestamp::from_millis(u64::try_from(instant.as_millisecond()).expect("after 1970"))
        };
        assert_eq!(
            rfc3339(next_provider_midnight(at(now))),
            rfc3339(at(midnight)),
            "from {now}"
        );
        let (start, end) = (provider_day_start(at(now)), at(midnight));
        assert!(
            start <= at(now) && next_provider_midnight(start) == end,
            "{now} is in the day that ends at {midnight}"
        );
    }

    #[test]
    fn the_providers_midnight_is_the_next_day_in_los_angeles() {
        check("2026-01-15T12:00:00Z", "2026-01-16T08:00:00Z");
        check("2026-07-15T12:00:00Z", "2026-07-16T07:00:00Z");
        check("2026-01-16T07:59:59.999Z", "2026-01-16T08:00:00Z");
        check("2026-01-16T08:00:00Z", "2026-01-17T08:00:00Z");
    }

    #[test]
    fn days_of_23_and_25_hours_end_at_their_own_midnight() {
        check("2026-03-08T08:00:00Z", "2026-03-09T07:00:00Z");
        check("2026-11-01T07:00:00Z", "2026-11-02T08:00:00Z");
    }
}
