//! The status, read once or followed.

use std::convert::Infallible;
use std::time::Duration;

use app::types::{PublicStatus, ServiceStatus};
use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, stream};

use super::AppState;
use super::answer::Success;

const HEARTBEAT: Duration = Duration::from_secs(15);
/// Changes closer together than this are shown as one.
const GATHER: Duration = Duration::from_millis(100);

pub(super) async fn service(State(state): State<AppState>) -> Success<ServiceStatus> {
    Success(state.status.read())
}

pub(super) async fn public(State(state): State<AppState>) -> Json<PublicStatus> {
    Json(PublicStatus::from(&state.status.read()))
}

/// The status now and on every change, as events named `status`.
pub(super) async fn stream(State(state): State<AppState>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = state.analysis.pool.subscribe();
    changes.mark_changed();
    let events = stream::unfold((state, changes, None), |(state, mut changes, shown)| async move {
        loop {
            tokio::select! {
                () = state.stop.cancelled() => return None,
                changed = changes.changed() => changed.ok()?,
            }
            if shown.is_some() {
                tokio::time::sleep(GATHER).await;
                changes.mark_unchanged();
            }
            let status = state.status.read();
            if is_news(shown.as_ref(), &status) {
                let event = Event::default()
                    .event("status")
                    .data(serde_json::to_string(&status).unwrap_or_default());
                return Some((Ok(event), (state, changes, Some(status))));
            }
        }
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))
}

/// Time alone moves countdowns, which the browser does by itself.
fn is_news(shown: Option<&ServiceStatus>, now: &ServiceStatus) -> bool {
    let still = |status: &ServiceStatus| {
        let mut status = status.clone();
        status.checked_at.clear();
        status.next_reset_in_ms = None;
        status.message.clear();
        for key in &mut status.available_keys {
            key.ready_in_ms = None;
            key.cells.iter_mut().for_each(|cell| cell.ready_in_ms = None);
        }
        status
    };
    shown.is_none_or(|shown| still(shown) != still(now))
}
