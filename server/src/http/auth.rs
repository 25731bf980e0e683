//! Signing in and out, for programs: `/api/auth/*`. What the forms of the pages share with it, too.

use std::net::IpAddr;

use app::error::{AppError, ErrorCode};
use app::types::{Credentials, Registration, Role, SignedIn as Tokens, User};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
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
use super::{AppState, body};
use crate::accounts::{PendingSignIn, SignInStep, SignedInBy, Visitor};
use crate::audit::Actor;
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

pub(super) async fn register(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let form: Registration = body::json(&headers, body).await?;
    let user = state.accounts.register(form, address, state.clock.now()).await?;
    Ok((StatusCode::CREATED, Success(user)).into_response())
}

/// Tokens for programs and the cookie for browsers, in one answer.
pub(super) async fn login(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<Tokens>> {
    let credentials: Credentials = body::json(&headers, body).await?;
    let (visitor, now) = (visitor(&headers, address), state.clock.now());
    let user = state.accounts.sign_in(credentials, address, now).await?;
    start_session(&state, &session, &user, &visitor).await?;
    Ok(Success(state.accounts.issue_tokens(user, &visitor, now).await?))
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

/// Who asks, as the accounts keep it.
pub(super) fn visitor(headers: &HeaderMap, address: IpAddr) -> Visitor {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Visitor::new(address, agent)
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
    visitor: &Visitor,
) -> Result<FirstStep, AppError> {
    let now = state.clock.now();
    match state.accounts.begin_sign_in(credentials, visitor.address, now).await? {
        SignInStep::Done(user) => {
            start_session(state, session, &user, visitor).await?;
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
pub(super) async fn sign_in_code(
    state: &AppState,
    session: &Session,
    code: &str,
    visitor: &Visitor,
) -> Result<User, AppError> {
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
        .finish_sign_in(&tried.who, code, visitor.address, now)
        .await;
    let user = finished?;
    start_session(state, session, &user, visitor).await?;
    Ok(user)
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
pub(super) async fn start_session(
    state: &AppState,
    session: &Session,
    user: &User,
    visitor: &Visitor,
) -> Result<(), AppError> {
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
    state.accounts.note_sign_in(&user.id, state.clock.now()).await?;
    if user.role == Role::Admin {
        let actor = Actor {
            id: user.id.clone(),
            name: user.email.clone(),
            surface: "web",
            address: Some(visitor.address),
            request_id: None,
        };
        let after = json!({ "userAgent": visitor.user_agent });
        let target = format!("user/{}", user.id);
        state
            .audit
            .record(&actor, "session.start", &target, None, Some(after))
            .await?;
    }
    Ok(())
}

/// Gives the session that asks a new id after its rights changed. One that came along with another credential is left
/// alone: it may just have been ended.
pub(super) async fn cycle(signed_in: &SignedIn, session: &Session) -> Result<(), AppError> {
    match signed_in.credential {
        Credential::Session(_) => session.cycle_id().await.map_err(session_failed),
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
