use serde::{Deserialize, Serialize};

/// What an account may do: `user` analyses, `viewer` also reads the admin pages, `admin` also changes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    User,
    Viewer,
    Admin,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::User, Self::Viewer, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Viewer => "viewer",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// An account as anyone signed in to it sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// `UUIDv7`.
    pub id: String,
    pub email: String,
    pub name: String,
    pub role: Role,
}

/// Answer to a sign-in through the API.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    /// JWT for `Authorization: Bearer`.
    pub access_token: String,
    /// Seconds until `access_token` ends.
    pub expires_in: u64,
    /// Opaque, good for one `POST /api/auth/refresh`.
    pub refresh_token: String,
    pub user: User,
}

/// Body of `POST /api/auth/login`. No `Debug`: it holds a password.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    pub email: String,
    pub password: String,
    /// Of the second factor, where the account has one: six digits, or a recovery code.
    #[serde(default)]
    pub code: Option<String>,
}

/// Body of `POST /api/auth/register`. No `Debug`: it holds a password.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registration {
    pub email: String,
    pub password: String,
    pub name: String,
    /// What the link of an invitation carries.
    #[serde(default)]
    pub invitation: Option<String>,
}

/// An account as admins see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// `UUIDv7`.
    pub id: String,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub disabled: bool,
    /// Whether signing in takes a code besides the password.
    pub two_factor: bool,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC.
    pub last_sign_in_at: Option<String>,
}

/// Body of `POST /api/admin/users`. No `Debug`: it holds a password.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAccount {
    pub email: String,
    pub password: String,
    pub name: String,
    pub role: Role,
}

/// What to change of an account; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserPatch {
    pub role: Option<Role>,
    pub disabled: Option<bool>,
    pub name: Option<String>,
}

/// Where an account is signed in: a browser's session or a sign-in of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveSession {
    /// Stable, and good for ending it only.
    pub id: String,
    pub kind: SessionKind,
    /// Whether it is the one that asks.
    pub current: bool,
    /// RFC 3339, UTC.
    pub began_at: String,
    /// RFC 3339, UTC; to the minute for browsers, to the last refresh for the API.
    pub last_used_at: String,
    pub user_agent: Option<String>,
    pub address: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionKind {
    Browser,
    Api,
}

/// How an account's second factor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TwoFactor {
    pub enabled: bool,
    pub recovery_codes_left: usize,
}

/// What an authenticator app is told, once. No `Debug`: it is a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TwoFactorSecret {
    /// Base32, for typing.
    pub secret: String,
    /// `otpauth://totp/…`, for a QR code.
    pub uri: String,
}

/// Shown once. No `Debug`: they are secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryCodes {
    /// Each signs in once in place of a code.
    pub recovery_codes: Vec<String>,
}

/// Body of `POST /api/auth/password`. No `Debug`: it holds passwords.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordChange {
    pub current_password: String,
    pub new_password: String,
    /// Whether the account's API tokens end too.
    #[serde(default)]
    pub end_tokens: bool,
}

/// An invitation that nobody used yet. What its link carries is not known any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    pub id: String,
    /// Of the account to be.
    pub role: Role,
    /// The only address it is for.
    pub email: Option<String>,
    /// Id of the admin who made it.
    pub created_by: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC.
    pub expires_at: String,
}

/// Body of `POST /api/admin/invitations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewInvitation {
    pub role: Role,
    /// The only address it is for; absent: whoever opens it.
    #[serde(default)]
    pub email: Option<String>,
    /// Absent: 72.
    #[serde(default)]
    pub expires_in_hours: Option<u32>,
}

/// A link to hand on, shown once. No `Debug`: whoever has it can use it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewLink {
    /// Of the invitation; of a password link, whose it is.
    pub id: String,
    pub url: String,
    /// RFC 3339, UTC.
    pub expires_at: String,
}

/// Where first-run set-up stands: which of its steps are still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetUp {
    pub has_admin: bool,
    pub has_key: bool,
}
