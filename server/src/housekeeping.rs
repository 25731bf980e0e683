//! Removes what has ended or grown too old: sessions, tokens, links, analyses, usage events. Nothing relies on it but the
//! size of the store and the promise of how long things are kept: whoever reads a session or a link compares its end.

use std::sync::Arc;
use std::time::Duration;

use pool::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::store::Store;

const EVERY: Duration = Duration::from_secs(3600);

/// How old things may grow.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// For ever when absent.
    pub analyses: Option<Duration>,
    pub usage_events: Duration,
}

pub async fn run(store: Arc<dyn Store>, clock: Clock, kept: Kept, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tidy(store.as_ref(), clock.now(), kept) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep_until(clock.now().plus(EVERY)) => {}
        }
    }
}

async fn tidy(store: &dyn Store, now: Timestamp, kept: Kept) {
    match store.delete_expired(now).await {
        Ok(count) => debug!(count, "ended sessions and tokens were removed"),
        Err(error) => warn!(%error, "ended sessions and tokens could not be removed; the next round tries again"),
    }
    if let Some(retention) = kept.analyses {
        match store.delete_analyses_before(now.minus(retention)).await {
            Ok(0) => {}
            Ok(count) => info!(count, "analyses older than HISTORY_RETENTION were removed"),
            Err(error) => {
                warn!(%error, "analyses older than HISTORY_RETENTION could not be removed; the next round tries again")
            }
        }
    }
    match store.prune_usage(now.minus(kept.usage_events), now).await {
        Ok(0) => {}
        Ok(count) => info!(count, "usage events older than ANALYTICS_RETENTION were removed"),
        Err(error) => {
            warn!(%error, "usage events older than ANALYTICS_RETENTION could not be removed; the next round tries again")
        }
    }
}
