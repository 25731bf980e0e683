//! Entries as people see them, and what nobody may see.

use std::fmt::Write as _;

use serde_json::Value;

use crate::clock::rfc3339;
use crate::store::{AuditEntry, Digest};

/// Names of fields that hold a secret wherever they turn up. An entry cannot be mended afterwards.
const SECRET: [&str; 14] = [
    "accesstoken",
    "apikey",
    "code",
    "currentpassword",
    "key",
    "keys",
    "newpassword",
    "password",
    "passwordhash",
    "recoverycodes",
    "refreshtoken",
    "secret",
    "token",
    "uri",
];

/// Without the texts in fields that are named like secrets.
pub(super) fn masked(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let is_secret = SECRET.contains(&name.to_ascii_lowercase().as_str());
                let value = if is_secret { hidden(value) } else { masked(value) };
                (name, value)
            })
            .collect(),
        Value::Array(values) => values.into_iter().map(masked).collect(),
        plain => plain,
    }
}

fn hidden(value: Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value,
        _ => Value::from("hidden"),
    }
}

pub(super) fn entry(entry: AuditEntry) -> app::types::AuditEntry {
    app::types::AuditEntry {
        seq: entry.seq,
        at: rfc3339(entry.at),
        actor_id: entry.actor_id,
        actor: entry.actor,
        surface: entry.surface,
        address: entry.address,
        request_id: entry.request_id,
        action: entry.action,
        target: entry.target,
        before: entry.before,
        after: entry.after,
        hash: hex(&entry.hash),
    }
}

pub(super) fn hex(digest: &Digest) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
