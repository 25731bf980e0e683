//! Use case: the keys of the pool, as admins handle them.
//!
//! The order is always: the store first, then the keyring's facts, then the pool. What a store refuses changes nothing.

mod changes;
mod entry;
mod import;
mod managed;
mod remedy;
mod resets;
mod siblings;
mod trials;

use std::collections::BTreeMap;
use std::sync::Arc;

use app::error::{AppError, ErrorCode};
use app::types::{KeyTier, NewKey, PoolKey, ServiceStatus};
use pool::{KeyId, Tier};
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use tracing::info;

pub use entry::pool_entry;
pub use managed::ManagedKeys;

use crate::clock::{Clock, rfc3339};
use crate::grouping::Grouping;
use crate::keyring::{KeyFacts, Keyring, ProviderKey};
use crate::provider::Provider;
use crate::shared_pool::SharedPool;
use crate::store::{Store, StoredKey};

/// Keys tested at the same time.
const TESTS_AT_ONCE: usize = 8;

pub struct Keys {
    pub pool: SharedPool,
    pub keyring: Arc<Keyring>,
    pub provider: Arc<dyn Provider>,
    pub clock: Clock,
    /// Asked about when a key is tested.
    pub test_model: String,
    pub grouping: Grouping,
    store: Arc<dyn Store>,
    /// One change at a time: store, facts and pool must not be brought up to date in different orders, and two admins must
    /// not switch off the last two keys at once.
    turn: Mutex<()>,
    changes: TaskTracker,
}

/// A key that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    pub number: u32,
    /// Kept although the provider could not be asked.
    pub doubt: Option<&'static str>,
}

impl Keys {
    pub fn new(
        pool: SharedPool,
        keyring: Arc<Keyring>,
        grouping: Grouping,
        provider: Arc<dyn Provider>,
        store: Arc<dyn Store>,
        clock: Clock,
        test_model: String,
    ) -> Self {
        Self {
            pool,
            keyring,
            provider,
            clock,
            test_model,
            grouping,
            store,
            turn: Mutex::default(),
            changes: TaskTracker::new(),
        }
    }

    /// Tests a key with a call that costs no quota, then keeps it. A refused key is not kept, and one that is in the pool
    /// already is not asked about.
    ///
    /// # Errors
    /// What the keyring refuses, and `BAD_REQUEST` with what the provider said of the key, in our words.
    pub async fn add(self: &Arc<Self>, new: NewKey) -> Result<Added, AppError> {
        let key = ProviderKey::parse(&new.key)?;
        if let Some(known) = self.keyring.find(&key) {
            return Err(crate::keyring::duplicate(known.number));
        }
        let (mut project, mut doubt) = (None, None);
        if new.test != Some(false) {
            let answer = self.provider.probe(&key.into_secret(), &self.test_model).await;
            if let Err(failure) = &answer
                && let Some(remedy) = remedy::of(&failure.outcome)
            {
                return Err(AppError::new(ErrorCode::BadRequest, remedy).field("key"));
            }
            if let Err(failure) = answer {
                project = failure.evidence.project;
                doubt = Some(remedy::ADDED_UNTESTED);
            }
        }
        let stored = self.keep(new).await?;
        if let Some(project) = project {
            self.grouping.learn(KeyId(stored.id), &project);
        }
        Ok(Added {
            number: stored.number,
            doubt,
        })
    }

    /// Stores a key that is good and puts it into the pool.
    async fn keep(self: &Arc<Self>, new: NewKey) -> Result<StoredKey, AppError> {
        let keys = Arc::clone(self);
        self.whole(async move { keys.keep_now(new).await }).await
    }

    async fn keep_now(&self, new: NewKey) -> Result<StoredKey, AppError> {
        let _turn = self.turn.lock().await;
        let stored = self.keyring.add(new, self.clock.now()).await?;
        let stored = self.share_account(stored).await?;
        self.pool.upsert(pool_entry(&stored));
        info!(key_number = stored.number, "key {} was added", stored.number);
        Ok(stored)
    }

    /// Does all of a change even when whoever asked for it goes away in the middle: the store and the pool must not disagree.
    async fn whole<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, AppError>> + Send + 'static,
    ) -> Result<T, AppError> {
        self.changes.spawn(change).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a change of the keys broke off");
            Err(AppError::internal())
        })
    }

    /// Waits for the changes under way.
    pub(crate) async fn finish(&self) {
        self.changes.close();
        self.changes.wait().await;
    }

    /// The facts of the key with this id, as it stands in addresses.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn facts(&self, id: &str) -> Result<KeyFacts, AppError> {
        let id = id.parse().ok().map(KeyId);
        id.and_then(|id| self.keyring.facts(id))
            .ok_or_else(|| AppError::new(ErrorCode::NotFound, "There is no such key."))
    }

    /// As [`Keys::facts`], by the number people know.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn numbered(&self, number: u32) -> Result<KeyFacts, AppError> {
        let mut all = self.keyring.all().into_iter();
        all.find(|facts| facts.number == number)
            .ok_or_else(|| AppError::new(ErrorCode::NotFound, format!("There is no key {number}.")))
    }
}

/// All keys with their labels and masks, by number.
pub fn list(keyring: &Keyring, status: ServiceStatus) -> Vec<PoolKey> {
    let all: BTreeMap<u32, KeyFacts> = keyring.all().into_iter().map(|facts| (facts.number, facts)).collect();
    status
        .available_keys
        .into_iter()
        .filter_map(|status| all.get(&status.key_number).map(|facts| pool_key(facts, status)))
        .collect()
}

fn pool_key(facts: &KeyFacts, status: app::types::KeyStatus) -> PoolKey {
    PoolKey {
        id: facts.id.to_string(),
        label: facts.label.clone(),
        mask: facts.mask.clone(),
        origin: facts.origin,
        tier: match facts.tier {
            Tier::Free => KeyTier::Free,
            Tier::Paid => KeyTier::Paid,
        },
        priority: facts.priority,
        weight: facts.weight,
        project: facts.project.clone(),
        account: facts.account.clone(),
        tags: facts.tags.clone(),
        enabled: facts.enabled,
        created_at: rfc3339(facts.created_at),
        status,
    }
}
