//! The status, read once or followed.

use std::convert::Infallible;
use std::time::Duration;

use app::types::{PublicStatus, ServiceStatus};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, stream};
use pool::Timestamp;
use tower_sessions::Session;
use tower_sessions::session::Id;

use super::answer::Success;
use super::{AppState, guard};

const HEARTBEAT: Duration = Duration::from_secs(15);
/// Changes closer together than this are shown as one.
const GATHER: Duration = Duration::from_millis(100);
/// A viewer who signed out sees changes for at most so long.
const ASK_AGAIN: Duration = Duration::from_secs(2);

pub(super) async fn service(State(state): State<AppState>) -> Success<ServiceStatus> {
    Success(state.status.read())
}

pub(super) async fn public(State(state): State<AppState>) -> Json<PublicStatus> {
    Json(PublicStatus::from(&state.status.read()))
}

/// The status now and on every change, as events named `status`, until the viewer is not signed in any more.
pub(super) async fn stream(
    State(state): State<AppState>,
    session: Session,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = state.analysis.pool.subscribe();
    changes.mark_changed();
    let viewer = Viewer {
        asked_at: state.clock.now(),
        session: session.id(),
        headers,
        state,
    };
    let events = stream::unfold((viewer, changes, None), |(mut viewer, mut changes, shown)| async move {
        let stop = viewer.state.stop.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(HEARTBEAT) => {
                    if !viewer.ask_again().await {
                        return None;
                    }
                    continue;
                }
                changed = changes.changed() => changed.ok()?,
            }
            if shown.is_some() {
                tokio::time::sleep(GATHER).await;
                changes.mark_unchanged();
                if !viewer.may_look_on().await {
                    return None;
                }
            }
            let status = viewer.state.status.read();
            if is_news(shown.as_ref(), &status) {
                let event = Event::default()
                    .event("status")
                    .data(serde_json::to_string(&status).unwrap_or_default());
                return Some((Ok(event), (viewer, changes, Some(status))));
            }
        }
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))
}

/// Who follows the status, by the credential of the first request.
struct Viewer {
    state: AppState,
    headers: HeaderMap,
    session: Option<Id>,
    asked_at: Timestamp,
}

impl Viewer {
    /// Before a change is shown. Many changes in a row cost one question.
    async fn may_look_on(&mut self) -> bool {
        self.state.clock.now().since(self.asked_at) < ASK_AGAIN || self.ask_again().await
    }

    async fn ask_again(&mut self) -> bool {
        self.asked_at = self.state.clock.now();
        guard::is_still_signed_in(&self.state, &self.headers, self.session).await
    }
}

/// Time alone moves countdowns, which the browser does by itself.
fn is_news(shown: Option<&ServiceStatus>, now: &ServiceStatus) -> bool {
    let still = |status: &ServiceStatus| {
        let mut status = status.clone();
        status.checked_at.clear();
        status.next_reset_in_ms = None;
        status.message.clear();
        status
            .obstacles
            .iter_mut()
            .for_each(|obstacle| obstacle.retry_in_ms = None);
        for key in &mut status.available_keys {
            key.ready_in_ms = None;
            key.cells.iter_mut().for_each(|cell| cell.ready_in_ms = None);
        }
        status
    };
    shown.is_none_or(|shown| still(shown) != still(now))
}
