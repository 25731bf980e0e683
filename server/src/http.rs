//! Every route with its policy, every layer with its reason, on one screen.

mod admin;
mod analyses;
mod analyze;
mod answer;
mod auth;
mod body;
mod cache;
mod connection;
mod doctor;
mod extract;
mod forms;
mod guard;
mod layers;
mod notifications;
mod operator;
mod pages;
mod settings;
mod status;

use std::sync::Arc;

use app::backend::BackendRef;
use app::context::DemoAccount;
use axum::Router;
use axum::handler::Handler;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, patch, post};
use leptos::config::LeptosOptions;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};

use crate::accounts::Accounts;
use crate::analysis::Deps;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::doctor::Doctor;
use crate::history::History;
use crate::keys::Keys;
use crate::notify::Notifier;
use crate::performance::Performance;
use crate::sessions::Sessions;
use crate::settings::RuntimeSettings;
use crate::status::StatusReader;
use crate::store::Store;

pub use connection::{Connection, Connections};
pub use guard::Policy;

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Services>);

pub struct Services {
    pub analysis: Arc<Deps>,
    pub accounts: Arc<Accounts>,
    pub keys: Arc<Keys>,
    pub status: StatusReader,
    pub cache: Arc<Cache>,
    pub performance: Arc<Performance>,
    pub doctor: Arc<Doctor>,
    pub settings: RuntimeSettings,
    pub notifier: Notifier,
    /// Asked whether it is ready, nothing else: handlers go through use cases.
    pub store: Arc<dyn Store>,
    pub history: History,
    pub sessions: Sessions,
    pub backend: BackendRef,
    pub clock: Clock,
    pub registration_open: bool,
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

type Routes = Vec<(Policy, &'static str, MethodRouter<AppState>)>;

fn api_routes() -> Routes {
    use Policy::{Admin, Anyone, User};
    vec![
        (Anyone, "/api/auth/register", post(auth::register)),
        (Anyone, "/api/auth/login", post(auth::login)),
        (Anyone, "/api/auth/refresh", post(auth::refresh)),
        (Anyone, "/api/auth/logout", post(auth::logout)),
        (User, "/api/auth/me", get(auth::me)),
        (User, "/api/ai-analysis/analyze", post(analyze::whole)),
        (User, "/api/ai-analysis/analyze/stream", post(analyze::streamed)),
        (User, "/api/ai-analysis/analyses", get(analyses::list)),
        (
            User,
            "/api/ai-analysis/analyses/{id}",
            get(analyses::load).delete(analyses::delete),
        ),
        (User, "/api/ai-analysis/service-status", get(status::service)),
        (User, "/api/ai-analysis/service-status/stream", get(status::stream)),
        (Admin, "/api/admin/keys", get(admin::list_keys).post(admin::add_key)),
        (Admin, "/api/admin/keys/reset-quota", post(admin::reset_quota)),
        (Admin, "/api/admin/keys/switch", post(admin::switch)),
        (Admin, "/api/admin/keys/test-all", post(admin::test_all)),
        (Admin, "/api/admin/keys/import", post(admin::import_keys)),
        (Admin, "/api/admin/keys/siblings", get(admin::siblings)),
        (
            Admin,
            "/api/admin/keys/siblings/{id}/confirm",
            post(admin::confirm_siblings),
        ),
        (
            Admin,
            "/api/admin/keys/siblings/{id}/dismiss",
            post(admin::dismiss_siblings),
        ),
        (
            Admin,
            "/api/admin/keys/{id}",
            patch(admin::update_key).delete(admin::delete_key),
        ),
        (Admin, "/api/admin/keys/{id}/test", post(admin::test_key)),
        (Admin, "/api/admin/keys/{id}/enable", post(admin::enable_key)),
        (Admin, "/api/admin/keys/{id}/disable", post(admin::disable_key)),
        (Admin, "/api/admin/keys/{id}/reset", post(admin::reset_key)),
        (Admin, "/api/admin/cache", get(cache::stats).delete(cache::clear)),
        (Admin, "/api/admin/performance", get(cache::performance)),
        (Admin, "/api/admin/performance/reset", post(cache::reset_performance)),
        (Admin, "/api/admin/notifications", get(notifications::list)),
        (Admin, "/api/admin/notifications/test", post(notifications::test)),
        (Admin, "/api/admin/doctor", get(doctor::report).post(doctor::test)),
        (
            Admin,
            "/api/admin/settings",
            get(settings::list).patch(settings::change),
        ),
        (Anyone, "/api/status.json", get(status::public)),
        (Anyone, "/healthz", get(operator::healthz)),
        (Anyone, "/readyz", get(operator::readyz)),
    ]
}

/// Forms of the pages: they work before any script has loaded.
fn form_routes() -> Routes {
    use Policy::{Admin, Anyone, User};
    vec![
        (Anyone, "/sign-in", post(forms::sign_in)),
        (Anyone, "/register", post(forms::register)),
        (Anyone, "/sign-out", post(forms::sign_out)),
        (Anyone, "/set-up", post(forms::set_up_admin)),
        (Admin, "/set-up/key", post(forms::set_up_key)),
        (Admin, "/admin/doctor", post(doctor::test_form)),
        (Admin, "/admin/doctor/siblings", post(doctor::sibling_form)),
        (Anyone, "/theme", post(forms::theme)),
        (User, "/", post(forms::analyze)),
        (User, "/history/{id}/delete", post(forms::delete_analysis)),
        (User, "/history/recent", get(analyses::recent_fragment)),
        (User, "/history/{id}/answer", get(analyses::answer_fragment)),
        (User, "/history/answer", post(analyses::render_answer)),
    ]
}

/// Every route's policy and path, files aside.
pub fn policies() -> Vec<(Policy, String)> {
    let own = api_routes().into_iter().chain(form_routes());
    own.map(|(policy, path, _)| (policy, path.to_owned()))
        .chain(pages::routes().into_iter().map(|(policy, path, _)| (policy, path)))
        .collect()
}

/// The whole application as a service.
pub fn router(services: Services) -> Router {
    let state = AppState(Arc::new(services));
    let mut router = Router::new();
    for (policy, path, methods) in api_routes().into_iter().chain(form_routes()) {
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
                .layer(from_fn(layers::security_headers))
                // Errors become JSON, problem+json or a page here, where the request id is known.
                .layer(from_fn_with_state(state.clone(), layers::render_errors))
                // A bug in one handler is that request's 500, not the end of the connection.
                .layer(CatchPanicLayer::custom(layers::Panicked))
                // Before anything acts on a cookie: other sites' forms are refused.
                .layer(layers::csrf())
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
