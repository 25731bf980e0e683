//! Stores what the pool must not forget, in the order it happened, and says aloud what a person may want to hear.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pool::{Changes, Notice, Record, Timestamp};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::analytics::{self, Stretch};
use crate::announcer::Announcer;
use crate::clock::{next_provider_midnight, provider_day_start};
use crate::grouping::Grouping;
use crate::shared_pool::{LogEntry, SharedPool};
use crate::store::{Dimensions, EventBounds, EventFilter, EventKind, Order, Store, StoreError, StoredKey, UsageEvent};

mod counts;
mod stored;

/// How often counters, which no single change records, are stored.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);
/// What a quota of a minute looks back to.
const MINUTE: Duration = Duration::from_secs(60);

/// Runs until `stop`, then stores what is left and a last checkpoint.
pub async fn run(
    pool: SharedPool,
    mut entries: mpsc::UnboundedReceiver<LogEntry>,
    store: Arc<dyn Store>,
    (announcer, grouping): (Announcer, Grouping),
    stop: CancellationToken,
) {
    let mut checkpoint = tokio::time::interval(CHECKPOINT_EVERY);
    checkpoint.set_missed_tick_behavior(MissedTickBehavior::Delay);
    checkpoint.tick().await;
    let mut seen = pool.subscribe();
    // The store refused something: the next checkpoint brings it, whatever else happened.
    let mut behind = false;
    loop {
        tokio::select! {
            biased;
            Some(entry) = entries.recv() => behind |= !take(entry, &mut entries, store.as_ref(), (&announcer, &grouping)).await,
            _ = checkpoint.tick() => if behind || seen.has_changed().unwrap_or(false) {
                seen.mark_unchanged();
                behind = !save(pool.records(), store.as_ref()).await;
            },
            () = stop.cancelled() => break,
        }
    }
    entries.close();
    while let Some(entry) = entries.recv().await {
        take(entry, &mut entries, store.as_ref(), (&announcer, &grouping)).await;
    }
    save(pool.records(), store.as_ref()).await;
}

/// Stores an entry together with everything that already waits behind it. False when the store refused.
async fn take(
    first: LogEntry,
    entries: &mut mpsc::UnboundedReceiver<LogEntry>,
    store: &dyn Store,
    (announcer, grouping): (&Announcer, &Grouping),
) -> bool {
    let mut records = Vec::new();
    let mut waiting = Vec::new();
    let mut next = Some(first);
    while let Some(entry) = next {
        match entry {
            LogEntry::Changed(Changes { records: more, notices }) => {
                records.extend(more);
                for notice in notices {
                    if let Notice::SuspectedSiblings { first, second, model } = notice {
                        grouping.suspect(first, second, model);
                    }
                    announcer.notice(notice);
                }
            }
            LogEntry::Settle(done) => waiting.push(done),
        }
        next = entries.try_recv().ok();
    }
    let stored = save(records, store).await;
    for done in waiting {
        // Who asked may have gone.
        let _ = done.send(());
    }
    stored
}

async fn save(records: Vec<Record>, store: &dyn Store) -> bool {
    if records.is_empty() {
        return true;
    }
    let rows = records.into_iter().map(stored::to_row).collect();
    let saved = store.save_pool_records(rows).await;
    if let Err(error) = &saved {
        error!(%error, "the pool's state could not be stored; it lives on in memory and is stored again within half a minute");
    }
    saved.is_ok()
}

/// Removes what the pool did not take in at the start: rests that are over, keys and models that are gone.
///
/// # Errors
/// When the store does not answer.
pub async fn prune(pool: &SharedPool, store: &dyn Store) -> Result<(), StoreError> {
    let kept: BTreeSet<String> = pool
        .records()
        .into_iter()
        .map(|record| stored::to_row(record).0)
        .collect();
    let rows = store.pool_records().await?;
    let gone: Vec<String> = rows
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !kept.contains(name))
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    store.delete_pool_records(gone).await
}

/// What the store remembers of the pool, and how much of the day that `now` is in was used. Rows that this version cannot read
/// are skipped: they cost one call to learn again.
///
/// # Errors
/// When the store does not answer.
pub async fn load(store: &dyn Store, keys: &[StoredKey], now: Timestamp) -> Result<Vec<Record>, StoreError> {
    let mut records = Vec::new();
    for (key, value) in store.pool_records().await? {
        match stored::from_row(value) {
            Some(record) => records.push(record),
            None => warn!(%key, "a stored record of the pool cannot be read and is left out"),
        }
    }
    let by = Dimensions {
        key: true,
        model: true,
        outcome: true,
        ..Dimensions::default()
    };
    let today = Stretch::until(provider_day_start(now), now);
    let today = analytics::sums(store, EventKind::Attempt, today, by).await?;
    counts::resume(&mut records, &today, keys, next_provider_midnight(now));
    let last_minute = calls_since(store, now.minus(MINUTE)).await?;
    counts::resume_minute(&mut records, &last_minute, keys);
    Ok(records)
}

/// Calls to the provider from an instant on.
async fn calls_since(store: &dyn Store, since: Timestamp) -> Result<Vec<UsageEvent>, StoreError> {
    let filter = EventFilter {
        kind: Some(EventKind::Attempt),
        from: Some(since),
        ..EventFilter::default()
    };
    let bounds = EventBounds {
        events_max: 10_000,
        looked_at_max: 20_000,
    };
    let (mut calls, mut cursor) = (Vec::new(), None);
    loop {
        let page = store
            .usage_events(filter.clone(), Order::OldestFirst, cursor, bounds)
            .await?;
        calls.extend(page.events);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(calls);
        }
    }
}
