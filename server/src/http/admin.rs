//! The keys, for admins.

use app::types::{
    AddedKey, ImportReport, KeyImport, KeyPatch, KeyTest, NewKey, PoolKey, ServiceStatus, SiblingProposal,
};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::answer::{Answer, Success};
use super::extract::Path;
use super::{AppState, body};
use crate::keys::{self, Added};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ResetQuota {
    /// Absent: all keys.
    key_number: Option<u32>,
    /// Absent: all models.
    model: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Reset {
    /// Absent: all models.
    model: Option<String>,
}

/// What an act that may end the service is sent with.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Force {
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Switch {
    key_number: u32,
}

pub(super) async fn list_keys(State(state): State<AppState>) -> Success<Vec<PoolKey>> {
    Success(keys::list(&state.keys.keyring, state.status.read()))
}

pub(super) async fn add_key(State(state): State<AppState>, headers: HeaderMap, body: Body) -> Answer<Response> {
    let new: NewKey = body::json(&headers, body).await?;
    let Added { number, doubt } = state.keys.add(new).await?;
    let added = keys::list(&state.keys.keyring, state.status.read())
        .into_iter()
        .find(|key| key.status.key_number == number)
        .map(|key| AddedKey {
            key,
            message: doubt.map(str::to_owned),
        });
    Ok((StatusCode::CREATED, Success(added)).into_response())
}

pub(super) async fn update_key(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<Option<PoolKey>>> {
    let patch: KeyPatch = body::json(&headers, body).await?;
    state.keys.update(&id, patch).await?;
    Ok(Success(shown(&state, &id)))
}

pub(super) async fn delete_key(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<()>> {
    let Force { force } = body::optional_json(&headers, body).await?;
    state.keys.delete(&id, force).await?;
    Ok(Success(()))
}

pub(super) async fn enable_key(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Answer<Success<Option<PoolKey>>> {
    state.keys.set_enabled(&id, true, false).await?;
    Ok(Success(shown(&state, &id)))
}

pub(super) async fn disable_key(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<Option<PoolKey>>> {
    let Force { force } = body::optional_json(&headers, body).await?;
    state.keys.set_enabled(&id, false, force).await?;
    Ok(Success(shown(&state, &id)))
}

pub(super) async fn test_key(State(state): State<AppState>, Path(id): Path<String>) -> Answer<Success<KeyTest>> {
    Ok(Success(state.keys.test_one(&id).await?))
}

pub(super) async fn reset_key(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<Option<PoolKey>>> {
    let Reset { model } = body::optional_json(&headers, body).await?;
    state.keys.reset(&id, model.as_deref()).await?;
    Ok(Success(shown(&state, &id)))
}

pub(super) async fn import_keys(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<ImportReport>> {
    let import: KeyImport = body::json(&headers, body).await?;
    Ok(Success(state.keys.import(import).await?))
}

pub(super) async fn reset_quota(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<ServiceStatus>> {
    let ResetQuota { key_number, model } = body::optional_json(&headers, body).await?;
    state.keys.reset_quota(key_number, model.as_deref()).await?;
    Ok(Success(state.status.read()))
}

pub(super) async fn switch(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<ServiceStatus>> {
    let Switch { key_number } = body::json(&headers, body).await?;
    state.settings.switch_to(state.keys.numbered(key_number)?.id).await?;
    Ok(Success(state.status.read()))
}

pub(super) async fn test_all(State(state): State<AppState>) -> Success<Vec<KeyTest>> {
    Success(state.keys.test_all().await)
}

pub(super) async fn siblings(State(state): State<AppState>) -> Answer<Success<Vec<SiblingProposal>>> {
    Ok(Success(state.keys.sibling_proposals().await?))
}

pub(super) async fn confirm_siblings(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Answer<Success<Vec<SiblingProposal>>> {
    state.keys.confirm_siblings(&id).await?;
    Ok(Success(state.keys.sibling_proposals().await?))
}

pub(super) async fn dismiss_siblings(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Answer<Success<Vec<SiblingProposal>>> {
    state.keys.dismiss_siblings(&id).await?;
    Ok(Success(state.keys.sibling_proposals().await?))
}

/// `None` when it was deleted a moment ago.
fn shown(state: &AppState, id: &str) -> Option<PoolKey> {
    let all = keys::list(&state.keys.keyring, state.status.read());
    all.into_iter().find(|key| key.id == id)
}
