//! Work by the clock: a few minutes after the provider's midnight the day is told and old notifications go; every half
//! hour the keys are counted, and those in doubt are asked with a call that costs no quota.
//!
//! Nothing relies on it: a key comes back by a comparison with the time, whether or not this task runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{ToSpan as _, ZonedDateTime};
use pool::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::analytics::{self, Stretch};
use crate::announcer::Announcer;
use crate::clock::{Clock, PROVIDER_ZONE, provider_day_start};
use crate::keys::Keys;
use crate::status::StatusReader;
use crate::store::{Dimensions, EventKind, Rollup, Store, StoreError};

const HEALTH_CHECK_EVERY: Duration = Duration::from_secs(30 * 60);
/// After the provider's midnight: what rests until then comes back within two minutes of it.
const MINUTES_AFTER_MIDNIGHT: i64 = 5;
const NOTIFICATIONS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// After their end.
const INCIDENTS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// What the scheduled work is done with.
pub struct Deps {
    pub keys: Arc<Keys>,
    pub status: StatusReader,
    pub store: Arc<dyn Store>,
    pub announcer: Announcer,
    pub clock: Clock,
}

/// Runs until `stop`.
pub async fn run(deps: Deps, stop: CancellationToken) {
    let mut plan = Plan::from(deps.clock.now());
    loop {
        let work = async {
            deps.clock.sleep_towards(plan.day_at.min(plan.check_at)).await;
            let due = plan.take_due(deps.clock.now());
            if due.day_ended {
                end_day(&deps, deps.clock.now()).await;
            }
            if due.check {
                check_health(&deps);
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = work => {}
        }
    }
}

/// When each kind of work is due next.
struct Plan {
    day_at: Timestamp,
    check_at: Timestamp,
}

#[derive(Debug, PartialEq, Eq)]
struct Due {
    day_ended: bool,
    check: bool,
}

impl Plan {
    fn from(now: Timestamp) -> Self {
        Self {
            day_at: next_day_task(now),
            check_at: now.plus(HEALTH_CHECK_EVERY),
        }
    }

    /// What is to be done at `now`; what was slept through is done once. After a step back of the clock nothing is
    /// further away than it would be from a fresh start.
    fn take_due(&mut self, now: Timestamp) -> Due {
        let due = Due {
            day_ended: now >= self.day_at,
            check: now >= self.check_at,
        };
        let fresh = Self::from(now);
        self.day_at = if due.day_ended {
            fresh.day_at
        } else {
            self.day_at.min(fresh.day_at)
        };
        self.check_at = if due.check {
            fresh.check_at
        } else {
            self.check_at.min(fresh.check_at)
        };
        due
    }
}

/// The next 00:05 in Los Angeles after `now`. Its clocks are changed at 02:00, so every day has one.
fn next_day_task(now: Timestamp) -> Timestamp {
    let next = || {
        let zone = TimeZone::get(PROVIDER_ZONE).ok()?;
        let instant = jiff::Timestamp::from_millisecond(i64::try_from(now.as_millis()).ok()?).ok()?;
        let now = instant.to_zoned_datetime(zone);
        let at = |day: ZonedDateTime| {
            day.start_of_day()
                .ok()?
                .checked_add(MINUTES_AFTER_MIDNIGHT.minutes())
                .ok()
        };
        let today = at(now.clone())?;
        let next = if today > now { today } else { at(now.tomorrow().ok()?)? };
        u64::try_from(next.timestamp().as_millisecond()).ok()
    };
    // Beyond the calendar: any time will do.
    next().map_or_else(|| now.plus(Duration::from_secs(24 * 3600)), Timestamp::from_millis)
}

async fn end_day(deps: &Deps, now: Timestamp) {
    match day_report(deps.store.as_ref(), now).await {
        Ok(report) => info!("{report}"),
        Err(error) => warn!(%error, "the day that ended cannot be counted"),
    }
    deps.announcer.day_ended();
    let before = Timestamp::from_millis(
        now.as_millis()
            .saturating_sub(u64::try_from(NOTIFICATIONS_KEPT.as_millis()).unwrap_or(u64::MAX)),
    );
    match deps.store.delete_notifications(before).await {
        Ok(count) => debug!(count, "old notifications were removed"),
        Err(error) => warn!(%error, "old notifications could not be removed; tomorrow's round tries again"),
    }
    match deps.store.delete_incidents(now.minus(INCIDENTS_KEPT)).await {
        Ok(count) => debug!(count, "old incidents were removed"),
        Err(error) => warn!(%error, "old incidents could not be removed; tomorrow's round tries again"),
    }
}

/// The provider's day before the one that `now` is in, in one line.
async fn day_report(store: &dyn Store, now: Timestamp) -> Result<String, StoreError> {
    let today = provider_day_start(now);
    let yesterday = provider_day_start(today.minus(Duration::from_millis(1)));
    let day = Stretch {
        from: yesterday,
        to: today,
        now,
    };
    let requests = analytics::sums(store, EventKind::Request, day, Dimensions::default()).await?;
    let by = Dimensions {
        key: true,
        outcome: true,
        ..Dimensions::default()
    };
    let calls = analytics::sums(store, EventKind::Attempt, day, by).await?;
    Ok(report(&requests, &calls))
}

#[derive(Default)]
struct KeyDay {
    calls: u64,
    refused_for_the_day: u64,
}

fn report(requests: &[Rollup], calls: &[Rollup]) -> String {
    let requests: u64 = requests.iter().map(|row| row.sums.count).sum();
    let mut keys: BTreeMap<u32, KeyDay> = BTreeMap::new();
    for row in calls {
        let Some(number) = row.key_number else { continue };
        let day = keys.entry(number).or_default();
        day.calls += row.sums.count;
        if row.outcome.as_deref() == Some("day_quota") {
            day.refused_for_the_day += row.sums.count;
        }
    }
    let mut line = format!("The provider's day has ended: {requests} request(s).");
    for (number, day) in &keys {
        let spent = if day.refused_for_the_day > 0 {
            ", day quota used up"
        } else {
            ""
        };
        // Writing to a String cannot fail.
        let _ = write!(line, " Key {number}: {} call(s){spent}.", day.calls);
    }
    line
}

fn check_health(deps: &Deps) {
    let status = deps.status.read();
    let line = format!(
        "Health check: {}/{} keys available",
        status.healthy_keys, status.total_keys
    );
    match health(status.healthy_keys, status.total_keys) {
        Health::Whole => info!("{line}"),
        Health::Degraded => warn!("{line}"),
        Health::None => error!("{line}"),
    }
    // Wakes the task that asks keys in doubt. Keys that are well are not asked, nor who was asked a moment ago.
    deps.keys.pool.touch();
}

#[derive(Debug, PartialEq, Eq)]
enum Health {
    Whole,
    Degraded,
    None,
}

fn health(available: u32, total: u32) -> Health {
    match available {
        0 => Health::None,
        some if some < total => Health::Degraded,
        _ => Health::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::rfc3339;
    use crate::store::Sums;

    fn at(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().expect("a timestamp");
        Timestamp::from_millis(u64::try_from(instant.as_millisecond()).expect("after 1970"))
    }

    #[test]
    fn the_day_task_runs_five_minutes_after_midnight_on_days_of_23_24_and_25_hours() {
        let check = |now: &str, next: &str| assert_eq!(rfc3339(next_day_task(at(now))), rfc3339(at(next)), "{now}");
        check("2026-01-15T12:00:00Z", "2026-01-16T08:05:00Z");
        check("2026-01-16T08:04:59.999Z", "2026-01-16T08:05:00Z");
        check("2026-01-16T08:05:00Z", "2026-01-17T08:05:00Z");
        // 8 March has 23 hours, 1 November 25.
        check("2026-03-07T12:00:00Z", "2026-03-08T08:05:00Z");
        check("2026-03-08T08:05:00Z", "2026-03-09T07:05:00Z");
        check("2026-10-31T12:00:00Z", "2026-11-01T07:05:00Z");
        check("2026-11-01T07:05:00Z", "2026-11-02T08:05:00Z");
    }

    #[test]
    fn a_clock_that_is_stepped_back_delays_no_work_by_more_than_its_usual_gap() {
        let clock = Clock::by_hand(at("2026-01-15T12:00:00Z"));
        let mut plan = Plan::from(clock.now());
        let nothing = Due {
            day_ended: false,
            check: false,
        };
        clock.set(at("2026-01-13T06:00:00Z"));
        assert_eq!(plan.take_due(clock.now()), nothing);
        assert_eq!(rfc3339(plan.day_at), "2026-01-13T08:05:00.000Z");
        clock.advance(HEALTH_CHECK_EVERY);
        let check = Due { check: true, ..nothing };
        assert_eq!(plan.take_due(clock.now()), check);
        clock.advance(Duration::from_secs(3 * 3600));
        let both = Due {
            day_ended: true,
            check: true,
        };
        assert_eq!(plan.take_due(clock.now()), both, "what was slept through is done once");
        assert_eq!(rfc3339(plan.day_at), "2026-01-14T08:05:00.000Z");
        assert_eq!(plan.check_at, clock.now().plus(HEALTH_CHECK_EVERY));
    }

    fn row(key_number: Option<u32>, outcome: &str, count: u64) -> Rollup {
        Rollup {
            key_number,
            outcome: Some(outcome.to_owned()),
            sums: Sums {
                count,
                ..Sums::default()
            },
            ..Rollup::default()
        }
    }

    #[test]
    fn the_day_is_told_by_key() {
        let calls = [
            row(Some(1), "success", 10),
            row(Some(1), "day_quota", 1),
            row(Some(2), "success", 2),
        ];
        assert_eq!(
            report(&[row(None, "success", 11), row(None, "no_key", 1)], &calls),
            "The provider's day has ended: 12 request(s). Key 1: 11 call(s), day quota used up. Key 2: 2 call(s)."
        );
    }

    #[test]
    fn a_health_check_warns_when_keys_are_out_and_alarms_when_none_is_left() {
        assert_eq!(health(3, 3), Health::Whole);
        assert_eq!(health(2, 3), Health::Degraded);
        assert_eq!(health(0, 3), Health::None);
        assert_eq!(health(0, 0), Health::None);
    }
}
