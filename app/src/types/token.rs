//! API tokens: credentials of programs, which their owner makes and revokes.

use serde::{Deserialize, Serialize};

use super::Role;

/// What an API token may be used for. It never allows more than its owner's role does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenScope {
    /// Analyses and the gateway.
    Analyze,
    /// Its owner's history.
    History,
    /// The status of the service.
    Status,
    /// Reading usage: for viewers and admins.
    Analytics,
    /// Everything under `/api/admin`: for admins.
    Admin,
}

impl TokenScope {
    pub const ALL: [Self; 5] = [Self::Analyze, Self::History, Self::Status, Self::Analytics, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Analyze => "analyze",
            Self::History => "history",
            Self::Status => "status",
            Self::Analytics => "analytics",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    /// Who may give a token this scope.
    pub fn least_role(self) -> Role {
        match self {
            Self::Analyze | Self::History | Self::Status => Role::User,
            Self::Analytics => Role::Viewer,
            Self::Admin => Role::Admin,
        }
    }
}

/// Body of `POST /api/tokens`. No `Debug`: it holds a password.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewToken {
    pub name: String,
    pub scopes: Vec<TokenScope>,
    /// Absent: after 90 days with the scope `admin`, which ends after 365 days at most; else it does not end by itself.
    #[serde(default)]
    pub expires_in_days: Option<u32>,
    /// Beside the limit of every caller. Absent: that one alone.
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
    /// The owner's, for the scope `admin`: whoever only found a session open must not make themselves a lasting way in.
    #[serde(default)]
    pub password: Option<String>,
}

/// An API token as its owner sees it: without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiToken {
    pub id: String,
    pub name: String,
    /// Such as `kp_…x9Qz`: enough to tell it from others.
    pub mask: String,
    pub scopes: Vec<TokenScope>,
    /// RFC 3339, UTC, like the other times.
    pub created_at: String,
    pub expires_at: Option<String>,
    pub expired: bool,
    pub requests_per_minute: Option<u32>,
    /// To the minute.
    pub last_used_at: Option<String>,
}

/// Answer to `POST /api/tokens`. The only time that the secret is shown. No `Debug`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedToken {
    /// The credential itself.
    pub token: String,
    #[serde(flatten)]
    pub facts: ApiToken,
}
