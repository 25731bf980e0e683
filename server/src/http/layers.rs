//! The layers around every route.

use std::any::Any;
use tokio::time::Instant;

use app::error::{AppError, ErrorCode};
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tower_http::catch_panic::ResponseForPanic;
use tower_http::sensitive_headers::SetSensitiveHeadersLayer;
use tracing::{debug, error, info};

use crate::scrub;

use super::AppState;
use super::answer::{Failed, status};
use super::client_address::OuterScheme;
use super::rate_limit::{RATE_LIMIT, RATE_LIMIT_POLICY};
use super::{guard, pages};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What no page of ours asks a browser for.
const PERMISSIONS: &str = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";

/// Of this request, in its extensions.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub String);

/// Gives every request an id of ours, logs its end and puts the id on the answer.
pub(super) async fn request_id(mut request: Request, next: Next) -> Response {
    let id = uuid::Uuid::now_v7().to_string();
    request.extensions_mut().insert(RequestId(id.clone()));
    // The path only: a query may hold a token.
    let (method, path, started) = (
        request.method().clone(),
        request.uri().path().to_owned(),
        Instant::now(),
    );
    let mut response = next.run(request).await;
    let (status, ms) = (
        response.status().as_u16(),
        u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    );
    if response.status().is_server_error() {
        let error = response.extensions().get::<ErrorCode>().map(|code| code.as_str());
        info!(request_id = %id, %method, %path, status, error, ms, "request failed");
    } else {
        debug!(request_id = %id, %method, %path, status, ms, "request");
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Credentials are left out wherever headers are written down.
pub(super) fn hide_credentials() -> SetSensitiveHeadersLayer {
    SetSensitiveHeadersLayer::new([
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
        header::SET_COOKIE,
        HeaderName::from_static("x-goog-api-key"),
        HeaderName::from_static("x-api-key"),
    ])
}

/// Headers for every answer; pages bring their own Content-Security-Policy with its nonce.
pub(super) async fn security_headers(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let over_tls = match request.extensions().get::<OuterScheme>() {
        Some(scheme) => *scheme == OuterScheme::Https,
        None => state.production,
    };
    let mut response = next.run(request).await;
    add_security_headers(response.headers_mut(), over_tls);
    response
}

pub(super) fn add_security_headers(headers: &mut HeaderMap, over_tls: bool) {
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Files say that they are public; a stream of events says `no-cache` by itself, which lets it be kept.
    let is_public = |value: &HeaderValue| value.as_bytes().starts_with(b"public");
    if !headers.get(header::CACHE_CONTROL).is_some_and(is_public) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    if over_tls {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
}

/// Files under a hashed folder never change; the others are asked for again.
pub(super) async fn cache_files(request: Request, next: Next) -> Response {
    let hashed = request.uri().path().starts_with("/pkg-");
    let mut response = next.run(request).await;
    if response.status().is_success() {
        let value = if hashed {
            "public, max-age=31536000, immutable"
        } else {
            "public, max-age=3600"
        };
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
    }
    response
}

/// Gives a failure its body: a page for people, problem+json for those who ask for it, else the envelope.
pub(super) async fn render_errors(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default();
    let page = guard::wants_page(&request);
    let problem = accepts_problem(request.headers());
    let for_page = page.then(|| pages::Asked::of(&request));
    let mut response = next.run(request).await;
    let Some(Failed(mut error)) = response.extensions_mut().remove::<Failed>() else {
        return response;
    };
    error.request_id = Some(request_id);
    scrub::process().scrub_error(&mut error);
    let mut rendered = match for_page {
        Some(asked) => pages::error(&state, asked, &error),
        None if problem => (
            status(error.code),
            [(header::CONTENT_TYPE, "application/problem+json")],
            problem_body(&error).to_string(),
        )
            .into_response(),
        None => (status(error.code), Json(failure_body(&error))).into_response(),
    };
    if let Some(seconds) = error.retry_after_seconds {
        rendered
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if error.code == ErrorCode::Unauthenticated {
        let challenge = HeaderValue::from_static("Bearer realm=\"keypool\"");
        rendered.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    // For the log.
    rendered.extensions_mut().insert(error.code);
    // What inner layers set, such as a cookie or the methods allowed.
    let kept = [header::SET_COOKIE, header::ALLOW, RATE_LIMIT, RATE_LIMIT_POLICY];
    for (name, value) in response.headers() {
        if kept.contains(name) {
            rendered.headers_mut().append(name, value.clone());
        }
    }
    rendered
}

/// The envelope of a failure.
pub(super) fn failure_body(error: &AppError) -> Value {
    let mut body = serde_json::to_value(error).unwrap_or_default();
    if let Value::Object(fields) = &mut body {
        fields.insert("success".to_owned(), Value::Bool(false));
        fields.insert("data".to_owned(), Value::Null);
    }
    body
}

/// RFC 9457.
fn problem_body(error: &AppError) -> Value {
    let status = status(error.code);
    let mut body = failure_body(error);
    if let Value::Object(fields) = &mut body {
        fields.remove("success");
        fields.remove("data");
        fields.insert("type".to_owned(), json!("about:blank"));
        fields.insert("title".to_owned(), json!(status.canonical_reason()));
        fields.insert("status".to_owned(), json!(status.as_u16()));
        fields.insert("detail".to_owned(), json!(error.message));
    }
    body
}

fn accepts_problem(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|accept| accept.contains("application/problem+json"))
}

pub(super) async fn method_not_allowed() -> Failed {
    Failed(AppError::new(
        ErrorCode::MethodNotAllowed,
        "This address does not take this method. The header Allow lists those it takes.",
    ))
}

/// Turns a panic into a 500. The message may hold anything, so only its place in the code is known: the panic hook logs that.
#[derive(Clone, Copy)]
pub(super) struct Panicked;

impl ResponseForPanic for Panicked {
    type ResponseBody = Body;

    fn response_for_panic(&mut self, _: Box<dyn Any + Send + 'static>) -> Response {
        error!("a handler panicked");
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Failed(AppError::internal()));
        response
    }
}

#[cfg(test)]
pub(super) mod tests;
