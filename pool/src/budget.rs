//! How many calls may be made again after the provider failed.

/// One call, in thousandths.
const CALL: u32 = 1_000;

/// Grows with every request and shrinks with every repetition, so that a provider in trouble gets a tenth more calls than
/// there are requests, not a multiple. (Finagle's retry budget.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    saved: u32,
}

impl Budget {
    /// What a model begins with: enough for the repetitions of one request.
    pub(crate) const fn new() -> Self {
        Self { saved: 3 * CALL }
    }

    /// A request began.
    pub(crate) fn deposit(&mut self, retry_permille: u32) {
        self.saved = self.saved.saturating_add(retry_permille).min(10 * CALL);
    }

    /// A call is to be made again. False when nothing is left for it.
    pub(crate) const fn allows_retry(&self) -> bool {
        self.saved >= CALL
    }

    pub(crate) const fn spend(&mut self) {
        self.saved = self.saved.saturating_sub(CALL);
    }
}
