//! How many calls may be made again after the provider failed.

/// One call, in thousandths.
const CALL: u32 = 1_000;

/// Failures without an answer between them that mean an outage. Before that a repetition mostly helps.
const OUTAGE: u32 = 5;

/// Grows with every request and shrinks with every repetition, so that a provider in an outage gets a tenth more calls than
/// there are requests, not a multiple. (Finagle's retry budget.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    saved: u32,
    /// Failures since the last answer.
    failures: u32,
}

impl Budget {
    /// What a model begins with: enough for the repetitions of one request.
    pub(crate) const fn new() -> Self {
        Self {
            saved: 3 * CALL,
            failures: 0,
        }
    }

    /// A request began.
    pub(crate) fn deposit(&mut self, retry_permille: u32) {
        self.saved = self.saved.saturating_add(retry_permille).min(10 * CALL);
    }

    /// A call ended with an answer, or through the provider's fault.
    pub(crate) const fn note(&mut self, answered: bool) {
        self.failures = if answered { 0 } else { self.failures.saturating_add(1) };
    }

    /// A call is to be made again. False in an outage when nothing is left for it.
    pub(crate) const fn allows_retry(&self) -> bool {
        self.failures < OUTAGE || self.saved >= CALL
    }

    pub(crate) const fn spend(&mut self) {
        self.saved = self.saved.saturating_sub(CALL);
    }
}
