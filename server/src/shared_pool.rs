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

impl std::fmt::Debug for SharedPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedPool").finish_non_exhaustive()
    }
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

    /// As far as limits are known.
    pub fn calls_per_minute(&self, model: ModelId) -> Option<u64> {
        self.lock().calls_per_minute(model, self.0.clock.now())
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

    /// As [`SharedPool::upsert`], for a key that may change its project: what is known of the old one goes with it, so all of it
    /// is stored anew under the new name.
    pub fn regroup(&self, key: Key) {
        self.change(|pool, now| {
            pool.upsert(key, now);
            Changes {
                records: pool.records(),
                ..Changes::default()
            }
        });
    }

    /// Forgets a key. A call under way with it ends as it would; what it tells is not kept.
    pub fn remove(&self, key: KeyId) {
        self.lock().remove(key);
        lock(&self.0.last_used).remove(&key);
        self.touch();
    }

    /// Switches a key on or off. Switching on also clears a revocation: it is a person's word.
    pub fn set_enabled(&self, key: KeyId, enabled: bool) {
        self.change(|pool, now| pool.set_enabled(key, enabled, now));
    }

    /// Takes a key's or everything's rest and faults away, on a person's word.
    pub fn reinstate(&self, scope: Scope) {
        self.change(|pool, now| pool.reinstate(scope, now));
    }

    /// Stays on a key from now on: that is the strategy `sticky`, whatever was set.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn switch_to(&self, key: KeyId) -> Result<(), pool::UnknownKey> {
        let mut pool = self.lock();
        pool.switch_to(key)?;
        pool.set_strategy(pool::Strategy::Sticky);
        drop(pool);
        self.touch();
        Ok(())
    }

    /// How keys are chosen from now on.
    pub fn set_strategy(&self, strategy: pool::Strategy) {
        self.lock().set_strategy(strategy);
        self.touch();
    }

    /// Configured limits: one entry a model and tier, `None` for every model that is not named. They replace what was
    /// configured before.
    pub fn set_limits(&self, limits: &[(Option<String>, pool::Tier, pool::Limits)]) {
        self.change(|pool, now| pool.configure_limits(limits, now));
    }

    pub fn report_probe(&self, key: KeyId, outcome: &Outcome) {
        self.change(|pool, now| pool.report_probe(key, outcome, now));
    }

    /// Each key is named once.
    pub fn probes_due(&self) -> Vec<KeyId> {
        self.lock().probes_due(self.0.clock.now())
    }

    /// When a new request for the model may be served, as far as time alone decides; `None` when it may be now, or when only a
    /// person or a probe can help.
    pub fn retry_at(&self, model: ModelId) -> Option<Timestamp> {
        self.lock().retry_at(model, self.0.clock.now())
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
    /// While the store refuses, it waits for the refusal only: answers do not depend on the store.
    pub async fn settled(&self) {
        let (done, stored) = oneshot::channel();
        if self.0.log.send(LogEntry::Settle(done)).is_ok() {
            // The log is gone at shutdown: then there is nothing to wait for.
            let _ = stored.await;
        }
    }

    /// Makes a change and logs it before anybody else can make the next one: a later record about the same subject must not
    /// be stored before an earlier one. True when there is something to store.
    fn change(&self, make: impl FnOnce(&mut KeyPool, Timestamp) -> Changes) -> bool {
        let mut pool = self.lock();
        let changes = make(&mut pool, self.0.clock.now());
        let worth_storing = !changes.records.is_empty();
        if !changes.is_empty() {
            // Never blocks. Without a log (shutdown) the change lives on in memory only.
            let _ = self.0.log.send(LogEntry::Changed(changes));
        }
        drop(pool);
        self.touch();
        worth_storing
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
#[derive(Debug)]
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

    /// Tells the pool that the provider accepted the call. True as for [`report`](Self::report).
    pub fn accepted(&mut self) -> bool {
        let Some(lease) = &mut self.lease else { return false };
        self.pool.change(|pool, now| pool.accepted(lease, now))
    }

    /// Tells the pool what came of the call. True when that is worth waiting for with [`SharedPool::settled`].
    pub fn report(mut self, outcome: &Outcome) -> bool {
        self.spend(outcome)
    }

    fn spend(&mut self, outcome: &Outcome) -> bool {
        let Some(lease) = self.lease.take() else { return false };
        self.pool.change(|pool, now| pool.report(lease, outcome, now))
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.spend(&Outcome::Cancelled);
    }
}
