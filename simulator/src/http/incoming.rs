//! A call of the provider's API on its way through: recorded, checked, and answered as the script says.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequest, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use super::{Content, JSON};
use crate::behaviour::{Behaviour, Opening, Reply};
use crate::calls::{Call, Ended, OpenCall, kept_body};
use crate::connection::Connection;
use crate::fixtures;
use crate::google_error::GoogleError;
use crate::playback;
use crate::state::Shared;

const KEY_HEADER: &str = "x-goog-api-key";

/// A request, read and not yet looked at.
pub(super) struct Incoming {
    pub(super) key: String,
    pub(super) body: Bytes,
    uri: Uri,
    headers: HeaderMap,
    connection: Connection,
}

/// A call that is on record.
pub(super) struct Recorded {
    pub(super) incoming: Incoming,
    pub(super) call: OpenCall,
}

impl FromRequest<Arc<Shared>> for Incoming {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Response> {
        let uri = request.uri().clone();
        let headers = request.headers().clone();
        let connection = request
            .extensions()
            .get::<ConnectInfo<Connection>>()
            .map(|info| info.0.clone());
        let Some(connection) = connection else {
            return Err(GoogleError::not_found("The connection is unknown.").into_response());
        };
        let body = Bytes::from_request(request, shared).await.map_err(|error| {
            GoogleError::invalid_argument(&format!("Request payload could not be read: {error}")).into_response()
        })?;
        let key = headers
            .get(KEY_HEADER)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let key = key.or_else(|| query_value(&uri, "key")).unwrap_or_default();
        Ok(Self {
            key,
            body,
            uri,
            headers,
            connection,
        })
    }
}

impl Incoming {
    /// Puts the call on record.
    pub(super) fn record(self, shared: &Arc<Shared>, method: &str, model: &str) -> Recorded {
        let (body, raw_body) = kept_body(&self.body);
        let call = Call {
            key: self.key.clone(),
            model: model.to_owned(),
            method: method.to_owned(),
            path: self.path_without_key(),
            headers: self.headers_without_key(),
            body,
            raw_body,
            at_ms: shared.clock.now_ms(),
            sent_bytes: 0,
            ended: Ended::InProgress,
        };
        let number = shared.change(|state| state.calls.open(call, shared.options.calls_kept_max));
        Recorded {
            call: OpenCall::new(Arc::clone(shared), number),
            incoming: self,
        }
    }

    pub(super) fn query(&self, name: &str) -> Option<String> {
        query_value(&self.uri, name)
    }

    fn path_without_key(&self) -> String {
        let query: Vec<&str> = self
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("key="))
            .collect();
        let path = self.uri.path();
        if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", query.join("&"))
        }
    }

    fn headers_without_key(&self) -> Vec<(String, String)> {
        let others = self.headers.iter().filter(|(name, _)| *name != KEY_HEADER);
        others
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect()
    }
}

impl Recorded {
    /// Whether the key may call at all.
    pub(super) fn check_key(&self, shared: &Shared) -> Result<(), GoogleError> {
        let key = &self.incoming.key;
        if key.is_empty() {
            return Err(GoogleError::without_key());
        }
        if shared.options.known_keys_only && !shared.read(|state| state.known_keys.contains(key)) {
            return Err(GoogleError::unknown_key());
        }
        Ok(())
    }

    /// Does what the script says; `answer` makes the normal answer, if it comes to that.
    pub(super) async fn play(self, behaviour: Behaviour, answer: impl FnOnce(&Incoming, u64) -> Content) -> Response {
        match behaviour.opening {
            Opening::Prompt => {}
            Opening::Delay { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
            Opening::Hang => pending().await,
            Opening::Reset => {
                let mut call = self.call;
                call.answered();
                self.incoming.connection.reset();
                return pending().await;
            }
        }
        let content = match behaviour.reply {
            Reply::Answer => answer(&self.incoming, self.call.number()),
            Reply::Fixture(name) => from_corpus(&name),
            Reply::Respond { status, headers, body } => hand_made(status, headers, Bytes::from(body)),
            Reply::Bytes {
                status,
                headers,
                base64,
            } => match BASE64_STANDARD.decode(base64) {
                Ok(bytes) => hand_made(status, headers, Bytes::from(bytes)),
                Err(_) => Content::whole(500, JSON, "The script has bytes that are no Base64."),
            },
            Reply::Huge { bytes } => huge(bytes, self.incoming.query("alt").as_deref() == Some("sse")),
        };
        let Content {
            status,
            headers,
            opening_ms,
            mut pieces,
            len,
        } = content;
        if opening_ms > 0 {
            tokio::time::sleep(Duration::from_millis(opening_ms)).await;
        }
        if let Some(chunking) = behaviour.chunking {
            pieces = playback::rechunk(pieces, chunking);
        }
        let whole_len = len.filter(|_| behaviour.cut.is_none() && behaviour.chunking.is_none());
        let mut response = Response::new(playback::body(
            pieces,
            behaviour.cut,
            self.call,
            self.incoming.connection,
        ));
        *response.status_mut() = status;
        if let Some(len) = whole_len {
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from(len));
        }
        set_headers(response, &headers)
    }

    /// The plain answer, undisturbed.
    pub(super) async fn reply(self, content: Content) -> Response {
        self.play(Behaviour::answer(), |_, _| content).await
    }
}

/// A hand-made header replaces ours on its first appearance, and may then be repeated.
fn set_headers(mut response: Response<Body>, headers: &[(String, String)]) -> Response {
    let mut parsed = HeaderMap::new();
    for (name, value) in headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            return GoogleError {
                status: 500,
                body: format!("The script has an invalid header named {name:?}.").into(),
            }
            .into_response();
        };
        parsed.append(name, value);
    }
    response.headers_mut().extend(parsed);
    response
}

fn from_corpus(name: &str) -> Content {
    match fixtures::get(name) {
        Some(fixture) => Content::whole(fixture.http_status, fixture.content_type(), fixture.body),
        None => Content::whole(500, JSON, format!("The corpus has no fixture named {name:?}.")),
    }
}

fn hand_made(status: u16, headers: Vec<(String, String)>, body: Bytes) -> Content {
    let mut content = Content::whole(status, JSON, body);
    if headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        content.headers = headers;
    } else {
        content.headers.extend(headers);
    }
    content
}

/// An answer of one long line, made while it is sent.
fn huge(bytes: u64, as_events: bool) -> Content {
    const PIECE: &[u8] = &[b'x'; 64 * 1024];
    let (before, after, content_type) = if as_events {
        ("data: ", "\r\n\r\n", super::EVENT_STREAM)
    } else {
        ("", "\n", JSON)
    };
    let head = format!(r#"{before}{{"candidates":[{{"content":{{"parts":[{{"text":""#);
    let tail = format!(r#""}}],"role":"model"}},"index":0,"finishReason":"STOP"}}]}}{after}"#);
    let piece_len = PIECE.len() as u64;
    let rest = usize::try_from(bytes % piece_len).unwrap_or(0);
    let filling = (0..bytes / piece_len).map(|_| Bytes::from_static(PIECE));
    let last = Bytes::from_static(PIECE).slice(..rest);
    let pieces = std::iter::once(Bytes::from(head))
        .chain(filling)
        .chain([last, Bytes::from(tail)]);
    Content::streamed(
        content_type,
        Box::new(pieces.filter(|piece| !piece.is_empty()).map(|piece| (0, piece))),
    )
}

/// The first value of a query parameter. Keys and dialects need no percent-decoding.
fn query_value(uri: &Uri, name: &str) -> Option<String> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .into_iter()
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}
