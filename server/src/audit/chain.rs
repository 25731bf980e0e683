//! How entries hang together: what their hashes are made of, and what a whole chain looks like.

use app::types::{AuditFault, AuditVerdict};
use serde_json::Value;

use super::shown::hex;
use crate::store::{AuditEntry, AuditHead, Digest};

/// What the first entry follows.
pub(super) const START: Digest = [0; 32];
/// What an entry follows that was appended to a log whose end is not as it was written.
pub(super) const BROKEN: Digest = [0xFF; 32];
/// Of the canonical form: another form must not look like this one.
const VERSION: u8 = 1;

/// An end of the chain.
pub(super) struct Link {
    pub(super) seq: u64,
    pub(super) previous: Digest,
}

/// All fields of an entry but its hash, each with its length, so that no two entries have one form.
pub(super) fn canonical(entry: &AuditEntry) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend(entry.seq.to_le_bytes());
    bytes.extend(entry.at.as_millis().to_le_bytes());
    for text in [
        Some(&entry.actor_id),
        Some(&entry.actor),
        Some(&entry.surface),
        entry.address.as_ref(),
        entry.request_id.as_ref(),
        Some(&entry.action),
        Some(&entry.target),
    ] {
        push(&mut bytes, text.map(String::as_bytes));
    }
    for value in [&entry.before, &entry.after] {
        let text = value.as_ref().map(canonical_json);
        push(&mut bytes, text.as_deref().map(str::as_bytes));
    }
    bytes.extend(entry.previous);
    bytes
}

pub(super) fn canonical_head(seq: u64, hash: &Digest) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend(seq.to_le_bytes());
    bytes.extend(hash);
    bytes
}

fn push(bytes: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        None => bytes.push(0),
        Some(text) => {
            bytes.push(1);
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text);
        }
    }
}

/// With the fields of each object in the order of their names, whatever order the store gives them back in.
fn canonical_json(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical_json(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(canonical_json).collect();
            format!("[{}]", values.join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

/// The entries looked at so far, oldest first.
#[derive(Default)]
pub(super) struct Chain {
    entries: u64,
    last: Digest,
}

impl Chain {
    pub(super) fn next_seq(&self) -> u64 {
        self.entries + 1
    }

    /// Takes the next entry, whose hash should be `hash`.
    pub(super) fn follow(
        &mut self,
        entry: &AuditEntry,
        hash: &Digest,
        head: Option<&AuditHead>,
    ) -> Result<(), AuditFault> {
        let expected = self.next_seq();
        if entry.seq != expected {
            return Err(fault(
                expected,
                format!("Entry {expected} is missing; entry {} comes next.", entry.seq),
            ));
        }
        if entry.hash != *hash {
            return Err(fault(expected, format!("Entry {expected} is not as it was written.")));
        }
        if entry.previous != self.last {
            let message = if entry.previous == BROKEN {
                format!("Entry {expected} was appended when the end of the log was not as it was written.")
            } else {
                format!("Entry {expected} does not follow the entry before it.")
            };
            return Err(fault(expected, message));
        }
        if head.is_some_and(|head| head.seq == expected && head.hash != entry.hash) {
            return Err(fault(
                expected,
                format!("Entry {expected} is not the one the log ended with."),
            ));
        }
        self.entries = expected;
        self.last = entry.hash;
        Ok(())
    }

    /// What is wrong with the log's end once all entries are good. `is_ours`: the head's seal is right.
    pub(super) fn fault_at_end(&self, head: Option<&AuditHead>, is_ours: bool) -> Option<AuditFault> {
        let Some(head) = head else {
            let message = match self.entries {
                0 => "The log is empty, but it began with an entry: all of it was removed.",
                _ => "The note of where the log ends is missing: entries after this one may have been removed.",
            };
            return Some(fault(self.entries.max(1), message.to_owned()));
        };
        if !is_ours {
            return Some(fault(
                self.entries.max(1),
                "The note of where the log ends is not as it was written: entries after this one may have been removed."
                    .to_owned(),
            ));
        }
        let first_missing = self.next_seq();
        (self.entries < head.seq).then(|| {
            fault(
                first_missing,
                format!(
                    "Entry {first_missing} is missing: the log ended with entry {}.",
                    head.seq
                ),
            )
        })
    }

    pub(super) fn verdict(&self, fault: Option<AuditFault>) -> AuditVerdict {
        AuditVerdict {
            intact: fault.is_none(),
            entries: self.entries,
            head: (self.entries > 0).then(|| hex(&self.last)),
            fault,
        }
    }
}

fn fault(seq: u64, message: String) -> AuditFault {
    AuditFault { seq, message }
}
