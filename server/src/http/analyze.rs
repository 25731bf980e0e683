//! `POST /api/ai-analysis/analyze` and its stream.

mod upload;

use std::convert::Infallible;

use app::error::{AppError, ErrorCode};
use app::types::{AnalysisResult, AnalyzeRequest, StreamEvent};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, TryStreamExt as _};

use super::AppState;
use super::answer::{Answer, Success};
use super::guard::SignedIn;
use super::layers::{RequestId, failure_body};
use crate::analysis::{self, Caller};
use crate::idempotency::{Answering, IdempotencyKey};
use crate::provider::Mode;

#[doc(hidden)]
pub use upload::read_upload;
pub(super) use upload::{Upload, read_any};

pub(super) async fn whole(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Answer<(Option<Replayed>, Success<AnalysisResult>)> {
    let key = idempotency_key(&headers)?;
    let request = upload::read(&headers, body).await?;
    let caller = caller(&signed_in, request_id, &headers);
    let mode = analysis::mode_for(&request);
    let answering = state
        .idempotency
        .answer(&state.analysis, key, request, caller, mode)
        .await?;
    Ok((replayed(&answering), Success(answering.whole().await?)))
}

pub(super) async fn streamed(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Answer<(Option<Replayed>, Response)> {
    let key = idempotency_key(&headers)?;
    let request: AnalyzeRequest = upload::read(&headers, body).await?;
    let caller = caller(&signed_in, request_id, &headers);
    let answering = state
        .idempotency
        .answer(&state.analysis, key, request, caller, Mode::Streamed)
        .await?;
    let replayed = replayed(&answering);
    let events = answering.events;
    // A server that stops lets answers under way end; what is left is cut by the deadline of the shutdown.
    let stream = Sse::new(events.map(|event| Ok::<_, Infallible>(to_sse(&event)))).keep_alive(KeepAlive::default());
    Ok((replayed, stream.into_response().map(compact)))
}

/// Events come in buffers of up to twice their size. Many of them wait for a reader who does not take them.
fn compact(events: Body) -> Body {
    Body::from_stream(events.into_data_stream().map_ok(|event| Bytes::copy_from_slice(&event)))
}

/// Says that the answer was made for another request with the same key.
type Replayed = [(HeaderName, &'static str); 1];

fn replayed(answering: &Answering) -> Option<Replayed> {
    let name = HeaderName::from_static("idempotency-replayed");
    answering.is_replayed.then_some([(name, "true")])
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, AppError> {
    let mut values = headers.get_all("idempotency-key").iter();
    let key = values.next().map(|value| IdempotencyKey::parse(value.as_bytes()));
    if values.next().is_some() {
        let message = "The header Idempotency-Key was sent more than once.";
        return Err(AppError::new(ErrorCode::BadRequest, message).field("Idempotency-Key"));
    }
    key.transpose()
}

pub(super) fn caller(signed_in: &SignedIn, request_id: RequestId, headers: &HeaderMap) -> Caller {
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Caller {
        user_id: signed_in.user.id.clone(),
        request_id: request_id.0,
        surface: signed_in.surface,
        user_agent: user_agent.map(|text| text.chars().take(200).collect()),
        token_id: signed_in.api_token().map(str::to_owned),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_event_that_waits_takes_no_more_memory_than_its_bytes() {
        let event = StreamEvent::Delta {
            text: "x".repeat(4_000),
        };
        let events = futures::stream::iter([Ok::<_, Infallible>(to_sse(&event))]);
        let body = compact(Sse::new(events).into_response().into_body());
        let waiting: Vec<Bytes> = body.into_data_stream().try_collect().await.unwrap();
        assert!(waiting[0].starts_with(b"event: delta\ndata: {\"text\":\"xxx"));
        for bytes in waiting {
            let bytes = bytes.try_into_mut().unwrap();
            assert_eq!(bytes.capacity(), bytes.len());
        }
    }
}
