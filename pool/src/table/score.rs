//! What choosing compares, kept in the ready list itself: with 100,000 projects a look at each candidate's usage
//! would be two more visits to far memory.

use core::cmp::Reverse;

use crate::{
    quota::Limits,
    time::Timestamp,
    usage::{Usage, WHOLE_PPM, minute_of},
};

/// What a merit is worth that nothing speaks against.
const FULL: u16 = u16::MAX;
/// No number of calls, but the mark of a score that must be made anew. More calls than that are all the same.
const UNKNOWN: u8 = u8::MAX;
/// One whole of quota times one whole of success.
const WHOLE: u64 = WHOLE_PPM as u64 * 1_000;
/// The shortest day of the provider, in minutes.
const DAY_SHORTEST_MIN: u64 = 23 * 60;

/// The better, the greater: part of the quota left × recent success, among equals fewer calls in the last minute.
pub(crate) type Merit = (u16, Reverse<u8>);

/// A usage as it was at the project's last call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Score {
    /// Over the limits of minute and day.
    merit: u16,
    /// Over the limits of the day only: what remains when the minute has passed.
    merit_of_day: u16,
    calls: u8,
    /// No trial is due, of the cell, the key or the account: a lease has nothing to look at but the usage. It lies
    /// here because a ready project then takes 20 bytes instead of 24.
    pub(crate) calm: bool,
    /// The low bits of the minute since the Unix epoch.
    minute: u16,
}

/// The instant that scores are read at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    minute: u16,
    /// Minutes that surely belong to the running day.
    today: u16,
}

impl Reading {
    pub(crate) fn at(now: Timestamp, day_end: Timestamp) -> Self {
        let left = day_end.since(now).as_secs() / 60;
        let today = DAY_SHORTEST_MIN.saturating_sub(left);
        Self {
            minute: low_bits(minute_of(now)),
            today: u16::try_from(today).unwrap_or(u16::MAX),
        }
    }
}

impl Score {
    /// The usage must be looked at.
    pub(crate) const fn unknown(calm: bool) -> Self {
        Self {
            merit: 0,
            merit_of_day: 0,
            calls: UNKNOWN,
            calm,
            minute: 0,
        }
    }

    pub(crate) fn of(usage: &Usage, limits: &Limits, now: Timestamp, day_end: Timestamp) -> Self {
        let (minute_ppm, day_ppm, calls) = usage.left(limits, now, day_end);
        let merit = |ppm: u32| {
            let product = u64::from(ppm) * u64::from(usage.success_permille);
            u16::try_from(product * u64::from(FULL) / WHOLE).unwrap_or(FULL)
        };
        Self {
            merit: merit(minute_ppm.min(day_ppm)),
            merit_of_day: merit(day_ppm),
            calls: u8::try_from(calls).unwrap_or(UNKNOWN).min(UNKNOWN - 1),
            calm: false,
            minute: low_bits(minute_of(now)),
        }
    }

    /// A new score for the same standing.
    pub(crate) const fn instead_of(self, before: Self) -> Self {
        Self {
            calm: before.calm,
            ..self
        }
    }

    /// None when the usage must be looked at: nothing was kept, or another day has begun since.
    pub(crate) const fn merit(self, reading: Reading) -> Option<Merit> {
        let age = reading.minute.wrapping_sub(self.minute);
        if self.calls == UNKNOWN || age > reading.today && age > 1 {
            return None;
        }
        Some(if age <= 1 {
            (self.merit, Reverse(self.calls))
        } else {
            (self.merit_of_day, Reverse(0))
        })
    }

    /// Of a project that was never used.
    pub(crate) const fn merit_unused() -> Merit {
        (FULL, Reverse(0))
    }

    /// As if read at the instant of its making.
    pub(crate) const fn merit_now(self) -> Merit {
        (self.merit, Reverse(self.calls))
    }
}

/// Differences of minutes are small; after 45 days they begin again.
const fn low_bits(minute: u32) -> u16 {
    (minute & 0xFFFF) as u16
}
