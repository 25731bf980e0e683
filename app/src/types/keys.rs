use serde::{Deserialize, Deserializer, Serialize};

use super::KeyStatus;

/// Longest import, in lines with a key.
pub const IMPORT_LINES_MAX: usize = 1000;

/// A key as admins see it. The secret is never part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolKey {
    pub id: String,
    pub label: String,
    /// The last four characters behind dots.
    pub mask: String,
    pub origin: KeyOrigin,
    pub tier: KeyTier,
    /// Within a tier a higher one is chosen first.
    pub priority: i32,
    /// Share of the calls under the strategy `weighted`; at least 1.
    pub weight: u32,
    /// As the provider or the admin named it; absent while the key is taken to have one of its own.
    pub project: Option<String>,
    /// The billing account as the admin calls it.
    pub account: Option<String>,
    pub tags: Vec<String>,
    pub enabled: bool,
    /// RFC 3339.
    pub created_at: String,
    #[serde(flatten)]
    pub status: KeyStatus,
}

/// What a key costs. Free keys are chosen before paid ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyTier {
    #[default]
    Free,
    Paid,
}

impl KeyTier {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Paid => "paid",
        }
    }
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
    #[serde(default)]
    pub tier: Option<KeyTier>,
    #[serde(default)]
    pub priority: Option<i32>,
    #[serde(default)]
    pub weight: Option<u32>,
    #[serde(default)]
    pub project: Option<String>,
    #[serde(default)]
    pub account: Option<String>,
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    /// False: kept without asking the provider first.
    #[serde(default)]
    pub test: Option<bool>,
}

/// Answer of `POST /api/admin/keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddedKey {
    #[serde(flatten)]
    pub key: PoolKey,
    /// Said of a key that was kept although the provider could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Body of `PATCH /api/admin/keys/{id}`: what is absent stays, `null` takes a project or an account away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyPatch {
    #[serde(default)]
    pub label: Option<String>,
    #[serde(default)]
    pub tier: Option<KeyTier>,
    #[serde(default)]
    pub priority: Option<i32>,
    #[serde(default)]
    pub weight: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    pub project: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    pub account: Option<Option<String>>,
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Also switches off the last key that can serve.
    #[serde(default)]
    pub force: bool,
}

/// A field that is there, whatever it says.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Body of `POST /api/admin/keys/import`. No `Debug`: it holds secrets.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyImport {
    /// One key a line: `KEY`, `KEY LABEL`, `KEY,LABEL` or `NAME=KEY`. Empty lines and lines that start with `#` are skipped.
    pub text: String,
    #[serde(default)]
    pub tier: Option<KeyTier>,
    /// False: kept without asking the provider first.
    #[serde(default)]
    pub test: Option<bool>,
}

/// What became of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    pub added: u32,
    pub duplicates: u32,
    pub refused: u32,
    /// One entry a line with a key, in the order of the lines.
    pub lines: Vec<ImportedLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportedLine {
    /// 1-based, empty lines counted.
    pub line: u32,
    /// The last four characters behind dots; absent when the line holds no key.
    pub mask: Option<String>,
    pub result: ImportResult,
    /// Of the key that was added, or of the one that is there already.
    pub key_number: Option<u32>,
    /// Why, and what to do; absent when the key was added and passed its test.
    pub message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportResult {
    Added,
    Duplicate,
    Refused,
}

/// Two keys that spent one model's day within seconds of each other: they may belong to one project and share its quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SiblingProposal {
    pub id: String,
    /// Of the keys of both projects, in the order of their numbers.
    pub keys: Vec<SiblingKey>,
    pub model: String,
    /// RFC 3339: when it was seen last.
    pub seen_at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SiblingKey {
    pub key_number: u32,
    pub label: String,
    pub project: Option<String>,
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
