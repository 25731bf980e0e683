//! The records of accounts beside the user itself: second factors, links, sign-ins of the API, API tokens.

use std::fmt;

use app::types::Role;
use pool::Timestamp;

use super::Digest;
use crate::email::Email;

/// Who makes links at the command line: no account, and always allowed to.
pub const OPERATOR: &str = "operator";

/// What to change of a user; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    pub role: Option<Role>,
    pub disabled: Option<bool>,
    pub name: Option<String>,
}

/// A user's second factor: time-based one-time passwords (RFC 6238) and recovery codes.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSecondFactor {
    pub user_id: String,
    /// The shared secret, as the vault sealed it for "user/{id}", "totp".
    pub sealed: Vec<u8>,
    /// Asked for at sign-in only once a code of it was given.
    pub confirmed: bool,
    /// The time step of the last code that was accepted: a code is good once.
    pub last_step: u64,
    /// Of the recovery codes that are left, in no order. Each is good once.
    pub recovery: Vec<Digest>,
}

impl fmt::Debug for StoredSecondFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSecondFactor")
            .field("user_id", &self.user_id)
            .field("confirmed", &self.confirmed)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// Whoever opens it makes an account of their own.
    Invitation,
    /// Whoever opens it sets the password of an account.
    Password,
}

impl LinkKind {
    pub const ALL: [Self; 2] = [Self::Invitation, Self::Password];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Password => "password",
        }
    }
}

/// A link an admin gave to somebody. Good once, until it expires.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredLink {
    /// A UUID, version 7.
    pub id: String,
    /// Of what the link carries; that itself is kept nowhere.
    pub token: Digest,
    pub kind: LinkKind,
    /// Of an invitation that is for one address only.
    pub email: Option<Email>,
    /// Of an invitation: the role of the account to be.
    pub role: Option<Role>,
    /// Of a password link: whose password it sets.
    pub user_id: Option<String>,
    /// Id of the admin who made it, or [`OPERATOR`]. The link is good while they are an admin who may sign in.
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

impl fmt::Debug for StoredLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredLink")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A sign-in of the API: it lives as long as its family of refresh tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSignIn {
    /// Of its refresh tokens. A UUID, version 7.
    pub family: String,
    pub user_id: String,
    pub began_at: Timestamp,
    /// When tokens were issued last.
    pub last_used_at: Timestamp,
    pub expires_at: Timestamp,
    pub user_agent: Option<String>,
    /// The client's address, as it was then.
    pub address: Option<String>,
}

/// A user's token for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredApiToken {
    /// A UUID, version 7.
    pub id: String,
    pub user_id: String,
    pub name: String,
    /// HMAC of the token, which is shown once and kept nowhere.
    pub hash: Digest,
    /// The few characters of it that may be shown.
    pub hint: String,
    /// What it may be used for; the use case knows the words.
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    /// Absent: never.
    pub expires_at: Option<Timestamp>,
    /// Absent: as many as the server allows anybody.
    pub requests_per_minute: Option<u32>,
    pub last_used_at: Option<Timestamp>,
}
