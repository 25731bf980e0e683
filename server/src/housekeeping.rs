//! Removes sessions, refresh tokens and set-up links that have ended. Nothing relies on it: whoever reads one compares its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::clock::Clock;
use crate::store::Store;

const EVERY: Duration = Duration::from_secs(3600);

pub async fn run(store: Arc<dyn Store>, clock: Clock, stop: CancellationToken) {
    let mut due = tokio::time::interval(EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = due.tick() => {}
        }
        match store.delete_expired(clock.now()).await {
            Ok(count) => debug!(count, "ended sessions and tokens were removed"),
            Err(error) => warn!(%error, "ended sessions and tokens could not be removed; the next round tries again"),
        }
    }
}
