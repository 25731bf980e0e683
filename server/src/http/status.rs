//! The status, read once or followed.

use std::convert::Infallible;
use std::time::Duration;

use app::types::{PublicStatus, ServiceStatus};
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::{Extension, Json};
use futures::{Stream, stream};
use pool::Timestamp;
use tokio_util::sync::CancellationToken;

use super::answer::Success;
use super::guard::SignedIn;
use super::{AppState, guard};

pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// Changes closer together than this are shown as one.
const GATHER: Duration = Duration::from_millis(100);
/// Until a server that was told to stop is likely to be back.
const COME_BACK: Duration = Duration::from_secs(2);
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
    Extension(signed_in): Extension<SignedIn>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = state.analysis.pool.subscribe();
    changes.mark_changed();
    let viewer = Viewer::new(state, signed_in);
    let events = stream::unfold((viewer, changes, None), |(mut viewer, mut changes, shown)| async move {
        loop {
            match viewer.wait(changes.changed()).await {
                Turn::Changed => {}
                Turn::Nothing => continue,
                Turn::Closing(event) => return Some((Ok(event), (viewer, changes, shown))),
                Turn::Over => return None,
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

/// The server stops. Browsers come back by themselves after about so long, each a little apart from the others.
fn closing() -> Event {
    let spread = Duration::from_millis(rand::random_range(0..1_000));
    let data = serde_json::json!({ "reason": "The server restarts." });
    Event::default()
        .event("closing")
        .retry(COME_BACK + spread)
        .data(data.to_string())
}

/// What ended a wait.
pub(super) enum Turn {
    Changed,
    /// Time went by.
    Nothing,
    /// The last event.
    Closing(Event),
    /// The viewer is not signed in any more, or has been told to leave.
    Over,
}

/// Who follows a stream, by the credential of the first request.
pub(super) struct Viewer {
    state: AppState,
    signed_in: SignedIn,
    asked_at: Timestamp,
    is_told_to_leave: bool,
}

impl Viewer {
    pub(super) fn new(state: AppState, signed_in: SignedIn) -> Self {
        Self {
            asked_at: state.clock.now(),
            signed_in,
            is_told_to_leave: false,
            state,
        }
    }

    /// Cancelled when the server stops.
    pub(super) fn stop(&self) -> CancellationToken {
        self.state.stop.clone()
    }

    /// Waits for `changed`, while the server goes on and the viewer is signed in.
    pub(super) async fn wait<E>(&mut self, changed: impl Future<Output = Result<(), E>>) -> Turn {
        if self.is_told_to_leave {
            return Turn::Over;
        }
        let stop = self.stop();
        tokio::select! {
            biased;
            () = stop.cancelled() => {
                self.is_told_to_leave = true;
                Turn::Closing(closing())
            }
            () = tokio::time::sleep(HEARTBEAT) => match self.ask_again().await {
                true => Turn::Nothing,
                false => Turn::Over,
            },
            changed = changed => changed.map_or(Turn::Over, |()| Turn::Changed),
        }
    }

    /// Before a change is shown. Many changes in a row cost one question.
    pub(super) async fn may_look_on(&mut self) -> bool {
        self.state.clock.now().since(self.asked_at) < ASK_AGAIN || self.ask_again().await
    }

    async fn ask_again(&mut self) -> bool {
        self.asked_at = self.state.clock.now();
        guard::is_still_signed_in(&self.state, &self.signed_in).await
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
