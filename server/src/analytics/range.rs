//! The time, key and model that a question is about, out of the texts of an address.

use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::types::{TimeRange, UsageQuery};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use pool::Timestamp;

use crate::clock::rfc3339;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Name and length of the ranges that end now.
pub(super) const PRESETS: [(&str, Duration); 4] = [
    ("1h", Duration::from_secs(3600)),
    ("24h", DAY),
    ("7d", Duration::from_secs(7 * 24 * 3600)),
    ("30d", Duration::from_secs(30 * 24 * 3600)),
];
/// As long as hours are kept.
const LENGTH_MAX: Duration = Duration::from_secs(400 * 24 * 3600);
const MODEL_CHARS_MAX: usize = 200;

/// A question's time in its zone, and what it is narrowed to.
#[derive(Debug, Clone)]
pub(super) struct Range {
    pub(super) from: Timestamp,
    /// Not included.
    pub(super) to: Timestamp,
    pub(super) now: Timestamp,
    pub(super) zone: TimeZone,
    /// As it was given.
    pub(super) zone_name: String,
    /// The name of one of [`PRESETS`].
    pub(super) preset: Option<&'static str>,
    pub(super) key_number: Option<u32>,
    pub(super) model: Option<String>,
}

impl Range {
    /// `otherwise`: the preset that a query without any time means.
    ///
    /// # Errors
    /// `BAD_REQUEST` naming the field that makes no sense, and what would.
    pub(super) fn parse(query: &UsageQuery, otherwise: &str, now: Timestamp) -> Result<Self, AppError> {
        let (zone_name, zone) = zone(query.tz.as_deref())?;
        let (start, end) = (given(&query.start_date), given(&query.end_date));
        let (from, to, preset) = match (given(&query.range), start, end) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                return Err(wrong("range", "Give either range or startDate and endDate, not both."));
            }
            (range, None, None) => {
                let (name, length) = preset(range.unwrap_or(otherwise))?;
                (now.minus(length), now.plus(Duration::from_millis(1)), Some(name))
            }
            (None, start, end) => {
                let to = match end {
                    Some(end) => instant(end, &zone, Edge::End).ok_or_else(|| wrong_date("endDate"))?,
                    None => now.plus(Duration::from_millis(1)),
                };
                let from = match start {
                    Some(start) => instant(start, &zone, Edge::Start).ok_or_else(|| wrong_date("startDate"))?,
                    None => to.minus(preset(otherwise)?.1),
                };
                (from, to, None)
            }
        };
        if from >= to {
            return Err(wrong("startDate", "startDate must be before endDate."));
        }
        if to.since(from) > LENGTH_MAX {
            return Err(wrong(
                "startDate",
                "The time asked for is longer than 400 days: ask for less.",
            ));
        }
        Ok(Self {
            from,
            to,
            now,
            zone,
            zone_name,
            preset,
            key_number: key_number(query.key_number.as_deref())?,
            model: model(query.model.as_deref())?,
        })
    }

    /// The stretch of time before, as long.
    pub(super) fn before(&self) -> Self {
        let length = self.to.since(self.from);
        Self {
            from: self.from.minus(length),
            to: self.from,
            ..self.clone()
        }
    }

    pub(super) fn shown(&self) -> TimeRange {
        TimeRange {
            start: rfc3339(self.from),
            end: rfc3339(self.to),
            tz: self.zone_name.clone(),
            range: self.preset.map(str::to_owned),
        }
    }
}

/// The zone's name as it was given, UTC when it was not, and the zone.
pub(super) fn zone(name: Option<&str>) -> Result<(String, TimeZone), AppError> {
    let name = name.map(str::trim).filter(|name| !name.is_empty()).unwrap_or("UTC");
    let known = TimeZone::get(name).ok();
    known.map(|zone| (name.to_owned(), zone)).ok_or_else(|| {
        wrong(
            "tz",
            "tz must be the IANA name of a time zone, such as UTC, America/Los_Angeles or Asia/Kathmandu.",
        )
    })
}

pub(super) fn key_number(text: Option<&str>) -> Result<Option<u32>, AppError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let number = text.parse().ok().filter(|number| *number > 0);
    number
        .map(Some)
        .ok_or_else(|| wrong("keyNumber", "keyNumber must be the number of a key: 1, 2, 3 …"))
}

fn model(text: Option<&str>) -> Result<Option<String>, AppError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.chars().count() > MODEL_CHARS_MAX {
        return Err(wrong("model", "model is longer than any model's name."));
    }
    Ok(Some(text.to_owned()))
}

fn preset(name: &str) -> Result<(&'static str, Duration), AppError> {
    let known = PRESETS.into_iter().find(|(known, _)| *known == name);
    known.ok_or_else(|| {
        wrong(
            "range",
            "range must be one of 1h, 24h, 7d and 30d; for another time give startDate and endDate.",
        )
    })
}

/// Empty is as good as absent.
pub(super) fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Start,
    /// A day counts to its end.
    End,
}

