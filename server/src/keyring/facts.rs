//! What goes into the keyring and what may be known of it.

use app::types::KeyOrigin;
use pool::{KeyId, Tier, Timestamp};
use secrecy::SecretString;

use super::cipher::CipherError;
use super::provider_key::KeyRefused;
use crate::store::{Digest, StoreError, StoredKey};

/// A key set in the environment, as `config` read it.
#[derive(Clone)]
pub struct KeyFromEnvironment {
    /// N of `GOOGLE_AI_API_KEY_N`.
    pub number: u32,
    pub variable: String,
    pub secret: SecretString,
}

/// What may be shown of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    pub id: KeyId,
    pub number: u32,
    pub label: String,
    /// The last four characters behind dots; dots alone when the key is so short that four would tell too much.
    pub mask: String,
    pub origin: KeyOrigin,
    pub fingerprint: Digest,
    pub project: Option<String>,
    pub account: Option<String>,
    pub tier: Tier,
    pub priority: i32,
    pub weight: u32,
    pub tags: Vec<String>,
    pub enabled: bool,
    pub created_at: Timestamp,
}

impl KeyFacts {
    pub(super) fn new(stored: &StoredKey, mask: String) -> Self {
        Self {
            id: KeyId(stored.id),
            number: stored.number,
            label: stored.label.clone(),
            mask,
            origin: stored.origin,
            fingerprint: stored.fingerprint,
            project: stored.project.clone(),
            account: stored.account.clone(),
            tier: stored.tier,
            priority: stored.priority,
            weight: stored.weight,
            tags: stored.tags.clone(),
            enabled: stored.enabled,
            created_at: stored.created_at,
        }
    }
}

/// Why the keys could not be read at start.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("{variable}: {reason}")]
    Environment { variable: String, reason: KeyRefused },
    #[error("key {number} ({label}) cannot be read: {reason}")]
    Sealed {
        number: u32,
        label: String,
        reason: CipherError,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}
