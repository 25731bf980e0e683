//! The plain records of the store.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use app::types::{Analysis, KeyOrigin, Role};
use pool::{Tier, Timestamp};
use serde::{Deserialize, Serialize};

use crate::email::Email;

/// A SHA-256 or HMAC-SHA-256 of something that is not stored itself.
pub type Digest = [u8; 32];

/// A word of a closed list, such as an outcome's name.
pub type Word = Cow<'static, str>;

/// A provider key without its secret in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    pub id: u64,
    /// 1-based; never given to another key.
    pub number: u32,
    pub label: String,
    pub origin: KeyOrigin,
    /// HMAC of the secret: finds duplicates.
    pub fingerprint: Digest,
    /// As `keyring::cipher` made it; empty for keys from the environment.
    pub sealed: Vec<u8>,
    /// The provider's own name of the project once known, or what the admin called it. Keys of one project share its quota.
    pub project: Option<String>,
    /// The billing account as the admin calls it. All keys of a project have the same one.
    pub account: Option<String>,
    pub tier: Tier,
    pub priority: i32,
    /// At least 1.
    pub weight: u32,
    pub tags: Vec<String>,
    pub enabled: bool,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStoredKey {
    /// From `Store::next_key_id`.
    pub id: u64,
    /// Empty: "Key" and its number.
    pub label: String,
    pub fingerprint: Digest,
    pub sealed: Vec<u8>,
    /// What it has besides; what is left out gets its default. Label and seal are not taken from here.
    pub wanted: KeyChange,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentKey {
    pub fingerprint: Digest,
    /// The variable's name; it follows the key when that moves to another variable.
    pub label: String,
    /// N of `GOOGLE_AI_API_KEY_N`.
    pub preferred_number: u32,
    /// Kept for rows that are new.
    pub now: Timestamp,
}

/// What to change of a key; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyChange {
    pub label: Option<String>,
    /// `Some(None)` takes it away.
    pub project: Option<Option<String>>,
    /// `Some(None)` takes it away.
    pub account: Option<Option<String>>,
    pub tier: Option<Tier>,
    pub priority: Option<i32>,
    /// At least 1.
    pub weight: Option<u32>,
    pub tags: Option<Vec<String>>,
    pub enabled: Option<bool>,
    /// Keeps the secret of a key that was known from the environment only: from then on it is a key of the console.
    pub sealed: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct StoredUser {
    /// A UUID, version 7.
    pub id: String,
    pub email: Email,
    pub name: String,
    pub role: Role,
    /// PHC string.
    pub password_hash: String,
    pub created_at: Timestamp,
    /// May not sign in, and nothing of it is signed in.
    pub disabled: bool,
    pub last_sign_in_at: Option<Timestamp>,
    /// Counts what ended all that was signed in: a new password, another role, a second factor. What was checked under
    /// another number is void.
    pub credentials: u64,
}

impl fmt::Debug for StoredUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredUser")
            .field("id", &self.id)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// A browser session. The cookie's id is a credential, so only its digest is kept.
#[derive(Clone, PartialEq)]
pub struct StoredSession {
    pub id: Digest,
    /// Whose it is once signed in; ends it with the account's rights.
    pub user_id: Option<String>,
    pub data: serde_json::Value,
    /// Idle end: moves with use.
    pub expires_at: Timestamp,
    /// Absolute end: stays.
    pub ends_at: Timestamp,
    /// The user's `credentials` that it was begun under.
    pub credentials: u64,
}

/// One link of a refresh token's chain; all of one sign-in are a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRefreshToken {
    pub token: Digest,
    /// A UUID, version 7.
    pub family: String,
    pub user_id: String,
    pub expires_at: Timestamp,
}

/// What takes the place of a refresh token that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Successor {
    pub token: Digest,
    pub expires_at: Timestamp,
    /// How long after it began a sign-in ends, however much it is used: the successor expires then at the latest.
    pub life_max: Duration,
}

/// What became of a refresh token that was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// It was good; the successor is stored.
    Fresh {
        user_id: String,
        family: String,
    },
    /// It was used or revoked before; its family is revoked now.
    Reused {
        family: String,
    },
    Expired,
    Unknown,
}

/// What became of a link that makes an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkUse {
    Created,
    Expired,
    /// Never issued, or used before.
    Unknown,
    /// There is an admin: set-up is over. Of set-up links only.
    AdminExists,
}

/// A finished analysis and its owner.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAnalysis {
    pub user_id: String,
    /// Orders the history.
    pub created_at: Timestamp,
    pub analysis: Analysis,
}

/// Whether an event tells of a caller's request or of one call to the provider for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventKind {
    Request,
    Attempt,
}

impl EventKind {
    pub const ALL: [Self; 2] = [Self::Request, Self::Attempt];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Attempt => "attempt",
        }
    }
}

/// The key of an event, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventKey {
    pub id: u64,
    pub number: u32,
    pub project: Option<String>,
}

/// One attempt or one request. Prompt and answer are no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageEvent {
    /// A UUID, version 7: the event is stored once however often it is appended.
    pub id: String,
    pub kind: EventKind,
    #[serde(with = "as_millis")]
    pub at: Timestamp,
    pub request_id: String,
    /// Of a request the key that was asked last. Absent when none was, such as for a cached answer.
    pub key: Option<EventKey>,
    /// Calls to the provider for a request; 1 of an attempt.
    pub attempts: u32,
    pub model: String,
    /// Such as `generateContentText`, `generateContentVision`, `embed`, `countTokens`, `test`.
    pub operation: Word,
    /// `web`, `api`, `gemini` or `openai`.
    pub surface: Word,
    pub success: bool,
    /// The outcome's name as the pool knows it.
    pub outcome: Word,
    /// Such as `quota`, `rate_limit`, `invalid_key`; absent on success.
    pub error_type: Option<Word>,
    pub response_time_ms: u64,
    pub first_token_ms: Option<u64>,
    pub prompt_tokens: u64,
    pub output_tokens: u64,
    pub cached_tokens: u64,
    pub thought_tokens: u64,
    pub total_tokens: u64,
    /// Answered from the response cache.
    pub cached: bool,
    pub user_id: Option<String>,
    /// Of the API token, when one was used.
    pub token_id: Option<String>,
    pub user_agent: Option<String>,
}

/// Since the Unix epoch.
mod as_millis {
    use pool::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(at.as_millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        u64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}
