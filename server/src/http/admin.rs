//! The keys, for admins.

use std::sync::Arc;

use app::error::AppError;
use app::types::{
    AddedKey, ImportReport, KeyImport, KeyPatch, KeyTest, NewKey, PoolKey, ServiceStatus, SiblingProposal,
};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, Success};
use super::extract::Path;
use super::{AppState, body, settings};
use crate::audit::Actor;
use crate::keys::{self, Added, ManagedKeys};

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

pub(super) async fn add_key(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let new: NewKey = body::json(&headers, body).await?;
    let Added { number, doubt } = state.managed_keys(actor).add(new).await?;
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
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<Option<PoolKey>>> {
    let patch: KeyPatch = body::json(&headers, body).await?;
    state.managed_keys(actor).update(&id, patch).await?;
    Ok(Success(shown(&state, &id)))
}

pub(super) async fn delete_key(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<()>> {
    let Force { force } = body::optional_json(&headers, body).await?;
    state.managed_keys(actor).delete(&id, force).await?;
    Ok(Success(()))
}

pub(super) async fn enable_key(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer<Success<Option<PoolKey>>> {
    state.managed_keys(actor).set_enabled(&id, true, false).await?;
    Ok(Success(shown(&state, &id)))
}

pub(super) async fn disable_key(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<Option<PoolKey>>> {
    let Force { force } = body::optional_json(&headers, body).await?;
    state.managed_keys(actor).set_enabled(&id, false, force).await?;
    Ok(Success(shown(&state, &id)))
}

pub(super) async fn test_key(State(state): State<AppState>, Path(id): Path<String>) -> Answer<Success<KeyTest>> {
    Ok(Success(state.keys.test_one(&id).await?))
}

pub(super) async fn reset_key(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<Option<PoolKey>>> {
    let Reset { model } = body::optional_json(&headers, body).await?;
    state.managed_keys(actor).reset(&id, model).await?;
    Ok(Success(shown(&state, &id)))
}

pub(super) async fn import_keys(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<ImportReport>> {
    let import: KeyImport = body::json(&headers, body).await?;
    Ok(Success(state.managed_keys(actor).import(import).await?))
}

pub(super) async fn reset_quota(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<ServiceStatus>> {
    let ResetQuota { key_number, model } = body::optional_json(&headers, body).await?;
    state.managed_keys(actor).reset_quota(key_number, model).await?;
    Ok(Success(state.status.read()))
}

pub(super) async fn switch(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<ServiceStatus>> {
    let Switch { key_number } = body::json(&headers, body).await?;
    switch_to(&state, actor, key_number).await?;
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
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer<Success<Vec<SiblingProposal>>> {
    state.managed_keys(actor).confirm_siblings(&id).await?;
    Ok(Success(state.keys.sibling_proposals().await?))
}

pub(super) async fn dismiss_siblings(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer<Success<Vec<SiblingProposal>>> {
    state.managed_keys(actor).dismiss_siblings(&id).await?;
    Ok(Success(state.keys.sibling_proposals().await?))
}

async fn switch_to(state: &AppState, actor: Actor, key_number: u32) -> Result<(), AppError> {
    let key = state.keys.numbered(key_number)?.id;
    let own = state.clone();
    let act = async move {
        let strategy = settings::strategy(&own).await;
        own.settings.switch_to(key).await?;
        let after = json!({ "KEYPOOL_STRATEGY": settings::strategy(&own).await, "keyNumber": key_number });
        let before = json!({ "KEYPOOL_STRATEGY": strategy });
        own.audit
            .record(&actor, "key.switch", &format!("key/{key}"), Some(before), Some(after))
            .await
    };
    state.audit.act(act).await
}

impl AppState {
    /// The keys in the hands of who acts.
    pub(super) fn managed_keys(&self, actor: Actor) -> ManagedKeys {
        ManagedKeys {
            keys: Arc::clone(&self.keys),
            audit: self.audit.clone(),
            actor,
        }
    }
}

/// `None` when it was deleted a moment ago.
fn shown(state: &AppState, id: &str) -> Option<PoolKey> {
    let all = keys::list(&state.keys.keyring, state.status.read());
    all.into_iter().find(|key| key.id == id)
}
