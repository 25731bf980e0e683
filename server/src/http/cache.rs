//! The response cache and the performance report, for admins.

use app::types::{CacheStats, PerformanceReport};
use axum::extract::State;

use super::AppState;
use super::answer::Success;
use crate::cache::QueueFigures;

pub(super) async fn stats(State(state): State<AppState>) -> Success<CacheStats> {
    Success(state.cache.stats(queue(&state)))
}

/// Answers with what is left.
pub(super) async fn clear(State(state): State<AppState>) -> Success<CacheStats> {
    state.cache.clear();
    Success(state.cache.stats(queue(&state)))
}

pub(super) async fn performance(State(state): State<AppState>) -> Success<PerformanceReport> {
    Success(state.performance.report())
}

/// Answers with the new, empty report.
pub(super) async fn reset_performance(State(state): State<AppState>) -> Success<PerformanceReport> {
    state.performance.reset(state.clock.now());
    Success(state.performance.report())
}

fn queue(state: &AppState) -> QueueFigures {
    let snapshot = state.analysis.pool.snapshot();
    let mut cells = snapshot.keys.iter().flat_map(|key| &key.cells);
    QueueFigures {
        length: state.analysis.waiting.len(),
        is_processing: cells.any(|cell| cell.in_flight > 0),
    }
}
