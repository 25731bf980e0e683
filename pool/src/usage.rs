//! What a project used of a model's quota, what is under way, and what is left.

use crate::{
    outcome::{Limit, LimitUnit, Outcome},
    quota::{Limits, Used},
    rest::Serial,
    time::Timestamp,
};

const MINUTE_MS: u64 = 60_000;
/// One whole, in millionths.
pub(crate) const WHOLE_PPM: u32 = 1_000_000;
const WHOLE_PERMILLE: u16 = 1_000;

/// Limits named in answers; zero where none was.
#[derive(Clone, Copy, Debug, Default)]
struct Learned {
    requests_per_minute: u64,
    tokens_per_minute: u64,
    requests_per_day: u64,
    tokens_per_day: u64,
}

/// The counters of one cell. Only charged calls count; what is under way is reserved beside them.
///
/// With 100,000 projects the time goes into memory, not into arithmetic: what choosing reads lies in the first cache
/// line, and what only reports need in the second.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Usage {
    tokens_now: u64,
    tokens_before: u64,
    tokens_reserved: u64,
    /// End of the counted day: counts of another day are void.
    day_end: Timestamp,
    requests_now: u32,
    requests_before: u32,
    requests_today: u32,
    pub(crate) in_flight: u32,
    /// Number of the running minute since the Unix epoch.
    minute: u32,
    pub(crate) project: u32,
    pub(crate) success_permille: u16,
    /// Some limit was named in an answer: there is something to read in the second line.
    has_learned: bool,

    tokens_today: u64,
    learned: Learned,
    /// The epoch while there was none.
    last_success: Timestamp,
    /// Calls up to this one belong to an earlier owner of the place.
    born: Serial,
}

const _: () = assert!(size_of::<Usage>() == 128, "two cache lines");

impl Usage {
    pub(crate) fn new(project: u32, born: Serial) -> Self {
        Self {
            tokens_now: 0,
            tokens_before: 0,
            tokens_reserved: 0,
            day_end: Timestamp::EPOCH,
            requests_now: 0,
            requests_before: 0,
            requests_today: 0,
            in_flight: 0,
            minute: 0,
            project,
            success_permille: WHOLE_PERMILLE,
            has_learned: false,
            tokens_today: 0,
            learned: Learned::default(),
            last_success: Timestamp::EPOCH,
            born,
        }
    }

    /// Does this call belong here, or to an earlier owner of the place?
    pub(crate) const fn knows(&self, project: u32, call: Serial) -> bool {
        self.project == project && self.born < call
    }

    pub(crate) const fn reserve(&mut self, tokens: u64) {
        self.in_flight = self.in_flight.saturating_add(1);
        self.tokens_reserved = self.tokens_reserved.saturating_add(tokens);
    }

