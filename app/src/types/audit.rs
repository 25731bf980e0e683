//! The audit log, for admins.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One act of an admin, or one on an account's security.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// From 1 on, without a gap.
    pub seq: u64,
    /// RFC 3339, UTC.
    pub at: String,
    /// The user's id, or `operator` for the command line.
    pub actor_id: String,
    /// As the actor was called then.
    pub actor: String,
    /// `web`, `api`, `cli` or `server`.
    pub surface: String,
    pub address: Option<String>,
    pub request_id: Option<String>,
    /// Such as `key.add`.
    pub action: String,
    /// What it was done to, such as `key/7`.
    pub target: String,
    /// Masked: no secret is in either.
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// Hexadecimal.
    pub hash: String,
}

/// Newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditPage {
    pub items: Vec<AuditEntry>,
    /// For the next, older page; absent on the last.
    pub next_cursor: Option<String>,
}

/// Whether the log is as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditVerdict {
    pub intact: bool,
    /// How many entries there are, up to the first fault.
    pub entries: u64,
    /// The last entry's hash, hexadecimal: compare it with one that was noted elsewhere, such as in the server's log.
    pub head: Option<String>,
    pub fault: Option<AuditFault>,
}

/// The first thing that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditFault {
    /// The entry at fault, or the first that is missing.
    pub seq: u64,
    /// For people.
    pub message: String,
}
