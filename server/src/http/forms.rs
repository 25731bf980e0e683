//! The forms of the pages. Done: 303 to where the result is. Refused: the same page, with what was typed and what was wrong.
//! What is shown once stands on the page that answers its form, so that it is in no address and in no history of a browser.

pub(super) mod account;
pub(super) mod alerts;
pub(super) mod by_link;
pub(super) mod export;
pub(super) mod set_up;
pub(super) mod sign_in;
pub(super) mod tokens;
pub(super) mod two_factor;
pub(super) mod users;

use std::collections::BTreeMap;
use std::sync::Arc;

use app::context::{FORM, Theme};
use app::error::{AppError, ErrorCode};
use app::types::AnalyzeRequest;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::analyze::{Upload, caller, read_any};
use super::answer::{Answer, Failed};
use super::extract::Path;
use super::guard::SignedIn;
use super::layers::RequestId;
use super::pages::{self, Asked};
use super::{AppState, body};
use crate::analysis;

#[derive(Deserialize)]
pub(super) struct ThemeForm {
    theme: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn theme(State(state): State<AppState>, request: Request) -> Answer<Response> {
    let (_, form) = read::<ThemeForm>(request).await?;
    let secure = if state.secure_cookies { "; Secure" } else { "" };
    let cookie = format!(
        "theme={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly{secure}",
        Theme::parse(&form.theme).as_str()
    );
    let mut response = see_other(&local(&form.next));
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// The composer's form without script: the answer is read in the history.
pub(super) async fn analyze(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(request_id): Extension<RequestId>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    let (parts, body) = request.into_parts();
    let (upload, checked) = match read_any(&parts.headers, body).await {
        Ok(Upload { request, checked }) => (request, checked),
        Err(error) => return pages::refused(&state, asked, error, BTreeMap::new()).await,
    };
    let kept = kept_of(&upload);
    let caller = caller(&signed_in, request_id, &parts.headers);
    let run = async { analysis::run_whole(Arc::clone(&state.analysis), upload, caller).await };
    let result = match checked {
        Ok(()) => run.await,
        Err(error) => Err(error),
    };
    match result {
        Ok(result) => see_other(&format!("/history/{}", result.id)),
        Err(error) => pages::refused(&state, asked, error, kept).await,
    }
}

pub(super) async fn delete_analysis(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Path(id): Path<String>,
) -> Answer<Response> {
    state.history.delete(&signed_in.user.id, &id).await?;
    Ok(see_other("/history"))
}

async fn read<T: serde::de::DeserializeOwned>(request: Request) -> Result<(Asked, T), Failed> {
    let asked = Asked::of(&request);
    let (parts, body) = request.into_parts();
    let headers: &HeaderMap = &parts.headers;
    Ok((asked, body::form(headers, body).await?))
}

fn kept<'a>(fields: impl IntoIterator<Item = (&'a str, &'a String)>) -> BTreeMap<String, String> {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

fn kept_of(request: &AnalyzeRequest) -> BTreeMap<String, String> {
    let number = |value: Option<String>| value.unwrap_or_default();
    let fields = [
        ("prompt", request.prompt.clone()),
        ("model", request.model.clone().unwrap_or_default()),
        ("system", request.system.clone().unwrap_or_default()),
        (
            "temperature",
            number(request.temperature.map(|value| value.to_string())),
        ),
        (
            "maxOutputTokens",
            number(request.max_output_tokens.map(|value| value.to_string())),
        ),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Which of its page's forms was refused, beside what it held.
fn kept_by<'a>(form: &str, fields: impl IntoIterator<Item = (&'a str, &'a String)>) -> BTreeMap<String, String> {
    let mut kept = kept(fields);
    kept.insert(FORM.to_owned(), form.to_owned());
    kept
}

/// Says that a word typed to confirm is not the one asked for.
fn mistyped(field: &str, message: &str) -> AppError {
    AppError::new(ErrorCode::BadRequest, message).field(field)
}

fn see_other(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// A path of ours, or the start page: a form must not send anybody to another site.
fn local(next: &str) -> String {
    // Browsers leave tabs and line ends out of an address and take a backslash for a slash: then they see another one.
    let is_plain = next.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    let ours = is_plain && next.starts_with('/') && !next.starts_with("//") && !next.starts_with("/api/");
    if ours { next.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_signing_in_nobody_is_sent_to_another_site() {
        let table = [
            ("/history?cursor=a", "/history?cursor=a"),
            ("", "/"),
            ("https://evil.example", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
            ("/\t/evil.example", "/"),
            ("\t//evil.example", "/"),
            ("/\u{85}/evil.example", "/"),
            ("/%2F%2Fevil.example", "/%2F%2Fevil.example"),
        ];
        for (next, expected) in table {
            assert_eq!(local(next), expected, "{next:?}");
        }
    }
}
