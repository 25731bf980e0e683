//! Removes what has ended: sessions, tokens, links, and analyses older than the setting lets them grow. Nothing relies on the
//! former: whoever reads one compares its end.

use std::sync::Arc;
use std::time::Duration;

use pool::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::store::Store;

const EVERY: Duration = Duration::from_secs(3600);

/// `retention`: how old an analysis may grow; for ever when absent.
pub async fn run(store: Arc<dyn Store>, clock: Clock, retention: Option<Duration>, stop: CancellationToken) {
    loop {
        tidy(store.as_ref(), &clock, retention).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep_until(clock.now().plus(EVERY)) => {}
        }
    }
}

async fn tidy(store: &dyn Store, clock: &Clock, retention: Option<Duration>) {
    let now = clock.now();
    match store.delete_expired(now).await {
        Ok(count) => debug!(count, "ended sessions and tokens were removed"),
        Err(error) => warn!(%error, "ended sessions and tokens could not be removed; the next round tries again"),
    }
    let Some(retention) = retention else { return };
    let age_ms = u64::try_from(retention.as_millis()).unwrap_or(u64::MAX);
    let before = Timestamp::from_millis(now.as_millis().saturating_sub(age_ms));
    match store.delete_analyses_before(before).await {
        Ok(0) => {}
        Ok(count) => info!(count, "analyses older than HISTORY_RETENTION were removed"),
        Err(error) => {
            warn!(%error, "analyses older than HISTORY_RETENTION could not be removed; the next round tries again")
        }
    }
}
