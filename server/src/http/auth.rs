//! Signing in and out, for programs: `/api/auth/*`. What the forms of the pages share with it, too.

use std::convert::Infallible;

use app::error::{AppError, ErrorCode};
use app::types::{Credentials, Registration, Role, SignedIn as Tokens, User};
use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use pool::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower_sessions::Session;
use tracing::warn;

use super::answer::{Answer, Success};
use super::client_address::ClientAddress;
use super::guard::{Credential, MaybeSignedIn, SignedIn};
use super::layers::RequestId;
use super::{AppState, body};
use crate::accounts::{Joining, Newcomer, PendingSignIn, SignInStep, SignedInBy, Verified, Visitor, sign_in_over};
use crate::sessions;

/// How long a browser that gave the password may take for the code, in milliseconds.
const PENDING_MS_MAX: u64 = 5 * 60 * 1000;
/// Codes it may try.
const PENDING_TRIES_MAX: u32 = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Refresh {
    refresh_token: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Logout {
    refresh_token: Option<String>,
}

/// Who asks while nobody is signed in yet, and over what they come.
#[derive(Clone)]
pub(super) struct Via {
    pub visitor: Visitor,
    pub newcomer: Newcomer,
}

impl<S: Sync> FromRequestParts<S> for Via {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, state).await?;
        let agent = parts
            .headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok());
        Ok(Self {
            visitor: Visitor::new(address, agent),
            newcomer: Newcomer {
                surface: if parts.uri.path().starts_with("/api/") {
                    "api"
                } else {
                    "web"
                },
                address,
                request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()),
            },
        })
    }
}

pub(super) async fn register(
    State(state): State<AppState>,
    via: Via,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let form: Registration = body::json(&headers, body).await?;
    let user = register_for(&state, &via, form).await?;
    Ok((StatusCode::CREATED, Success(user)).into_response())
}

