//! Limits that the provider named in its answers.

use alloc::boxed::Box;
use core::time::Duration;

use super::Usage;
use crate::{
    outcome::{Limit, LimitUnit},
    quota::Limits,
    time::Timestamp,
};

/// A limit is believed for so long after an answer named it: a person may buy a higher one.
const LEARNED_FOR: Duration = Duration::from_hours(24);

/// Limits named in answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learned {
    limits: Limits,
    named_at: Timestamp,
}

impl Usage {
    /// Limits that answers named, while they are believed.
    pub(crate) fn learned(&self, now: Timestamp) -> Limits {
        let learned = self.learned.as_ref();
        learned
            .filter(|learned| now.since(learned.named_at) < LEARNED_FOR)
            .map_or(Limits::default(), |learned| learned.limits)
    }

    /// Learned limits and when one was last named, believed or not.
    pub(crate) fn learned_at(&self) -> (Limits, Timestamp) {
        let learned = self.learned.as_ref();
        learned.map_or((Limits::default(), Timestamp::EPOCH), |learned| {
            (learned.limits, learned.named_at)
        })
    }

    /// Limits from before a restart, or of a project merged into this one.
    pub(crate) fn recall(&mut self, limits: Limits, named_at: Timestamp) {
        let (known, known_at) = self.learned_at();
        let limits = known.or(limits);
        if limits != Limits::default() {
            self.limited = true;
            self.learned = Some(Box::new(Learned {
                limits,
                named_at: known_at.max(named_at),
            }));
        }
    }

    /// True when the limit is news. A limit of zero is no quota at all, and another outcome.
    pub(crate) fn learn_minute(&mut self, limit: Option<Limit>, now: Timestamp) -> bool {
        self.learn(limit, now, |limits, unit| match unit {
            LimitUnit::Requests => &mut limits.requests_per_minute,
            LimitUnit::Tokens => &mut limits.tokens_per_minute,
        })
    }

    /// As [`learn_minute`](Self::learn_minute).
    pub(crate) fn learn_day(&mut self, limit: Option<Limit>, now: Timestamp) -> bool {
        self.learn(limit, now, |limits, unit| match unit {
            LimitUnit::Requests => &mut limits.requests_per_day,
            LimitUnit::Tokens => &mut limits.tokens_per_day,
        })
    }

    fn learn(
        &mut self,
        limit: Option<Limit>,
        now: Timestamp,
        place: impl FnOnce(&mut Limits, LimitUnit) -> &mut Option<u64>,
    ) -> bool {
        let Some(Limit { unit, value }) = limit.filter(|limit| limit.value > 0) else {
            return false;
        };
        let mut limits = self.learned(now);
        let known = place(&mut limits, unit);
        let is_news = *known != Some(value);
        *known = Some(value);
        self.limited = true;
        self.learned = Some(Box::new(Learned { limits, named_at: now }));
        is_news
    }
}
