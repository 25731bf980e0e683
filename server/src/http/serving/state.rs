//! What is known of one connection: since when it waits for what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::Version;
use tokio::time::Instant;

use super::head::HeadScan;
use super::limits::ServeLimits;
use super::places::Place;

pub(super) struct ConnectionState {
    place: Place,
    since: Mutex<Since>,
}

struct Since {
    requests: u32,
    had_request: bool,
    is_http2: bool,
    /// A head has begun. A new connection begins one by being there.
    head: Option<Instant>,
    /// Without a request.
    idle: Instant,
    /// The socket takes no more bytes.
    blocked: Option<Instant>,
    /// A piece of an answer was taken from its body and no other one was asked for: by body.
    untaken: BTreeMap<u64, Instant>,
    next_body: u64,
    scan: HeadScan,
}

/// Of a look at a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    Fine,
    /// Nothing is asked for on it any more.
    Idle,
    /// The reason, for the log.
    Cut(&'static str),
}

impl ConnectionState {
    pub(super) fn new(place: Place) -> Self {
        let now = Instant::now();
        Self {
            place,
            since: Mutex::new(Since {
                requests: 0,
                had_request: false,
                is_http2: false,
                head: Some(now),
                idle: now,
                blocked: None,
                untaken: BTreeMap::new(),
                next_body: 0,
                scan: HeadScan::default(),
            }),
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn bytes_came(&self, bytes: &[u8]) {
        let mut since = self.since();
        // Frames of HTTP/2 are no heads: an idle connection may send pings.
        if since.requests == 0 && !since.is_http2 {
            since.head.get_or_insert_with(Instant::now);
            since.scan.feed(bytes);
        }
    }

    pub(super) fn blocked(&self) {
        self.since().blocked.get_or_insert_with(Instant::now);
    }

    pub(super) fn went_on(&self) {
        self.since().blocked = None;
    }

    /// A whole head is there. Whether it gives two lengths for its body.
    pub(super) fn begin(self: &Arc<Self>, version: Version) -> (Request, bool) {
        let mut since = self.since();
        since.is_http2 = version == Version::HTTP_2;
        since.head = None;
        since.requests += 1;
        since.had_request = true;
        let scan = std::mem::take(&mut since.scan);
        let body = since.next_body;
        since.next_body += 1;
        let first = since.requests == 1;
        drop(since);
        if first {
            self.place.works();
        }
        let connection = Arc::clone(self);
        (Request { connection, body }, scan.has_two_lengths())
    }

    pub(super) fn had_request(&self) -> bool {
        self.since().had_request
    }

    /// No request is under way, and no answer waits for its reader. HTTP/2 knows that better itself.
    pub(super) fn is_done(&self) -> bool {
        let since = self.since();
        since.requests == 0 && since.blocked.is_none() && !since.is_http2
    }

    pub(super) fn is_http2(&self) -> bool {
        self.since().is_http2
    }

    pub(super) fn look(&self, limits: &ServeLimits) -> Finding {
        let since = self.since();
        let is_over = |begun: Instant, limit| begun.elapsed() >= limit;
        if since.head.is_some_and(|begun| is_over(begun, limits.head)) {
            return Finding::Cut("its request's head does not end");
        }
        let mut untaken = since.untaken.values().chain(&since.blocked);
        if untaken.any(|begun| is_over(*begun, limits.stall)) {
            return Finding::Cut("its answer is not read");
        }
        if since.requests == 0 && is_over(since.idle, limits.idle) {
            return Finding::Idle;
        }
        Finding::Fine
    }

    fn since(&self) -> MutexGuard<'_, Since> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From a whole head to the end of its answer, however it ends.
pub(super) struct Request {
    connection: Arc<ConnectionState>,
    body: u64,
}

impl Request {
    /// A piece of the answer was handed over.
    pub(super) fn handed_over(&self) {
        self.connection.since().untaken.insert(self.body, Instant::now());
    }

    /// The next piece is asked for: there is room for it.
    pub(super) fn asked_for(&self) {
        self.connection.since().untaken.remove(&self.body);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let mut since = self.connection.since();
        since.untaken.remove(&self.body);
        since.requests = since.requests.saturating_sub(1);
        let last = since.requests == 0;
        if last {
            since.idle = Instant::now();
        }
        drop(since);
        if last {
            self.connection.place.rests();
        }
    }
}
