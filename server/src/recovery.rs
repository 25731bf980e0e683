//! Wakes when something changes by time alone: shows the status anew and asks doubtful keys again, with calls that cost no quota.
//! Nothing needs this task for a key to come back; it only tells, and probes.

use std::sync::Arc;
use std::time::Duration;

use pool::{KeyId, Outcome};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::keyring::Keyring;
use crate::provider::Provider;
use crate::shared_pool::SharedPool;

/// Longest sleep: clocks are stepped, machines are suspended.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// Shortest, so that a pool that is always due does not spin.
const SLEEP_MIN: Duration = Duration::from_millis(50);

pub struct Recovery {
    pub pool: SharedPool,
    pub keyring: Arc<Keyring>,
    pub provider: Arc<dyn Provider>,
    pub clock: Clock,
    pub probe_model: String,
}

impl Recovery {
    pub async fn run(self, stop: CancellationToken) {
        let mut changed = self.pool.subscribe();
        loop {
            self.probe_due().await;
            changed.mark_unchanged();
            let until = self
                .pool
                .next_ready()
                .map_or(SLEEP_MAX, |at| at.since(self.clock.now()).clamp(SLEEP_MIN, SLEEP_MAX));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(until) => self.pool.touch(),
                // A report may have made a probe due at once. The pause gathers a burst of them.
                _ = changed.changed() => tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(SLEEP_MIN) => {}
                },
            }
        }
    }

    /// One round of probes. Public for tests, which move the clock by hand.
    pub async fn probe_due(&self) {
        futures::future::join_all(self.pool.probes_due().into_iter().map(|key| self.probe(key))).await;
    }

    async fn probe(&self, key: KeyId) {
        let Some(secret) = self.keyring.secret(key) else { return };
        let outcome = match self.provider.probe(&secret, &self.probe_model).await {
            Ok(()) => Outcome::Success { tokens: 0 },
            Err(failure) => failure.outcome,
        };
        self.pool.report_probe(key, &outcome);
    }
}
