//! Answers that need no second call: a bounded cache, and one call for requests that are identical while it is under way.
//!
//! Nobody sees an answer that was given to somebody else: whose it is, is part of the key. An answer lives as long as its
//! time to live or until others need the room, whichever is first; a restart forgets all.

mod flights;
mod key;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use app::types::{CacheStats, TokenUsage};
use moka::policy::EvictionPolicy;
use pool::Timestamp;

use crate::clock::Clock;
use crate::config::CacheBounds;

pub use flights::{Follow, Lead};
pub use key::CacheKey;
#[doc(hidden)]
pub use key::canonical_form;

use flights::Flights;

/// What an answer's size is counted in: one up to this size counts as one entry, so that entries and bytes have one bound.
const UNIT_BYTES: u64 = 16 * 1024;
/// The library refuses a thousand years; nobody needs more than one.
const TTL_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
/// Each round drops at least some hundred entries. More than these are dropped bit by bit, and are not served meanwhile.
const CLEAR_ROUNDS_MAX: usize = 64;

/// A complete, unblocked answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    pub text: String,
    /// The provider's word.
    pub finish_reason: String,
    /// Of the call that made it.
    pub usage: TokenUsage,
    /// The one that answered.
    pub model: String,
}

impl Cached {
    fn bytes(&self) -> u64 {
        (self.text.len() + self.finish_reason.len() + self.model.len()) as u64
    }

    /// In [`UNIT_BYTES`], at least one.
    fn units(&self) -> u32 {
        u32::try_from(self.bytes().div_ceil(UNIT_BYTES).max(1)).unwrap_or(u32::MAX)
    }
}

/// What a request finds.
pub enum Entry {
    /// The answer.
    Hit(Arc<Cached>),
    /// Nothing: ask the provider, and [`Lead::fill`] what is worth keeping.
    Lead(Lead),
    /// An identical request is asking: wait for it.
    Follow(Follow),
    /// Nothing is kept: ask the provider.
    Off,
}

/// What waits before the provider, for the figures that show it beside the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueFigures {
    /// Requests that wait for a key.
    pub length: usize,
    /// A call is under way.
    pub is_processing: bool,
}

/// One for all requests.
pub struct Cache {
    /// `None` when it is switched off.
    shelf: Option<Arc<Shelf>>,
    entries_max: u64,
}

/// Answers that are there and answers that are coming.
struct Shelf {
    entries: moka::sync::Cache<CacheKey, Kept>,
    flights: Flights,
    ttl: Duration,
    clock: Clock,
    hits: AtomicU64,
    misses: AtomicU64,
    followers: AtomicU64,
}

#[derive(Clone)]
struct Kept {
    answer: Arc<Cached>,
    since: Timestamp,
}

impl Cache {
    /// Either bound at zero switches it off.
    pub fn new(bounds: CacheBounds, clock: Clock) -> Self {
        let is_on = bounds.entries_max > 0 && !bounds.ttl.is_zero();
        Self {
            shelf: is_on.then(|| Arc::new(Shelf::new(bounds, clock))),
            entries_max: if is_on { bounds.entries_max } else { 0 },
        }
    }

    /// Whether a [`CacheKey`] is worth working out.
    pub fn is_on(&self) -> bool {
        self.shelf.is_some()
    }

    /// The answer, or the way to it. Of all that enter with one key while there is no answer, one leads.
    pub fn enter(&self, key: CacheKey) -> Entry {
        self.shelf.as_ref().map_or(Entry::Off, |shelf| shelf.enter(key))
    }

    /// Leads whatever is kept, for a request that wants a new answer; that serves others from then on. Identical requests that
    /// enter meanwhile follow this one, unless an older answer is kept. `None` when the cache is off.
    pub fn lead_fresh(&self, key: CacheKey) -> Option<Lead> {
        self.shelf.as_ref().map(|shelf| Lead::take_over(shelf, key))
    }

    /// Forgets every answer. Answers under way reach those who wait for them but are not kept.
    pub fn clear(&self) {
        if let Some(shelf) = &self.shelf {
            shelf.clear();
        }
    }

    /// Forgets every answer given to one tenant, for whom they are erased. As [`Cache::clear`] for those under way.
    pub fn forget(&self, tenant: &str) {
        if let Some(shelf) = &self.shelf {
            shelf.forget(tenant);
        }
    }

    /// Counts since the start, `size` and `weight` as they are.
    pub fn stats(&self, queue: QueueFigures) -> CacheStats {
        let stats = self.shelf.as_ref().map(|shelf| shelf.stats()).unwrap_or_default();
        CacheStats {
            max: self.entries_max,
            queue_length: queue.length as u64,
            is_processing: queue.is_processing,
            ..stats
        }
    }
}

impl Shelf {
    fn new(bounds: CacheBounds, clock: Clock) -> Self {
        let entries = moka::sync::Cache::builder()
            .max_capacity(bounds.entries_max)
            .weigher(|_, kept: &Kept| kept.answer.units())
            // The bound on memory: it lets go of what nobody asks for again. Whether an answer may still be given is decided by
            // our own clock.
            .time_to_live(bounds.ttl.min(TTL_MAX))
            // The other policy would refuse a new answer in favour of more frequent ones, and whoever asks the same question
            // again at once would pay for it again.
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self {
            entries,
            flights: Flights::default(),
            ttl: bounds.ttl,
            clock,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            followers: AtomicU64::new(0),
        }
    }

    fn enter(self: &Arc<Self>, key: CacheKey) -> Entry {
        let entry = self.look(&key).map_or_else(|| Lead::or_follow(self, key), Entry::Hit);
        match &entry {
            Entry::Hit(_) => self.hits.fetch_add(1, Ordering::Relaxed),
            Entry::Lead(_) => self.misses.fetch_add(1, Ordering::Relaxed),
            // Counted once it is served.
            Entry::Follow(_) | Entry::Off => 0,
        };
        entry
    }

    fn look(&self, key: &CacheKey) -> Option<Arc<Cached>> {
        let kept = self.entries.get(key)?;
        // Not removed: whoever leads now puts a new one in its place.
        (self.clock.now().since(kept.since) < self.ttl).then_some(kept.answer)
    }

    fn keep(&self, key: CacheKey, answer: Arc<Cached>) {
        let since = self.clock.now();
        self.entries.insert(key, Kept { answer, since });
    }

    fn clear(&self) {
        self.flights.forget_all(|| self.entries.invalidate_all());
        for _ in 0..CLEAR_ROUNDS_MAX {
            self.entries.run_pending_tasks();
            if self.entries.entry_count() == 0 {
                break;
            }
        }
    }

    fn forget(&self, tenant: &str) {
        let tenant = CacheKey::tenant(tenant);
        self.flights.forget(
            |key| key.is_of(&tenant),
            || {
                for (key, _) in self.entries.iter().filter(|(key, _)| key.is_of(&tenant)) {
                    self.entries.invalidate(key.as_ref());
                }
            },
        );
        self.entries.run_pending_tasks();
    }

    fn stats(&self) -> CacheStats {
        // Its counts lag behind until it has caught up with its own log.
        self.entries.run_pending_tasks();
        CacheStats {
            size: self.entries.entry_count(),
            weight: self.entries.weighted_size() * UNIT_BYTES,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            followers: self.followers.load(Ordering::Relaxed),
            ..CacheStats::default()
        }
    }
}

#[cfg(test)]
mod tests;
