//! The record of calls, and of which of them are still open.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::state::Shared;

/// Bodies over this size are remembered by their length only: images of a long demo must not fill the memory.
const BODY_KEPT_BYTES_MAX: usize = 256 * 1024;

/// A call that reached the simulator.
#[derive(Clone, Serialize)]
pub struct Call {
    /// The key as it was sent; empty when there was none.
    pub key: String,
    /// The model of the path, without `models/`; empty for the list of models.
    pub model: String,
    /// `generateContent`, `streamGenerateContent`, `countTokens`, `models.get`, `models.list`, what else was asked of a model, or
    /// `other` for a path that is none of these.
    pub method: String,
    /// Path and query, without a `key` in it.
    pub path: String,
    /// Names in small letters and values, without the key.
    pub headers: Vec<(String, String)>,
    /// The body as JSON; a string when it was not JSON, `{"omittedBytes": n}` when it was over 256 KiB, null when empty.
    pub body: Value,
    /// The body as it came; empty when it was over 256 KiB.
    #[serde(skip)]
    pub raw_body: Arc<[u8]>,
    /// When it came, in milliseconds since 1970 on the simulator's clock.
    pub at_ms: u64,
    /// Bytes of the answer's body that were handed to the connection, so far. What a caller leaves unread waits in the
    /// buffers of the sockets, a few megabytes at most.
    pub sent_bytes: u64,
    /// How it ended, so far.
    pub ended: Ended,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Ended {
    /// All that was to be sent was sent, failures and scripted cuts included.
    Answered,
    /// The caller left before.
    ClosedByCaller,
    /// Not yet.
    InProgress,
}

/// Without the key: a failing test may print it.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("model", &self.model)
            .field("at_ms", &self.at_ms)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// The body as [`Call`] keeps it.
pub(crate) fn kept_body(bytes: &[u8]) -> (Value, Arc<[u8]>) {
    if bytes.is_empty() {
        return (Value::Null, Arc::default());
    }
    if bytes.len() > BODY_KEPT_BYTES_MAX {
        return (serde_json::json!({ "omittedBytes": bytes.len() }), Arc::default());
    }
    let value =
        serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()));
    (value, bytes.into())
}

/// The newest calls, and counts of all.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    kept: VecDeque<Call>,
    /// Number of the oldest call kept, counted from 0.
    first: u64,
    count_by_key: HashMap<String, u64>,
    in_progress: usize,
}

impl CallLog {
    /// Records a call and returns its number.
    pub(crate) fn open(&mut self, call: Call, kept_max: usize) -> u64 {
        *self.count_by_key.entry(call.key.clone()).or_default() += 1;
        self.in_progress += 1;
        let number = self.first + self.kept.len() as u64;
        self.kept.push_back(call);
        while self.kept.len() > kept_max {
            self.kept.pop_front();
            self.first += 1;
        }
        number
    }

    fn close(&mut self, number: u64, ended: Ended) {
        self.in_progress -= 1;
        if let Some(call) = self.kept_mut(number) {
            call.ended = ended;
        }
    }

    fn kept_mut(&mut self, number: u64) -> Option<&mut Call> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.kept.get_mut(index)
    }

    pub(crate) fn as_slice(&mut self) -> &[Call] {
        self.kept.make_contiguous()
    }

    pub(crate) fn count(&self, key: &str) -> u64 {
        self.count_by_key.get(key).copied().unwrap_or(0)
    }

    pub(crate) fn in_progress(&self) -> usize {
        self.in_progress
    }
}

/// A call being answered. Dropped before [`OpenCall::answered`], it says that the caller left: hyper drops the answer then.
pub(crate) struct OpenCall {
    shared: Arc<Shared>,
    number: u64,
    open: bool,
}

impl OpenCall {
    pub(crate) fn new(shared: Arc<Shared>, number: u64) -> Self {
        Self {
            shared,
            number,
            open: true,
        }
    }

    /// Its number, counted from 0.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Says that so many more bytes of the body are on their way.
    pub(crate) fn sent(&mut self, bytes: usize) {
        // Nobody waits for bytes, so nobody is told.
        self.shared.read(|state| {
            if let Some(call) = state.calls.kept_mut(self.number) {
                call.sent_bytes += bytes as u64;
            }
        });
    }

    /// Says that all that was to be sent was sent.
    pub(crate) fn answered(&mut self) {
        self.end(Ended::Answered);
    }

    fn end(&mut self, ended: Ended) {
        if std::mem::take(&mut self.open) {
            self.shared.change(|state| state.calls.close(self.number, ended));
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.end(Ended::ClosedByCaller);
    }
}
