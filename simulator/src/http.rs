//! Every route of the simulator.

mod control;
mod generate;
mod incoming;
mod models;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use tokio_util::sync::CancellationToken;

use self::incoming::Incoming;
use crate::connection::{Connection, Connections};
use crate::google_error::GoogleError;
use crate::playback::{Pieces, whole};
use crate::state::Shared;

/// What the provider takes in one request.
const BODY_BYTES_MAX: usize = 100 * 1024 * 1024;

const JSON: &str = "application/json; charset=UTF-8";
const EVENT_STREAM: &str = "text/event-stream";

/// Serves until `stopping`, and until the connections have noticed.
pub(crate) async fn serve(connections: Connections, shared: Arc<Shared>, stopping: CancellationToken) {
    let app = router(shared).into_make_service_with_connect_info::<Connection>();
    // It never fails: errors of accepting are waited out inside.
    let _ = axum::serve(connections, app)
        .with_graceful_shutdown(stopping.cancelled_owned())
        .await;
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/{version}/models", get(models::list))
        .route("/{version}/models/{model}", get(models::get).post(generate::call))
        .route("/_control/script", post(control::script))
        .route("/_control/clear", post(control::clear))
        .route("/_control/limit", post(control::limit))
        .route("/_control/assign", post(control::assign))
        .route("/_control/now", post(control::now))
        .route("/_control/calls", get(control::calls))
        .route("/_control/{*other}", any(control::unknown))
        .fallback(elsewhere)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

/// Any other path of the provider (files, cached contents): on record, and answered by a script for probes.
async fn elsewhere(State(shared): State<Arc<Shared>>, incoming: Incoming) -> Response {
    let recorded = incoming.record(&shared, "other", "");
    if let Err(error) = recorded.check_key(&shared) {
        return recorded.reply(error.into()).await;
    }
    let behaviour = shared.read(|state| state.scripts.next_probe(&recorded.incoming.key, ""));
    let nothing = |_: &Incoming, _| GoogleError::not_found("The requested URL was not found on this server.").into();
    recorded.play(behaviour, nothing).await
}

impl IntoResponse for GoogleError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(Body::from(pretty(&self.body)));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
        response
    }
}

/// What is sent for a call, before it is cut or slowed down.
pub(crate) struct Content {
    status: StatusCode,
    headers: Vec<(String, String)>,
    /// Wait before the status line, in milliseconds.
    opening_ms: u64,
    pieces: Pieces,
    /// Length of all pieces where it is known: it then goes into the head.
    len: Option<usize>,
}

impl Content {
    fn whole(status: u16, content_type: &str, body: impl Into<bytes::Bytes>) -> Self {
        let body = body.into();
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: vec![(header::CONTENT_TYPE.as_str().to_owned(), content_type.to_owned())],
            opening_ms: 0,
            len: Some(body.len()),
            pieces: whole(body),
        }
    }

    fn streamed(content_type: &str, pieces: Pieces) -> Self {
        Self {
            len: None,
            pieces,
            ..Self::whole(200, content_type, "")
        }
    }
}

impl From<GoogleError> for Content {
    fn from(error: GoogleError) -> Self {
        Self::whole(error.status, JSON, pretty(&error.body))
    }
}

/// JSON in lines, as the provider writes it.
fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}
