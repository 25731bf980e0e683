//! Who may use a route. Settled before the body is read.

use app::error::{AppError, ErrorCode};
use app::types::{Role, TokenScope, User};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::SecretString;
use tower_sessions::Session;
use tower_sessions::session::Id;

use super::answer::Failed;
use super::client_address::ClientAddress;
use super::connection::Connection;
use super::layers::RequestId;
use super::serving::{self, Sender};
use super::{AppState, credential, rate_limit};
use crate::api_tokens;
use crate::audit::Actor;
use crate::sessions;

/// What proxies write about whom they speak for.
const FORWARDED: [&str; 6] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Who may use a route, declared beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Anyone,
    User(Scope),
    Viewer(Scope),
    Admin,
}

/// What an API token must be made for to be taken at a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// None is: a person's own account, pages and forms.
    Person,
    Analyze,
    History,
    Status,
    Analytics,
}

impl Policy {
    fn least(self) -> Option<Role> {
        match self {
            Self::Anyone => None,
            Self::User(_) => Some(Role::User),
            Self::Viewer(_) => Some(Role::Viewer),
            Self::Admin => Some(Role::Admin),
        }
    }

    /// The scope of the API tokens that are taken; `None` where none is.
    fn scope(self) -> Option<TokenScope> {
        match self {
            Self::Anyone => None,
            Self::User(scope) | Self::Viewer(scope) => scope.of_tokens(),
            Self::Admin => Some(TokenScope::Admin),
        }
    }
}

impl Scope {
    fn of_tokens(self) -> Option<TokenScope> {
        match self {
            Self::Person => None,
            Self::Analyze => Some(TokenScope::Analyze),
            Self::History => Some(TokenScope::History),
            Self::Status => Some(TokenScope::Status),
            Self::Analytics => Some(TokenScope::Analytics),
        }
    }
}

/// The caller, in the request's extensions behind the guard.
#[derive(Clone, Debug)]
pub(super) struct SignedIn {
    pub user: User,
    /// `web` for the browser's cookie, `api` for a token, `cli` for the command line of this machine.
    pub surface: &'static str,
    pub credential: Credential,
}

impl SignedIn {
    /// The id of the API token that came with the request.
    pub(super) fn api_token(&self) -> Option<&str> {
        match &self.credential {
            Credential::ApiToken { id, .. } => Some(id),
            Credential::Session(_) | Credential::AccessToken { .. } | Credential::Operator => None,
        }
    }
}

/// By what the caller is known.
#[derive(Clone, Debug)]
pub(super) enum Credential {
    Session(Id),
    /// `sign_in`: the one that the token came from.
    AccessToken {
        token: SecretString,
        sign_in: String,
    },
    ApiToken {
        token: SecretString,
        id: String,
        scopes: Vec<TokenScope>,
        requests_per_minute: Option<u32>,
    },
    Operator,
}

/// The caller where a route is open to anyone.
#[derive(Clone, Debug)]
pub(super) struct MaybeSignedIn(pub Option<SignedIn>);

pub(super) async fn require(
    State((state, policy)): State<(AppState, Policy)>,
    session: Session,
    request: Request,
    next: Next,
) -> Response {
    let identified = if is_operator(&state, &request) {
        Ok(Some(operator()))
    } else {
        identify(&state, request.headers(), request.uri(), &session).await
    };
    let seen = rate_limit::take(&state, &request, identified.as_ref().ok().and_then(Option::as_ref));
    let mut response = match seen.refusal(&state) {
        Some(refused) => refused.into_response(),
        None => admit(state, policy, identified, request, next).await,
    };
    seen.write(response.headers_mut());
    response
}

/// Lets the request through when its caller may use the route.
async fn admit(
    state: AppState,
    policy: Policy,
    identified: Result<Option<SignedIn>, AppError>,
    mut request: Request,
    next: Next,
) -> Response {
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
            let message = "Your account may not do this. Ask an admin for the right.";
            return Failed(AppError::new(ErrorCode::Forbidden, message)).into_response();
        }
        (Some(_), None) if wants_page(&request) => {
            let next = come_back(&request);
            return to_sign_in(&state, &next).await;
        }
        (Some(_), None) => return Failed(unauthenticated()).into_response(),
    }
    if let Some(error) = signed_in.as_ref().and_then(|signed_in| out_of_scope(policy, signed_in)) {
        return Failed(error).into_response();
    }
    if let Some(signed_in) = signed_in.clone() {
        let actor = actor(&signed_in, &request);
        request.extensions_mut().insert(actor);
        request.extensions_mut().insert(signed_in);
    }
    request.extensions_mut().insert(MaybeSignedIn(signed_in));
    if let Some(sender) = sender(&request) {
        serving::sent_by(sender);
    }
    next.run(request).await
}

/// Whose body it is.
fn sender(request: &Request) -> Option<Sender> {
    let extensions = request.extensions();
    match extensions.get::<SignedIn>() {
        Some(signed_in) => Some(Sender::Account(signed_in.user.id.clone())),
        None => extensions
            .get::<ClientAddress>()
            .map(|client| Sender::address(client.0)),
    }
}

