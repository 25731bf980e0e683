//! Requests to our own server, with the session's cookie.

use std::collections::VecDeque;

use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, FormData, ReadableStreamDefaultReader, ReadableStreamReadResult, RequestInit, Response};

use crate::error::{AppError, ErrorCode};
use crate::islands::sse::{Event, Parser};
use crate::text::compose as words;

/// Why a request brought no answer.
pub(in crate::islands) enum Failure {
    /// No answer, or it broke off.
    Unreachable,
    /// The server said why.
    Refused(Box<AppError>),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable => f.write_str(words::UNREACHABLE),
            Self::Refused(error) => f.write_str(&error.message),
        }
    }
}

pub(in crate::islands) enum Body {
    Json(String),
    Form(FormData),
}

/// The events of one answer, read as they come.
pub(in crate::islands) struct Events {
    reader: ReadableStreamDefaultReader,
    parser: Parser,
    ready: VecDeque<Event>,
}

impl Events {
    /// Sends `body` and waits for the head of the answer.
    pub(in crate::islands) async fn open(url: &str, body: Body, signal: &AbortSignal) -> Result<Self, Failure> {
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_signal(Some(signal));
        let headers = web_sys::Headers::new().map_err(|_| Failure::Unreachable)?;
        let _ = headers.set("accept", "text/event-stream, application/json");
        match body {
            Body::Json(text) => {
                let _ = headers.set("content-type", "application/json");
                init.set_body(&JsValue::from_str(&text));
            }
            // The browser adds the type with its boundary.
            Body::Form(form) => init.set_body(&form),
        }
        init.set_headers_headers(&headers);
        let response = send(url, &init).await?;
        let stream = response.body().ok_or(Failure::Unreachable)?;
        let reader = ReadableStreamDefaultReader::new(&stream).map_err(|_| Failure::Unreachable)?;
        Ok(Self {
            reader,
            parser: Parser::default(),
            ready: VecDeque::new(),
        })
    }

    /// The next event, or nothing at the end.
    pub(in crate::islands) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let read = JsFuture::from(self.reader.read())
                .await
                .map_err(|_| Failure::Unreachable)?;
            let read: ReadableStreamReadResult = read.unchecked_into();
            if read.get_done().unwrap_or(true) {
                return Ok(None);
            }
            let piece: js_sys::Uint8Array = read.get_value().unchecked_into();
            self.ready.extend(self.parser.feed(&piece.to_vec()));
        }
    }
}

pub(in crate::islands) async fn get_text(url: &str) -> Result<String, Failure> {
    text(&send(url, &RequestInit::new()).await?).await
}

pub(in crate::islands) async fn get_json<T: DeserializeOwned>(url: &str) -> Result<T, Failure> {
    serde_json::from_str(&get_text(url).await?).map_err(|_| Failure::Unreachable)
}

/// Sends `body` as plain text and reads the answer as text.
pub(in crate::islands) async fn post_text(url: &str, body: &str) -> Result<String, Failure> {
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&JsValue::from_str(body));
    text(&send(url, &init).await?).await
}

/// `outlives_page`: the browser sends it even when the page is being left.
pub(in crate::islands) async fn delete(url: &str, outlives_page: bool) -> Result<(), Failure> {
    let init = RequestInit::new();
    init.set_method("DELETE");
    let _ = js_sys::Reflect::set(&init, &"keepalive".into(), &outlives_page.into());
    send(url, &init).await.map(|_| ())
}

/// An answer that is not a success, or that led elsewhere (to the sign-in), is a failure.
async fn send(url: &str, init: &RequestInit) -> Result<Response, Failure> {
    let answer = JsFuture::from(super::window().fetch_with_str_and_init(url, init)).await;
    let response: Response = answer.map_err(|_| Failure::Unreachable)?.unchecked_into();
    if response.redirected() {
        return Err(Failure::Refused(Box::new(AppError::new(
            ErrorCode::Unauthenticated,
            words::SESSION_ENDED,
        ))));
    }
    if response.ok() {
        return Ok(response);
    }
    let status = response.status();
    let body = text(&response).await.unwrap_or_default();
    let error = serde_json::from_str(&body).unwrap_or_else(|_| unexplained(status));
    Err(Failure::Refused(Box::new(error)))
}

async fn text(response: &Response) -> Result<String, Failure> {
    let promise = response.text().map_err(|_| Failure::Unreachable)?;
    JsFuture::from(promise)
        .await
        .ok()
        .and_then(|text| text.as_string())
        .ok_or(Failure::Unreachable)
}

/// For answers of something between the server and us, such as a proxy with its own limits.
fn unexplained(status: u16) -> AppError {
    let code = match status {
        401 => ErrorCode::Unauthenticated,
        403 => ErrorCode::Forbidden,
        404 => ErrorCode::NotFound,
        413 => ErrorCode::PayloadTooLarge,
        429 => ErrorCode::RateLimited,
        _ => ErrorCode::Internal,
    };
    AppError::new(code, words::unexplained(status))
}
