//! The accounts of others, for admins: `/api/admin/users`, `/api/admin/invitations`. The forms share it.

use app::error::AppError;
use app::types::{Account, Invitation, NewAccount, NewInvitation, NewLink, User, UserPatch};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Success};
use super::base_url::BaseUrl;
use super::extract::Path;
use super::{AppState, body};
use crate::accounts::{Managing, invitation_url, password_url};
use crate::audit::Actor;
use crate::clock::rfc3339;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewPassword {
    password: String,
}

#[derive(Serialize)]
pub(super) struct Ended {
    pub(super) ended: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reset {
    was_enabled: bool,
}

pub(super) async fn list(State(state): State<AppState>) -> Answer<Success<Vec<Account>>> {
    Ok(Success(state.accounts.accounts().await?))
}

pub(super) async fn create(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let new: NewAccount = body::json(&headers, body).await?;
    let user = create_for(&state, &actor, new).await?;
    Ok((StatusCode::CREATED, Success(user)).into_response())
}

pub(super) async fn change(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<Account>> {
    let patch: UserPatch = body::json(&headers, body).await?;
    Ok(Success(change_for(&state, &actor, id, patch).await?))
}

pub(super) async fn delete(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer<Success<()>> {
    delete_for(&state, &actor, id).await?;
    Ok(Success(()))
}

pub(super) async fn sign_out(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer<Success<Ended>> {
    let ended = sign_out_for(&state, &actor, id).await?;
    Ok(Success(Ended { ended }))
}

pub(super) async fn set_password(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<()>> {
    let NewPassword { password } = body::json(&headers, body).await?;
    set_password_for(&state, &actor, id, password.into()).await?;
    Ok(Success(()))
}

pub(super) async fn password_link(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    base: BaseUrl,
) -> Answer<Success<NewLink>> {
    Ok(Success(password_link_for(&state, &actor, base, id).await?))
}

pub(super) async fn reset_two_factor(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer<Success<Reset>> {
    let was_enabled = reset_two_factor_for(&state, &actor, id).await?;
    Ok(Success(Reset { was_enabled }))
}

pub(super) async fn invitations(State(state): State<AppState>) -> Answer<Success<Vec<Invitation>>> {
    Ok(Success(state.accounts.invitations(state.clock.now()).await?))
}

pub(super) async fn invite(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    base: BaseUrl,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let new: NewInvitation = body::json(&headers, body).await?;
    let link = invite_for(&state, &actor, base, new).await?;
    Ok((StatusCode::CREATED, Success(link)).into_response())
}

pub(super) async fn delete_invitation(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer<Success<()>> {
    delete_invitation_for(&state, &actor, id).await?;
    Ok(Success(()))
}

pub(super) async fn create_for(state: &AppState, actor: &Actor, new: NewAccount) -> Result<User, AppError> {
    let (own, actor) = (state.clone(), actor.clone());
    state
        .audit
        .act(async move { own.managing(&actor).create(new, own.clock.now()).await })
        .await
}

pub(super) async fn change_for(
    state: &AppState,
    actor: &Actor,
    id: String,
    patch: UserPatch,
) -> Result<Account, AppError> {
    let (own, actor) = (state.clone(), actor.clone());
    state
        .audit
        .act(async move { own.managing(&actor).change(&id, &patch).await })
        .await
}

pub(super) async fn delete_for(state: &AppState, actor: &Actor, id: String) -> Result<(), AppError> {
    let (own, actor) = (state.clone(), actor.clone());
    state
        .audit
        .act(async move {
            own.managing(&actor).delete(&id).await?;
            own.history.forget(&id);
            Ok(())
        })
        .await
}

/// How many sessions, sign-ins and API tokens were ended.
pub(super) async fn sign_out_for(state: &AppState, actor: &Actor, id: String) -> Result<u64, AppError> {
    let (own, actor) = (state.clone(), actor.clone());
    state
        .audit
        .act(async move { own.managing(&actor).sign_out(&id).await })
        .await
}

pub(super) async fn set_password_for(
    state: &AppState,
    actor: &Actor,
    id: String,
    password: SecretString,
) -> Result<(), AppError> {
    let (own, actor) = (state.clone(), actor.clone());
    state
        .audit
        .act(async move { own.managing(&actor).set_password(&id, &password).await })
        .await
}

/// A link for the holder of the account, shown this once.
pub(super) async fn password_link_for(
    state: &AppState,
    actor: &Actor,
    BaseUrl(base): BaseUrl,
    id: String,
) -> Result<NewLink, AppError> {
    let (own, actor) = (state.clone(), actor.clone());
    state
        .audit
        .act(async move {
            let link = own.managing(&actor).password_link(&id, own.clock.now()).await?;
            Ok(NewLink {
                id,
                url: password_url(&base, &link.token),
                expires_at: rfc3339(link.expires_at),
            })
        })
        .await
}

/// Whether there was a second factor.
pub(super) async fn reset_two_factor_for(state: &AppState, actor: &Actor, id: String) -> Result<bool, AppError> {
    let (own, actor) = (state.clone(), actor.clone());
    state
        .audit
        .act(async move { own.managing(&actor).reset_two_factor(&id).await })
        .await
}

/// An invitation with its link, shown this once.
pub(super) async fn invite_for(
    state: &AppState,
    actor: &Actor,
    BaseUrl(base): BaseUrl,
    new: NewInvitation,
) -> Result<NewLink, AppError> {
    let (own, actor) = (state.clone(), actor.clone());
    state
        .audit
        .act(async move {
            let (invitation, token) = own.managing(&actor).invite(new, own.clock.now()).await?;
            Ok(NewLink {
                id: invitation.id,
                url: invitation_url(&base, &token),
                expires_at: invitation.expires_at,
            })
        })
        .await
}

pub(super) async fn delete_invitation_for(state: &AppState, actor: &Actor, id: String) -> Result<(), AppError> {
    let (own, actor) = (state.clone(), actor.clone());
    state
        .audit
        .act(async move { own.managing(&actor).delete_invitation(&id).await })
        .await
}

impl AppState {
    fn managing<'a>(&'a self, actor: &'a Actor) -> Managing<'a> {
        Managing {
            accounts: &self.accounts,
            audit: &self.audit,
            actor,
        }
    }
}
