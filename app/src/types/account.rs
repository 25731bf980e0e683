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
}

/// Body of `POST /api/auth/register`. No `Debug`: it holds a password.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registration {
    pub email: String,
    pub password: String,
    pub name: String,
}

/// Where first-run set-up stands: which of its steps are still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetUp {
    pub has_admin: bool,
    pub has_key: bool,
}
