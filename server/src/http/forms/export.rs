//! Everything that is kept of an account, as a file for its owner.

use std::collections::VecDeque;

use app::error::AppError;
use app::types::Analysis;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use serde_json::json;

use crate::history::{self, History};
use crate::http::answer::Answer;
use crate::http::guard::SignedIn;
use crate::http::{AppState, auth};

/// JSON: `account`, `sessions`, `tokens` without their secrets, and every one of the `analyses`, which are read one by one
/// as the file is sent.
pub(in crate::http) async fn download(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
) -> Answer<Response> {
    let (id, now) = (&signed_in.user.id, state.clock.now());
    let sessions = state.accounts.sessions(id, &auth::by(&signed_in), now).await?;
    let tokens = state.tokens.list(id, now).await?;
    let two_factor = state.accounts.two_factor(id).await?;
    let mut head =
        json!({ "account": signed_in.user, "twoFactor": two_factor, "sessions": sessions, "tokens": tokens })
            .to_string();
    // The object goes on with the analyses.
    head.pop();
    head.push_str(",\"analyses\":[");
    let start = stream::once(async move { Ok(Bytes::from(head)) });
    let end = stream::once(async { Ok(Bytes::from_static(b"]}")) });
    let analyses = analyses(state.history.clone(), id.clone())
        .enumerate()
        .map(|(place, analysis)| {
            let mut text = if place == 0 { String::new() } else { ",".to_owned() };
            text.push_str(&serde_json::to_string(&analysis?).map_err(|_| AppError::internal())?);
            Ok::<_, AppError>(Bytes::from(text))
        });
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"keypool-account.json\"",
        ),
    ];
    Ok((headers, Body::from_stream(start.chain(analyses).chain(end))).into_response())
}

/// What is still to be read of a history.
struct Reading {
    history: History,
    user_id: String,
    ids: VecDeque<String>,
    cursor: Option<String>,
    is_last_page: bool,
}

/// Newest first. Ends with the first error: a file that breaks off is not taken for a whole one.
fn analyses(history: History, user_id: String) -> impl Stream<Item = Result<Analysis, AppError>> {
    let reading = Reading {
        history,
        user_id,
        ids: VecDeque::new(),
        cursor: None,
        is_last_page: false,
    };
    stream::try_unfold(reading, |mut reading| async move {
        loop {
            if let Some(id) = reading.ids.pop_front() {
                match reading.history.load(&reading.user_id, &id).await {
                    Ok(analysis) => return Ok(Some((analysis, reading))),
                    // Deleted since its page was read.
                    Err(error) if error.code == app::error::ErrorCode::NotFound => continue,
                    Err(error) => return Err(error),
                }
            }
            if reading.is_last_page {
                return Ok(None);
            }
            let page = reading
                .history
                .page(&reading.user_id, reading.cursor.as_deref(), history::PAGE_SIZE);
            let page = page.await?;
            reading.ids = page.items.into_iter().map(|item| item.id).collect();
            reading.is_last_page = page.next_cursor.is_none();
            reading.cursor = page.next_cursor;
        }
    })
}
