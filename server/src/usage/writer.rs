//! Hands what was recorded to the store, or to the disk while it is away.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::spool::{Lost, Spool};
use super::{Counts, Entry};
use crate::history;
use crate::store::{Result, Store, StoreError, UsageEvent};

/// Between tries while the store is away.
const RETRY_EVERY: Duration = Duration::from_millis(500);
/// At the end of the process, for a store that is slow or away. What is left in memory then is lost, and counted.
const END_MAX: Duration = Duration::from_secs(5);

pub(super) struct Writer {
    counts: Arc<Counts>,
    store: Arc<dyn Store>,
    spool: Option<Spool>,
    /// The process has no time left.
    over: Shared<BoxFuture<'static, ()>>,
}

impl Writer {
    pub(super) fn new(
        counts: Arc<Counts>,
        store: Arc<dyn Store>,
        spool: Option<Spool>,
        finish: CancellationToken,
    ) -> Self {
        let over = async move {
            finish.cancelled().await;
            tokio::time::sleep(END_MAX).await;
        };
        let writer = Self {
            counts,
            store,
            spool,
            over: over.boxed().shared(),
        };
        writer.count_spooled();
        writer
    }

    fn count_spooled(&self) {
        let spooled = self.spool.as_ref().map_or(0, Spool::events);
        self.counts.spooled.store(spooled, Ordering::Relaxed);
    }

    /// Events first: nobody waits for an analysis.
    pub(super) async fn keep(&self, group: &mut Vec<Entry>) {
        let (mut events, mut analyses, mut flushed) = (Vec::with_capacity(group.len()), Vec::new(), Vec::new());
        for entry in group.drain(..) {
            match entry {
                Entry::Usage(event) => events.push(*event),
                Entry::Analysis(analysis) => analyses.push(*analysis),
                Entry::Flush(caller) => flushed.push(caller),
            }
        }
        if !events.is_empty() {
            self.counts.in_hand.store(events.len() as u64, Ordering::Relaxed);
            self.append(events).await;
            self.counts.in_hand.store(0, Ordering::Relaxed);
        }
        for caller in flushed {
            let _ = caller.send(());
        }
        for analysis in analyses {
            let kept = tokio::select! {
                biased;
                kept = history::insert(self.store.as_ref(), analysis) => kept,
                () = self.over.clone() => Err(at_end()),
            };
            if let Err(error) = kept {
                warn!(%error, "an analysis could not be kept in its owner's history");
            }
        }
    }

    /// Until the store or the disk has them: events that are sent again are stored once.
    async fn append(&self, events: Vec<UsageEvent>) {
        // While others wait on the disk, the store was away a moment ago.
        let is_behind = self.spool.as_ref().is_some_and(|spool| !spool.is_empty());
        if is_behind && self.spooled(&events).await {
            return;
        }
        let mut groups = vec![events];
        loop {
            let (tried, is_over) = tokio::select! {
                biased;
                tried = self.store_all(&mut groups) => (tried, false),
                () = self.over.clone() => (Err(at_end()), true),
            };
            let Err(error) = tried else { break };
            let left = groups.concat();
            if self.spooled(&left).await {
                warn!(%error, "the store is away: usage events are kept on the disk");
                break;
            }
            if is_over {
                let count = left.len() as u64;
                self.counts.dropped.fetch_add(count, Ordering::Relaxed);
                return error!(%error, count, "usage events are lost");
            }
            if !self.counts.refuses.send_replace(true) {
                error!(%error, "usage events could not be stored; they are kept and tried again");
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_EVERY) => {}
                () = self.over.clone() => {}
            }
        }
        if self.counts.refuses.send_replace(false) {
            info!("usage events are stored again");
        }
    }

    async fn spooled(&self, events: &[UsageEvent]) -> bool {
        let Some(spool) = &self.spool else { return false };
        let is_kept = spool.keep(events).await;
        self.count_spooled();
        is_kept
    }

    /// Takes away what is stored. An event that the store never takes is searched for by halves, so that it costs no other.
    ///
    /// # Errors
    /// `Unavailable`; what is left in `groups` is not stored.
    async fn store_all(&self, groups: &mut Vec<Vec<UsageEvent>>) -> Result<()> {
        while let Some(group) = groups.last() {
            let Err(error) = self.store.append_usage(group.clone()).await else {
                groups.pop();
                self.counts
                    .stored
                    .send_modify(|groups| *groups = groups.wrapping_add(1));
                continue;
            };
            if matches!(error, StoreError::Unavailable(_)) {
                return Err(error);
            }
            let mut group = groups.pop().unwrap_or_default();
            if group.len() > 1 {
                let behind = group.split_off(group.len() / 2);
                groups.extend([behind, group]);
            } else {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                error!(%error, "a usage event is lost: the store never takes it");
            }
        }
        Ok(())
    }

    /// What is on the disk into the store, the oldest first. Never ends.
    pub(super) async fn deliver(&self) {
        let Some(spool) = &self.spool else {
            return std::future::pending().await;
        };
        loop {
            spool.filled().await;
            match spool.oldest().await {
                Ok(None) => {}
                Ok(Some(events)) => {
                    if self.store_all(&mut vec![events]).await.is_err() {
                        tokio::time::sleep(RETRY_EVERY).await;
                        continue;
                    }
                    spool.delivered().await;
                    if spool.is_empty() {
                        info!("all usage events that were kept on the disk are stored");
                    }
                }
                Err(Lost(events)) => {
                    self.counts.dropped.fetch_add(events, Ordering::Relaxed);
                }
            }
            self.count_spooled();
        }
    }
}

fn at_end() -> StoreError {
    StoreError::Unavailable("the process ends".to_owned())
}
