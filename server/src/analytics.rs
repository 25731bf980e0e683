//! Use case: what was used, by whom it was answered, how fast, and what failed. Reads rollups; events only to list them.

mod pieces;

use std::time::Duration;

use pool::Timestamp;

use crate::store::{Dimensions, EventKind, Level, Result, Rollup, RollupQuery, Store};

pub use pieces::{pieces, pieces_between};

/// A stretch of time, seen at an instant: rollups of minutes are not kept for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub from: Timestamp,
    /// Not included.
    pub to: Timestamp,
    pub now: Timestamp,
}

impl Stretch {
    /// Up to now, with what was recorded this instant.
    pub fn until(from: Timestamp, now: Timestamp) -> Self {
        let to = now.plus(Duration::from_millis(1));
        Self { from, to, now }
    }
}

/// Sums over a stretch of time, without distributions.
///
/// # Errors
/// When the store does not answer.
pub async fn sums(store: &dyn Store, kind: EventKind, stretch: Stretch, by: Dimensions) -> Result<Vec<Rollup>> {
    let query = RollupQuery {
        kind,
        pieces: pieces(stretch.from, stretch.to, Level::Day, stretch.now),
        key_number: None,
        model: None,
        by,
        times: false,
    };
    store.usage_rollups(query).await
}
