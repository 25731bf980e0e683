//! Use case: the keys of the pool, as admins handle them.

use std::sync::Arc;
use tokio::time::Instant;

use app::error::{AppError, ErrorCode};
use app::types::{KeyTest, NewKey, PoolKey, ServiceStatus};
use futures::{StreamExt, stream};
use pool::{AccountId, KeyId, Outcome, ProjectId, Scope};
use tracing::info;

use crate::clock::Clock;
use crate::keyring::{KeyFacts, Keyring};
use crate::provider::Provider;
use crate::shared_pool::SharedPool;
use crate::store::StoredKey;

/// Keys tested at the same time.
const TESTS_AT_ONCE: usize = 8;

pub struct Keys {
    pub pool: SharedPool,
    pub keyring: Arc<Keyring>,
    pub provider: Arc<dyn Provider>,
    pub clock: Clock,
    /// Asked about when a key is tested.
    pub test_model: String,
}

impl Keys {
    /// Tests a key with a call that costs no quota, then keeps it. A refused key is not kept.
    ///
    /// # Errors
    /// What the keyring refuses, and `BAD_REQUEST` with what the provider said of the key, in our words.
    pub async fn add(&self, new: NewKey) -> Result<u32, AppError> {
        let secret = crate::keyring::ProviderKey::parse(&new.key)?.into_secret();
        if let Err(failure) = self.provider.probe(&secret, &self.test_model).await
            && let Some(remedy) = remedy(&failure.outcome)
        {
            return Err(AppError::new(ErrorCode::BadRequest, remedy).field("key"));
        }
        let stored = self.keyring.add(new, self.clock.now()).await?;
        self.pool.upsert(pool_entry(&stored));
        info!(key_number = stored.number, "key {} was added", stored.number);
        Ok(stored.number)
    }

    /// The seed's `testAllKeys`: every key, with calls that cost no quota; the pool learns what they show.
    pub async fn test_all(&self) -> Vec<KeyTest> {
        stream::iter(self.keyring.all())
            .map(|facts| self.test(facts))
            .buffered(TESTS_AT_ONCE)
            .collect()
            .await
    }

    async fn test(&self, facts: KeyFacts) -> KeyTest {
        let started = Instant::now();
        let outcome = self.probe(facts.id).await;
        let passed = matches!(outcome, Outcome::Success { .. });
        let advice = || {
            remedy(&outcome)
                .unwrap_or("The provider could not be asked: try again later.")
                .to_owned()
        };
        KeyTest {
            key_number: facts.number,
            status: if passed { "success" } else { "failed" }.to_owned(),
            error: (!passed).then(advice),
            outcome: (!passed).then(|| outcome.name().to_owned()),
            ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Asks the provider whether it accepts the key, with a call that costs no quota, and tells the pool.
    pub async fn probe(&self, key: KeyId) -> Outcome {
        let outcome = match self.keyring.secret(key) {
            Some(secret) => match self.provider.probe(&secret, &self.test_model).await {
                Ok(()) => Outcome::Success { tokens: 0 },
                Err(failure) => failure.outcome,
            },
            // Removed a moment ago.
            None => Outcome::Cancelled,
        };
        self.pool.report_probe(key, &outcome);
        outcome
    }

    /// The seed's `resetQuotaFlags`: of one key by its number, or of all.
    ///
    /// # Errors
    /// `NOT_FOUND` when no key has the number.
    pub fn reset_quota(&self, key_number: Option<u32>) -> Result<(), AppError> {
        let scope = match key_number {
            Some(number) => Scope::Key(self.find(number)?),
            None => Scope::All,
        };
        self.pool.reinstate(scope);
        info!(
            key_number = key_number.unwrap_or_default(),
            "an admin reset the quota flags (0: of all keys)"
        );
        Ok(())
    }

    /// The seed's `switchToKey`: requests stay on this key while it can serve them.
    ///
    /// # Errors
    /// `NOT_FOUND` when no key has the number.
    pub fn switch(&self, key_number: u32) -> Result<(), AppError> {
        let key = self.find(key_number)?;
        self.pool.switch_to(key).map_err(|_| no_such_key(key_number))?;
        info!(
            key_number,
            "an admin switched to key {key_number}: the strategy is sticky until the next start"
        );
        Ok(())
    }

    fn find(&self, key_number: u32) -> Result<KeyId, AppError> {
        self.keyring
            .all()
            .iter()
            .find(|facts| facts.number == key_number)
            .map(|facts| facts.id)
            .ok_or_else(|| no_such_key(key_number))
    }
}

/// All keys with their labels and masks, by number.
pub fn list(keyring: &Keyring, status: ServiceStatus) -> Vec<PoolKey> {
    let all = keyring.all();
    let find = |number: u32| all.iter().find(|facts| facts.number == number);
    status
        .available_keys
        .into_iter()
        .filter_map(|status| find(status.key_number).map(|facts| pool_key(facts, status)))
        .collect()
}

/// A key as the pool knows it. Until the provider tells its project, a key has one of its own.
pub fn pool_entry(stored: &StoredKey) -> pool::Key {
    // Google's project numbers have about twelve digits, far above any id of ours.
    let project = stored
        .project
        .as_deref()
        .and_then(|project| project.parse().ok())
        .unwrap_or(stored.id);
    pool::Key {
        id: KeyId(stored.id),
        number: stored.number,
        project: ProjectId(project),
        account: AccountId(project),
        tier: stored.tier,
        priority: stored.priority,
        enabled: stored.enabled,
    }
}

fn pool_key(facts: &KeyFacts, status: app::types::KeyStatus) -> PoolKey {
    PoolKey {
        id: facts.id.to_string(),
        label: facts.label.clone(),
        mask: facts.mask.clone(),
        origin: facts.origin,
        status,
    }
}

fn no_such_key(number: u32) -> AppError {
    AppError::new(ErrorCode::NotFound, format!("There is no key {number}."))
}

/// What a person can do about a key that failed its test; `None` when the key is not what failed.
fn remedy(outcome: &Outcome) -> Option<&'static str> {
    Some(match outcome {
        Outcome::InvalidKey => {
            "The provider does not accept this key: check that it is complete, or make a new one in AI Studio."
        }
        Outcome::Revoked { .. } => {
            "The provider has withdrawn this key (leaked or suspended): make a new one in AI Studio."
        }
        Outcome::KeyConfig { .. } => {
            "The key's project is not set up: enable the Generative Language API and remove referrer and address restrictions in the Cloud console."
        }
        Outcome::Billing => "The key's billing account has no credit: top it up in AI Studio.",
        Outcome::Success { .. }
        | Outcome::Region
        | Outcome::ZeroLimit
        | Outcome::DayQuota { .. }
        | Outcome::MinuteQuota { .. }
        | Outcome::Spend
        | Outcome::Bare429
        | Outcome::ModelGone
        | Outcome::FileForeign
        | Outcome::CallerFault
        | Outcome::Overload
        | Outcome::Server
        | Outcome::Transport
        | Outcome::Blocked { .. }
        | Outcome::Empty
        | Outcome::Truncated
        | Outcome::Cancelled
        | Outcome::Unknown => return None,
    })
}
