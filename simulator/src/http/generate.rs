//! `generateContent`, `streamGenerateContent` and `countTokens`.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::incoming::Incoming;
use super::models::is_version;
use super::{Content, EVENT_STREAM, JSON, elsewhere, pretty};
use crate::answer::{Answer, answer};
use crate::google_error::GoogleError;
use crate::options::Pace;
use crate::request::Request;
use crate::state::Shared;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One JSON object.
    Object,
    /// A JSON array that grows; errors come in an array as well.
    Array,
    /// Server-Sent Events.
    Events,
}

/// `POST /{version}/models/{model}:{method}`
pub(super) async fn call(
    State(shared): State<Arc<Shared>>,
    Path((version, target)): Path<(String, String)>,
    incoming: Incoming,
) -> Response {
    let Some((model, method)) = target.rsplit_once(':').filter(|_| is_version(&version)) else {
        return elsewhere(State(shared), incoming).await;
    };
    let form = match method {
        "streamGenerateContent" if incoming.query("alt").as_deref() == Some("sse") => Form::Events,
        "streamGenerateContent" => Form::Array,
        _ => Form::Object,
    };
    let recorded = incoming.record(&shared, method, model);
    if let Err(error) = recorded.check_key(&shared) {
        return recorded.reply(in_form(error, form)).await;
    }
    let key = recorded.incoming.key.clone();
    let behaviour = shared.read(|state| match method {
        "countTokens" => state.scripts.next_probe(&key, model),
        _ => state.scripts.next(&key, model),
    });
    let answer = |incoming: &Incoming, number| match method {
        "generateContent" | "streamGenerateContent" => generated(&shared, incoming, model, form, number),
        "countTokens" => counted(&incoming.body),
        _ => unsupported(&version, model, method).into(),
    };
    recorded.play(behaviour, answer).await
}

fn unsupported(version: &str, model: &str, method: &str) -> GoogleError {
    GoogleError::not_found(&format!(
        "models/{model} is not found for API version {version}, or is not supported for {method}. \
         Call ListModels to see the list of available models and their supported methods."
    ))
}

fn counted(body: &[u8]) -> Content {
    match Request::parse(body) {
        Ok(request) => {
            let tokens = request.input_tokens;
            let body =
                json!({ "totalTokens": tokens, "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": tokens }] });
            Content::whole(200, JSON, pretty(&body))
        }
        Err(message) => GoogleError::invalid_argument(&message).into(),
    }
}

fn generated(shared: &Shared, incoming: &Incoming, model: &str, form: Form, number: u64) -> Content {
    let request = match Request::parse(&incoming.body) {
        Ok(request) => request,
        Err(message) => return in_form(GoogleError::invalid_argument(&message), form),
    };
    let now_ms = shared.clock.now_ms();
    let charged = shared.read(|state| state.quotas.charge(&incoming.key, model, request.input_tokens, now_ms));
    if let Err(exceeded) = charged {
        return in_form(GoogleError::quota(model, &exceeded), form);
    }
    let answer = answer(&request);
    let writer = Writer {
        model,
        request: &request,
        answer: &answer,
        response_id: format!("simulated-{number}"),
    };
    let pauses = Pauses::new(&shared.options.pace, &incoming.body);
    match form {
        Form::Object => {
            // Nothing is sent before all of it is there, the status line included.
            let opening_ms = (0..answer.chunks.len()).map(|index| pauses.before(index)).sum();
            let body = pretty(&writer.message(&answer.chunks.concat(), true));
            Content {
                opening_ms,
                ..Content::whole(200, JSON, body)
            }
        }
        Form::Array => Content::streamed(JSON, timed(writer.array(), pauses)),
        Form::Events => Content::streamed(EVENT_STREAM, timed(writer.events(), pauses)),
    }
}

/// An error in a form: the provider puts it into an array where the answer would have been one.
fn in_form(error: GoogleError, form: Form) -> Content {
    match form {
        Form::Object | Form::Events => error.into(),
        Form::Array => GoogleError {
            status: error.status,
            body: json!([error.body]),
        }
        .into(),
    }
}

fn timed(frames: Vec<String>, pauses: Pauses) -> crate::playback::Pieces {
    let pieces = frames.into_iter().enumerate();
    Box::new(pieces.map(move |(index, frame)| (pauses.before(index), Bytes::from(frame))))
}

/// Writes an answer in the provider's words.
struct Writer<'a> {
    model: &'a str,
    request: &'a Request,
    answer: &'a Answer,
    response_id: String,
}

impl Writer<'_> {
    fn message(&self, text: &str, last: bool) -> Value {
        let (input, output) = (self.request.input_tokens, self.answer.output_tokens);
        let mut candidate = json!({ "content": { "parts": [{ "text": text }], "role": "model" }, "index": 0 });
        let mut usage = json!({ "promptTokenCount": input, "totalTokenCount": input, "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": input }] });
        if last {
            candidate["finishReason"] = self.answer.finish_reason.into();
            usage["candidatesTokenCount"] = output.into();
            usage["totalTokenCount"] = (input + output).into();
        }
        json!({ "candidates": [candidate], "usageMetadata": usage, "modelVersion": self.model, "responseId": self.response_id })
    }

    fn messages(&self) -> impl Iterator<Item = Value> {
        let last = self.answer.chunks.len() - 1;
        self.answer
            .chunks
            .iter()
            .enumerate()
            .map(move |(index, text)| self.message(text, index == last))
    }

    fn events(&self) -> Vec<String> {
        self.messages()
            .map(|message| format!("data: {message}\r\n\r\n"))
            .collect()
    }

    fn array(&self) -> Vec<String> {
        let last = self.answer.chunks.len() - 1;
        let piece = |(index, message): (usize, Value)| {
            format!(
                "{}{message:#}{}",
                if index == 0 { "[" } else { ",\r\n" },
                if index == last { "]\n" } else { "\n" }
            )
        };
        self.messages().enumerate().map(piece).collect()
    }
}

/// Waits before the chunks of an answer: they vary, and are the same for the same body.
struct Pauses {
    ranges: Option<(RangeInclusive<u64>, RangeInclusive<u64>)>,
    seed: u64,
}

impl Pauses {
    fn new(pace: &Pace, body: &[u8]) -> Self {
        let ranges = match pace {
            Pace::Instant => None,
            Pace::Human { first_ms, chunk_ms } => Some((first_ms.clone(), chunk_ms.clone())),
        };
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        Self {
            ranges,
            seed: hasher.finish(),
        }
    }

    /// Milliseconds before the chunk with this index.
    fn before(&self, index: usize) -> u64 {
        let Some((first_ms, chunk_ms)) = &self.ranges else {
            return 0;
        };
        let range = if index == 0 { first_ms } else { chunk_ms };
        let mut hasher = DefaultHasher::new();
        (self.seed, index).hash(&mut hasher);
        let width = range.end().saturating_sub(*range.start()).saturating_add(1);
        range.start() + hasher.finish() % width
    }
}
