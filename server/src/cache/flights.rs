//! One call for identical requests: the first asks the provider, the others wait for its answer.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{CacheKey, Cached, Entry, Shelf};

/// `None` until the answer is there. The sender is gone when there will be none.
type Landing = Option<Arc<Cached>>;

/// Calls under way by what they ask. The lock is held for a look-up, never while anybody waits.
#[derive(Default)]
pub(super) struct Flights(Mutex<Open>);

#[derive(Default)]
struct Open {
    by_key: HashMap<CacheKey, Flight>,
    /// Of the next flight: tells a flight from one that took its place.
    next_id: u64,
}

struct Flight {
    id: u64,
    landing: watch::Receiver<Landing>,
}

impl Flights {
    /// Lets all go on for those who follow them already, and for nobody else. `then` happens before a new one can begin.
    pub(super) fn forget_all(&self, then: impl FnOnce()) {
        let mut open = self.lock();
        open.by_key.clear();
        then();
    }

    /// The same for those that `goes` names.
    pub(super) fn forget(&self, goes: impl Fn(&CacheKey) -> bool, then: impl FnOnce()) {
        let mut open = self.lock();
        open.by_key.retain(|key, _| !goes(key));
        then();
    }

    /// A panic under the lock would be a bug; a flight lost by it costs a call, not an answer.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn begin(&mut self, shelf: &Arc<Shelf>, key: CacheKey) -> Lead {
        let (sender, landing) = watch::channel(None);
        let id = self.next_id;
        self.next_id += 1;
        self.by_key.insert(key, Flight { id, landing });
        Lead {
            shelf: Arc::clone(shelf),
            key,
            id,
            landing: sender,
        }
    }

    /// Ends a flight. False when it was forgotten or another one took its place.
    fn end(&mut self, key: &CacheKey, id: u64) -> bool {
        let is_current = self.by_key.get(key).is_some_and(|flight| flight.id == id);
        if is_current {
            self.by_key.remove(key);
        }
        is_current
    }
}

/// The request that asks the provider for all that are identical. Dropped unfilled it wakes those who wait, and the first of
/// them to enter again leads.
#[must_use = "others wait for it"]
pub struct Lead {
    shelf: Arc<Shelf>,
    key: CacheKey,
    id: u64,
    landing: watch::Sender<Landing>,
}

impl Lead {
    pub(super) fn or_follow(shelf: &Arc<Shelf>, key: CacheKey) -> Entry {
        let mut open = shelf.flights.lock();
        if let Some(flight) = open.by_key.get(&key) {
            return Entry::Follow(Follow {
                shelf: Arc::clone(shelf),
                landing: flight.landing.clone(),
            });
        }
        // Between the first look and the lock a flight may have landed.
        if let Some(answer) = shelf.look(&key) {
            return Entry::Hit(answer);
        }
        Entry::Lead(open.begin(shelf, key))
    }

    /// Leads although there may be a flight; who follows that one goes on to.
    pub(super) fn take_over(shelf: &Arc<Shelf>, key: CacheKey) -> Self {
        shelf.flights.lock().begin(shelf, key)
    }

    /// Keeps the answer and gives it to all who wait. Only for answers that are complete, unblocked and from the model that was
    /// asked for.
    ///
    /// After [`super::Cache::clear`], or when a newer lead took over, it is given but not kept.
    pub fn fill(self, answer: Cached) {
        let answer = Arc::new(answer);
        let mut open = self.shelf.flights.lock();
        if open.end(&self.key, self.id) {
            self.shelf.keep(self.key, Arc::clone(&answer));
        }
        drop(open);
        self.landing.send_replace(Some(answer));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // Before the sender goes, so that those it wakes do not find it again.
        self.shelf.flights.lock().end(&self.key, self.id);
    }
}

/// A request that waits for an identical one. Dropped it leaves no trace.
#[must_use = "nobody waits"]
pub struct Follow {
    shelf: Arc<Shelf>,
    landing: watch::Receiver<Landing>,
}

impl Follow {
    /// As long as the lead takes, so set it a deadline. `None`: there was no answer worth sharing; enter again.
    pub async fn wait(mut self) -> Option<Arc<Cached>> {
        let answer = self.landing.wait_for(Option::is_some).await.ok()?.clone();
        self.shelf.followers.fetch_add(1, Ordering::Relaxed);
        answer
    }
}
