//! Asking the provider about keys, with calls that cost no quota.

use app::error::AppError;
use app::types::KeyTest;
use futures::{StreamExt, stream};
use pool::{KeyId, Outcome};
use tokio::time::Instant;

use super::{Keys, TESTS_AT_ONCE, remedy};
use crate::keyring::KeyFacts;

impl Keys {
    /// The seed's `testAllKeys`: every key; the pool learns what they show.
    pub async fn test_all(&self) -> Vec<KeyTest> {
        let tests = stream::iter(self.keyring.all())
            .map(|facts| self.test(facts))
            .buffered(TESTS_AT_ONCE)
            .collect()
            .await;
        self.pool.settled().await;
        tests
    }

    /// # Errors
    /// `NOT_FOUND` when no key has the id.
    pub async fn test_one(&self, id: &str) -> Result<KeyTest, AppError> {
        let test = self.test(self.facts(id)?).await;
        self.pool.settled().await;
        Ok(test)
    }

    async fn test(&self, facts: KeyFacts) -> KeyTest {
        let started = Instant::now();
        let outcome = self.probe(facts.id).await;
        let passed = matches!(outcome, Outcome::Success { .. });
        let advice = || remedy::of(&outcome).unwrap_or(remedy::NOT_ASKED).to_owned();
        KeyTest {
            key_number: facts.number,
            status: if passed { "success" } else { "failed" }.to_owned(),
            error: (!passed).then(advice),
            outcome: (!passed).then(|| outcome.name().to_owned()),
            ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Asks the provider whether it accepts the key, and tells the pool.
    pub async fn probe(&self, key: KeyId) -> Outcome {
        let outcome = match self.keyring.secret(key) {
            Some(secret) => match self.provider.probe(&secret, &self.test_model).await {
                Ok(()) => Outcome::Success { tokens: 0 },
                Err(failure) => {
                    if let Some(project) = failure.evidence.project.as_deref() {
                        self.grouping.learn(key, project);
                    }
                    failure.outcome
                }
            },
            // Removed a moment ago.
            None => Outcome::Cancelled,
        };
        self.pool.report_probe(key, &outcome);
        outcome
    }
}
