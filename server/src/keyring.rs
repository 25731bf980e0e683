//! The only home of provider secrets: which [`KeyId`] stands for which secret, under which label.
//!
//! Secrets leave here in two ways: [`Keyring::secret`] for a call to the provider, and sealed, for the store.

pub mod cipher;
mod facts;
mod provider_key;
mod refusals;
pub mod secrets_file;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use app::error::AppError;
use app::types::NewKey;
use pool::{KeyId, Timestamp};
use secrecy::{ExposeSecret, SecretString};

pub use cipher::MasterKey;
pub use facts::{KeyFacts, KeyFromEnvironment, KeyringError};
pub use provider_key::{KeyRefused, ProviderKey};
use refusals::{check_label, duplicate};

use crate::store::{Digest, EnvironmentKey, KeyChange, NewStoredKey, Store, StoreError, StoredKey};

/// The field of a key's record that is sealed.
const SECRET_FIELD: &str = "secret";

struct Entry {
    facts: KeyFacts,
    secret: SecretString,
}

/// The keys of this process with their secrets.
pub struct Keyring {
    store: Arc<dyn Store>,
    master: MasterKey,
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
    /// A key of the environment that cannot be one, a stored key sealed under another master key, a store that fails.
    pub async fn open(
        store: Arc<dyn Store>,
        master: MasterKey,
        environment: Vec<KeyFromEnvironment>,
        now: Timestamp,
    ) -> Result<(Self, Vec<StoredKey>), KeyringError> {
        let keyring = Self {
            store,
            master,
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
            let fingerprint = keyring.master.fingerprint(key.expose());
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
        let label = check_label(new.label.as_deref().unwrap_or_default())?;
        let key = ProviderKey::parse(&new.key)?;
        if key.has_unusual_shape() {
            tracing::warn!("a key was added that does not look like one of Google's; it is kept as it is");
        }
        let fingerprint = self.master.fingerprint(key.expose());
        let known = self
            .store
            .keys()
            .await?
            .into_iter()
            .find(|stored| stored.fingerprint == fingerprint);
        let stored = match known {
            Some(stored) if self.facts(KeyId(stored.id)).is_some() => return Err(duplicate(stored.number)),
            Some(stored) => self.keep(&stored, &key, label).await?,
            None => self.insert_new(&key, label, fingerprint, now).await?,
        };
        self.insert(&stored, key);
        Ok(stored)
    }

    /// A key that came from the environment once and is not set there now: it keeps its number.
    async fn keep(&self, stored: &StoredKey, key: &ProviderKey, label: String) -> Result<StoredKey, AppError> {
        let sealed = self.seal(stored.id, key)?;
        let label = (!label.is_empty()).then_some(label);
        Ok(self
            .store
            .update_key(
                stored.id,
                KeyChange {
                    label,
                    sealed: Some(sealed),
                    ..KeyChange::default()
                },
            )
            .await?)
    }

    async fn insert_new(
        &self,
        key: &ProviderKey,
        label: String,
        fingerprint: Digest,
        now: Timestamp,
    ) -> Result<StoredKey, AppError> {
        let id = self.store.next_key_id().await?;
        let sealed = self.seal(id, key)?;
        let new = NewStoredKey {
            id,
            label,
            fingerprint,
            sealed,
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
        self.master
            .seal(&record_name(id), SECRET_FIELD, key.expose().as_bytes())
            .map_err(|error| {
                tracing::error!(%error, "a key could not be sealed");
                AppError::internal()
            })
    }

    fn unseal(&self, stored: &StoredKey) -> Result<ProviderKey, cipher::CipherError> {
        let plain = self
            .master
            .open(&record_name(stored.id), SECRET_FIELD, &stored.sealed)?;
        let text = std::str::from_utf8(&plain).map_err(|_| cipher::CipherError::Damaged)?;
        ProviderKey::parse(text).map_err(|_| cipher::CipherError::Damaged)
    }

    fn insert(&self, stored: &StoredKey, key: ProviderKey) {
        let facts = KeyFacts {
            id: KeyId(stored.id),
            number: stored.number,
            label: stored.label.clone(),
            mask: key.mask(),
            origin: stored.origin,
            fingerprint: stored.fingerprint,
        };
        self.write().insert(
            facts.id,
            Entry {
                facts,
                secret: key.into_secret(),
            },
        );
    }

    // A panic elsewhere leaves the map whole: every change of it is one insert or remove.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<KeyId, Entry>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<KeyId, Entry>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn record_name(id: u64) -> String {
    format!("key/{id}")
}

#[cfg(test)]
mod tests;
