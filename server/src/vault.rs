//! Everything that is sealed: secrets of keys, second factors, secrets of the server itself. Under one master key, and for
//! the time of a rotation under two.
//!
//! Values open under the current or the previous master key, and are sealed under the current one. `files` keeps a master
//! key that the server made, `rewrap` moves values from the previous one to the current one.

mod files;
mod rewrap;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::zeroize::Zeroizing;
use tokio::sync::{Mutex, MutexGuard, RwLockReadGuard};

use crate::keyring::cipher::{CipherError, MasterKey, MasterKeyId, hmac};
use crate::keyring::secrets_file::SecretsFileError;
use crate::store::{Digest, SealedValue, Store, StoreError};

pub use files::{MASTER_KEY_FILE, PREVIOUS_MASTER_KEY_FILE};
pub use rewrap::{Rewrapped, Standing};

/// The record of the key that lookups are made with.
const LOOKUP_NAME: &str = "lookup";
const SERVER_SECRET_FIELD: &str = "secret";

/// Why the stored secrets cannot be used; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error(
        "{count} stored secret(s), such as {record}, are sealed under master key {under}, but the master key given is {given}. \
         Nothing was changed. Set KEYPOOL_MASTER_KEY to master key {under}, or put its file back as master.key in DATA_DIR. \
         If you are changing the master key, set the old one as KEYPOOL_MASTER_KEY_PREVIOUS beside the new one, and then run \
         `keypool keys rewrap`. If it is lost, so are the secrets sealed under it: move DATA_DIR aside, start anew and add the keys again"
    )]
    UnknownMasterKey {
        count: usize,
        record: String,
        under: MasterKeyId,
        /// One id, or two.
        given: String,
    },
    #[error(
        "{path} is missing, but secrets are stored that are sealed under master key {under}; no new one was made. Put that file back, or set \
         KEYPOOL_MASTER_KEY to its content. If it is lost, so are the secrets sealed under it: move DATA_DIR aside, start anew and add the keys again"
    )]
    NoMasterKey { path: String, under: String },
    #[error("{name}: {reason}")]
    BadMasterKey { name: &'static str, reason: CipherError },
    #[error("the stored secret {record} cannot be read: {reason}")]
    Sealed { record: String, reason: CipherError },
    #[error(
        "the master key is set by KEYPOOL_MASTER_KEY, so a new one is set there too: set it with the old one as \
         KEYPOOL_MASTER_KEY_PREVIOUS, restart, and run `keypool keys rewrap`"
    )]
    KeyIsSet,
    #[error(
        "{left} secret(s) are still under the previous master key and do not open: no further master key is made before they do"
    )]
    Unfinished { left: usize },
    #[error("the master key is being changed: finish that with `keypool keys rewrap`, and try again")]
    Changing,
    #[error("master.key in DATA_DIR is not the one that this process works with: restart it first")]
    FileChanged,
    #[error(transparent)]
    File(#[from] SecretsFileError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The master keys a process was given.
pub struct Masters {
    current: Arc<MasterKey>,
    previous: Option<Arc<MasterKey>>,
    /// The folder with `master.key`, when that is where the current one comes from.
    made_in: Option<PathBuf>,
}

impl Masters {
    /// Given by settings.
    pub fn set(current: MasterKey, previous: Option<MasterKey>) -> Self {
        Self {
            current: Arc::new(current),
            previous: previous.map(Arc::new),
            made_in: None,
        }
    }

    /// The one with this id.
    pub fn find(&self, id: MasterKeyId) -> Option<&MasterKey> {
        let mut all = std::iter::once(&self.current).chain(&self.previous);
        all.find(|master| master.id() == id).map(AsRef::as_ref)
    }

    /// Their ids, for people.
    pub fn named(&self) -> String {
        match &self.previous {
            Some(previous) => format!("{} (and as the previous one {})", self.current.id(), previous.id()),
            None => self.current.id().to_string(),
        }
    }
}

/// Seals, opens and looks up. Cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    masters: RwLock<Masters>,
    lookup: Zeroizing<Digest>,
    /// Held shared from a seal until it is stored, and alone where the master key changes.
    sealing: tokio::sync::RwLock<()>,
    rewrapping: Mutex<()>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(hidden)")
    }
}

impl Vault {
    /// Looks at every sealed value before anything else is done with the store.
    ///
    /// # Errors
    /// `UnknownMasterKey` when one is sealed under neither key.
    pub async fn unlock(store: Arc<dyn Store>, masters: Masters) -> Result<Self, VaultError> {
        Self::unlock_with(store, masters, async |_| Ok(())).await
    }

    /// As [`Vault::unlock`]. On a store without a key of lookups, `first` is done before that key is stored: once there is
    /// one, `first` was done.
    ///
    /// # Errors
    /// Those of `first` too.
    pub async fn unlock_with(
        store: Arc<dyn Store>,
        masters: Masters,
        first: impl AsyncFnOnce(&Self) -> Result<(), StoreError>,
    ) -> Result<Self, VaultError> {
        let values = store.sealed_values().await?;
        all_known(&masters, &values)?;
        let (lookup, new) = lookup_key(store.as_ref(), &masters, &values).await?;
        let vault = Self(Arc::new(Inner {
            store,
            masters: RwLock::new(masters),
            lookup,
            sealing: tokio::sync::RwLock::default(),
            rewrapping: Mutex::default(),
        }));
        if let Some(sealed) = new {
            first(&vault).await?;
            let stored = vault.0.store.insert_server_secret(LOOKUP_NAME, sealed).await?;
            // Another process may have been first; its key is made of the same master key.
            if *opened_lookup(&vault.masters(), &stored)? != *vault.0.lookup {
                return Err(lookup_failed(CipherError::Damaged));
            }
        }
        Ok(vault)
    }

