//! The one task that evaluates.

use std::time::Duration;

use pool::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Alerts;
use super::evaluator::Evaluator;
use super::facts::{Gatherer, PoolFacts};

const EVERY: Duration = Duration::from_secs(15);
/// Gathers a burst of changes of the pool.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// Looking at a pool of very many keys takes its time; at most this part of it is spent on looking.
const LOOKING_SHARE: u32 = 20;
/// At the end of the process, for the store to take what was announced.
const STORING_MAX: Duration = Duration::from_secs(2);

/// Runs until `stop`.
pub async fn run(alerts: Alerts, stop: CancellationToken) {
    let mut work = Work {
        gatherer: alerts.gatherer(),
        evaluator: Evaluator::default(),
        pool: None,
        alerts,
    };
    let inner = std::sync::Arc::clone(&work.alerts.0);
    let (pool, clock) = (&inner.analytics.status.pool, &inner.clock);
    let mut changed = pool.subscribe();
    let mut rules = inner.rules.subscribe();
    let mut unstored = inner.notifier.unstored();
    let mut due = Timestamp::default();
    let mut last = Timestamp::default();
    let mut must_look = true;
    loop {
        changed.mark_unchanged();
        rules.mark_unchanged();
        unstored.mark_unchanged();
        let started = Instant::now();
        let now = clock.now();
        // A clock that was stepped back is a reason too.
        if must_look || now >= due || now < last || work.sees_another_pool() {
            due = tokio::select! {
                due = work.look(now) => due,
                () = stop.cancelled() => break,
            };
            last = now;
        }
        let pause = PAUSE_MIN.max(started.elapsed() * LOOKING_SHARE);
        must_look = tokio::select! {
            Ok(()) = rules.changed() => true,
            Ok(()) = unstored.changed() => true,
            () = inner.acted.notified() => true,
            // The pool outlives this task.
            Ok(()) = changed.changed() => false,
            () = clock.sleep_towards(due) => false,
            () = stop.cancelled() => break,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => break,
        }
    }
    // What was announced counts as told once it is stored.
    let _ = tokio::time::timeout(STORING_MAX, unstored.wait_for(|count| *count == 0)).await;
    work.end().await;
}

struct Work {
    alerts: Alerts,
    gatherer: Gatherer,
    evaluator: Evaluator,
    /// As it was last looked at.
    pool: Option<PoolFacts>,
}

impl Work {
    fn sees_another_pool(&self) -> bool {
        self.pool.as_ref() != Some(&PoolFacts::read(&self.alerts.0.analytics.status))
    }

    /// Says when to look again if nothing changes.
    async fn look(&mut self, now: Timestamp) -> Timestamp {
        let inner = &self.alerts.0;
        let rules = inner.rules.borrow().clone();
        let facts = self.gatherer.gather(&rules, now).await;
        self.pool.clone_from(&facts.pool);
        let mut book = inner.book.lock().await;
        if let Err(error) = book.refresh(inner.store.as_ref()).await {
            debug!(%error, "incidents cannot be read; what is known of them is gone on with");
        }
        // Before the first answer of the store, everything that is wrong would look new.
        if book.is_read() {
            let open = book.open();
            for change in self.evaluator.judge(&facts, &rules, &open) {
                book.make(change, now);
            }
            self.keep(&mut book, now).await;
        }
        inner.evaluated_at.send_replace(Some(now));
        let held = self.evaluator.due_at().filter(|at| *at > now);
        let again = [held, book.silence_ends_at(now), Some(now.plus(EVERY))];
        again.into_iter().flatten().min().unwrap_or(now)
    }

    /// Stored first, then told.
    async fn keep(&self, book: &mut super::Book, now: Timestamp) {
        let inner = &self.alerts.0;
        if let Err(error) = book.save(inner.store.as_ref()).await {
            warn!(%error, "changes of incidents cannot be stored; they are kept in memory");
        }
        book.tell(&inner.notifier, now);
        if let Err(error) = book.save(inner.store.as_ref()).await {
            debug!(%error, "what was told of incidents cannot be noted; it is noted later");
        }
    }

    async fn end(&self) {
        let mut book = self.alerts.0.book.lock().await;
        if book.has_announced() {
            self.keep(&mut book, self.alerts.0.clock.now()).await;
        }
        book.warn_if_unsaved();
    }
}