/// Who acts, for the audit log.
fn actor(signed_in: &SignedIn, request: &Request) -> Actor {
    let extensions = request.extensions();
    let user = &signed_in.user;
    Actor {
        id: user.id.clone(),
        name: if user.email.is_empty() {
            user.name.clone()
        } else {
            user.email.clone()
        },
        surface: signed_in.surface,
        address: extensions.get::<ClientAddress>().map(|client| client.0),
        request_id: extensions.get::<RequestId>().map(|id| id.0.clone()),
        by_api_token: matches!(signed_in.credential, Credential::ApiToken { .. }),
    }
}

/// An API token is good for what it was made for, whatever its owner may do.
fn out_of_scope(policy: Policy, signed_in: &SignedIn) -> Option<AppError> {
    let Credential::ApiToken { scopes, .. } = &signed_in.credential else {
        return None;
    };
    let message = match policy.scope() {
        _ if policy == Policy::Anyone => return None,
        Some(scope) if scopes.contains(&scope) => return None,
        Some(scope) => format!("This token lacks the scope {}: make one that has it.", scope.as_str()),
        None => "API tokens are not taken here: sign in.".to_owned(),
    };
    Some(AppError::new(ErrorCode::Forbidden, message))
}

/// A token, or else the browser's session. The account is read each time: a right taken away is gone at once.
async fn identify(
    state: &AppState,
    headers: &HeaderMap,
    uri: &Uri,
    session: &Session,
) -> Result<Option<SignedIn>, AppError> {
    let by_session = by_session(state, session).await?;
    let Some(token) = credential::token(headers, uri)? else {
        return Ok(by_session);
    };
    let by_token = by_token(state, token).await?;
    // Clients that keep cookies send both after signing in: the same person then. Two people are one too many.
    if by_session.is_some_and(|session| session.user.id != by_token.user.id) {
        return Err(credential::two());
    }
    Ok(Some(by_token))
}

async fn by_session(state: &AppState, session: &Session) -> Result<Option<SignedIn>, AppError> {
    let user_id: Option<String> = session.get(sessions::USER_ID).await.map_err(|error| {
        tracing::warn!(%error, "a session could not be read");
        AppError::new(
            ErrorCode::NoCapacity,
            "The sign-in cannot be checked right now. Please try again shortly.",
        )
    })?;
    let (Some(user_id), Some(id)) = (user_id, session.id()) else {
        return Ok(None);
    };
    Ok(state.accounts.user(&user_id).await?.map(|user| SignedIn {
        user,
        surface: "web",
        credential: Credential::Session(id),
    }))
}

async fn by_token(state: &AppState, token: SecretString) -> Result<SignedIn, AppError> {
    let now = state.clock.now();
    if let Some(good) = state.tokens.find(&token, now).await? {
        let owner = state.accounts.user(&good.user_id).await?;
        return Ok(SignedIn {
            user: owner.ok_or_else(unauthenticated)?,
            surface: "api",
            credential: Credential::ApiToken {
                token,
                id: good.id,
                scopes: good.scopes,
                requests_per_minute: good.requests_per_minute,
            },
        });
    }
    if api_tokens::is_shaped_like_one(&token) {
        let message =
            "This API token is not known: it was mistyped, revoked, or has ended. Make one under Account, API tokens.";
        return Err(AppError::new(ErrorCode::Unauthenticated, message));
    }
    let (user, sign_in) = state.accounts.by_access_token(&token, now).await?;
    Ok(SignedIn {
        user,
        surface: "api",
        credential: Credential::AccessToken { token, sign_in },
    })
}

/// The command line of this machine: it can read the files of `DATA_DIR`, so it may do what an admin may, but only there.
fn is_operator(state: &AppState, request: &Request) -> bool {
    let connection = request.extensions().get::<ConnectInfo<Connection>>();
    connection.is_some_and(|ConnectInfo(connection)| connection.is_of_this_machine())
        // A proxy on this machine passes on what comes from others.
        && !FORWARDED.iter().any(|name| request.headers().contains_key(*name))
        && request.uri().path().starts_with("/api/admin/")
        && credential::token(request.headers(), request.uri())
            .ok()
            .flatten()
            .is_some_and(|token| state.accounts.is_operator(&token, state.clock.now()))
}

fn operator() -> SignedIn {
    let user = User {
        id: "operator".to_owned(),
        email: String::new(),
        name: "Command line".to_owned(),
        role: Role::Admin,
    };
    SignedIn {
        user,
        surface: "cli",
        credential: Credential::Operator,
    }
}

/// Whether who was let in would be let in now, for answers that go on for hours.
pub(super) async fn is_still_signed_in(state: &AppState, signed_in: &SignedIn) -> bool {
    let user_id = &signed_in.user.id;
    let known = async {
        match &signed_in.credential {
            // Not through the request's session, which keeps what it has read once.
            Credential::Session(id) => {
                let is_theirs = state.sessions.user_of(id).await?.as_ref() == Some(user_id);
                Ok(is_theirs && state.accounts.user(user_id).await?.is_some())
            }
            Credential::AccessToken { token, .. } | Credential::ApiToken { token, .. } => {
                by_token(state, token.clone()).await.map(|_| true)
            }
            Credential::Operator => Ok::<_, AppError>(true),
        }
    };
    matches!(known.await, Ok(true))
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
    let is_fragment = path == "/history/recent" || path.ends_with("/answer") || path.ends_with("/live");
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
