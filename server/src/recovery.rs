//! Wakes when something changes by time alone: shows the status anew and asks doubtful keys again, with calls that cost no quota.
//! Nothing needs this task for a key to come back; it only tells, and probes. It is the only one that probes what is due:
//! whoever wants that done now touches the pool.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use crate::keys::Keys;

/// Longest sleep: clocks are stepped, machines are suspended.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// Shortest, so that a pool that is always due does not spin.
const SLEEP_MIN: Duration = Duration::from_millis(50);

/// A pool of many doubtful keys must not storm the provider.
const PROBES_AT_ONCE: usize = 8;

/// Runs until `stop`, which ends the probes under way too: their keys are asked again by the next process.
pub async fn run(keys: Arc<Keys>, stop: CancellationToken) {
    let mut changed = keys.pool.subscribe();
    let mut waiting = VecDeque::new();
    let mut probing = FuturesUnordered::new();
    loop {
        changed.mark_unchanged();
        waiting.extend(keys.pool.probes_due());
        while probing.len() < PROBES_AT_ONCE
            && let Some(key) = waiting.pop_front()
        {
            probing.push(keys.probe(key));
        }
        let until = keys
            .pool
            .next_ready()
            .map_or(SLEEP_MAX, |at| at.since(keys.clock.now()).clamp(SLEEP_MIN, SLEEP_MAX));
        let woken = async {
            tokio::select! {
                () = tokio::time::sleep(until) => keys.pool.touch(),
                // A report may have made a probe due at once. The pause gathers a burst of them.
                _ = changed.changed() => tokio::time::sleep(SLEEP_MIN).await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            // Beside the rest: a slow answer must not keep the status from being shown anew.
            Some(_) = probing.next() => {}
            () = woken => {}
        }
    }
}
