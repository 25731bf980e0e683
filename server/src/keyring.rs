//! The only home of provider secrets: which [`KeyId`] stands for which secret, under which label.
//!
//! Secrets leave here in two ways: [`Keyring::secret`] for a call to the provider, and sealed, for the store.

pub mod cipher;
mod facts;
pub mod fields;
mod provider_key;
mod refusals;
pub mod secrets_file;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use app::error::{AppError, ErrorCode};
use app::types::NewKey;
use pool::{KeyId, Timestamp};
use secrecy::{ExposeSecret, SecretString};

pub use cipher::{MasterKey, MasterKeyId};
pub use facts::{KeyFacts, KeyFromEnvironment, KeyringError};
pub use provider_key::{KeyRefused, ProviderKey};
pub(crate) use refusals::duplicate;

use crate::scrub;
use crate::store::{Digest, EnvironmentKey, KeyChange, NewStoredKey, Store, StoreError, StoredKey};
use crate::vault::Vault;

/// The field of a key's record that is sealed.
const SECRET_FIELD: &str = "secret";

struct Entry {
    facts: KeyFacts,
    secret: SecretString,
}

/// The keys of this process with their secrets.
pub struct Keyring {
    store: Arc<dyn Store>,
    vault: Vault,
    keys: RwLock<BTreeMap<KeyId, Entry>>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("keys", &self.read().len())
            .finish_non_exhaustive()
    }
}

impl Keyring {
    /// Opens every stored key and takes in those of the environment. Returns the records of all that can be used, in
    /// the order of their numbers; a variable that repeats a secret adds nothing.
    ///
    /// # Errors
    /// A key of the environment that cannot be one, a stored key that does not open, a store that fails.
    pub async fn open(
        store: Arc<dyn Store>,
        vault: Vault,
        environment: Vec<KeyFromEnvironment>,
        now: Timestamp,
    ) -> Result<(Self, Vec<StoredKey>), KeyringError> {
        let keyring = Self {
            store,
            vault,
            keys: RwLock::default(),
        };
        let mut usable = BTreeMap::new();
        for KeyFromEnvironment {
            number,
            variable,
            secret,
        } in environment
        {
            let key = ProviderKey::parse(secret.expose_secret()).map_err(|reason| KeyringError::Environment {
                variable: variable.clone(),
                reason,
            })?;
            let fingerprint = keyring.fingerprint(&key);
            let row = EnvironmentKey {
                fingerprint,
                label: variable,
                preferred_number: number,
                now,
            };
            let stored = keyring.store.adopt_environment_key(row).await?;
            keyring.insert(&stored, key);
            usable.insert(stored.number, stored);
        }
        for stored in keyring.store.keys().await? {
            if stored.sealed.is_empty() {
                continue;
            }
            let key = keyring.unseal(&stored).map_err(|reason| KeyringError::Sealed {
                number: stored.number,
                label: stored.label.clone(),
                reason,
            })?;
            keyring.insert(&stored, key);
            usable.insert(stored.number, stored);
        }
        Ok((keyring, usable.into_values().collect()))
    }

    /// The secret to call the provider with; `None` for a key that is not known.
    pub fn secret(&self, id: KeyId) -> Option<SecretString> {
        self.read().get(&id).map(|entry| entry.secret.clone())
    }

    pub fn facts(&self, id: KeyId) -> Option<KeyFacts> {
        self.read().get(&id).map(|entry| entry.facts.clone())
    }

    /// In the order of their numbers.
    pub fn all(&self) -> Vec<KeyFacts> {
        let mut all: Vec<KeyFacts> = self.read().values().map(|entry| entry.facts.clone()).collect();
        all.sort_by_key(|facts| facts.number);
        all
    }

    /// Tells two secrets apart without showing them.
    pub fn fingerprint(&self, key: &ProviderKey) -> Digest {
        self.vault.fingerprint(key.expose())
    }

    /// The key with this secret, when it is one that can be used.
    pub fn find(&self, key: &ProviderKey) -> Option<KeyFacts> {
        let fingerprint = self.fingerprint(key);
        let keys = self.read();
        let mut facts = keys.values().map(|entry| &entry.facts);
        facts.find(|facts| facts.fingerprint == fingerprint).cloned()
    }

    /// Whether the key is known to be of this project. Cheap: asked for every call that failed.
    pub fn is_of_project(&self, id: KeyId, project: &str) -> bool {
        self.read()
            .get(&id)
            .is_some_and(|entry| entry.facts.project.as_deref() == Some(project))
    }

