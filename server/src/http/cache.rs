//! The response cache and the performance report, for admins.

use app::types::{CacheStats, PerformanceReport};
use axum::Extension;
use axum::extract::State;
use serde_json::json;

use super::AppState;
use super::answer::{Answer, Success};
use crate::audit::Actor;
use crate::cache::QueueFigures;

pub(super) async fn stats(State(state): State<AppState>) -> Success<CacheStats> {
    Success(state.cache.stats(queue(&state)))
}

/// Answers with what is left.
pub(super) async fn clear(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
) -> Answer<Success<CacheStats>> {
    let own = state.clone();
    let act = async move {
        let size = |state: &AppState| json!({ "size": state.cache.stats(queue(state)).size });
        let before = size(&own);
        own.cache.clear();
        let after = size(&own);
        own.audit
            .record(&actor, "cache.clear", "cache", Some(before), Some(after))
            .await
    };
    state.audit.act(act).await?;
    Ok(Success(state.cache.stats(queue(&state))))
}

pub(super) async fn performance(State(state): State<AppState>) -> Success<PerformanceReport> {
    Success(state.performance.report())
}

/// Answers with the new, empty report.
pub(super) async fn reset_performance(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
) -> Answer<Success<PerformanceReport>> {
    let own = state.clone();
    let act = async move {
        own.performance.reset(own.clock.now());
        own.audit
            .record(&actor, "performance.reset", "performance", None, None)
            .await
    };
    state.audit.act(act).await?;
    Ok(Success(state.performance.report()))
}

fn queue(state: &AppState) -> QueueFigures {
    let snapshot = state.analysis.pool.snapshot();
    let mut cells = snapshot.keys.iter().flat_map(|key| &key.cells);
    QueueFigures {
        length: state.analysis.waiting.len(),
        is_processing: cells.any(|cell| cell.in_flight > 0),
    }
}
