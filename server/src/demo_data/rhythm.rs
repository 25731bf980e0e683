//! When requests come: working hours in a zone, quiet nights and weekends, busy days and bursts of a minute.

use jiff::ZonedDateTime;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use pool::Timestamp;

use super::chance::Chance;

/// Of the people who ask. Their evening is late in the provider's day.
const ZONE: &str = "America/New_York";
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// How much is asked for in each hour of a working day.
const HOURS: [f64; 24] = [
    0.10, 0.07, 0.05, 0.05, 0.06, 0.10, 0.22, 0.55, 1.00, 1.55, 1.80, 1.75, 1.30, 1.60, 1.85, 1.80, 1.65, 1.25, 0.85,
    0.70, 0.65, 0.50, 0.32, 0.18,
];

/// An instant, and the hour on the clock of the people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) hour: u8,
    /// Counted from the Unix epoch, in the zone.
    pub(super) day: u64,
}

pub(super) struct Rhythm {
    seed: u64,
    zone: TimeZone,
    to_ms: u64,
    hour: Hour,
    slot: Slot,
    /// What was asked for before the slot, and in the whole time.
    before: f64,
    total: f64,
}

/// An hour, which begins on the full hour of UTC as of the zone.
#[derive(Debug, Clone, Copy)]
struct Hour {
    number: u64,
    shown: u8,
    day: u64,
    weight: f64,
}

/// A minute, or what there is of it.
#[derive(Debug, Clone, Copy)]
struct Slot {
    start_ms: u64,
    ms: u64,
    amount: f64,
}

impl Rhythm {
    pub(super) fn new(seed: u64, from: Timestamp, to: Timestamp) -> Self {
        let zone = TimeZone::get(ZONE).unwrap_or(TimeZone::UTC);
        let (to_ms, from_ms) = (to.as_millis(), from.as_millis().min(to.as_millis()));
        let hour = hour(seed, &zone, from_ms / HOUR_MS);
        let mut rhythm = Self {
            seed,
            zone,
            to_ms,
            hour,
            slot: slot(seed, &hour, from_ms, to_ms),
            before: 0.0,
            total: 0.0,
        };
        let (first, mut last) = (rhythm.slot, Some(rhythm.slot));
        while let Some(slot) = last {
            rhythm.total += slot.amount;
            last = rhythm.after(&slot);
        }
        (rhythm.hour, rhythm.slot) = (hour, first);
        rhythm
    }

    fn after(&mut self, last: &Slot) -> Option<Slot> {
        let start_ms = last.start_ms + last.ms;
        if start_ms >= self.to_ms {
            return None;
        }
        if start_ms / HOUR_MS != self.hour.number {
            self.hour = hour(self.seed, &self.zone, start_ms / HOUR_MS);
        }
        Some(slot(self.seed, &self.hour, start_ms, self.to_ms))
    }

    /// The instant by which this part (0 to 1) of everything was asked for. Parts must not fall from call to call.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "milliseconds within a minute"
    )]
    pub(super) fn at(&mut self, part: f64) -> Moment {
        let wanted = part * self.total;
        while wanted > self.before + self.slot.amount {
            let last = self.slot;
            let Some(next) = self.after(&last) else { break };
            self.before += last.amount;
            self.slot = next;
        }
        let into = ((wanted - self.before) / self.slot.amount).clamp(0.0, 1.0);
        let ms = self.slot.start_ms + (into * self.slot.ms as f64) as u64;
        Moment {
            at: Timestamp::from_millis(ms.min(self.to_ms)),
            hour: self.hour.shown,
            day: self.hour.day,
        }
    }
}

fn hour(seed: u64, zone: &TimeZone, number: u64) -> Hour {
    let (shown, day, is_weekend) = on_the_clock(number * HOUR_MS, zone).map_or((12, 0, false), |local| {
        let day = local.date().duration_since(jiff::civil::Date::constant(1970, 1, 1));
        let is_weekend = matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday);
        let shown = u8::try_from(local.hour()).unwrap_or(0);
        (shown, u64::try_from(day.as_hours() / 24).unwrap_or(0), is_weekend)
    });
    let mut of_day = Chance::of(seed, day);
    let busy = of_day.log_normal(0.12) * if of_day.happens(0.1) { 1.6 } else { 1.0 };
    let usual = HOURS.get(usize::from(shown)).copied().unwrap_or(1.0);
    Hour {
        number,
        shown,
        day,
        weight: usual * busy * if is_weekend { 0.25 } else { 1.0 },
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most a minute of milliseconds")]
fn slot(seed: u64, hour: &Hour, start_ms: u64, to_ms: u64) -> Slot {
    let end_ms = (start_ms / MINUTE_MS + 1) * MINUTE_MS;
    let ms = end_ms.min(to_ms).saturating_sub(start_ms).max(1);
    let mut of_minute = Chance::of(!seed, start_ms / MINUTE_MS);
    let busy = of_minute.log_normal(0.4) * if of_minute.happens(0.002) { 6.0 } else { 1.0 };
    Slot {
        start_ms,
        ms,
        amount: hour.weight * busy * ms as f64,
    }
}

fn on_the_clock(ms: u64, zone: &TimeZone) -> Option<ZonedDateTime> {
    let instant = jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
    Some(instant.to_zoned_datetime(zone.clone()))
}

/// The instant at this hour of the day that `at` is in, on the people's clock.
pub(super) fn at_hour(at: Timestamp, hour: i8) -> Option<Timestamp> {
    let local = on_the_clock(at.as_millis(), &TimeZone::get(ZONE).ok()?)?;
    let then = local.with().hour(hour).minute(0).second(0).subsec_nanosecond(0).build();
    u64::try_from(then.ok()?.timestamp().as_millisecond())
        .ok()
        .map(Timestamp::from_millis)
}
