//! Pages of other origins: which may call the API, and what they may not do.
//!
//! A page of an allowed origin brings its own credential in a header. The browser's cookie is not taken from it and not given
//! to it, so what a person is signed in to here is out of its reach. Everything else that changes something and comes from
//! another site is refused.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use app::error::{AppError, ErrorCode};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower::{Layer, Service, ServiceExt};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use super::AppState;
use super::answer::Failed;
use super::layers::REQUEST_ID;
use super::rate_limit::{RATE_LIMIT, RATE_LIMIT_POLICY};

/// How long a browser may remember the answer to a preflight.
const PREFLIGHT_AGE: Duration = Duration::from_secs(3600);

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE];
const REQUEST_HEADERS: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::ACCEPT,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("x-api-key"),
];
const RESPONSE_HEADERS: [HeaderName; 5] = [
    REQUEST_ID,
    RATE_LIMIT,
    RATE_LIMIT_POLICY,
    header::RETRY_AFTER,
    HeaderName::from_static("idempotency-replayed"),
];

type Refused = fn(ProtectionError) -> Response;

/// Who is another origin, and what follows.
#[derive(Clone)]
pub struct CrossOrigin {
    /// As browsers write them.
    allowed: BTreeSet<Vec<u8>>,
    cors: CorsLayer,
    csrf: CsrfLayer<Refused>,
}

impl CrossOrigin {
    /// `origins`: exact ones, such as `https://app.example.org`.
    pub fn new(origins: &[String]) -> Self {
        let values = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
        Self {
            allowed: origins.iter().map(|origin| origin.as_bytes().to_vec()).collect(),
            // No `allow_credentials`: with it a browser would show the answers to its cookie.
            cors: CorsLayer::new()
                .allow_origin(AllowOrigin::list(values))
                .allow_methods(METHODS)
                .allow_headers(REQUEST_HEADERS)
                .expose_headers(RESPONSE_HEADERS)
                .max_age(PREFLIGHT_AGE),
            csrf: CsrfLayer::new().with_rejection_response(from_another_site),
        }
    }

    /// A call of the API by a page of an allowed origin that is not our own.
    fn is_allowed_guest(&self, request: &Request) -> bool {
        let origin = request.headers().get(header::ORIGIN);
        is_api(request.uri())
            && origin.is_some_and(|origin| self.allowed.contains(origin.as_bytes()) && !is_own(origin, request))
    }
}

fn from_another_site(_: ProtectionError) -> Response {
    Failed(AppError::new(
        ErrorCode::Forbidden,
        "This request came from another site and is refused.",
    ))
    .into_response()
}

/// Pages and forms are for our own pages only.
fn is_api(uri: &Uri) -> bool {
    uri.path().starts_with("/api/")
}

/// Our own origin may stand in the list too: its pages keep their cookie.
fn is_own(origin: &HeaderValue, request: &Request) -> bool {
    let headers = request.headers();
    // Browsers write this one; pages cannot.
    if let Some(site) = headers.get("sec-fetch-site").filter(|site| !site.is_empty()) {
        return site == "same-origin";
    }
    let host = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let host = host.or_else(|| headers.get(header::HOST).map(HeaderValue::as_bytes));
    let origin: Option<Uri> = origin.as_bytes().try_into().ok();
    let origin = origin.as_ref().and_then(Uri::authority);
    origin.map(|authority| authority.as_str().as_bytes()) == host
}

/// Answers preflights, before anything else looks at them, and lets pages of allowed origins read answers, errors too.
pub(super) async fn allow(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let cross_origin = &state.cross_origin;
    let is_plain_options =
        request.method() == Method::OPTIONS && !request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if cross_origin.allowed.is_empty() || !is_api(request.uri()) || is_plain_options {
        return next.run(request).await;
    }
    through(&cross_origin.cors, request, next).await
}

/// Keeps the browser's cookie from requests that other sites' pages send.
pub(super) async fn keep_apart(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let cross_origin = &state.cross_origin;
    if !cross_origin.is_allowed_guest(&request) {
        return through(&cross_origin.csrf, request, next).await;
    }
    request.headers_mut().remove(header::COOKIE);
    let mut response = next.run(request).await;
    response.headers_mut().remove(header::SET_COOKIE);
    response
}

/// The rest of the way inside one more layer.
async fn through<L>(layer: &L, request: Request, next: Next) -> Response
where
    L: Layer<Next>,
    L::Service: Service<Request, Response = Response, Error = Infallible>,
{
    match layer.layer(next).oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
