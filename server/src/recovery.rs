//! Wakes when something changes by time alone: shows the status anew and asks doubtful keys again, with calls that cost no quota.
//! Nothing needs this task for a key to come back; it only tells, and probes.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use crate::keys::Keys;

/// Longest sleep: clocks are stepped, machines are suspended.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// Shortest, so that a pool that is always due does not spin.
const SLEEP_MIN: Duration = Duration::from_millis(50);

/// A pool of many doubtful keys must not storm the provider.
const PROBES_AT_ONCE: usize = 8;

pub async fn run(keys: Arc<Keys>, stop: CancellationToken) {
    let mut changed = keys.pool.subscribe();
    loop {
        let probes = stream::iter(keys.pool.probes_due())
            .map(|key| keys.probe(key))
            .buffer_unordered(PROBES_AT_ONCE);
        tokio::select! {
            () = stop.cancelled() => return,
            () = probes.for_each(|_| std::future::ready(())) => {}
        }
        changed.mark_unchanged();
        let until = keys
            .pool
            .next_ready()
            .map_or(SLEEP_MAX, |at| at.since(keys.clock.now()).clamp(SLEEP_MIN, SLEEP_MAX));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(until) => keys.pool.touch(),
            // A report may have made a probe due at once. The pause gathers a burst of them.
            _ = changed.changed() => tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SLEEP_MIN) => {}
            },
        }
    }
}
