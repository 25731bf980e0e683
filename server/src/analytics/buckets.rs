//! A stretch of time cut into the minutes, hours or days of a zone's clock. Days have 23, 24 or 25 hours, and some zones'
//! hours begin at a quarter of UTC's.

use std::time::Duration;

use app::types::{Bucket, Step};
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use pool::Timestamp;

use super::range::{Range, day_start, millis};
use crate::clock::rfc3339;
use crate::store::Level;

const HOUR: Duration = Duration::from_secs(3600);
/// Up to so long a line has a point a minute …
const MINUTES_MAX: Duration = Duration::from_secs(3 * 3600);
/// … and up to so long a point an hour.
const HOURS_MAX: Duration = Duration::from_secs(8 * 24 * 3600);

/// Neighbours: each ends where the next begins. The first and the last are whole, and may reach out of the range.
#[derive(Debug, Clone)]
pub(super) struct Buckets {
    pub(super) step: Step,
    /// In order; one more than there are buckets.
    bounds: Vec<Timestamp>,
    /// The longest rollups of which each lies in one bucket.
    pub(super) level: Level,
    zone: TimeZone,
}

impl Buckets {
    pub(super) fn of(range: &Range) -> Self {
        let length = range.to.since(range.from);
        let minutes_are_kept = Level::Minute
            .kept()
            .is_none_or(|kept| range.from >= range.now.minus(kept));
        let step = if length <= MINUTES_MAX && minutes_are_kept {
            Step::Minute
        } else if length <= HOURS_MAX {
            Step::Hour
        } else {
            Step::Day
        };
        // Of so long ago there are days of UTC alone.
        let is_old = Level::Hour
            .kept()
            .is_some_and(|kept| range.from < range.now.minus(kept));
        let (step, zone) = if is_old {
            (Step::Day, TimeZone::UTC)
        } else {
            (step, range.zone.clone())
        };
        let bounds = bounds(range, step, &zone);
        let fits = |level: &Level| bounds.iter().all(|at| level.start_of(*at) == *at);
        let level = Level::ALL.into_iter().rev().find(fits).unwrap_or(Level::Minute);
        Self {
            step,
            bounds,
            level,
            zone,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    /// The place of the bucket that the instant is in.
    pub(super) fn place(&self, at: Timestamp) -> Option<usize> {
        let behind = self.bounds.partition_point(|bound| *bound <= at);
        behind.checked_sub(1).filter(|place| *place < self.len())
    }

    pub(super) fn shown(&self) -> Vec<Bucket> {
        let pairs = self.bounds.iter().zip(self.bounds.iter().skip(1));
        pairs
            .map(|(&start, &end)| Bucket {
                start: rfc3339(start),
                end: rfc3339(end),
                label: self.label(start),
            })
            .collect()
    }

    fn label(&self, start: Timestamp) -> String {
        let Some(start) = zoned(start, &self.zone) else {
            return String::new();
        };
        let is_short = self.len() <= 25;
        match self.step {
            Step::Minute => start.strftime("%H:%M").to_string(),
            Step::Hour if is_short => start.strftime("%H:%M").to_string(),
            Step::Hour => start.strftime("%-d %b %H:%M").to_string(),
            Step::Day => start.strftime("%-d %b").to_string(),
        }
    }
}

fn zoned(at: Timestamp, zone: &TimeZone) -> Option<ZonedDateTime> {
    let instant = jiff::Timestamp::from_millisecond(i64::try_from(at.as_millis()).ok()?).ok()?;
    Some(instant.to_zoned_datetime(zone.clone()))
}

fn bounds(range: &Range, step: Step, zone: &TimeZone) -> Vec<Timestamp> {
    let first = match step {
        Step::Minute => Some(Level::Minute.start_of(range.from)),
        Step::Hour => hour_start(range.from, zone),
        Step::Day => zoned(range.from, zone).and_then(|first| day_start(first.date(), zone)),
    };
    let mut bounds = vec![first.unwrap_or(range.from)];
    while let Some(&last) = bounds.last().filter(|last| **last < range.to) {
        bounds.push(next(last, step, zone).filter(|next| *next > last).unwrap_or(range.to));
    }
    bounds
}

/// Of the hour on the zone's clock. Where the clock is moved by a part of an hour, hours are cut there.
fn hour_start(at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let here = zoned(at, zone)?;
    let into = Duration::from_secs(u64::try_from(i64::from(here.minute()) * 60 + i64::from(here.second())).ok()?);
    let start = Level::Minute.start_of(at.minus(into));
    if zoned(start, zone)?.offset() == here.offset() {
        return Some(start);
    }
    // The clock was moved within the hour.
    let just_after = jiff::Timestamp::from_millisecond(here.timestamp().as_millisecond() + 1).ok()?;
    millis(zone.preceding(just_after).next()?.timestamp()).map(|moved| moved.max(start))
}

fn next(last: Timestamp, step: Step, zone: &TimeZone) -> Option<Timestamp> {
    match step {
        Step::Minute => Some(last.plus(Duration::from_secs(60))),
        Step::Hour => {
            let plain = last.plus(HOUR);
            // A clock moved by half an hour (Lord Howe Island): the next full hour comes sooner or later.
            let start = hour_start(plain, zone)?;
            Some(if start > last { start } else { plain })
        }
        Step::Day => {
            let tomorrow = zoned(last, zone)?.date().tomorrow().ok()?;
            day_start(tomorrow, zone)
        }
    }
}

/// The hours on the clock of one day: the first instant of each with the hour it shows.
pub(super) fn hours_of_day(start: Timestamp, end: Timestamp, zone: &TimeZone) -> Vec<(Timestamp, u8)> {
    let mut hours = Vec::new();
    let mut at = Some(start);
    while let Some(hour) = at.filter(|at| *at < end) {
        let shown = zoned(hour, zone).map_or(0, |here| u8::try_from(here.hour()).unwrap_or(0));
        hours.push((hour, shown));
        at = next(hour, Step::Hour, zone).filter(|next| *next > hour);
    }
    hours
}

/// The zone's day that an instant is in: its date, start and end.
pub(super) fn day_of(at: Timestamp, zone: &TimeZone) -> Option<(jiff::civil::Date, Timestamp, Timestamp)> {
    let date = zoned(at, zone)?.date();
    day_bounds(date, zone)
}

pub(super) fn day_bounds(
    date: jiff::civil::Date,
    zone: &TimeZone,
) -> Option<(jiff::civil::Date, Timestamp, Timestamp)> {
    Some((date, day_start(date, zone)?, day_start(date.tomorrow().ok()?, zone)?))
}

/// As a file or a table shows it: on the zone's clock, with its offset.
pub(super) fn in_zone(at: Timestamp, zone: &TimeZone) -> String {
    zoned(at, zone).map_or_else(String::new, |here| {
        here.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
    })
}

#[cfg(test)]
mod tests {
    use app::types::UsageQuery;

    use super::super::range::tests::at;
    use super::*;

    fn range(start: &str, end: &str, tz: &str, now: &str) -> Range {
        let some = |text: &str| Some(text.to_owned());
        let query = UsageQuery {
            start_date: some(start),
            end_date: some(end),
            tz: some(tz),
            ..UsageQuery::default()
        };
        Range::parse(&query, "7d", at(now)).unwrap()
    }

    /// Step, level, number of buckets, and the first with its label.
    #[track_caller]
    fn check(range: &Range, step: Step, level: Level, len: usize, start: &str, label: &str) {
        let buckets = Buckets::of(range);
        assert_eq!((buckets.step, buckets.level, buckets.len()), (step, level, len));
        let shown = buckets.shown();
        assert_eq!((shown[0].start.as_str(), shown[0].label.as_str()), (start, label));
        for pair in shown.windows(2) {
            assert_eq!(pair[0].end, pair[1].start);
        }
    }

    const NOW: &str = "2026-11-30T12:00:00Z";

    #[test]
    fn days_that_the_clock_is_moved_on_have_23_and_25_hours() {
        let spring = range("2026-03-08", "2026-03-08", "America/Los_Angeles", NOW);
        check(
            &spring,
            Step::Hour,
            Level::Hour,
            23,
            "2026-03-08T08:00:00.000Z",
            "00:00",
        );
        let autumn = range("2026-11-01", "2026-11-01", "America/Los_Angeles", NOW);
        check(
            &autumn,
            Step::Hour,
            Level::Hour,
            25,
            "2026-11-01T07:00:00.000Z",
            "00:00",
        );
        let labels: Vec<_> = Buckets::of(&autumn)
            .shown()
            .into_iter()
            .map(|bucket| bucket.label)
            .collect();
        assert_eq!(labels[..4], ["00:00", "01:00", "01:00", "02:00"]);
    }

    #[test]
    fn zones_off_by_parts_of_an_hour_are_cut_at_their_own_hours() {
        let kathmandu = range("2026-11-29", "2026-11-29", "Asia/Kathmandu", NOW);
        check(
            &kathmandu,
            Step::Hour,
            Level::Quarter,
            24,
            "2026-11-28T18:15:00.000Z",
            "00:00",
        );
        let kolkata = range("2026-10-01", "2026-11-28", "Asia/Kolkata", NOW);
        check(
            &kolkata,
            Step::Day,
            Level::Quarter,
            59,
            "2026-09-30T18:30:00.000Z",
            "1 Oct",
        );
    }

    #[test]
    fn a_clock_moved_by_half_an_hour_loses_no_time() {
        // 04 October 2026: from 02:00 (+10:30) to 02:30 (+11:00).
        let spring = range("2026-10-04", "2026-10-04", "Australia/Lord_Howe", NOW);
        let buckets = Buckets::of(&spring);
        let shown = buckets.shown();
        assert_eq!(shown[0].start, "2026-10-03T13:30:00.000Z");
        assert_eq!(shown.last().unwrap().end, "2026-10-04T13:00:00.000Z");
        assert_eq!(buckets.level, Level::Quarter);
        let labels: Vec<_> = shown.iter().map(|bucket| bucket.label.as_str()).collect();
        assert_eq!(labels[..4], ["00:00", "01:00", "02:30", "03:00"]);
    }

    #[test]
    fn days_of_utc_are_read_from_days() {
        let month = range("2026-10-01", "2026-10-31", "UTC", NOW);
        check(&month, Step::Day, Level::Day, 31, "2026-10-01T00:00:00.000Z", "1 Oct");
        let pacific = range("2026-10-15", "2026-11-14", "America/Los_Angeles", NOW);
        check(
            &pacific,
            Step::Day,
            Level::Hour,
            31,
            "2026-10-15T07:00:00.000Z",
            "15 Oct",
        );
    }

    #[test]
    fn an_hour_has_its_minutes_while_they_are_kept() {
        let query = UsageQuery {
            range: Some("1h".to_owned()),
            ..UsageQuery::default()
        };
        let now = at("2026-11-30T12:34:56Z");
        let hour = Range::parse(&query, "7d", now).unwrap();
        check(
            &hour,
            Step::Minute,
            Level::Minute,
            61,
            "2026-11-30T11:34:00.000Z",
            "11:34",
        );
        let old = range("2026-11-01T10:20", "2026-11-01T11:30", "UTC", NOW);
        check(&old, Step::Hour, Level::Hour, 2, "2026-11-01T10:00:00.000Z", "10:00");
    }

    #[test]
    fn of_what_is_older_than_hours_are_kept_there_are_days_of_utc() {
        let old = range("2025-01-01", "2025-01-05", "America/Los_Angeles", NOW);
        check(&old, Step::Day, Level::Day, 6, "2025-01-01T00:00:00.000Z", "1 Jan");
    }

    #[test]
    fn every_instant_has_its_place() {
        let autumn = range("2026-11-01", "2026-11-01", "America/Los_Angeles", NOW);
        let buckets = Buckets::of(&autumn);
        let place = |text: &str| buckets.place(at(text));
        assert_eq!(place("2026-11-01T06:59:59.999Z"), None);
        assert_eq!(place("2026-11-01T07:00:00Z"), Some(0));
        assert_eq!(place("2026-11-01T08:30:00Z"), Some(1));
        assert_eq!(place("2026-11-01T09:30:00Z"), Some(2), "the second 01:30");
        assert_eq!(place("2026-11-02T08:00:00Z"), None);
    }
}
