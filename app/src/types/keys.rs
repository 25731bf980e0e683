use serde::{Deserialize, Serialize};

use super::KeyStatus;

/// A key as admins see it. The secret is never part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolKey {
    pub id: String,
    pub label: String,
    /// The last four characters behind dots.
    pub mask: String,
    pub origin: KeyOrigin,
    #[serde(flatten)]
    pub status: KeyStatus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyOrigin {
    /// From `GOOGLE_AI_API_KEY_n`: read-only here.
    Environment,
    /// Added in the console.
    Console,
}

/// Body of `POST /api/admin/keys`. No `Debug`: it holds a secret.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewKey {
    pub key: String,
    #[serde(default)]
    pub label: Option<String>,
}

/// Result of testing one key, in the seed's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyTest {
    pub key_number: u32,
    /// `success` or `failed`.
    pub status: String,
    /// The outcome's name when it failed.
    pub outcome: Option<String>,
    /// What to do about it; never the provider's text.
    pub error: Option<String>,
    pub ms: u64,
}
