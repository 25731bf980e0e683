//! The application as a service: what handlers work with, and every layer with its reason. `routes` has every route.

mod account;
mod admin;
mod alerts;
mod analyses;
mod analytics;
mod analyze;
mod answer;
mod audit;
mod auth;
mod base_url;
mod body;
mod cache;
mod client_address;
mod connection;
mod cors;
mod credential;
mod doctor;
mod extract;
mod forms;
mod guard;
mod layers;
mod notifications;
mod operator;
mod pages;
mod rate_limit;
mod routes;
mod serving;
mod settings;
mod starting;
mod status;
mod tokens;
mod users;
mod vault;

use std::sync::Arc;

use app::context::DemoAccount;
use axum::Router;
use axum::handler::Handler;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::MethodRouter;
#[cfg(test)]
use axum::routing::get;
use leptos::config::LeptosOptions;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};

use crate::accounts::Accounts;
use crate::alerts::Alerts;
use crate::analysis::Deps;
use crate::analytics::Analytics;
use crate::api_tokens::ApiTokens;
use crate::audit::Audit;
use crate::backend::PageBackend;
use crate::backup::Backups;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::doctor::Doctor;
use crate::history::History;
use crate::idempotency::Idempotency;
use crate::keys::Keys;
use crate::notify::Notifier;
use crate::performance::Performance;
use crate::sessions::Sessions;
use crate::settings::RuntimeSettings;
use crate::status::StatusReader;
use crate::store::Store;

#[doc(hidden)]
pub use analyze::read_upload;
pub use connection::Connection;
pub use cors::CrossOrigin;
pub use guard::{Policy, Scope};
pub use serving::{ServeLimits, Serving};
pub use starting::starting;

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Services>);

pub struct Services {
    pub analysis: Arc<Deps>,
    pub analytics: Analytics,
    pub accounts: Arc<Accounts>,
    pub tokens: Arc<ApiTokens>,
    pub audit: Audit,
    pub keys: Arc<Keys>,
    pub status: StatusReader,
    pub cache: Arc<Cache>,
    pub performance: Arc<Performance>,
    pub doctor: Arc<Doctor>,
    pub backups: Backups,
    pub settings: RuntimeSettings,
    pub notifier: Notifier,
    pub alerts: Alerts,
    /// Asked whether it is ready, nothing else: handlers go through use cases.
    pub store: Arc<dyn Store>,
    pub history: History,
    pub idempotency: Arc<Idempotency>,
    pub sessions: Sessions,
    pub backend: Arc<PageBackend>,
    pub clock: Clock,
    pub limiter: crate::rate_limit::RateLimiter,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    pub cross_origin: CrossOrigin,
    pub production: bool,
    /// Cookies only over TLS.
    pub secure_cookies: bool,
    pub demo: Option<Vec<DemoAccount>>,
    pub site: Site,
    /// Cancelled when the server stops: open streams end.
    pub stop: CancellationToken,
}

/// Where the built browser half is.
#[derive(Clone)]
pub struct Site {
    pub root: std::path::PathBuf,
    pub options: LeptosOptions,
}

impl std::ops::Deref for AppState {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}

/// Every route's policy and path, files aside.
pub fn policies() -> Vec<(Policy, String)> {
    let own = routes::all().into_iter();
    own.map(|(policy, path, _)| (policy, path.to_owned()))
        .chain(pages::routes().into_iter().map(|(policy, path, _)| (policy, path)))
        .collect()
}

/// The whole application as a service.
pub fn router(services: Services) -> Router {
    let state = AppState(Arc::new(services));
    let mut router = Router::new();
    // None of the server's own routes is known to panic.
    #[cfg(test)]
    {
        router = router.route("/api/test/panic", get(layers::tests::panic));
    }
    for (policy, path, methods) in routes::all() {
        router = router.route(path, guarded(&state, policy, methods));
    }
    for (policy, path, methods) in pages::routes() {
        router = router.route(&path, guarded(&state, policy, methods));
    }
    // Guarded too, so that the page for an address without one knows who reads it.
    let not_found = pages::not_found.layer(from_fn_with_state((state.clone(), Policy::Anyone), guard::require));
    let files = pages::files(&state.site).fallback(not_found.with_state(state.clone()));
    router
        .fallback_service(ServiceBuilder::new().layer(from_fn(layers::cache_files)).service(files))
        .method_not_allowed_fallback(layers::method_not_allowed)
        .layer(
            ServiceBuilder::new()
                // Outermost, so that every answer, a panic's too, has its id and its log line.
                .layer(from_fn(layers::request_id))
                // Before whatever asks for the caller's address, or for the scheme in front of a proxy.
                .layer(from_fn_with_state(state.clone(), client_address::find))
                .layer(layers::hide_credentials())
                .layer(from_fn_with_state(state.clone(), layers::security_headers))
                // Outside errors, so that pages of allowed origins can read those too.
                .layer(from_fn_with_state(state.clone(), cors::allow))
                // Errors become JSON, problem+json or a page here, where the request id is known.
                .layer(from_fn_with_state(state.clone(), layers::render_errors))
                // A bug in one handler is that request's 500, not the end of the connection.
                .layer(CatchPanicLayer::custom(layers::Panicked))
                // Before anything acts on a cookie: other sites' forms are refused.
                .layer(from_fn_with_state(state.clone(), cors::keep_apart))
                .layer(sessions(&state)),
        )
        .with_state(state)
}

fn guarded(state: &AppState, policy: Policy, methods: MethodRouter<AppState>) -> MethodRouter<AppState> {
    methods.route_layer(from_fn_with_state((state.clone(), policy), guard::require))
}

fn sessions(state: &AppState) -> SessionManagerLayer<Sessions> {
    SessionManagerLayer::new(state.sessions.clone())
        // The prefix makes browsers insist on Secure, this host and the path "/".
        .with_name(if state.secure_cookies {
            "__Host-keypool"
        } else {
            "keypool_session"
        })
        .with_secure(state.secure_cookies)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        // The store decides when a session ends, by our clock.
        .with_expiry(Expiry::OnSessionEnd)
}
