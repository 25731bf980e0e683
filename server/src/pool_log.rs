//! Stores what the pool must not forget, in the order it happened, and says aloud what a person may want to hear.

use std::sync::Arc;
use std::time::Duration;

use pool::{Changes, Notice, Record, Timestamp};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock::{next_provider_midnight, provider_day_start, rfc3339};
use crate::shared_pool::{LogEntry, SharedPool};
use crate::store::{Store, StoreError, StoredKey};

mod counts;
mod stored;

/// How often counters, which no single change records, are stored.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);

/// Runs until `stop`, then stores what is left and a last checkpoint.
pub async fn run(
    pool: SharedPool,
    mut entries: mpsc::UnboundedReceiver<LogEntry>,
    store: Arc<dyn Store>,
    stop: CancellationToken,
) {
    let mut checkpoint = tokio::time::interval(CHECKPOINT_EVERY);
    checkpoint.set_missed_tick_behavior(MissedTickBehavior::Delay);
    checkpoint.tick().await;
    let mut seen = pool.subscribe();
    loop {
        tokio::select! {
            biased;
            Some(entry) = entries.recv() => take(entry, &mut entries, store.as_ref()).await,
            _ = checkpoint.tick() => if seen.has_changed().unwrap_or(false) {
                seen.mark_unchanged();
                save(pool.records(), store.as_ref()).await;
            },
            () = stop.cancelled() => break,
        }
    }
    entries.close();
    while let Some(entry) = entries.recv().await {
        take(entry, &mut entries, store.as_ref()).await;
    }
    save(pool.records(), store.as_ref()).await;
}

/// Stores an entry together with everything that already waits behind it.
async fn take(first: LogEntry, entries: &mut mpsc::UnboundedReceiver<LogEntry>, store: &dyn Store) {
    let mut records = Vec::new();
    let mut waiting = Vec::new();
    let mut next = Some(first);
    while let Some(entry) = next {
        match entry {
            LogEntry::Changed(Changes { records: more, notices }) => {
                records.extend(more);
                notices.into_iter().for_each(announce);
            }
            LogEntry::Settle(done) => waiting.push(done),
        }
        next = entries.try_recv().ok();
    }
    save(records, store).await;
    for done in waiting {
        // Who asked may have gone.
        let _ = done.send(());
    }
}

async fn save(records: Vec<Record>, store: &dyn Store) {
    if records.is_empty() {
        return;
    }
    let rows = records.into_iter().map(stored::to_row).collect();
    if let Err(error) = store.save_pool_records(rows).await {
        error!(%error, "the pool's state could not be stored; it lives on in memory");
    }
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
    let events = store.usage_counts(provider_day_start(now)).await?;
    counts::resume(&mut records, &events, keys, next_provider_midnight(now));
    Ok(records)
}

fn announce(notice: Notice) {
    match notice {
        Notice::KeySuspect(key) => info!(%key, "key {key} was refused as invalid; checking it with a free call"),
        Notice::KeyInvalid(key) => warn!(%key, "key {key} is invalid"),
        Notice::KeyRevoked(key) => error!(%key, "key {key} was revoked by the provider: replace it"),
        Notice::ProjectRevoked(project) => error!(%project, "project {project} was denied access by the provider"),
        Notice::KeyNeedsSetup(key) => warn!(%key, "key {key} needs set-up at the provider"),
        Notice::ProjectNeedsSetup(project) => warn!(%project, "project {project} needs set-up at the provider"),
        Notice::NoCredit(account) => warn!(%account, "billing account {account} has no credit"),
        Notice::RegionRefused => error!("the provider does not serve this server's location to free keys"),
        Notice::Exhausted { project, until, .. } => {
            info!(%project, until = %rfc3339(until), "project {project} has used up its day quota on a model");
        }
        Notice::ModelHidden(_) => warn!("the provider does not know a model that was asked for"),
        Notice::BreakerOpened { until, .. } => {
            warn!(until = %rfc3339(until), "a model fails for every key; calls to it pause")
        }
        Notice::ProviderRefuses { until } => {
            warn!(until = %rfc3339(until), "the provider refuses every key; calls pause")
        }
        Notice::KeyRecovered(key) => info!(%key, "key {key} is usable again"),
    }
}
