//! Is there room for one more call, and how much is left?

use super::{Usage, WHOLE_PPM};
use crate::{
    quota::{Limits, Used},
    time::Timestamp,
};

impl Usage {
    /// Until then a call under way tests whether there is a limit.
    pub(crate) fn tested_until(&self) -> Timestamp {
        Timestamp::from_millis(u64::from(self.tested_until) * 1_000)
    }

    /// When one more call has room: the epoch if now, [`Timestamp::MAX`] if a call under way must end first.
    pub(crate) fn room_at(&self, limits: &Limits, now: Timestamp, day_end: Timestamp) -> Timestamp {
        let tested_until = self.tested_until();
        if tested_until > now {
            return tested_until;
        }
        if *limits == Limits::default() {
            return Timestamp::EPOCH;
        }
        let used = self.used(now, day_end);
        let pending = u64::from(self.unaccepted);
        let at_once = over(u64::from(self.in_flight), limits.calls_at_once).map(|_| Timestamp::MAX);
        let minute = over(used.requests_minute, limits.requests_per_minute)
            .map(|surplus| self.window.calls_leave(surplus, now).unwrap_or(Timestamp::MAX));
        let tokens = over(used.tokens_minute, limits.tokens_per_minute)
            .map(|surplus| self.window.tokens_leave(surplus, now).unwrap_or(Timestamp::MAX));
        let day = over(used.requests_today.saturating_add(pending), limits.requests_per_day)
            .map(|surplus| if surplus > pending { day_end } else { Timestamp::MAX });
        let day_tokens = over(
            used.tokens_today.saturating_add(self.tokens_reserved),
            limits.tokens_per_day,
        )
        .map(|surplus| {
            if surplus > self.tokens_reserved {
                day_end
            } else {
                Timestamp::MAX
            }
        });
        let latest = [at_once, minute, tokens, day, day_tokens].into_iter().flatten().max();
        latest.unwrap_or(Timestamp::EPOCH)
    }

    /// When a call of so many tokens has room, as [`room_at`](Self::room_at). A call that is larger than the limit itself is
    /// let through when nothing else is counted: the provider decides.
    pub(crate) fn fits_at(&self, tokens: u64, limits: &Limits, now: Timestamp, day_end: Timestamp) -> Timestamp {
        let used = self.used(now, day_end);
        let surplus = |used: u64, limit: Option<u64>| {
            let wanted = used.saturating_add(tokens.max(1));
            limit
                .filter(|limit| used > 0 && wanted > *limit)
                .map(|limit| (wanted - limit).min(used))
        };
        let minute = surplus(used.tokens_minute, limits.tokens_per_minute)
            .map(|surplus| self.window.tokens_leave(surplus, now).unwrap_or(Timestamp::MAX));
        let today = used.tokens_today.saturating_add(self.tokens_reserved);
        let day = surplus(today, limits.tokens_per_day).map(|_| day_end);
        minute.max(day).unwrap_or(Timestamp::EPOCH)
    }

    /// The day's limit is used up by what was charged.
    pub(crate) fn is_day_spent(&self, limits: &Limits, day_end: Timestamp) -> bool {
        self.day_end == day_end
            && (over(u64::from(self.requests_today), limits.requests_per_day).is_some()
                || over(self.tokens_today, limits.tokens_per_day).is_some())
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
        let requests_today = used.requests_today.saturating_add(u64::from(self.unaccepted));
        let tokens_today = used.tokens_today.saturating_add(self.tokens_reserved);
        let minute = left_ppm(used.requests_minute, limits.requests_per_minute)
            .min(left_ppm(used.tokens_minute, limits.tokens_per_minute))
            .min(left_ppm(u64::from(self.in_flight), limits.calls_at_once));
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
}

/// How many must leave before one more has room; `None` when it has.
fn over(used: u64, limit: Option<u64>) -> Option<u64> {
    let limit = limit?;
    (used >= limit).then(|| used - limit + 1)
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
