//! The last 60 seconds of a cell, call by call. Providers count a sliding minute, so counts of whole minutes would allow
//! too much just after one began.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::{rest::Serial, time::Timestamp};

const MINUTE: Duration = Duration::from_secs(60);

/// A cell so busy has a limit far away, or none.
const CALLS_MAX: usize = 65_536;

#[derive(Clone, Copy, Debug)]
struct Charge {
    /// When the provider had accepted the call: never before it counted it.
    at: Timestamp,
    call: Serial,
    tokens: u64,
}

impl Charge {
    fn leaves_at(&self) -> Timestamp {
        self.at.plus(MINUTE)
    }
}

/// Calls that the provider accepted, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Window(VecDeque<Charge>);

impl Window {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Returns the tokens of the call that had to make room, mostly none.
    pub(super) fn push(&mut self, at: Timestamp, call: Serial, tokens: u64) -> u64 {
        let full = self.0.len() >= CALLS_MAX;
        let oldest = if full { self.0.pop_front() } else { None };
        self.0.push_back(Charge { at, call, tokens });
        oldest.map_or(0, |charge| charge.tokens)
    }

    /// Forgets what is over, and what lies so far ahead that the clock has stepped back since. Returns the tokens of what
    /// was forgotten.
    pub(super) fn roll(&mut self, now: Timestamp) -> u64 {
        let mut forgotten = 0_u64;
        if self.0.back().is_some_and(|last| last.at.since(now) > MINUTE) {
            self.0.retain(|charge| {
                let stays = charge.at.since(now) <= MINUTE;
                forgotten += if stays { 0 } else { charge.tokens };
                stays
            });
        }
        while let Some(first) = self.0.front().filter(|first| first.leaves_at() <= now) {
            forgotten += first.tokens;
            self.0.pop_front();
        }
        forgotten
    }

    /// Calls kept.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Calls that are over but not forgotten yet, and their tokens.
    pub(super) fn over(&self, now: Timestamp) -> (u32, u64) {
        let over = self.0.iter().take_while(|charge| charge.leaves_at() <= now);
        over.fold((0, 0), |(calls, tokens), charge| (calls + 1, tokens + charge.tokens))
    }

    fn within(&self, now: Timestamp) -> impl Iterator<Item = &Charge> {
        self.0.iter().skip_while(move |charge| charge.leaves_at() <= now)
    }

    /// When the oldest call leaves, [`Timestamp::MAX`] when there is none.
    pub(super) fn oldest_leaves(&self) -> Timestamp {
        self.0.front().map_or(Timestamp::MAX, Charge::leaves_at)
    }

    /// Both, in the order of time.
    pub(super) fn merge(&mut self, other: &Self) {
        self.0.extend(other.0.iter().copied());
        self.0.make_contiguous().sort_by_key(|charge| charge.at);
    }

    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.0.back().map(|charge| charge.at)
    }

    /// What the provider counted in the end. Returns what was kept before.
    pub(super) fn correct(&mut self, call: Serial, tokens: u64) -> Option<u64> {
        let charge = self.0.iter_mut().rev().find(|charge| charge.call == call)?;
        Some(core::mem::replace(&mut charge.tokens, tokens))
    }

    /// The provider refused the call after all. Returns its tokens.
    pub(super) fn withdraw(&mut self, call: Serial) -> u64 {
        let place = self.0.iter().rposition(|charge| charge.call == call);
        let charge = place.and_then(|place| self.0.remove(place));
        charge.map_or(0, |charge| charge.tokens)
    }

    /// When so many of the oldest calls have left.
    pub(super) fn calls_leave(&self, calls: u64, now: Timestamp) -> Option<Timestamp> {
        let nth = usize::try_from(calls.checked_sub(1)?).ok()?;
        self.within(now).nth(nth).map(Charge::leaves_at)
    }

    /// When so many tokens of the oldest calls have left.
    pub(super) fn tokens_leave(&self, tokens: u64, now: Timestamp) -> Option<Timestamp> {
        let mut left = 0_u64;
        let last = self.within(now).find(|charge| {
            left = left.saturating_add(charge.tokens);
            left >= tokens
        });
        last.map(Charge::leaves_at)
    }
}
