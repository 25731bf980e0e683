//! Who may use a route. Settled before the body is read.

use app::error::{AppError, ErrorCode};
use app::types::{Role, User};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;
use tower_sessions::session::Id;

use super::AppState;
use super::answer::Failed;
use super::connection::Connection;
use crate::sessions;

/// Declared beside each route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Anyone,
    User,
    Viewer,
    Admin,
}

impl Policy {
    fn least(self) -> Option<Role> {
        match self {
            Self::Anyone => None,
            Self::User => Some(Role::User),
            Self::Viewer => Some(Role::Viewer),
            Self::Admin => Some(Role::Admin),
        }
    }
}

/// The caller, in the request's extensions behind the guard.
#[derive(Clone, Debug)]
pub(super) struct SignedIn {
    pub user: User,
    /// `web` for the browser's cookie, `api` for a token, `cli` for the command line of this machine.
    pub surface: &'static str,
}

/// The caller where a route is open to anyone.
#[derive(Clone, Debug)]
pub(super) struct MaybeSignedIn(pub Option<SignedIn>);

pub(super) async fn require(
    State((state, policy)): State<(AppState, Policy)>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    let identified = if is_operator(&state, &request) {
        Ok(Some(operator()))
    } else {
        identify(&state, request.headers(), &session).await
    };
    let signed_in = match identified {
        Ok(signed_in) => signed_in,
        // A stale token does not keep anybody from a route that is open to all.
        Err(_) if policy == Policy::Anyone => None,
        Err(error) => return Failed(error).into_response(),
    };
    match (policy.least(), &signed_in) {
        (None, _) => {}
        (Some(least), Some(signed_in)) if signed_in.user.role >= least => {}
        (Some(_), Some(_)) => {
            let error = AppError::new(
                ErrorCode::Forbidden,
                "Your account may not do this. Ask an admin for the right.",
            );
            return Failed(error).into_response();
        }
        (Some(_), None) if wants_page(&request) => {
            let next = come_back(&request);
            return to_sign_in(&state, &next).await;
        }
        (Some(_), None) => return Failed(unauthenticated()).into_response(),
    }
    if let Some(signed_in) = signed_in.clone() {
        request.extensions_mut().insert(signed_in);
    }
    request.extensions_mut().insert(MaybeSignedIn(signed_in));
    next.run(request).await
}

/// A bearer token, or else the browser's session. The account is read each time: a role taken away is gone at once.
async fn identify(state: &AppState, headers: &HeaderMap, session: &Session) -> Result<Option<SignedIn>, AppError> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let user = bearer(state, value).await?;
        return Ok(Some(SignedIn { user, surface: "api" }));
    }
    let user_id: Option<String> = session.get(sessions::USER_ID).await.map_err(|error| {
        tracing::warn!(%error, "a session could not be read");
        AppError::new(
            ErrorCode::NoCapacity,
            "The sign-in cannot be checked right now. Please try again shortly.",
        )
    })?;
    let Some(user_id) = user_id else { return Ok(None) };
    Ok(state
        .accounts
        .user(&user_id)
        .await?
        .map(|user| SignedIn { user, surface: "web" }))
}

/// The command line of this machine: it can read the files of `DATA_DIR`, so it may do what an admin may, but only there.
fn is_operator(state: &AppState, request: &Request) -> bool {
    let connection = request.extensions().get::<ConnectInfo<Connection>>();
    connection.is_some_and(|ConnectInfo(connection)| connection.is_of_this_machine())
        && request.uri().path().starts_with("/api/admin/")
        && request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(bearer_token)
            .is_some_and(|token| state.accounts.is_operator(token, state.clock.now()))
}

fn operator() -> SignedIn {
    let user = User {
        id: "operator".to_owned(),
        email: String::new(),
        name: "Command line".to_owned(),
        role: Role::Admin,
    };
    SignedIn { user, surface: "cli" }
}

/// Whether who was let in is still known by the same credential, for answers that go on for hours.
pub(super) async fn is_still_signed_in(state: &AppState, headers: &HeaderMap, session: Option<Id>) -> bool {
    let known = async {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            return bearer(state, value).await.map(Some);
        }
        // Not through the request's session, which keeps what it has read once.
        let Some(id) = session else { return Ok(None) };
        match state.sessions.user_of(&id).await? {
            Some(user_id) => state.accounts.user(&user_id).await,
            None => Ok(None),
        }
    };
    matches!(known.await, Ok(Some(_)))
}

async fn bearer(state: &AppState, value: &HeaderValue) -> Result<User, AppError> {
    let token = bearer_token(value).ok_or_else(unauthenticated)?;
    let claims = state.accounts.verify(token, state.clock.now())?;
    state.accounts.user(&claims.sub).await?.ok_or_else(unauthenticated)
}

fn bearer_token(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

pub(super) fn unauthenticated() -> AppError {
    AppError::new(
        ErrorCode::Unauthenticated,
        "Sign in first, or send a valid token as `Authorization: Bearer …`.",
    )
}

/// Pages and their forms are asked for by people; everything under `/api` by programs.
pub(super) fn wants_page(request: &Request) -> bool {
    let path = request.uri().path();
    let is_fragment = path == "/history/recent" || path.ends_with("/answer");
    !path.starts_with("/api/") && path != "/healthz" && path != "/readyz" && !is_fragment
}

/// Where to come back to. A form that was sent cannot be sent again after signing in: its page is the start page.
fn come_back(request: &Request) -> String {
    let path = request
        .uri()
        .path_and_query()
        .filter(|_| request.method() == Method::GET);
    path.map_or_else(|| "/".to_owned(), ToString::to_string)
}

async fn to_sign_in(state: &AppState, next: &str) -> Response {
    // Nobody can sign in to a new server: it opens on its set-up.
    if matches!(state.accounts.has_admin().await, Ok(false)) {
        return Redirect::to("/set-up").into_response();
    }
    let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
    Redirect::to(&format!("/sign-in?{query}")).into_response()
}
