//! The records of requests that may be sent again.

use std::fmt;

use pool::Timestamp;
use serde_json::Value;

use super::Digest;

/// A request that was marked with a key of the caller's. Unfinished while it has neither analysis nor response.
#[derive(Clone, PartialEq)]
pub struct StoredIdempotency {
    /// The user's id: keys of different callers have nothing to do with each other.
    pub caller: String,
    pub key: String,
    /// Of the request: another request under the same key is a mistake.
    pub request: Digest,
    /// The analysis that came of it, where the history keeps it.
    pub analysis_id: Option<String>,
    /// What was answered, where the history does not keep it.
    pub response: Option<Value>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

impl fmt::Debug for StoredIdempotency {
    /// Without the response, which may hold an answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredIdempotency")
            .field("caller", &self.caller)
            .field("analysis_id", &self.analysis_id)
            .field("has_response", &self.response.is_some())
            .finish_non_exhaustive()
    }
}

/// What became of a request that begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// It is stored now: whoever asked does the work.
    New,
    /// It was begun before, and is as it is here.
    Existing(StoredIdempotency),
}
