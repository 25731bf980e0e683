//! Signing in, with its second step, and out; registering.

use app::error::ErrorCode;
use app::types::{Credentials, Registration};
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use tower_sessions::Session;

use super::{kept, local, read, see_other};
use crate::http::answer::Answer;
use crate::http::auth::{self, FirstStep, Via};
use crate::http::{AppState, pages};

const CODE_PAGE: &str = "/sign-in/code";

#[derive(Deserialize)]
struct SignInForm {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(in crate::http) async fn sign_in(
    State(state): State<AppState>,
    via: Via,
    session: Session,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<SignInForm>(request).await?;
    let kept = kept([("email", &form.email), ("next", &form.next)]);
    let credentials = Credentials {
        email: form.email,
        password: form.password,
        code: None,
    };
    match auth::sign_in_first(&state, &session, credentials, &via).await {
        Ok(FirstStep::SignedIn) => Ok(see_other(&local(&form.next))),
        Ok(FirstStep::CodeNeeded) => {
            let query = serde_urlencoded::to_string([("next", local(&form.next))]).unwrap_or_default();
            Ok(see_other(&format!("{CODE_PAGE}?{query}")))
        }
        Err(error) => Ok(pages::refused(&state, asked, error, kept).await),
    }
}

#[derive(Deserialize)]
struct CodeForm {
    code: String,
    #[serde(default)]
    next: String,
}

/// The second step.
pub(in crate::http) async fn code(
    State(state): State<AppState>,
    via: Via,
    session: Session,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<CodeForm>(request).await?;
    let kept = kept([("next", &form.next)]);
    match auth::sign_in_code(&state, &session, &form.code, &via).await {
        Ok(_) => Ok(see_other(&local(&form.next))),
        // The first step is to be done again: its page says why.
        Err(error) if error.code == ErrorCode::Forbidden => {
            Ok(pages::refused(&state, asked.at("/sign-in"), error, kept).await)
        }
        Err(error) => Ok(pages::refused(&state, asked, error, kept).await),
    }
}

#[derive(Deserialize)]
struct RegisterForm {
    name: String,
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(in crate::http) async fn register(
    State(state): State<AppState>,
    via: Via,
    session: Session,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<RegisterForm>(request).await?;
    let kept = kept([("name", &form.name), ("email", &form.email), ("next", &form.next)]);
    let registration = Registration {
        email: form.email,
        password: form.password,
        name: form.name,
        invitation: None,
    };
    match auth::register_for(&state, &via, registration).await {
        Ok(user) => {
            auth::start_session(&state, &session, &user, &via).await?;
            Ok(see_other(&local(&form.next)))
        }
        Err(error) => Ok(pages::refused(&state, asked, error, kept).await),
    }
}

pub(in crate::http) async fn sign_out(session: Session) -> Answer<Response> {
    auth::sign_out(&session).await?;
    Ok(see_other("/sign-in"))
}
