//! What is wrong, and the rules that find it: `/api/admin/alerts…`. The forms share it.

use app::error::{AppError, ErrorCode};
use app::types::{AlertRule, AlertRulePatch, Alerts, Incident, IncidentPage, RulePreview, Silence};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Success};
use super::extract::{Path, Query};
use super::{AppState, body};
use crate::audit::Actor;

const PAGE_SIZE: u32 = 20;
const PAGE_SIZE_MAX: u32 = 100;

#[derive(Deserialize)]
pub(super) struct PageQuery {
    cursor: Option<String>,
    limit: Option<String>,
}

pub(super) async fn list(State(state): State<AppState>) -> Answer<Success<Alerts>> {
    Ok(Success(state.alerts.list().await?))
}

pub(super) async fn history(
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Answer<Success<IncidentPage>> {
    let limit = match query.limit.as_deref().map(str::parse) {
        None => PAGE_SIZE,
        Some(Ok(limit)) if (1..=PAGE_SIZE_MAX).contains(&limit) => limit,
        Some(_) => {
            let message = "limit must be a whole number from 1 to 100.";
            return Err(AppError::new(ErrorCode::BadRequest, message).field("limit").into());
        }
    };
    Ok(Success(state.alerts.history(query.cursor.as_deref(), limit).await?))
}

pub(super) async fn acknowledge(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer<Success<Incident>> {
    Ok(Success(acknowledge_for(&state, &actor, id).await?))
}

pub(super) async fn silence(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<Incident>> {
    let Silence { minutes } = body::json(&headers, body).await?;
    Ok(Success(silence_for(&state, &actor, id, minutes).await?))
}

pub(super) async fn resolve(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer<Success<Incident>> {
    Ok(Success(resolve_for(&state, &actor, id).await?))
}

pub(super) async fn change_rule(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<AlertRule>> {
    let patch: AlertRulePatch = body::json(&headers, body).await?;
    Ok(Success(change_rule_for(&state, &actor, id, patch).await?))
}

pub(super) async fn preview(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<RulePreview>> {
    let patch: AlertRulePatch = body::optional_json(&headers, body).await?;
    Ok(Success(state.alerts.preview(&id, &patch).await?))
}

pub(super) async fn acknowledge_for(state: &AppState, actor: &Actor, id: String) -> Result<Incident, AppError> {
    let (own, by) = (state.alerts.clone(), actor.id.clone());
    let act = async move { own.acknowledge(&id, &by).await };
    acted(state, actor, "alert.acknowledge", act).await
}

pub(super) async fn silence_for(
    state: &AppState,
    actor: &Actor,
    id: String,
    minutes: u32,
) -> Result<Incident, AppError> {
    let own = state.alerts.clone();
    let act = async move { own.silence(&id, minutes).await };
    acted(state, actor, "alert.silence", act).await
}

pub(super) async fn resolve_for(state: &AppState, actor: &Actor, id: String) -> Result<Incident, AppError> {
    let own = state.alerts.clone();
    let act = async move { own.resolve(&id).await };
    acted(state, actor, "alert.resolve", act).await
}

/// Acts on an incident and writes down what it was and is.
async fn acted(
    state: &AppState,
    actor: &Actor,
    action: &'static str,
    act: impl Future<Output = Result<(Incident, Incident), AppError>> + Send + 'static,
) -> Result<Incident, AppError> {
    let (audit, actor) = (state.audit.clone(), actor.clone());
    let whole = async move {
        let (before, after) = act.await?;
        let target = format!("alert/{}", after.id);
        let (was, is) = (of_incident(&before), of_incident(&after));
        audit.record(&actor, action, &target, Some(was), Some(is)).await?;
        Ok(after)
    };
    state.audit.act(whole).await
}

fn of_incident(incident: &Incident) -> Value {
    json!({
        "rule": incident.rule,
        "subject": incident.subject,
        "state": incident.state,
        "silencedUntil": incident.silenced_until,
    })
}

pub(super) async fn change_rule_for(
    state: &AppState,
    actor: &Actor,
    id: String,
    patch: AlertRulePatch,
) -> Result<AlertRule, AppError> {
    let (own, actor) = (state.clone(), actor.clone());
    let act = async move {
        let (before, after) = own.alerts.change_rule(&id, &patch).await?;
        let target = format!("alert-rule/{}", after.id);
        let (was, is) = (of_rule(&before), of_rule(&after));
        own.audit
            .record(&actor, "alert.rule", &target, Some(was), Some(is))
            .await?;
        Ok(after)
    };
    state.audit.act(act).await
}

fn of_rule(rule: &AlertRule) -> Value {
    json!({
        "enabled": rule.enabled,
        "severity": rule.severity,
        "threshold": rule.threshold.as_ref().map(|threshold| threshold.value),
        "windowMinutes": rule.window_minutes,
        "minSamples": rule.min_samples,
    })
}
