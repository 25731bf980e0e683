//! For those who run the server.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::AppState;

/// Why a server that is not stopping is not ready. What exactly is wrong is in its log.
pub(super) const NO_STORE: &str = "the data store cannot be reached";

/// The process answers.
pub(super) async fn healthz() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// The store answers and the settings are loaded. A pool that is out of quota is not unready: this instance can say so.
pub(super) async fn readyz(State(state): State<AppState>) -> Response {
    let stopping = state.stop.is_cancelled();
    let store = state.store.ready().await;
    let ready = store.is_ok() && !stopping;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut body =
        json!({ "status": if ready { "ready" } else { "not ready" }, "store": store.is_ok(), "stopping": stopping });
    if !ready {
        let reason = if stopping { "the server is stopping" } else { NO_STORE };
        body["reason"] = json!(reason);
    }
    (status, Json(body)).into_response()
}
