//! The master key that stored secrets are sealed under, for admins.

use serde::{Deserialize, Serialize};

/// How far a change of the master key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MasterKeyStanding {
    /// 16 hexadecimal digits that name it and tell nothing of it.
    pub master_key: String,
    /// Absent when values open under one master key only.
    pub previous_master_key: Option<String>,
    /// Sealed values in all.
    pub values: u64,
    /// Those not under the master key yet.
    pub left: u64,
    /// The server made its master key itself, and can make another.
    pub can_make_key: bool,
}

/// Asks for a rewrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RewrapRequest {
    /// Under a new master key, which the server makes.
    #[serde(default)]
    pub new_key: bool,
}

/// What a rewrap did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RewrapReport {
    pub rewrapped: u64,
    /// Values that do not open, such as `key/7`; they were left as they are.
    pub unreadable: Vec<String>,
    #[serde(flatten)]
    pub standing: MasterKeyStanding,
}
