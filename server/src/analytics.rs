//! Use case: what was used, by whom it was answered, how fast, and what failed. Reads rollups; events only to list them.

mod buckets;
mod charts;
mod export;
mod forecast;
mod measures;
mod pieces;
mod range;
mod reports;
mod requests;
mod seed;
mod series;

use std::sync::Arc;
use std::time::Duration;

use app::types::Coverage;
use pool::Timestamp;

use crate::clock::Clock;
use crate::status::StatusReader;
use crate::store::{Dimensions, EventKind, Level, Result, Rollup, RollupQuery, Store};
use crate::usage::Recorder;

pub use charts::CHARTS;
pub use export::Format;
pub use forecast::DryCell;
pub use pieces::{pieces, pieces_between};
pub use seed::spent_keys;

use seed::seed_alerts;

/// Outcomes that the provider charges for.
pub const CHARGED: [&str; 4] = ["success", "blocked", "empty", "truncated"];

/// Answers questions about usage. Cheap to clone.
#[derive(Clone)]
pub struct Analytics {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub status: StatusReader,
    pub recorder: Recorder,
}

impl Analytics {
    fn coverage(&self) -> Coverage {
        self.recorder.coverage()
    }
}

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
