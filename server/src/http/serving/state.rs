//! What is known of one connection: since when it waits for what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::Version;
use tokio::time::Instant;

use super::frames::FrameScan;
use super::head::HeadScan;
use super::limits::ServeLimits;
use super::pace::Taking;
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
    /// Waits while the socket takes no more bytes.
    socket: Taking,
    /// By body. Waits from when a piece was taken from it until another one is asked for.
    answers: BTreeMap<u64, Taking>,
    next_body: u64,
    scan: HeadScan,
    frames: FrameScan,
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
                socket: Taking::default(),
                answers: BTreeMap::new(),
                next_body: 0,
                scan: HeadScan::default(),
                frames: FrameScan::default(),
            }),
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn bytes_came(&self, bytes: &[u8]) {
        let mut since = self.since();
        let heads = since.frames.feed(bytes);
        if since.is_http2 {
            // Only what belongs to a head is one: an idle connection may send pings.
            since.head = match (heads.is_within, heads.has_ended) {
                (false, _) => None,
                (true, true) => Some(Instant::now()),
                (true, false) => since.head.or_else(|| Some(Instant::now())),
            };
        }
        if since.requests == 0 && !since.is_http2 {
            since.head.get_or_insert_with(Instant::now);
            since.scan.feed(bytes);
        }
    }

    pub(super) fn blocked(&self) {
        self.since().socket.waits(Instant::now());
    }

    pub(super) fn went_on(&self, bytes: usize) {
        self.since().socket.took(bytes, Instant::now());
    }

    /// A whole head is there. Whether it gives two lengths for its body.
    pub(super) fn begin(self: &Arc<Self>, version: Version) -> (Request, bool) {
        let mut since = self.since();
        since.is_http2 = version == Version::HTTP_2;
        // HTTP/2: the head of another stream may have begun behind this one's.
        since.head = (since.is_http2 && since.frames.is_within()).then(Instant::now);
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
        since.requests == 0 && !since.socket.is_waiting() && !since.is_http2
    }

    pub(super) fn is_http2(&self) -> bool {
        self.since().is_http2
    }

    pub(super) fn look(&self, limits: &ServeLimits) -> Finding {
        let mut since = self.since();
        let is_over = |begun: Instant, limit| begun.elapsed() >= limit;
        if since.head.is_some_and(|begun| is_over(begun, limits.head)) {
            return Finding::Cut("its request's head does not end");
        }
        let now = Instant::now();
        let is_slow = since.socket.is_too_slow(limits, now);
        if is_slow || since.answers.values_mut().any(|answer| answer.is_too_slow(limits, now)) {
            return Finding::Cut("its answer is not read, or hardly");
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
    pub(super) fn handed_over(&self, bytes: usize) {
        let mut since = self.connection.since();
        let answer = since.answers.entry(self.body).or_default();
        let now = Instant::now();
        answer.took(bytes, now);
        answer.waits(now);
    }

    /// The next piece is asked for: there is room for it.
    pub(super) fn asked_for(&self) {
        let mut since = self.connection.since();
        if let Some(answer) = since.answers.get_mut(&self.body) {
            answer.took(0, Instant::now());
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let mut since = self.connection.since();
        since.answers.remove(&self.body);
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
