//! The provider's midnight on every day of eleven years, against calendars that are not the clock's own way to it.

use std::time::Duration;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use pool::{AccountId, Key, KeyId, KeyPool, ModelId, Outcome, Policy, ProjectId, Strategy, Tier, Timestamp, Want};
use server::clock::{PROVIDER_ZONE, next_provider_midnight, provider_day_start, rfc3339};

const FIRST: Date = date(2026, 1, 1);
const LAST: Date = date(2036, 12, 31);
const DAYS: usize = 4_018;
const HOUR_MS: u64 = 3_600_000;

fn days() -> impl Iterator<Item = Date> {
    std::iter::successors(Some(FIRST), |day| day.tomorrow().ok()).take_while(|day| *day <= LAST)
}

/// First instant of a day, by the time-zone data.
fn start_of(day: Date) -> Timestamp {
    let zone = TimeZone::get(PROVIDER_ZONE).unwrap();
    let midnight = day.to_zoned_datetime(zone).unwrap();
    Timestamp::from_millis(midnight.timestamp().as_millisecond().try_into().unwrap())
}

/// First instant of a day, by the law alone (Energy Policy Act of 2005, section 110): summer time from the second Sunday
/// of March to the first Sunday of November, changed at two in the morning.
fn start_by_law(day: Date) -> Timestamp {
    let sunday = |month: i8, nth: i8| {
        let first = date(day.year(), month, 1).weekday().to_sunday_zero_offset();
        date(day.year(), month, 1 + (7 - first) % 7 + 7 * (nth - 1))
    };
    let is_summer = sunday(3, 2) < day && day <= sunday(11, 1);
    let utc = day
        .to_zoned_datetime(TimeZone::UTC)
        .unwrap()
        .timestamp()
        .as_millisecond();
    let behind_ms = if is_summer { 7 * HOUR_MS } else { 8 * HOUR_MS };
    Timestamp::from_millis(u64::try_from(utc).unwrap() + behind_ms)
}

const fn before(at: Timestamp, ms: u64) -> Timestamp {
    Timestamp::from_millis(at.as_millis() - ms)
}

fn hours(day: Date) -> u64 {
    (start_of(day.tomorrow().unwrap()).as_millis() - start_of(day).as_millis()) / HOUR_MS
}

#[test]
fn every_day_from_2026_to_2036_ends_at_its_own_midnight() {
    let mut checked = 0;
    for day in days() {
        let (start, end) = (start_of(day), start_of(day.tomorrow().unwrap()));
        assert_eq!(start, start_by_law(day), "{day}");
        let noon = start.plus(Duration::from_millis((end.as_millis() - start.as_millis()) / 2));
        for at in [start, start.plus(Duration::from_millis(1)), noon, before(end, 1)] {
            assert_eq!(
                rfc3339(next_provider_midnight(at)),
                rfc3339(end),
                "{day} at {}",
                rfc3339(at)
            );
            assert_eq!(
                rfc3339(provider_day_start(at)),
                rfc3339(start),
                "{day} at {}",
                rfc3339(at)
            );
        }
        assert_eq!(
            provider_day_start(end),
            end,
            "midnight belongs to the day that it begins"
        );
        checked += 1;
    }
    assert_eq!(checked, DAYS);
}

#[test]
fn days_of_23_and_25_hours_are_those_of_the_law() {
    let of = |length: u64| -> Vec<String> {
        let days = days().filter(|day| hours(*day) == length);
        days.map(|day| day.to_string()).collect()
    };
    let short = [
        "2026-03-08",
        "2027-03-14",
        "2028-03-12",
        "2029-03-11",
        "2030-03-10",
        "2031-03-09",
        "2032-03-14",
        "2033-03-13",
        "2034-03-12",
        "2035-03-11",
        "2036-03-09",
    ];
    let long = [
        "2026-11-01",
        "2027-11-07",
        "2028-11-05",
        "2029-11-04",
        "2030-11-03",
        "2031-11-02",
        "2032-11-07",
        "2033-11-06",
        "2034-11-05",
        "2035-11-04",
        "2036-11-02",
    ];
    assert_eq!(
        (of(23), of(25)),
        (short.map(str::to_owned).to_vec(), long.map(str::to_owned).to_vec())
    );
    assert_eq!(of(24).len(), DAYS - short.len() - long.len());
}