    /// Ends a reservation: what was charged counts, the rest is refunded.
    pub(crate) fn settle(&mut self, outcome: &Outcome, reserved: u64, now: Timestamp, day_end: Timestamp) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.tokens_reserved = self.tokens_reserved.saturating_sub(reserved);
        if let Some(tokens) = outcome.charged(reserved) {
            self.charge(tokens, now, day_end);
        }
        if outcome.is_answer() {
            self.success_permille += (WHOLE_PERMILLE - self.success_permille).div_ceil(8);
            self.last_success = now;
        }
    }

    fn charge(&mut self, tokens: u64, now: Timestamp, day_end: Timestamp) {
        self.roll(minute_of(now));
        self.requests_now = self.requests_now.saturating_add(1);
        self.tokens_now = self.tokens_now.saturating_add(tokens);
        self.begin_day(day_end);
        self.requests_today = self.requests_today.saturating_add(1);
        self.tokens_today = self.tokens_today.saturating_add(tokens);
    }

    fn begin_day(&mut self, day_end: Timestamp) {
        if self.day_end != day_end {
            (self.requests_today, self.tokens_today, self.day_end) = (0, 0, day_end);
        }
    }

    /// A clock that steps back a little keeps counting in the minute it came from; after a long way back it starts
    /// afresh, for that minute may be years away.
    const fn roll(&mut self, minute: u32) {
        if minute <= self.minute && self.minute - minute <= 2 {
            return;
        }
        let next = minute == self.minute.saturating_add(1);
        self.requests_before = if next { self.requests_now } else { 0 };
        self.tokens_before = if next { self.tokens_now } else { 0 };
        (self.requests_now, self.tokens_now, self.minute) = (0, 0, minute);
    }

    pub(crate) fn used(&self, now: Timestamp, day_end: Timestamp) -> Used {
        let mut rolled = *self;
        rolled.roll(minute_of(now));
        // What is left of the minute before within the last 60 seconds.
        let left_ms = MINUTE_MS - now.as_millis() % MINUTE_MS;
        let part = |count: u64| count.saturating_mul(left_ms) / MINUTE_MS;
        let today = self.day_end == day_end;
        Used {
            requests_minute: u64::from(rolled.requests_now)
                .saturating_add(part(u64::from(rolled.requests_before)))
                .saturating_add(u64::from(self.in_flight)),
            tokens_minute: rolled
                .tokens_now
                .saturating_add(part(rolled.tokens_before))
                .saturating_add(self.tokens_reserved),
            requests_today: if today { u64::from(self.requests_today) } else { 0 },
            tokens_today: if today { self.tokens_today } else { 0 },
        }
    }

    /// The smallest part left over all known limits, in millionths.
    pub(crate) fn headroom_ppm(&self, limits: &Limits, used: &Used) -> u32 {
        if *limits == Limits::default() {
            return WHOLE_PPM;
        }
        let (minute_ppm, day_ppm) = self.left_ppm(limits, used);
        minute_ppm.min(day_ppm)
    }

    fn left_ppm(&self, limits: &Limits, used: &Used) -> (u32, u32) {
        let requests_today = used.requests_today.saturating_add(u64::from(self.in_flight));
        let tokens_today = used.tokens_today.saturating_add(self.tokens_reserved);
        let minute = left_ppm(used.requests_minute, limits.requests_per_minute)
            .min(left_ppm(used.tokens_minute, limits.tokens_per_minute));
        let day = left_ppm(requests_today, limits.requests_per_day).min(left_ppm(tokens_today, limits.tokens_per_day));
        (minute, day)
    }

    /// Parts left of the minute's and of the day's limits, in millionths, and calls in the last 60 seconds.
    pub(crate) fn left(&self, limits: &Limits, now: Timestamp, day_end: Timestamp) -> (u32, u32, u64) {
        let used = self.used(now, day_end);
        if *limits == Limits::default() {
            return (WHOLE_PPM, WHOLE_PPM, used.requests_minute);
        }
        let (minute_ppm, day_ppm) = self.left_ppm(limits, &used);
        (minute_ppm, day_ppm, used.requests_minute)
    }

    /// Something was counted or learned, or is under way.
    pub(crate) const fn is_telling(&self) -> bool {
        self.has_learned || self.requests_today > 0 || self.in_flight > 0
    }

    /// Calls and tokens of the day that ends at [`day_end`](Self::day_end).
    pub(crate) fn today(&self) -> (u64, u64) {
        (u64::from(self.requests_today), self.tokens_today)
    }

    pub(crate) const fn day_end(&self) -> Timestamp {
        self.day_end
    }

    pub(crate) fn last_success(&self) -> Option<Timestamp> {
        self.last_success.unless_epoch()
    }

    /// Counts from before a restart. Calls already counted since are kept.
    pub(crate) fn resume_day(&mut self, requests: u64, tokens: u64, day_end: Timestamp) {
        self.begin_day(day_end);
        self.requests_today = self.requests_today.max(u32::try_from(requests).unwrap_or(u32::MAX));
        self.tokens_today = self.tokens_today.max(tokens);
    }

    pub(crate) const fn lower_success(&mut self) {
        self.success_permille -= self.success_permille / 8;
    }

    pub(crate) fn learned(&self) -> Limits {
        if !self.has_learned {
            return Limits::default();
        }
        let known = |limit: u64| (limit > 0).then_some(limit);
        Limits {
            requests_per_minute: known(self.learned.requests_per_minute),
            tokens_per_minute: known(self.learned.tokens_per_minute),
            requests_per_day: known(self.learned.requests_per_day),
            tokens_per_day: known(self.learned.tokens_per_day),
        }
    }

    /// Limits from before a restart, or of a project merged into this one.
    pub(crate) fn recall(&mut self, limits: Limits) {
        let limits = self.learned().or(limits);
        self.has_learned = limits != Limits::default();
        self.learned = Learned {
            requests_per_minute: limits.requests_per_minute.unwrap_or(0),
            tokens_per_minute: limits.tokens_per_minute.unwrap_or(0),
            requests_per_day: limits.requests_per_day.unwrap_or(0),
            tokens_per_day: limits.tokens_per_day.unwrap_or(0),
        };
    }

    /// True when the limit is news. A limit of zero is no quota at all, and another outcome.
    pub(crate) const fn learn_minute(&mut self, limit: Option<Limit>) -> bool {
        let news = match limit {
            Some(Limit {
                unit: LimitUnit::Requests,
                value,
            }) => learn(&mut self.learned.requests_per_minute, value),
            Some(Limit {
                unit: LimitUnit::Tokens,
                value,
            }) => learn(&mut self.learned.tokens_per_minute, value),
            None => false,
        };
        self.has_learned |= news;
        news
    }

    /// As [`learn_minute`](Self::learn_minute).
    pub(crate) const fn learn_day(&mut self, limit: Option<Limit>) -> bool {
        let news = match limit {
            Some(Limit {
                unit: LimitUnit::Requests,
                value,
            }) => learn(&mut self.learned.requests_per_day, value),
            Some(Limit {
                unit: LimitUnit::Tokens,
                value,
            }) => learn(&mut self.learned.tokens_per_day, value),
            None => false,
        };
        self.has_learned |= news;
        news
    }
}

/// Minutes since the Unix epoch; enough for 8,000 years.
pub(crate) fn minute_of(now: Timestamp) -> u32 {
    u32::try_from(now.as_millis() / MINUTE_MS).unwrap_or(u32::MAX)
}

const fn learn(known: &mut u64, value: u64) -> bool {
    let news = value != 0 && value != *known;
    if news {
        *known = value;
    }
    news
}

fn left_ppm(used: u64, limit: Option<u64>) -> u32 {
    let Some(limit) = limit else { return WHOLE_PPM };
    if used >= limit {
        return 0;
    }
    let whole = u64::from(WHOLE_PPM);
    // Divided first where the product would not fit.
    let ppm = (limit - used)
        .checked_mul(whole)
        .map_or_else(|| (limit - used) / (limit / whole), |product| product / limit);
    u32::try_from(ppm).unwrap_or(WHOLE_PPM).min(WHOLE_PPM)
}
