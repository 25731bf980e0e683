//! Times in the zone that the reader chose.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use leptos::prelude::*;

use crate::text::{remaining, usage as words};

/// The provider counts its days in this one: <https://ai.google.dev/gemini-api/docs/rate-limits>.
const PACIFIC: &str = "America/Los_Angeles";

/// A zone with its IANA name.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// UTC when there is no such zone: whoever asked with it is told so in place of the figures.
    pub(super) fn named(name: Option<&str>) -> Self {
        let known = name.and_then(|name| TimeZone::get(name).ok().map(|zone| (name, zone)));
        match known {
            Some((name, zone)) => Self {
                name: name.to_owned(),
                zone,
            },
            None => Self {
                name: "UTC".to_owned(),
                zone: TimeZone::UTC,
            },
        }
    }

    pub(super) fn pacific() -> Self {
        Self::named(Some(PACIFIC))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// As people read it: "Pacific", "Europe/Berlin".
    pub(super) fn word(&self) -> &str {
        words::zone(&self.name)
    }

    /// "30 Nov 2026, 14:05"; what is no instant is given back as it is.
    pub(super) fn minute(&self, at: &str) -> String {
        self.write(at, "%-d %b %Y, %H:%M")
    }

    /// "30 Nov, 14:05:12".
    pub(super) fn second(&self, at: &str) -> String {
        self.write(at, "%-d %b, %H:%M:%S")
    }

    /// "14:05".
    pub(super) fn clock(&self, at: &str) -> String {
        self.write(at, "%H:%M")
    }

    /// "14:05:12 UTC": which moment it was, said beside figures that may be old.
    pub(super) fn as_of(&self, at: &str) -> String {
        format!("{} {}", self.write(at, "%H:%M:%S"), self.word())
    }

    /// As an input of the type `datetime-local` has it.
    pub(super) fn local(&self, at: &str) -> String {
        self.write(at, "%Y-%m-%dT%H:%M")
    }

    /// "30 Nov 2026, 14:05" as an element that says which instant it is.
    pub(super) fn time(&self, at: &str) -> AnyView {
        view! { <time datetime=at.to_owned() class="nowrap">{self.minute(at)}</time> }.into_any()
    }

    fn write(&self, at: &str, format: &str) -> String {
        match at.parse::<Timestamp>() {
            Ok(instant) => instant
                .to_zoned_datetime(self.zone.clone())
                .strftime(format)
                .to_string(),
            Err(_) => at.to_owned(),
        }
    }
}

/// The day before and after a day such as `2026-11-30`; `None` for what is no day.
pub(super) fn neighbours(date: &str) -> Option<(String, String)> {
    let date: jiff::civil::Date = date.parse().ok()?;
    Some((date.yesterday().ok()?.to_string(), date.tomorrow().ok()?.to_string()))
}

/// "in 4 h 12 min" from one instant to another; `None` when it is not ahead.
pub(super) fn ahead(from: &str, to: &str) -> Option<String> {
    let (from, to): (Timestamp, Timestamp) = (from.parse().ok()?, to.parse().ok()?);
    let ms = u64::try_from(to.as_millisecond() - from.as_millisecond()).ok()?;
    (ms > 0).then(|| format!("in {}", remaining(ms)))
}

#[cfg(test)]
mod tests {
    use super::{Zone, ahead, neighbours};

    const AT: &str = "2026-11-30T22:05:12.345Z";

    #[test]
    fn an_instant_is_written_in_the_chosen_zone() {
        assert_eq!(Zone::named(None).minute(AT), "30 Nov 2026, 22:05");
        assert_eq!(Zone::named(Some("Asia/Kolkata")).second(AT), "1 Dec, 03:35:12");
        assert_eq!(Zone::pacific().clock(AT), "14:05");
        assert_eq!(Zone::pacific().as_of(AT), "14:05:12 Pacific");
        assert_eq!(Zone::named(Some("Europe/Berlin")).local(AT), "2026-11-30T23:05");
    }

    #[test]
    fn a_zone_that_does_not_exist_is_utc_and_says_so() {
        for name in ["", "Mars/Olympus", "../../etc/passwd"] {
            assert_eq!(Zone::named(Some(name)).name(), "UTC", "{name}");
        }
    }

    #[test]
    fn what_is_no_instant_stays_as_it_is() {
        assert_eq!(Zone::named(None).minute("yesterday"), "yesterday");
        assert_eq!(ahead("yesterday", AT), None);
    }

    #[test]
    fn days_have_neighbours_across_months_and_years() {
        assert_eq!(
            neighbours("2026-12-31"),
            Some(("2026-12-30".to_owned(), "2027-01-01".to_owned()))
        );
        assert_eq!(neighbours("2026-13-01"), None);
    }

    #[test]
    fn only_what_is_ahead_is_counted_down() {
        assert_eq!(ahead(AT, "2026-12-01T08:00:00Z").as_deref(), Some("in 9 h 54 min"));
        assert_eq!(ahead(AT, AT), None);
        assert_eq!(ahead(AT, "2026-11-30T08:00:00Z"), None);
    }
}