/// A pool of one key, and its one model.
struct OneKey {
    pool: KeyPool,
    model: ModelId,
}

impl OneKey {
    fn new(now: Timestamp) -> Self {
        let mut pool = KeyPool::new(Policy::default(), Strategy::Headroom, next_provider_midnight);
        let key = Key {
            id: KeyId(1),
            number: 1,
            project: ProjectId(1),
            account: AccountId(1),
            tier: Tier::Free,
            priority: 0,
            weight: 1,
            enabled: true,
        };
        pool.upsert(key, now);
        let model = pool.model("flash").unwrap();
        Self { pool, model }
    }

    /// A call with this outcome; the soonest instant for the next one where there is none now.
    fn call(&mut self, outcome: &Outcome, now: Timestamp) -> Result<(), Timestamp> {
        let journey = self.pool.journey();
        let want = Want {
            model: self.model,
            tokens: 100,
            journey: &journey,
            owner: None,
        };
        let lease = match self.pool.acquire(&want, now, 7) {
            Ok(lease) => lease,
            Err(refused) => return Err(refused.retry_at.unwrap()),
        };
        let _ = self.pool.report(lease, outcome, now);
        Ok(())
    }
}

/// Exhausts the key's day at `at` and returns how long after midnight it serves again, in milliseconds.
fn returns_after_midnight_ms(one: &mut OneKey, at: Timestamp, midnight: Timestamp) -> u64 {
    assert_eq!(one.call(&Outcome::DayQuota { limit: None }, at), Ok(()));
    let success = Outcome::Success { tokens: 90 };
    let named = one.call(&success, at).unwrap_err();
    for refused_at in [
        before(midnight, 1),
        midnight,
        midnight.plus(Duration::from_secs(29)),
        before(named, 1),
    ] {
        let refused = one.call(&success, refused_at);
        assert_eq!(
            refused,
            Err(named),
            "at {}, midnight is {}",
            rfc3339(refused_at),
            rfc3339(midnight)
        );
    }
    // Promised within a second of the named instant; it is that very millisecond.
    assert_eq!(one.call(&success, named), Ok(()), "at {}", rfc3339(named));
    assert_eq!(one.call(&success, named.plus(Duration::from_secs(1))), Ok(()));
    named.as_millis() - midnight.as_millis()
}

#[test]
fn an_exhausted_key_returns_just_after_midnight_on_every_day() {
    let mut one = OneKey::new(start_of(FIRST));
    let mut returns = Vec::new();
    for day in days() {
        let (start, end) = (start_of(day), start_of(day.tomorrow().unwrap()));
        let late = start.plus(Duration::from_secs(180));
        let noon = start.plus(Duration::from_secs(12 * 3_600));
        for at in [late, noon, before(end, 1)] {
            // Each exhaustion needs a key that serves at that time of the day.
            let mut alone = OneKey::new(at);
            returns.push(returns_after_midnight_ms(&mut alone, at, end));
        }
        // The same pool, day after day: what it remembers of yesterday does not shorten today.
        returns.push(returns_after_midnight_ms(&mut one, noon, end));
    }
    assert_eq!(returns.len(), DAYS * 4);
    let (soonest, latest) = (returns.iter().min().unwrap(), returns.iter().max().unwrap());
    assert!(
        (30_000..=120_000).contains(soonest) && (30_000..=120_000).contains(latest),
        "{soonest} {latest}"
    );
    assert!(latest - soonest > 60_000, "returns spread: {soonest} to {latest}");
}
