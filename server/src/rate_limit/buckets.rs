//! What is remembered of callers, within bounds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use pool::Timestamp;

use super::gcra::{Instant, nanos};

/// Callers remembered: some ten megabytes.
pub(super) const CALLERS_MAX: usize = 100_000;
/// Who has the whole quota again is forgotten this often.
const TIDY_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    User(String),
    Token(String),
    /// An IPv4 address, or a network of IPv6.
    Address(IpAddr),
}

/// For each caller the instant until which its quota is spent: who is not here has all of it.
#[derive(Default)]
pub(super) struct Buckets {
    spent_until: HashMap<Key, Instant>,
    tidied_at: Option<Timestamp>,
}

impl Buckets {
    pub(super) fn spent_until(&self, key: &Key) -> Option<Instant> {
        self.spent_until.get(key).copied()
    }

    pub(super) fn set(&mut self, key: Key, spent_until: Instant, now: Timestamp) {
        if self.spent_until.len() >= CALLERS_MAX && !self.spent_until.contains_key(&key) {
            self.make_room(now);
        }
        self.spent_until.insert(key, spent_until);
    }

    /// Forgets whose quota is whole again, now and then.
    pub(super) fn tidy(&mut self, now: Timestamp) {
        let due = self.tidied_at.is_none_or(|at| now < at || now.since(at) >= TIDY_EVERY);
        if due {
            self.tidied_at = Some(now);
            self.forget_until(nanos(now));
        }
    }

    /// Those who have spent least go first: a flood of new addresses must not wipe out what a heavy caller has used up.
    fn make_room(&mut self, now: Timestamp) {
        self.forget_until(nanos(now));
        if self.spent_until.len() < CALLERS_MAX {
            return;
        }
        let mut instants: Vec<Instant> = self.spent_until.values().copied().collect();
        // A tenth at once, so that a flood does not pay for this at every request.
        let (_, cut, _) = instants.select_nth_unstable(CALLERS_MAX / 10);
        let cut = *cut;
        self.forget_until(cut);
    }

    fn forget_until(&mut self, at: Instant) {
        self.spent_until.retain(|_, spent_until| *spent_until > at);
        if self.spent_until.capacity() > 4 * self.spent_until.len().max(1_000) {
            self.spent_until.shrink_to_fit();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.spent_until.len()
    }
}
