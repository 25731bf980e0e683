//! API tokens of the caller: `/api/tokens`.

use app::types::{ApiToken, CreatedToken, NewToken};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::answer::{Answer, Success};
use super::extract::Path;
use super::guard::SignedIn;
use super::{AppState, body};
use crate::audit::Actor;

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
    let created = state.tokens.create(&signed_in.user, new, state.clock.now()).await?;
    let facts = &created.facts;
    let after = json!({ "name": facts.name, "scopes": facts.scopes, "expiresAt": facts.expires_at });
    let recorded = state.audit.record(actor, "token.create", &facts.id, None, Some(after));
    recorded.await?;
    Ok(created)
}

/// As [`revoke`], for the page's form too.
pub(super) async fn revoke_for(state: &AppState, signed_in: &SignedIn, actor: &Actor, id: &str) -> Answer<()> {
    state.tokens.revoke(&signed_in.user.id, id).await?;
    state.audit.record(actor, "token.delete", id, None, None).await?;
    Ok(())
}
