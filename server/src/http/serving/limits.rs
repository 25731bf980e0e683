use std::time::Duration;

/// How long callers may take and how much they may hold. Differs from the default in tests only.
#[derive(Debug, Clone, Copy)]
pub struct ServeLimits {
    /// From the first byte of a request's head to its last; on a new connection from its start.
    pub head: Duration,
    /// A connection without a request.
    pub idle: Duration,
    /// An answer of which nothing is taken.
    pub stall: Duration,
    /// At which answers are taken, over each `stall` of waiting for their reader.
    pub answer_bytes_per_second_min: u64,
    /// Between two pieces of a request's body.
    pub body_piece: Duration,
    /// In each of these a body must come at `body_bytes_per_second_min` on average.
    pub body_window: Duration,
    pub body_bytes_per_second_min: u64,
    /// A whole body of 1 MB at most.
    pub body_whole: Duration,
    /// A whole upload.
    pub upload_whole: Duration,
    /// Bytes of all uploads at once, a quarter of them for one account. Another quarter is there for bodies of requests without an
    /// account.
    pub uploads_bytes_max: usize,
    /// After the signal to stop: how long new requests are still answered.
    pub lame_duck: Duration,
    /// After the signal to stop: how long answers under way may go on.
    pub answers: Duration,
    /// After the signal to stop: when everything that is left is cut.
    pub drain: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stall: Duration::from_secs(60),
            answer_bytes_per_second_min: 1024,
            body_piece: Duration::from_secs(10),
            body_window: Duration::from_secs(10),
            body_bytes_per_second_min: 4 * 1024,
            body_whole: Duration::from_secs(60),
            upload_whole: Duration::from_secs(600),
            uploads_bytes_max: 128 * 1024 * 1024,
            lame_duck: Duration::from_secs(1),
            answers: Duration::from_secs(28),
            drain: Duration::from_secs(30),
        }
    }
}

impl ServeLimits {
    /// How often a connection is looked at: late by a quarter of the shortest bound at most.
    pub(super) fn look(&self) -> Duration {
        self.head.min(self.idle).min(self.stall) / 4
    }
}
