//! API tokens: the caller's (`/api/tokens`), and of others for admins (`/api/admin/users/{id}/tokens`).

use std::net::{IpAddr, Ipv4Addr};

use app::types::{ApiToken, CreatedToken, NewToken, Role, TokenScope};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answer::{Answer, Success};
use super::extract::Path;
use super::guard::SignedIn;
use super::{AppState, body};
use crate::audit::Actor;

/// Of those whose address is not known, such as the command line.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

pub(super) async fn list(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
) -> Answer<Success<Vec<ApiToken>>> {
    let tokens = state.tokens.list(&signed_in.user.id, state.clock.now()).await?;
    Ok(Success(tokens))
}

/// 201 with the secret, this once.
pub(super) async fn create(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let new: NewToken = body::json(&headers, body).await?;
    let created = create_for(&state, &signed_in, &actor, new).await?;
    Ok((StatusCode::CREATED, Success(created)).into_response())
}

pub(super) async fn revoke(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer<Success<()>> {
    revoke_for(&state, &signed_in, &actor, &id).await?;
    Ok(Success(()))
}

/// As [`create`], for the page's form too.
pub(super) async fn create_for(
    state: &AppState,
    signed_in: &SignedIn,
    actor: &Actor,
    new: NewToken,
) -> Answer<CreatedToken> {
    let (own, user, actor) = (state.clone(), signed_in.user.clone(), actor.clone());
    let act = async move {
        let (mut new, now) = (new, own.clock.now());
        // Those who may not give the scope are told so by the tokens themselves.
        if new.scopes.contains(&TokenScope::Admin) && user.role == Role::Admin {
            let (password, from) = (new.password.take(), actor.address.unwrap_or(NOWHERE));
            own.accounts
                .confirm_for_admin_token(&user.id, password, from, now)
                .await?;
        }
        let created = own.tokens.create(&user, new, now).await?;
        let facts = &created.facts;
        let after = json!({ "name": facts.name, "scopes": facts.scopes, "expiresAt": facts.expires_at });
        let recorded = own.audit.record(&actor, "token.create", &facts.id, None, Some(after));
        recorded.await?;
        Ok(created)
    };
    Ok(state.audit.act(act).await?)
}

/// As [`revoke`], for the page's form too.
pub(super) async fn revoke_for(state: &AppState, signed_in: &SignedIn, actor: &Actor, id: &str) -> Answer<()> {
    end(state, actor, signed_in.user.id.clone(), id.to_owned(), None).await
}

async fn end(state: &AppState, actor: &Actor, user_id: String, id: String, before: Option<Value>) -> Answer<()> {
    let (own, actor) = (state.clone(), actor.clone());
    let act = async move {
        own.tokens.revoke(&user_id, &id).await?;
        own.audit.record(&actor, "token.delete", &id, before, None).await
    };
    Ok(state.audit.act(act).await?)
}

/// Somebody else's, for admins.
pub(super) async fn list_of(
    State(state): State<AppState>,
    Path(user_id): Path<String>,
) -> Answer<Success<Vec<ApiToken>>> {
    let user = state.accounts.account(&user_id).await?;
    Ok(Success(state.tokens.list(&user.id, state.clock.now()).await?))
}

/// Ends a token of somebody else, for admins.
pub(super) async fn revoke_of(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path((user_id, id)): Path<(String, String)>,
) -> Answer<Success<()>> {
    let before = json!({ "owner": format!("user/{user_id}") });
    end(&state, &actor, user_id, id, Some(before)).await?;
    Ok(Success(()))
}
