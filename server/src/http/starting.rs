//! What is answered while the server waits for its data store: it is alive and not ready, and everything else comes later.

use app::error::{AppError, ErrorCode};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::layers::{RequestId, add_security_headers, failure_body, request_id};
use super::operator::{self, NO_STORE};

const RETRY_SECONDS: u64 = 5;
const MESSAGE: &str = "Keypool is starting: its data store cannot be reached yet. Try again in a few seconds.";

/// Before there is anything to work with.
pub fn starting(production: bool) -> Router {
    let headers = move |request: Request, next: Next| async move {
        let mut response = next.run(request).await;
        add_security_headers(response.headers_mut(), production);
        response
    };
    Router::new()
        .route("/healthz", get(operator::healthz))
        .route("/readyz", get(not_ready))
        .fallback(later)
        .layer(from_fn(headers))
        .layer(from_fn(request_id))
}

async fn not_ready() -> Response {
    let body = json!({ "status": "not ready", "store": false, "stopping": false, "reason": NO_STORE });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

async fn later(request: Request) -> Response {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    let error = AppError {
        request_id: id,
        retry_after_seconds: Some(RETRY_SECONDS),
        ..AppError::new(ErrorCode::NoCapacity, MESSAGE)
    };
    let mut response = if wants_text(request.headers()) {
        // The browser asks again by itself.
        let again = [(header::REFRESH, HeaderValue::from(RETRY_SECONDS))];
        (StatusCode::SERVICE_UNAVAILABLE, again, MESSAGE).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(failure_body(&error))).into_response()
    };
    let retry = HeaderValue::from(RETRY_SECONDS);
    response.headers_mut().insert(header::RETRY_AFTER, retry);
    response
}

/// A person's browser.
fn wants_text(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}
