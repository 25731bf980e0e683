//! The audit log, for admins. It is read here; what writes it are the handlers that act.

use app::error::{AppError, ErrorCode};
use app::types::{AuditPage, AuditVerdict};
use axum::extract::State;
use serde::Deserialize;

use super::AppState;
use super::answer::{Answer, Success};
use super::extract::Query;
use crate::store::AuditFilter;

const PAGE_SIZE: u32 = 50;
const PAGE_SIZE_MAX: u32 = 200;

/// An empty text is as good as none: a form sends its empty fields too.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AuditQuery {
    cursor: Option<String>,
    limit: Option<String>,
    actor: Option<String>,
    action: Option<String>,
    target: Option<String>,
}

pub(super) async fn list(State(state): State<AppState>, Query(query): Query<AuditQuery>) -> Answer<Success<AuditPage>> {
    let some = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let limit = match some(query.limit).as_deref().map(str::parse) {
        None => PAGE_SIZE,
        Some(Ok(limit)) if (1..=PAGE_SIZE_MAX).contains(&limit) => limit,
        Some(_) => {
            return Err(AppError::new(ErrorCode::BadRequest, "limit must be a whole number from 1 to 200.").into());
        }
    };
    let filter = AuditFilter {
        actor: some(query.actor),
        action: some(query.action),
        target: some(query.target),
    };
    let cursor = some(query.cursor);
    Ok(Success(state.audit.page(filter, cursor.as_deref(), limit).await?))
}

/// Reads the whole log.
pub(super) async fn verify(State(state): State<AppState>) -> Answer<Success<AuditVerdict>> {
    Ok(Success(state.audit.verify().await?))
}