/// Tokens for programs and the cookie for browsers, in one answer.
pub(super) async fn login(
    State(state): State<AppState>,
    via: Via,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<Tokens>> {
    let credentials: Credentials = body::json(&headers, body).await?;
    let now = state.clock.now();
    let verified = state.accounts.sign_in(credentials, via.visitor.address, now).await?;
    start_session(&state, &session, verified.clone(), &via).await?;
    Ok(Success(state.accounts.issue_tokens(verified, &via.visitor, now).await?))
}

pub(super) async fn refresh(State(state): State<AppState>, headers: HeaderMap, body: Body) -> Answer<Success<Tokens>> {
    let Refresh { refresh_token } = body::json(&headers, body).await?;
    let tokens = state.accounts.refresh(&refresh_token, state.clock.now()).await?;
    Ok(Success(tokens))
}

/// Ends the browser's session, the sign-in that the caller's access token came from, and, when a refresh token is given,
/// all that came from its sign-in.
pub(super) async fn logout(
    State(state): State<AppState>,
    Extension(MaybeSignedIn(signed_in)): Extension<MaybeSignedIn>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<()>> {
    let Logout { refresh_token } = body::optional_json(&headers, body).await?;
    if let Some(token) = refresh_token {
        state.accounts.revoke(&token).await?;
    }
    if let Some(SignedIn {
        user,
        credential: Credential::AccessToken { sign_in, .. },
        ..
    }) = signed_in
    {
        let ended = state.accounts.end_session(&user.id, &sign_in, state.clock.now()).await;
        // The refresh token beside it may have ended it already.
        ended.or_else(|error| {
            if error.code == ErrorCode::NotFound {
                Ok(())
            } else {
                Err(error)
            }
        })?;
    }
    sign_out(&session).await?;
    Ok(Success(()))
}

/// As [`register`], for the pages' forms too.
pub(super) async fn register_for(state: &AppState, via: &Via, form: Registration) -> Result<User, AppError> {
    let (own, newcomer) = (state.clone(), via.newcomer.clone());
    let act = async move { own.joining(&newcomer).register(form, own.clock.now()).await };
    state.audit.act(act).await
}

/// Makes the first admin.
pub(super) async fn set_up_for(
    state: &AppState,
    via: &Via,
    token: String,
    form: Registration,
) -> Result<User, AppError> {
    let (own, newcomer) = (state.clone(), via.newcomer.clone());
    let act = async move { own.joining(&newcomer).set_up(&token, form, own.clock.now()).await };
    state.audit.act(act).await
}

impl AppState {
    fn joining<'a>(&'a self, newcomer: &'a Newcomer) -> Joining<'a> {
        Joining {
            accounts: &self.accounts,
            audit: &self.audit,
            newcomer,
        }
    }
}

/// What stays when all else that is signed in is ended.
pub(super) fn by(signed_in: &SignedIn) -> SignedInBy {
    match &signed_in.credential {
        Credential::Session(id) => SignedInBy::Session(*id),
        Credential::AccessToken { sign_in, .. } => SignedInBy::SignIn(sign_in.clone()),
        Credential::ApiToken { .. } | Credential::Operator => SignedInBy::Other,
    }
}

/// What came of e-mail and password in a browser.
pub(super) enum FirstStep {
    SignedIn,
    /// [`sign_in_code`] comes next.
    CodeNeeded,
}

/// Somebody who owes a code, as the session keeps it.
#[derive(Serialize, Deserialize)]
struct Pending {
    who: PendingSignIn,
    until: u64,
    tries: u32,
}

/// Checks e-mail and password and starts a session, or keeps for five minutes that the code is still to come.
pub(super) async fn sign_in_first(
    state: &AppState,
    session: &Session,
    credentials: Credentials,
    via: &Via,
) -> Result<FirstStep, AppError> {
    let (now, from) = (state.clock.now(), via.visitor.address);
    match state.accounts.begin_sign_in(credentials, from, now).await? {
        SignInStep::Done(verified) => {
            start_session(state, session, verified, via).await?;
            Ok(FirstStep::SignedIn)
        }
        SignInStep::CodeNeeded(who) => {
            renew(session).await?;
            let pending = Pending {
                who,
                until: now.as_millis().saturating_add(PENDING_MS_MAX),
                tries: 0,
            };
            session
                .insert(sessions::PENDING, pending)
                .await
                .map_err(session_failed)?;
            Ok(FirstStep::CodeNeeded)
        }
    }
}

/// Checks the code of the second factor, or a recovery code, after [`sign_in_first`], and starts the session.
///
/// # Errors
/// `UNAUTHENTICATED` on the field `code`; `FORBIDDEN` when the password has to be given again.
pub(super) async fn sign_in_code(state: &AppState, session: &Session, code: &str, via: &Via) -> Result<User, AppError> {
    let now = state.clock.now();
    let Some(pending) = pending(session, now).await? else {
        session.remove_value(sessions::PENDING).await.map_err(session_failed)?;
        let message = "It took too long, or too many codes were tried. Sign in again.";
        return Err(AppError::new(ErrorCode::Forbidden, message));
    };
    let tried = Pending {
        tries: pending.tries + 1,
        ..pending
    };
    // Kept before the code is checked: who breaks off has tried, too.
    session
        .insert(sessions::PENDING, &tried)
        .await
        .map_err(session_failed)?;
    session.save().await.map_err(session_failed)?;
    let finished = state
        .accounts
        .finish_sign_in(&tried.who, code, via.visitor.address, now)
        .await;
    let verified = finished?;
    start_session(state, session, verified.clone(), via).await?;
    Ok(verified.user)
}

/// Whether a code is still to come in this browser.
pub(super) async fn has_pending(state: &AppState, session: &Session) -> bool {
    matches!(pending(session, state.clock.now()).await, Ok(Some(_)))
}

async fn pending(session: &Session, now: Timestamp) -> Result<Option<Pending>, AppError> {
    let pending: Option<Pending> = session.get(sessions::PENDING).await.map_err(session_failed)?;
    Ok(pending.filter(|pending| now.as_millis() < pending.until && pending.tries < PENDING_TRIES_MAX))
}

/// Starts a session under a new id and without anything of before, so that an id known from before is worth nothing.
///
/// # Errors
/// `UNAUTHENTICATED` when the account has changed since it was checked.
pub(super) async fn start_session(
    state: &AppState,
    session: &Session,
    verified: impl Into<Verified>,
    via: &Via,
) -> Result<(), AppError> {
    let verified = verified.into();
    let (user, visitor) = (&verified.user, &via.visitor);
    renew(session).await?;
    let address = visitor.address.to_string();
    let fields = [
        (sessions::USER_ID, Some(&user.id)),
        (sessions::ADDRESS, Some(&address)),
        (sessions::USER_AGENT, visitor.user_agent.as_ref()),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            session.insert(name, value).await.map_err(session_failed)?;
        }
    }
    let credentials = session.insert(sessions::CREDENTIALS, verified.credentials());
    credentials.await.map_err(session_failed)?;
    session.save().await.map_err(session_failed)?;
    let owner = match session.id() {
        Some(id) => state.sessions.user_of(&id).await?,
        None => None,
    };
    if owner.as_ref() != Some(&user.id) {
        sign_out(session).await?;
        return Err(sign_in_over());
    }
    let (own, user, via) = (state.clone(), user.clone(), via.clone());
    let act = async move {
        own.accounts.note_sign_in(&user.id, own.clock.now()).await?;
        if user.role != Role::Admin {
            return Ok(());
        }
        let actor = via.newcomer.actor(&user);
        let (target, after) = (
            format!("user/{}", user.id),
            json!({ "userAgent": via.visitor.user_agent }),
        );
        own.audit
            .record(&actor, "session.start", &target, None, Some(after))
            .await
    };
    state.audit.act(act).await
}

/// Gives the session that asks a new id after its rights changed. One that came along with another credential is left
/// alone: it may just have been ended.
pub(super) async fn cycle(state: &AppState, signed_in: &SignedIn, session: &Session) -> Result<(), AppError> {
    match signed_in.credential {
        Credential::Session(id) => {
            // Ended meanwhile: it must not come back under a new id.
            let Some(credentials) = state.sessions.credentials_of(&id).await? else {
                return Ok(());
            };
            let under = session.insert(sessions::CREDENTIALS, credentials);
            under.await.map_err(session_failed)?;
            session.cycle_id().await.map_err(session_failed)
        }
        _ => Ok(()),
    }
}

async fn renew(session: &Session) -> Result<(), AppError> {
    session.clear().await;
    session.cycle_id().await.map_err(session_failed)
}

pub(super) async fn sign_out(session: &Session) -> Result<(), AppError> {
    if session.id().is_none() {
        return Ok(());
    }
    session.flush().await.map_err(session_failed)
}

fn session_failed(error: tower_sessions::session::Error) -> AppError {
    warn!(%error, "a session could not be stored");
    AppError::new(
        ErrorCode::NoCapacity,
        "The sign-in could not be stored. Please try again shortly.",
    )
}