/// An instant with its offset, or a minute or a day on the zone's clock. What the clock skipped is moved on, of what it
/// went through twice the first is meant (RFC 5545's way).
fn instant(text: &str, zone: &TimeZone, edge: Edge) -> Option<Timestamp> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return millis(instant);
    }
    if let Ok(minute) = text.parse::<DateTime>()
        && text.contains(':')
    {
        return millis(minute.to_zoned_datetime(zone.clone()).ok()?.timestamp());
    }
    let mut day: Date = text.parse().ok()?;
    if edge == Edge::End {
        day = day.tomorrow().ok()?;
    }
    day_start(day, zone)
}

/// The first instant of a day: not every day has a midnight.
pub(super) fn day_start(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    millis(
        day.to_zoned_datetime(zone.clone())
            .ok()?
            .start_of_day()
            .ok()?
            .timestamp(),
    )
}

pub(super) fn millis(instant: jiff::Timestamp) -> Option<Timestamp> {
    u64::try_from(instant.as_millisecond()).ok().map(Timestamp::from_millis)
}

pub(super) fn wrong(field: &str, message: &str) -> AppError {
    AppError::new(ErrorCode::BadRequest, message).field(field)
}

fn wrong_date(field: &str) -> AppError {
    let message = format!(
        "{field} must be an instant such as 2026-11-30T14:05:00Z, or a day (2026-11-30) or a minute (2026-11-30T14:05) in tz."
    );
    wrong(field, &message)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const NOW: &str = "2026-11-30T12:34:56.789Z";

    pub(in crate::analytics) fn at(text: &str) -> Timestamp {
        millis(text.parse().unwrap()).unwrap()
    }

    fn query(range: &str, start: &str, end: &str, tz: &str) -> UsageQuery {
        let some = |text: &str| Some(text.to_owned());
        UsageQuery {
            range: some(range),
            start_date: some(start),
            end_date: some(end),
            tz: some(tz),
            ..UsageQuery::default()
        }
    }

    #[track_caller]
    fn check(query: &UsageQuery, from: &str, to: &str) {
        let range = Range::parse(query, "7d", at(NOW)).unwrap();
        assert_eq!(
            (rfc3339(range.from), rfc3339(range.to)),
            (from.to_owned(), to.to_owned())
        );
    }

    #[track_caller]
    fn check_wrong(query: &UsageQuery, field: &str) {
        let error = Range::parse(query, "7d", at(NOW)).unwrap_err();
        assert_eq!(
            (error.code, error.field.as_deref()),
            (ErrorCode::BadRequest, Some(field)),
            "{error}"
        );
    }

    #[test]
    fn a_time_is_read_as_it_is_meant() {
        let to = "2026-11-30T12:34:56.790Z";
        check(&query("", "", "", ""), "2026-11-23T12:34:56.789Z", to);
        check(&query("1h", "", "", "Asia/Kathmandu"), "2026-11-30T11:34:56.789Z", to);
        check(
            &query("", "2026-11-01", "2026-11-01", "America/Los_Angeles"),
            "2026-11-01T07:00:00.000Z",
            "2026-11-02T08:00:00.000Z",
        );
        check(
            &query("", "2026-03-08T01:30", "2026-03-08T03:30", "America/Los_Angeles"),
            "2026-03-08T09:30:00.000Z",
            "2026-03-08T10:30:00.000Z",
        );
        check(
            &query("", "2026-11-30T10:00:00+05:45", "", "UTC"),
            "2026-11-30T04:15:00.000Z",
            to,
        );
        check(
            &query("", "", "2026-11-08", "UTC"),
            "2026-11-02T00:00:00.000Z",
            "2026-11-09T00:00:00.000Z",
        );
    }

    #[test]
    fn what_makes_no_sense_names_its_field() {
        check_wrong(&query("2d", "", "", ""), "range");
        check_wrong(&query("1h", "2026-11-01", "", ""), "range");
        check_wrong(&query("", "yesterday", "", ""), "startDate");
        check_wrong(&query("", "2026-02-30", "", ""), "startDate");
        check_wrong(&query("", "", "1969-01-01", ""), "endDate");
        check_wrong(&query("", "2026-11-30", "2026-11-29", ""), "startDate");
        check_wrong(&query("", "2020-01-01", "", ""), "startDate");
        check_wrong(&query("", "", "", "Mars/Olympus"), "tz");
        let key = |text: &str| UsageQuery {
            key_number: Some(text.to_owned()),
            ..UsageQuery::default()
        };
        check_wrong(&key("0"), "keyNumber");
        check_wrong(&key("one"), "keyNumber");
        let model = UsageQuery {
            model: Some("m".repeat(201)),
            ..UsageQuery::default()
        };
        check_wrong(&model, "model");
    }

    #[test]
    fn the_time_before_is_as_long() {
        let range = Range::parse(&query("24h", "", "", ""), "7d", at(NOW)).unwrap();
        let before = range.before();
        assert_eq!(before.to, range.from);
        assert_eq!(before.to.since(before.from), range.to.since(range.from));
    }
}
