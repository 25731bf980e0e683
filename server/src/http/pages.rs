//! Renders pages and serves the files they need.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::backend::{BackendRef, UsageBackendRef};
use app::context::{PageContext, RefusedForm, Shown, Theme};
use app::error::{AppError, ErrorCode};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get};
use leptos::nonce::use_nonce;
use leptos::prelude::provide_context;
use tower_http::services::ServeDir;
use tower_sessions::Session;

use super::answer::status;
use super::guard::{MaybeSignedIn, SignedIn};
use super::layers::RequestId;
use super::{AppState, Policy, Scope, Site, auth};
use crate::accounts::SignedInBy;

/// The pages of the app's route table, each with its policy.
pub(super) fn routes() -> Vec<(Policy, String, MethodRouter<AppState>)> {
    leptos_axum::generate_route_list(app::App)
        .into_iter()
        .map(|route| (policy(route.path()), route.path().to_owned(), get(page)))
        .collect()
}

/// Pages about usage.
pub(super) const VIEWER: Policy = Policy::Viewer(Scope::Person);

/// A page that is not named here is for people who are signed in.
fn policy(path: &str) -> Policy {
    match path {
        "/status" | "/sign-in" | "/sign-in/code" | "/register" | "/invitation" | "/password" | "/set-up" => {
            Policy::Anyone
        }
        "/set-up/key" => Policy::Admin,
        "/overview" | "/requests" => VIEWER,
        path if path.starts_with("/analytics/") || path.starts_with("/requests/") => VIEWER,
        path if path.starts_with("/admin/") => Policy::Admin,
        _ => Policy::User(Scope::Person),
    }
}

/// Style, script, icons. Compressed once at build, served as they are.
pub(super) fn files(site: &Site) -> ServeDir {
    ServeDir::new(&site.root)
        .precompressed_br()
        .precompressed_gzip()
        .append_index_html_on_directories(false)
        .call_fallback_on_method_not_allowed(true)
}

/// What is asked for, without its body.
#[derive(Clone)]
pub(super) struct Asked {
    uri: Uri,
    headers: HeaderMap,
    request_id: String,
    user: Option<SignedIn>,
    session: Option<Session>,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Self {
        let extensions = request.extensions();
        Self {
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            request_id: extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
            user: extensions.get::<MaybeSignedIn>().and_then(|maybe| maybe.0.clone()),
            session: extensions.get().cloned(),
        }
    }

    /// As if `path` had been asked for: the page that a form with an address of its own stands on.
    pub(super) fn at(mut self, path: &str) -> Self {
        self.uri = path.parse().unwrap_or_default();
        self
    }
}

async fn page(State(state): State<AppState>, request: Request) -> Response {
    let asked = Asked::of(&request);
    // Its form would have nothing to go on with.
    if request.uri().path() == "/sign-in/code" && !is_between_steps(&state, &asked).await {
        return Redirect::to("/sign-in").into_response();
    }
    render(&state, asked, None, None).await
}

async fn is_between_steps(state: &AppState, asked: &Asked) -> bool {
    match &asked.session {
        Some(session) => auth::has_pending(state, session).await,
        None => false,
    }
}

/// The page that a form stands on, with what the form made. It is never stored: see `layers::security_headers`.
pub(super) async fn shown(state: &AppState, asked: Asked, shown: Shown) -> Response {
    render(state, asked, None, Some(shown)).await
}

/// The page that a form stands on, once more, with what was typed and what was wrong.
pub(super) async fn refused(
    state: &AppState,
    asked: Asked,
    error: AppError,
    kept: BTreeMap<String, String>,
) -> Response {
    let code = status(error.code);
    let mut response = render(state, asked, Some(RefusedForm { error, kept }), None).await;
    *response.status_mut() = code;
    response
}

pub(super) async fn not_found(State(state): State<AppState>, request: Request) -> Response {
    if request.uri().path().starts_with("/api/") || request.method() != Method::GET {
        let error = AppError::new(ErrorCode::NotFound, "There is nothing at this address.");
        return super::answer::Failed(error).into_response();
    }
    let mut response = render(&state, Asked::of(&request), None, None).await;
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// A page that says what went wrong, for people.
pub(super) fn error(state: &AppState, asked: Asked, error: &AppError) -> Response {
    let page = app::pages::error_document(
        &state.site.options,
        context(state, asked, None, None),
        error.code.http_status(),
    );
    let policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    (
        status(error.code),
        [(header::CONTENT_SECURITY_POLICY, policy)],
        Html(page),
    )
        .into_response()
}

async fn render(state: &AppState, asked: Asked, refused: Option<RefusedForm>, shown: Option<Shown>) -> Response {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = asked.uri.clone();
    let by = asked.user.as_ref().map_or(SignedInBy::Other, auth::by);
    let backend: BackendRef = Arc::new(state.backend.asked_by(by));
    let usage = usage(state);
    let context = context(state, asked, refused, shown);
    let page_status = app::PageStatus::default();
    let options = state.site.options.clone();
    let provide = {
        let (page_status, options) = (page_status.clone(), options.clone());
        move || {
            provide_context(context.clone());
            provide_context(backend.clone());
            provide_context(usage.clone());
            provide_context(page_status.clone());
            provide_context(options.clone());
            set_policy();
        }
    };
    let mut response =
        leptos_axum::render_app_async_with_context(provide, move || app::shell(options.clone()))(request).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::from_u16(page_status.get()).unwrap_or(StatusCode::OK);
    }
    response
}

/// The live part of the page about usage that is asked for.
pub(super) async fn live_overview(State(state): State<AppState>, request: Request) -> Html<String> {
    let (backend, context) = (backend(&state), context(&state, Asked::of(&request), None, None));
    Html(app::pages::overview_fragment(usage(&state), backend, context).await)
}

pub(super) async fn live_requests(State(state): State<AppState>, request: Request) -> Html<String> {
    let (backend, context) = (backend(&state), context(&state, Asked::of(&request), None, None));
    Html(app::pages::requests_fragment(usage(&state), backend, context).await)
}

fn backend(state: &AppState) -> BackendRef {
    Arc::new(state.backend.asked_by(SignedInBy::Other))
}

fn usage(state: &AppState) -> UsageBackendRef {
    Arc::new(state.analytics.clone())
}

fn context(state: &AppState, asked: Asked, refused: Option<RefusedForm>, shown: Option<Shown>) -> PageContext {
    PageContext {
        user: asked.user.map(|signed_in| signed_in.user),
        theme: theme(&asked.headers),
        path: asked
            .uri
            .path_and_query()
            .map_or_else(|| "/".to_owned(), ToString::to_string),
        request_id: asked.request_id,
        refused,
        shown,
        demo: state.demo.clone(),
    }
}

/// Nothing runs on a page but what carries its nonce, and what that loads.
fn set_policy() {
    let nonce = use_nonce().map(|nonce| nonce.to_string()).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    if let (Some(options), Ok(value)) = (
        leptos::prelude::use_context::<leptos_axum::ResponseOptions>(),
        HeaderValue::from_str(&policy),
    ) {
        options.insert_header(header::CONTENT_SECURITY_POLICY, value);
    }
}

pub(super) fn theme(headers: &HeaderMap) -> Theme {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let value = cookies
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix("theme="));
    value.map(Theme::parse).unwrap_or_default()
}
