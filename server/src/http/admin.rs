//! The keys, for admins.

use app::types::{KeyTest, NewKey, PoolKey, ServiceStatus};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::answer::{Answer, Success};
use super::{AppState, body};
use crate::keys;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ResetQuota {
    /// Absent: all keys.
    key_number: Option<u32>,
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
    let number = state.keys.add(new).await?;
    let added = keys::list(&state.keys.keyring, state.status.read())
        .into_iter()
        .find(|key| key.status.key_number == number);
    Ok((StatusCode::CREATED, Success(added)).into_response())
}

pub(super) async fn reset_quota(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<ServiceStatus>> {
    let ResetQuota { key_number } = body::optional_json(&headers, body).await?;
    state.keys.reset_quota(key_number)?;
    state.analysis.pool.settled().await;
    Ok(Success(state.status.read()))
}

pub(super) async fn switch(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<ServiceStatus>> {
    let Switch { key_number } = body::json(&headers, body).await?;
    state.keys.switch(key_number)?;
    Ok(Success(state.status.read()))
}

pub(super) async fn test_all(State(state): State<AppState>) -> Success<Vec<KeyTest>> {
    Success(state.keys.test_all().await)
}
