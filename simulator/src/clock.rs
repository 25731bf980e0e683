//! The simulator's time: real, or moved by hand.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

#[derive(Debug, Default)]
pub(crate) struct Clock {
    set: Mutex<Option<u64>>,
}

impl Clock {
    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        let set = *self.set.lock().unwrap_or_else(PoisonError::into_inner);
        set.unwrap_or_else(real_now_ms)
    }

    /// Stands still at `ms` until moved again; `None` is real time.
    pub(crate) fn set_ms(&self, ms: Option<u64>) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = ms;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the simulator's only clock; the server's is out of its reach"
)]
fn real_now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}
