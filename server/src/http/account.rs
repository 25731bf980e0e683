//! The own account: `/api/auth/me`, password, sessions, second factor. What the forms share with it, too.

use std::net::IpAddr;

use app::error::AppError;
use app::types::{ActiveSession, PasswordChange, RecoveryCodes, TwoFactor, TwoFactorSecret, User};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use tower_sessions::Session;

use super::answer::{Answer, Success};
use super::auth::Via;
use super::client_address::ClientAddress;
use super::extract::Path;
use super::guard::SignedIn;
use super::users::Ended;
use super::{AppState, auth, body};
use crate::audit::Actor;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Profile {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OnlyPassword {
    password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OnlyCode {
    code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PasswordAndCode {
    pub(super) password: String,
    pub(super) code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ByLink {
    token: String,
    new_password: String,
}

pub(super) async fn me(Extension(signed_in): Extension<SignedIn>) -> Success<User> {
    Success(signed_in.user)
}

pub(super) async fn rename(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<User>> {
    let Profile { name } = body::json(&headers, body).await?;
    Ok(Success(state.accounts.rename(&signed_in.user.id, &name).await?))
}

pub(super) async fn delete(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    ClientAddress(from): ClientAddress,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<()>> {
    let OnlyPassword { password } = body::json(&headers, body).await?;
    delete_own_for(&state, &session, &signed_in, &actor, from, password).await?;
    Ok(Success(()))
}

pub(super) async fn change_password(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    ClientAddress(from): ClientAddress,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<()>> {
    let change: PasswordChange = body::json(&headers, body).await?;
    change_password_for(&state, &session, &signed_in, &actor, from, change).await?;
    Ok(Success(()))
}

pub(super) async fn sessions(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
) -> Answer<Success<Vec<ActiveSession>>> {
    let (by, now) = (auth::by(&signed_in), state.clock.now());
    Ok(Success(state.accounts.sessions(&signed_in.user.id, &by, now).await?))
}

pub(super) async fn end_session(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Path(id): Path<String>,
) -> Answer<Success<()>> {
    let now = state.clock.now();
    state.accounts.end_session(&signed_in.user.id, &id, now).await?;
    Ok(Success(()))
}

pub(super) async fn end_other_sessions(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
) -> Answer<Success<Ended>> {
    let by = auth::by(&signed_in);
    let ended = state.accounts.end_other_sessions(&signed_in.user.id, &by).await?;
    Ok(Success(Ended { ended }))
}

pub(super) async fn two_factor(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
) -> Answer<Success<TwoFactor>> {
    Ok(Success(state.accounts.two_factor(&signed_in.user.id).await?))
}

pub(super) async fn begin_two_factor(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    ClientAddress(from): ClientAddress,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<TwoFactorSecret>> {
    let OnlyPassword { password } = body::json(&headers, body).await?;
    let (id, now) = (&signed_in.user.id, state.clock.now());
    Ok(Success(state.accounts.begin_two_factor(id, password, from, now).await?))
}

pub(super) async fn confirm_two_factor(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    ClientAddress(from): ClientAddress,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<RecoveryCodes>> {
    let OnlyCode { code } = body::json(&headers, body).await?;
    let codes = confirm_two_factor_for(&state, &session, &signed_in, &actor, from, code).await?;
    Ok(Success(codes))
}

pub(super) async fn renew_recovery_codes(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    ClientAddress(from): ClientAddress,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<RecoveryCodes>> {
    let both: PasswordAndCode = body::json(&headers, body).await?;
    Ok(Success(
        renew_recovery_codes_for(&state, &signed_in, &actor, from, both).await?,
    ))
}

pub(super) async fn disable_two_factor(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    ClientAddress(from): ClientAddress,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<()>> {
    let both: PasswordAndCode = body::json(&headers, body).await?;
    disable_two_factor_for(&state, &session, &signed_in, &actor, from, both).await?;
    Ok(Success(()))
}

/// For whoever has the link: nobody is signed in by it.
pub(super) async fn set_password_by_link(
    State(state): State<AppState>,
    via: Via,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<()>> {
    let ByLink { token, new_password } = body::json(&headers, body).await?;
    set_password_by_link_for(&state, &via, token, new_password.into()).await?;
    Ok(Success(()))
}

/// Replaces the password, ends everything else that is signed in, and gives the session a new id.
pub(super) async fn change_password_for(
    state: &AppState,
    session: &Session,
    signed_in: &SignedIn,
    actor: &Actor,
    from: IpAddr,
    change: PasswordChange,
) -> Result<(), AppError> {
    let (own, session, signed_in, actor) = (state.clone(), session.clone(), signed_in.clone(), actor.clone());
    state
        .audit
        .act(async move {
            let (id, by, now) = (&signed_in.user.id, auth::by(&signed_in), own.clock.now());
            own.accounts.change_password(id, change, &by, from, now).await?;
            auth::cycle(&own, &signed_in, &session).await?;
            own.audit
                .record(&actor, "password.change", &target(id), None, None)
                .await
        })
        .await
}

/// Deletes the account with all that is its own, and signs out.
pub(super) async fn delete_own_for(
    state: &AppState,
    session: &Session,
    signed_in: &SignedIn,
    actor: &Actor,
    from: IpAddr,
    password: String,
) -> Result<(), AppError> {
    let (own, session, user, actor) = (state.clone(), session.clone(), signed_in.user.clone(), actor.clone());
    state
        .audit
        .act(async move {
            own.accounts
                .delete_own(&user.id, password, from, own.clock.now())
                .await?;
            own.history.forget(&user.id);
            auth::sign_out(&session).await?;
            let before = json!({ "email": user.email, "role": user.role });
            own.audit
                .record(&actor, "account.erase", &target(&user.id), Some(before), None)
                .await
        })
        .await
}

/// Switches the second factor on, ends everything else that is signed in, and gives the session a new id.
pub(super) async fn confirm_two_factor_for(
    state: &AppState,
    session: &Session,
    signed_in: &SignedIn,
    actor: &Actor,
    from: IpAddr,
    code: String,
) -> Result<RecoveryCodes, AppError> {
    let (own, session, signed_in, actor) = (state.clone(), session.clone(), signed_in.clone(), actor.clone());
    state
        .audit
        .act(async move {
            let (id, by, now) = (&signed_in.user.id, auth::by(&signed_in), own.clock.now());
            let codes = own.accounts.confirm_two_factor(id, &code, &by, from, now).await?;
            auth::cycle(&own, &signed_in, &session).await?;
            own.audit
                .record(&actor, "two_factor.enable", &target(id), None, None)
                .await?;
            Ok(codes)
        })
        .await
}

/// Replaces the recovery codes.
pub(super) async fn renew_recovery_codes_for(
    state: &AppState,
    signed_in: &SignedIn,
    actor: &Actor,
    from: IpAddr,
    both: PasswordAndCode,
) -> Result<RecoveryCodes, AppError> {
    let (own, id, actor) = (state.clone(), signed_in.user.id.clone(), actor.clone());
    state
        .audit
        .act(async move {
            let PasswordAndCode { password, code } = both;
            let now = own.clock.now();
            let codes = own
                .accounts
                .renew_recovery_codes(&id, password, &code, from, now)
                .await?;
            own.audit
                .record(&actor, "two_factor.recovery_codes", &target(&id), None, None)
                .await?;
            Ok(codes)
        })
        .await
}

/// Switches the second factor off, ends everything else that is signed in, and gives the session a new id.
pub(super) async fn disable_two_factor_for(
    state: &AppState,
    session: &Session,
    signed_in: &SignedIn,
    actor: &Actor,
    from: IpAddr,
    both: PasswordAndCode,
) -> Result<(), AppError> {
    let (own, session, signed_in, actor) = (state.clone(), session.clone(), signed_in.clone(), actor.clone());
    state
        .audit
        .act(async move {
            let PasswordAndCode { password, code } = both;
            let (id, by, now) = (&signed_in.user.id, auth::by(&signed_in), own.clock.now());
            own.accounts
                .disable_two_factor(id, password, &code, &by, from, now)
                .await?;
            auth::cycle(&own, &signed_in, &session).await?;
            own.audit
                .record(&actor, "two_factor.disable", &target(id), None, None)
                .await
        })
        .await
}

/// Sets the password of a link's account, which then acted itself.
pub(super) async fn set_password_by_link_for(
    state: &AppState,
    via: &Via,
    token: String,
    new_password: SecretString,
) -> Result<User, AppError> {
    let (own, newcomer) = (state.clone(), via.newcomer.clone());
    state
        .audit
        .act(async move {
            let now = own.clock.now();
            let user = own.accounts.set_password_by_link(&token, &new_password, now).await?;
            let actor = newcomer.actor(&user);
            let after = json!({ "by": "link" });
            own.audit
                .record(&actor, "password.change", &target(&user.id), None, Some(after))
                .await?;
            Ok(user)
        })
        .await
}

fn target(user_id: &str) -> String {
    format!("user/{user_id}")
}
