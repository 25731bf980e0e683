//! `POST /api/ai-analysis/analyze` and its stream.

mod upload;

use std::convert::Infallible;

use app::types::{AnalysisResult, AnalyzeRequest, StreamEvent};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt};
use std::sync::Arc;

use super::AppState;
use super::answer::{Answer, Success};
use super::guard::SignedIn;
use super::layers::{RequestId, failure_body};
use crate::analysis::{self, Caller};
use crate::provider::Mode;

pub(super) use upload::{Upload, read_any};

pub(super) async fn whole(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<AnalysisResult>> {
    let request = upload::read(&headers, body).await?;
    let caller = caller(&signed_in, request_id, &headers);
    Ok(Success(
        analysis::run_whole(Arc::clone(&state.analysis), request, caller).await?,
    ))
}

pub(super) async fn streamed(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let request: AnalyzeRequest = upload::read(&headers, body).await?;
    let caller = caller(&signed_in, request_id, &headers);
    let events = analysis::run(Arc::clone(&state.analysis), request, caller, Mode::Streamed);
    // A server that stops lets answers under way end; what is left is cut by the deadline of the shutdown.
    Ok(Sse::new(events.map(|event| Ok(to_sse(&event)))).keep_alive(KeepAlive::default()))
}

pub(super) fn caller(signed_in: &SignedIn, request_id: RequestId, headers: &HeaderMap) -> Caller {
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Caller {
        user_id: signed_in.user.id.clone(),
        request_id: request_id.0,
        surface: signed_in.surface,
        user_agent: user_agent.map(|text| text.chars().take(200).collect()),
    }
}

fn to_sse(event: &StreamEvent) -> Event {
    let (name, data) = match event {
        StreamEvent::Status(progress) => ("status", serde_json::to_value(progress)),
        StreamEvent::Delta { text } => ("delta", Ok(serde_json::json!({ "text": text }))),
        StreamEvent::Done(result) => ("done", serde_json::to_value(result)),
        StreamEvent::Error(error) => ("error", Ok(failure_body(error))),
    };
    Event::default().event(name).data(
        data.unwrap_or_else(|_| failure_body(&app::error::AppError::internal()))
            .to_string(),
    )
}