    /// Seals a value for one field of one record. Whoever stores it [holds](Vault::hold) the vault from before this until it
    /// is stored.
    ///
    /// # Errors
    /// `Damaged` when the value is larger than the cipher takes (256 GB).
    pub fn seal(&self, record: &str, field: &str, plaintext: &[u8]) -> Result<Vec<u8>, CipherError> {
        self.current().seal(record, field, plaintext)
    }

    /// Opens what was sealed for the same field of the same record.
    ///
    /// # Errors
    /// `UnknownMasterKey` when it is under neither key, `Damaged` when it was changed or moved.
    pub fn open(&self, record: &str, field: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        open_with(&self.masters(), record, field, sealed)
    }

    /// While it is held, the master key stays.
    pub async fn hold(&self) -> RwLockReadGuard<'_, ()> {
        self.0.sealing.read().await
    }

    /// While it is held, no change of the master key begins, and everything is sealed under the current one.
    ///
    /// # Errors
    /// `Changing` while values are moved to another master key, or are left under the previous one.
    pub async fn settled(&self) -> Result<MutexGuard<'_, ()>, VaultError> {
        let guard = self.0.rewrapping.try_lock().map_err(|_| VaultError::Changing)?;
        if self.behind().await?.is_empty() {
            Ok(guard)
        } else {
            Err(VaultError::Changing)
        }
    }

    /// Equal for equal provider keys, meaningless without the vault; the same through every rotation.
    pub fn fingerprint(&self, secret: &str) -> Digest {
        hmac(&*self.0.lookup, secret.as_bytes())
    }

    /// As [`Vault::fingerprint`], for other things. Each purpose has a key of its own, so that a digest made for one is
    /// worth nothing for another.
    pub fn digest(&self, purpose: &str, bytes: &[u8]) -> Digest {
        let key = Zeroizing::new(hmac(&*self.0.lookup, format!("keypool/1 {purpose}").as_bytes()));
        hmac(&*key, bytes)
    }

    /// What new values and backups are sealed under.
    pub fn current(&self) -> Arc<MasterKey> {
        Arc::clone(&self.masters().current)
    }

    // A panic elsewhere leaves it whole: it is replaced in one go.
    fn masters(&self) -> std::sync::RwLockReadGuard<'_, Masters> {
        self.0.masters.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_masters(&self, change: impl FnOnce(&mut Masters)) {
        change(&mut self.0.masters.write().unwrap_or_else(PoisonError::into_inner));
    }
}

fn open_with(masters: &Masters, record: &str, field: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let id = MasterKeyId::of_sealed(sealed)?;
    let master = masters.find(id).ok_or(CipherError::UnknownMasterKey)?;
    master.open(record, field, sealed)
}

/// What is no sealed value at all is left to whoever opens it, who can say what it was for.
fn all_known(masters: &Masters, values: &[SealedValue]) -> Result<(), VaultError> {
    let under = |value: &SealedValue| MasterKeyId::of_sealed(&value.sealed).ok();
    let unknown = |value: &&SealedValue| under(value).is_some_and(|id| masters.find(id).is_none());
    let Some(first) = values.iter().find(unknown) else {
        return Ok(());
    };
    Err(VaultError::UnknownMasterKey {
        count: values.iter().filter(unknown).count(),
        record: first.record.clone(),
        under: under(first).unwrap_or(MasterKeyId([0; 8])),
        given: masters.named(),
    })
}

/// The key of lookups, made once; sealed too when it is not stored yet. A store that was in use before there was one goes on
/// with what it had: the key that was derived from the master key.
async fn lookup_key(
    store: &dyn Store,
    masters: &Masters,
    values: &[SealedValue],
) -> Result<(Zeroizing<Digest>, Option<Vec<u8>>), VaultError> {
    if let Some(sealed) = store.server_secret(LOOKUP_NAME).await? {
        return Ok((opened_lookup(masters, &sealed)?, None));
    }
    let current = masters.current.id();
    let in_use = |value: &SealedValue| MasterKeyId::of_sealed(&value.sealed) == Ok(current);
    let before = masters.previous.as_ref().filter(|_| !values.iter().any(in_use));
    let first = before.unwrap_or(&masters.current).first_lookup_key();
    let sealed = masters
        .current
        .seal(&lookup_record(), SERVER_SECRET_FIELD, first)
        .map_err(lookup_failed)?;
    Ok((opened_lookup(masters, &sealed)?, Some(sealed)))
}

fn opened_lookup(masters: &Masters, sealed: &[u8]) -> Result<Zeroizing<Digest>, VaultError> {
    let opened = open_with(masters, &lookup_record(), SERVER_SECRET_FIELD, sealed).map_err(lookup_failed)?;
    let key = Digest::try_from(opened.as_slice()).map_err(|_| lookup_failed(CipherError::Damaged))?;
    Ok(Zeroizing::new(key))
}

fn lookup_record() -> String {
    format!("server/{LOOKUP_NAME}")
}

fn lookup_failed(reason: CipherError) -> VaultError {
    VaultError::Sealed {
        record: lookup_record(),
        reason,
    }
}

#[cfg(test)]
mod tests;
