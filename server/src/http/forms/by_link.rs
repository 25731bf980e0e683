//! What the link of an invitation or of a forgotten password leads to.

use app::done::Done;
use app::types::Registration;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use tower_sessions::Session;

use super::{kept, read, see_other};
use crate::http::account::set_password_by_link_for;
use crate::http::answer::Answer;
use crate::http::auth::Via;
use crate::http::{AppState, auth, pages};

#[derive(Deserialize)]
struct InvitationForm {
    token: String,
    name: String,
    email: String,
    password: String,
}

pub(in crate::http) async fn invitation(
    State(state): State<AppState>,
    via: Via,
    session: Session,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<InvitationForm>(request).await?;
    let kept = kept([("token", &form.token), ("name", &form.name), ("email", &form.email)]);
    let registration = Registration {
        email: form.email,
        password: form.password,
        name: form.name,
        invitation: Some(form.token),
    };
    match auth::register_for(&state, &via, registration).await {
        Ok(user) => {
            auth::start_session(&state, &session, &user, &via).await?;
            Ok(see_other("/"))
        }
        Err(error) => Ok(pages::refused(&state, asked, error, kept).await),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PasswordForm {
    token: String,
    new_password: String,
}

pub(in crate::http) async fn password(State(state): State<AppState>, via: Via, request: Request) -> Answer<Response> {
    let (asked, form) = read::<PasswordForm>(request).await?;
    let kept = kept([("token", &form.token)]);
    match set_password_by_link_for(&state, &via, form.token, form.new_password.into()).await {
        Ok(_) => Ok(see_other(&Done::PasswordSet.at("/sign-in"))),
        Err(error) => Ok(pages::refused(&state, asked, error, kept).await),
    }
}
