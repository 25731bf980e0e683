//! Accounts for programs: `/api/auth/*`.

use std::net::IpAddr;

use app::error::{AppError, ErrorCode};
use app::types::{Credentials, Registration, SignedIn as Tokens, User};
use axum::Extension;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tower_sessions::Session;
use tracing::warn;

use super::answer::{Answer, Success};
use super::connection::Connection;
use super::guard::SignedIn;
use super::{AppState, body};
use crate::sessions;

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
    ConnectInfo(Connection { peer, .. }): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    check_registration_open(&state)?;
    let form: Registration = body::json(&headers, body).await?;
    let user = state.accounts.register(form, peer.ip(), state.clock.now()).await?;
    Ok((StatusCode::CREATED, Success(user)).into_response())
}

/// Tokens for programs and the cookie for browsers, in one answer.
pub(super) async fn login(
    State(state): State<AppState>,
    ConnectInfo(Connection { peer, .. }): ConnectInfo<Connection>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<Tokens>> {
    let credentials: Credentials = body::json(&headers, body).await?;
    let user = sign_in(&state, &session, credentials, peer.ip()).await?;
    Ok(Success(state.accounts.issue_tokens(user, state.clock.now()).await?))
}

pub(super) async fn refresh(State(state): State<AppState>, headers: HeaderMap, body: Body) -> Answer<Success<Tokens>> {
    let Refresh { refresh_token } = body::json(&headers, body).await?;
    Ok(Success(
        state.accounts.refresh(&refresh_token, state.clock.now()).await?,
    ))
}

/// Ends the browser's session and, when a refresh token is given, all that came from its sign-in.
pub(super) async fn logout(
    State(state): State<AppState>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<()>> {
    let Logout { refresh_token } = body::optional_json(&headers, body).await?;
    if let Some(token) = refresh_token {
        state.accounts.revoke(&token).await?;
    }
    sign_out(&session).await?;
    Ok(Success(()))
}

pub(super) async fn me(Extension(signed_in): Extension<SignedIn>) -> Success<User> {
    Success(signed_in.user)
}

pub(super) fn check_registration_open(state: &AppState) -> Result<(), AppError> {
    if state.registration_open {
        return Ok(());
    }
    Err(AppError::new(
        ErrorCode::Forbidden,
        "Registration is closed here. Ask an admin for an account.",
    ))
}

/// Checks the password and starts a session under a new id, so that an id known from before is worth nothing.
pub(super) async fn sign_in(
    state: &AppState,
    session: &Session,
    credentials: Credentials,
    from: IpAddr,
) -> Result<User, AppError> {
    let user = state.accounts.sign_in(credentials, from, state.clock.now()).await?;
    start_session(session, &user).await?;
    Ok(user)
}

pub(super) async fn start_session(session: &Session, user: &User) -> Result<(), AppError> {
    session.cycle_id().await.map_err(session_failed)?;
    session
        .insert(sessions::USER_ID, &user.id)
        .await
        .map_err(session_failed)
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