    /// What the keys are sealed with.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    pub fn len(&self) -> usize {
        self.read().len()
    }

    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    /// Takes a key from a person, seals and stores it.
    ///
    /// # Errors
    /// `BAD_REQUEST` on what cannot be a key, `CONFLICT` on one that is in the pool already, with the field at fault.
    pub async fn add(&self, new: NewKey, now: Timestamp) -> Result<StoredKey, AppError> {
        let label = fields::check_label(new.label.as_deref().unwrap_or_default())?;
        let wanted = fields::of_new(&new)?;
        let key = ProviderKey::parse(&new.key)?;
        if key.has_unusual_shape() {
            tracing::warn!("a key was added that does not look like one of Google's; it is kept as it is");
        }
        let fingerprint = self.fingerprint(&key);
        // Until it is stored: a seal under a master key that is being replaced must not come after the last look.
        let _held = self.vault.hold().await;
        let known = self
            .store
            .keys()
            .await?
            .into_iter()
            .find(|stored| stored.fingerprint == fingerprint);
        let stored = match known {
            Some(stored) if self.facts(KeyId(stored.id)).is_some() => return Err(duplicate(stored.number)),
            Some(stored) => self.keep(&stored, &key, label, wanted).await?,
            None => self.insert_new(&key, label, wanted, now).await?,
        };
        self.insert(&stored, key);
        Ok(stored)
    }

    /// Changes what is said of a key. Its secret stays.
    ///
    /// # Errors
    /// `NOT_FOUND` for a key that is not known.
    pub async fn change(&self, id: KeyId, change: KeyChange) -> Result<StoredKey, AppError> {
        if self.facts(id).is_none() {
            return Err(unknown_key());
        }
        let stored = self.store.update_key(id.0, change).await?;
        if let Some(entry) = self.write().get_mut(&id) {
            entry.facts = KeyFacts::new(&stored, entry.facts.mask.clone());
        }
        Ok(stored)
    }

    /// Forgets a key and its secret.
    ///
    /// # Errors
    /// `NOT_FOUND` for a key that is not known.
    pub async fn remove(&self, id: KeyId) -> Result<(), AppError> {
        if self.facts(id).is_none() {
            return Err(unknown_key());
        }
        self.store.delete_key(id.0).await?;
        self.write().remove(&id);
        Ok(())
    }

    /// A key that came from the environment once and is not set there now: it keeps its number.
    async fn keep(
        &self,
        stored: &StoredKey,
        key: &ProviderKey,
        label: String,
        wanted: KeyChange,
    ) -> Result<StoredKey, AppError> {
        let change = KeyChange {
            label: (!label.is_empty()).then_some(label),
            sealed: Some(self.seal(stored.id, key)?),
            // Whoever adds it wants it to serve, even if it was switched off when it was last there.
            enabled: Some(true),
            ..wanted
        };
        Ok(self.store.update_key(stored.id, change).await?)
    }

    async fn insert_new(
        &self,
        key: &ProviderKey,
        label: String,
        wanted: KeyChange,
        now: Timestamp,
    ) -> Result<StoredKey, AppError> {
        let fingerprint = self.fingerprint(key);
        let id = self.store.next_key_id().await?;
        let sealed = self.seal(id, key)?;
        let new = NewStoredKey {
            id,
            label,
            fingerprint,
            sealed,
            wanted,
            created_at: now,
        };
        match self.store.insert_key(new).await {
            // Somebody else added the same key meanwhile.
            Err(StoreError::Conflict { .. }) => {
                let keys = self.store.keys().await?;
                let number = keys
                    .iter()
                    .find(|stored| stored.fingerprint == fingerprint)
                    .map_or(0, |stored| stored.number);
                Err(duplicate(number))
            }
            other => Ok(other?),
        }
    }

    fn seal(&self, id: u64, key: &ProviderKey) -> Result<Vec<u8>, AppError> {
        self.vault
            .seal(&record_name(id), SECRET_FIELD, key.expose().as_bytes())
            .map_err(|error| {
                tracing::error!(%error, "a key could not be sealed");
                AppError::internal()
            })
    }

    fn unseal(&self, stored: &StoredKey) -> Result<ProviderKey, cipher::CipherError> {
        let plain = self.vault.open(&record_name(stored.id), SECRET_FIELD, &stored.sealed)?;
        let text = std::str::from_utf8(&plain).map_err(|_| cipher::CipherError::Damaged)?;
        ProviderKey::parse(text).map_err(|_| cipher::CipherError::Damaged)
    }

    fn insert(&self, stored: &StoredKey, key: ProviderKey) {
        let facts = KeyFacts::new(stored, key.mask());
        let secret = key.into_secret();
        scrub::process().learn(&secret);
        self.write().insert(facts.id, Entry { facts, secret });
    }

    // A panic elsewhere leaves the map whole: every change of it is one insert or remove.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<KeyId, Entry>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<KeyId, Entry>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown_key() -> AppError {
    AppError::new(ErrorCode::NotFound, "There is no such key.")
}

fn record_name(id: u64) -> String {
    format!("key/{id}")
}

#[cfg(test)]
mod tests;
