//! The one owner of live state: the pool behind a lock that is private to this file, and leases that return themselves.
//!
//! Nothing here awaits while the lock is held. What must outlive the process goes to the pool's log in the order it happened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pool::{
    Changes, Counts, Exhausted, Journey, Key, KeyId, KeyPool, LeaseFacts, ModelId, Outcome, Record, Scope, Snapshot,
    Timestamp, Verdict, Want,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;

/// What the pool's log is told.
pub enum LogEntry {
    Changed(Changes),
    /// Answered when everything before it is stored.
    Settle(oneshot::Sender<()>),
}

/// Cheap to clone; all clones are the same pool.
#[derive(Clone)]
pub struct SharedPool(Arc<Inner>);

struct Inner {
    pool: Mutex<KeyPool>,
    clock: Clock,
    /// Counts every change that the status may show.
    version: watch::Sender<u64>,
    log: mpsc::UnboundedSender<LogEntry>,
    last_used: Mutex<BTreeMap<KeyId, Timestamp>>,
}

impl SharedPool {
    /// The receiver belongs to the pool's log.
    pub fn new(pool: KeyPool, clock: Clock) -> (Self, mpsc::UnboundedReceiver<LogEntry>) {
        // Unbounded: an entry is a change of state, of which a request makes a handful.
        let (log, entries) = mpsc::unbounded_channel();
        let inner = Inner {
            pool: Mutex::new(pool),
            clock,
            version: watch::Sender::new(0),
            log,
            last_used: Mutex::default(),
        };
        (Self(Arc::new(inner)), entries)
    }

    pub fn acquire(
        &self,
        model: ModelId,
        tokens: u64,
        journey: &Journey,
        chance: u64,
    ) -> Result<LeaseGuard, Exhausted> {
        let now = self.0.clock.now();
        let lease = self.lock().acquire(
            &Want {
                model,
                tokens,
                journey,
                owner: None,
            },
            now,
            chance,
        )?;
        let facts = lease.facts();
        lock(&self.0.last_used).insert(facts.key, now);
        self.touch();
        Ok(LeaseGuard {
            pool: self.clone(),
            facts,
            lease: Some(lease),
        })
    }

    /// The model's name as the pool knows it.
    ///
    /// # Errors
    /// When more different models were asked for than the pool keeps.
    pub fn model(&self, name: &str) -> Result<ModelId, pool::TooManyModels> {
        self.lock().model(name)
    }

    /// An empty journey with the pool's bounds.
    pub fn journey(&self) -> Journey {
        self.lock().journey()
    }

    pub fn verdict(&self, model: ModelId) -> (Verdict, Counts) {
        self.lock().verdict(Some(model), self.0.clock.now())
    }

    pub fn snapshot(&self) -> Snapshot {
        self.lock().snapshot(self.0.clock.now())
    }

    /// When each key was last leased in this process.
    pub fn last_used(&self) -> BTreeMap<KeyId, Timestamp> {
        lock(&self.0.last_used).clone()
    }

    /// Everything that must outlive the process.
    pub fn records(&self) -> Vec<Record> {
        self.lock().records()
    }

    pub fn restore(&self, records: Vec<Record>) {
        self.lock().restore(records, self.0.clock.now());
        self.touch();
    }

    pub fn upsert(&self, key: Key) {
        self.lock().upsert(key, self.0.clock.now());
        self.touch();
    }

    /// Takes a key's or everything's rest and faults away, on a person's word.
    pub fn reinstate(&self, scope: Scope) {
        let changes = self.lock().reinstate(scope, self.0.clock.now());
        self.log(changes);
    }

    /// Makes a key the current one of the strategy `sticky`.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn switch_to(&self, key: KeyId) -> Result<(), pool::UnknownKey> {
        self.lock().switch_to(key)?;
        self.touch();
        Ok(())
    }

    pub fn report_probe(&self, key: KeyId, outcome: &Outcome) {
        let changes = self.lock().report_probe(key, outcome, self.0.clock.now());
        self.log(changes);
    }

    /// Each key is named once.
    pub fn probes_due(&self) -> Vec<KeyId> {
        self.lock().probes_due(self.0.clock.now())
    }

    /// When a new request for the model may be served, as far as time alone decides; `None` when it may be now, or when only a
    /// person or a probe can help.
    pub fn retry_at(&self, model: ModelId) -> Option<Timestamp> {
        let now = self.0.clock.now();
        let mut pool = self.lock();
        // A lease that is only tried out counts as a request of its key: not where one is to be had.
        if pool.verdict(Some(model), now).0 == Verdict::Serving {
            return None;
        }
        let journey = pool.journey();
        match pool.acquire(
            &Want {
                model,
                tokens: 0,
                journey: &journey,
                owner: None,
            },
            now,
            0,
        ) {
            Ok(lease) => {
                // No call is made with it. Nothing that must be stored comes of a lease given back.
                let _ = pool.report(lease, &Outcome::Cancelled, now);
                None
            }
            Err(exhausted) => exhausted.retry_at,
        }
    }

    /// When something changes by time alone.
    pub fn next_ready(&self) -> Option<Timestamp> {
        self.lock().next_ready(self.0.clock.now())
    }

    /// Wakes on every change that the status may show.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// Says that the status may look different, though no call was made: time passed.
    pub fn touch(&self) {
        self.0.version.send_modify(|version| *version = version.wrapping_add(1));
    }

    /// Waits until every change so far is stored, so that a crash right after an answer forgets nothing that the answer knew.
    pub async fn settled(&self) {
        let (done, stored) = oneshot::channel();
        if self.0.log.send(LogEntry::Settle(done)).is_ok() {
            // The log is gone at shutdown: then there is nothing to wait for.
            let _ = stored.await;
        }
    }

    fn log(&self, changes: Changes) {
        if !changes.is_empty() {
            // Without a log (shutdown) the change lives on in memory only.
            let _ = self.0.log.send(LogEntry::Changed(changes));
        }
        self.touch();
    }

    fn lock(&self) -> MutexGuard<'_, KeyPool> {
        lock(&self.0.pool)
    }
}

/// A panic under the lock would be a bug of the core; the other requests go on with what is there.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Permission for one call. Dropped without a report it says that the caller went away.
#[must_use = "a lease must be reported"]
pub struct LeaseGuard {
    pool: SharedPool,
    facts: LeaseFacts,
    lease: Option<pool::Lease>,
}

impl LeaseGuard {
    pub fn facts(&self) -> LeaseFacts {
        self.facts
    }

    /// Tells the pool what came of the call. True when that is worth waiting for with [`SharedPool::settled`].
    pub fn report(mut self, outcome: &Outcome) -> bool {
        self.spend(outcome)
    }

    fn spend(&mut self, outcome: &Outcome) -> bool {
        let Some(lease) = self.lease.take() else { return false };
        let changes = self.pool.lock().report(lease, outcome, self.pool.0.clock.now());
        let worth_storing = !changes.records.is_empty();
        self.pool.log(changes);
        worth_storing
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.spend(&Outcome::Cancelled);
    }
}
