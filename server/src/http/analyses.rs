//! The caller's own history.

use app::error::{AppError, ErrorCode};
use app::types::{Analysis, AnalysisPage};
use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Html;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::AppState;
use super::answer::{Answer, Success};
use super::body;
use super::extract::{Path, Query};
use super::guard::SignedIn;
use crate::audit::Actor;
use crate::history;

#[derive(Deserialize)]
pub(super) struct PageQuery {
    cursor: Option<String>,
    limit: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Query(query): Query<PageQuery>,
) -> Answer<Success<AnalysisPage>> {
    let limit = match query.limit.as_deref().map(str::parse) {
        None => history::PAGE_SIZE,
        Some(Ok(limit)) if (1..=history::PAGE_SIZE_MAX).contains(&limit) => limit,
        Some(_) => {
            return Err(AppError::new(ErrorCode::BadRequest, "limit must be a whole number from 1 to 100.").into());
        }
    };
    Ok(Success(
        state
            .history
            .page(&signed_in.user.id, query.cursor.as_deref(), limit)
            .await?,
    ))
}

pub(super) async fn load(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Path(id): Path<String>,
) -> Answer<Success<Analysis>> {
    Ok(Success(state.history.load(&signed_in.user.id, &id).await?))
}

pub(super) async fn delete(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Path(id): Path<String>,
) -> Answer<Success<()>> {
    state.history.delete(&signed_in.user.id, &id).await?;
    Ok(Success(()))
}

/// What was erased.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Erased {
    /// Analyses.
    erased: u64,
}

/// What goes with an erasure: nothing but a credential. Who writes a filter means less than everything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Everything {
    #[serde(rename = "key")]
    _key: Option<String>,
}

/// The caller's whole history, with every answer kept for requests that are sent again.
pub(super) async fn erase(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
) -> Answer<Success<Erased>> {
    if serde_urlencoded::from_str::<Everything>(query.as_deref().unwrap_or_default()).is_err() {
        let message = "This erases the whole history and takes no filter: leave the query out.";
        return Err(AppError::new(ErrorCode::BadRequest, message).into());
    }
    let erased = erase_for(&state, &signed_in, &actor).await?;
    Ok(Success(Erased { erased }))
}

/// As [`erase`], for the page's form too; returns how many analyses.
pub(super) async fn erase_for(state: &AppState, signed_in: &SignedIn, actor: &Actor) -> Answer<u64> {
    let (own, id, actor) = (state.clone(), signed_in.user.id.clone(), actor.clone());
    let erased = state.audit.act(async move {
        let erased = own.history.erase(&id).await?;
        let (target, before) = (format!("user/{id}"), json!({ "analyses": erased }));
        own.audit
            .record(&actor, "history.erase", &target, Some(before), None)
            .await?;
        Ok(erased)
    });
    Ok(erased.await?)
}

/// The answer as sanitised HTML, for the page that has just streamed it as plain text.
pub(super) async fn answer_fragment(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Path(id): Path<String>,
) -> Answer<Html<String>> {
    let analysis = state.history.load(&signed_in.user.id, &id).await?;
    Ok(Html(app::markdown::to_html(&analysis.text)))
}

/// The same for what came of an answer that was stopped or broke off: nothing is read and nothing is stored.
pub(super) async fn render_answer(body: Body) -> Answer<Html<String>> {
    let text = body::read(body, body::BODY_BYTES_MAX).await?;
    Ok(Html(app::markdown::to_html(&String::from_utf8_lossy(&text))))
}

/// The newest rows of the history as HTML, for the page whose analysis has just ended.
pub(super) async fn recent_fragment(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
) -> Html<String> {
    let page = state.history.page(&signed_in.user.id, None, history::PAGE_SIZE).await;
    Html(app::pages::recent_fragment(page))
}
