//! The records of the audit log.

use pool::Timestamp;
use serde_json::Value;

use super::Digest;

/// One act of an admin, or one on an account's security. Never changed and never removed once it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// From 1 on, without a gap.
    pub seq: u64,
    pub at: Timestamp,
    /// The user's id, `operator`, or `server`.
    pub actor_id: String,
    /// As the actor was called then.
    pub actor: String,
    /// `web`, `api`, `cli` or `server`.
    pub surface: String,
    /// The client's address.
    pub address: Option<String>,
    pub request_id: Option<String>,
    /// Such as `key.add`.
    pub action: String,
    /// What it was done to, such as `key/7`.
    pub target: String,
    /// Masked: no secret is in either.
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// The hash of the entry before; zeros for the first.
    pub previous: Digest,
    /// Over all of the above, by a key that is not in the store.
    pub hash: Digest,
}

/// Where the log ends. Kept beside it: entries missing at its end are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// Of the last entry.
    pub seq: u64,
    /// Of the last entry.
    pub hash: Digest,
    /// Over both, by a key that is not in the store.
    pub seal: Digest,
}

/// Which entries to show. What is absent does not matter; characters such as `%` mean themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The actor's id, or a part of its name in any (ASCII) case.
    pub actor: Option<String>,
    /// How the action begins: `key.` finds `key.add`.
    pub action: Option<String>,
    /// A part of the target.
    pub target: Option<String>,
}
