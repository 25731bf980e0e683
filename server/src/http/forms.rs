//! The forms of the pages. Done: 303 to where the result is. Refused: the same page, with what was typed and what was wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::context::Theme;
use app::types::{AnalyzeRequest, Credentials, NewKey, Registration};
use axum::Extension;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tower_sessions::Session;

use super::analyze::{Upload, caller, read_any};
use super::answer::{Answer, Failed};
use super::connection::Connection;
use super::extract::Path;
use super::guard::SignedIn;
use super::layers::RequestId;
use super::pages::{self, Asked};
use super::{AppState, auth, body};
use crate::analysis;

#[derive(Deserialize)]
pub(super) struct SignInForm {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn sign_in(
    State(state): State<AppState>,
    ConnectInfo(Connection { peer, .. }): ConnectInfo<Connection>,
    session: Session,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<SignInForm>(request).await?;
    let kept = kept([("email", &form.email), ("next", &form.next)]);
    let credentials = Credentials {
        email: form.email,
        password: form.password,
    };
    match auth::sign_in(&state, &session, credentials, peer.ip()).await {
        Ok(_) => Ok(see_other(&local(&form.next))),
        Err(error) => Ok(pages::refused(&state, asked, error, kept).await),
    }
}

#[derive(Deserialize)]
pub(super) struct RegisterForm {
    name: String,
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn register(
    State(state): State<AppState>,
    ConnectInfo(Connection { peer, .. }): ConnectInfo<Connection>,
    session: Session,
    request: Request,
) -> Answer<Response> {
    auth::check_registration_open(&state)?;
    let (asked, form) = read::<RegisterForm>(request).await?;
    let kept = kept([("name", &form.name), ("email", &form.email), ("next", &form.next)]);
    let registration = Registration {
        email: form.email,
        password: form.password,
        name: form.name,
    };
    match state
        .accounts
        .register(registration, peer.ip(), state.clock.now())
        .await
    {
        Ok(user) => {
            auth::start_session(&session, &user).await?;
            Ok(see_other(&local(&form.next)))
        }
        Err(error) => Ok(pages::refused(&state, asked, error, kept).await),
    }
}

pub(super) async fn sign_out(session: Session) -> Answer<Response> {
    auth::sign_out(&session).await?;
    Ok(see_other("/sign-in"))
}

#[derive(Deserialize)]
pub(super) struct SetUpForm {
    token: String,
    name: String,
    email: String,
    password: String,
}

/// The first admin, by the link that the server printed.
pub(super) async fn set_up_admin(
    State(state): State<AppState>,
    session: Session,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<SetUpForm>(request).await?;
    let kept = kept([("token", &form.token), ("name", &form.name), ("email", &form.email)]);
    let registration = Registration {
        email: form.email,
        password: form.password,
        name: form.name,
    };
    match state
        .accounts
        .set_up(&form.token, registration, state.clock.now())
        .await
    {
        Ok(user) => {
            auth::start_session(&session, &user).await?;
            Ok(see_other(if state.keys.keyring.is_empty() {
                "/set-up/key"
            } else {
                "/"
            }))
        }
        Err(error) => Ok(pages::refused(&state, asked, error, kept).await),
    }
}

#[derive(Deserialize)]
pub(super) struct KeyForm {
    key: String,
    #[serde(default)]
    label: String,
}

pub(super) async fn set_up_key(State(state): State<AppState>, request: Request) -> Answer<Response> {
    let (asked, form) = read::<KeyForm>(request).await?;
    let kept = kept([("label", &form.label)]);
    match state
        .keys
        .add(NewKey {
            key: form.key,
            label: Some(form.label),
            ..NewKey::default()
        })
        .await
    {
        // The same page shows the last step: a first call to copy.
        Ok(_) => Ok(see_other("/set-up/key")),
        Err(error) => Ok(pages::refused(&state, asked, error, kept).await),
    }
}

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

fn see_other(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// A path of ours, or the start page: a form must not send anybody to another site.
fn local(next: &str) -> String {
    let ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n'])
        && !next.starts_with("/api/");
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
        ];
        for (next, expected) in table {
            assert_eq!(local(next), expected, "{next:?}");
        }
    }
}
