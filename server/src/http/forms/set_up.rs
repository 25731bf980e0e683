//! The first run: the administrator, then the first key.

use app::types::{NewKey, Registration};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use tower_sessions::Session;

use super::{kept, read, see_other};
use crate::audit::Actor;
use crate::http::answer::Answer;
use crate::http::auth::Via;
use crate::http::{AppState, auth, pages};

#[derive(Deserialize)]
struct SetUpForm {
    token: String,
    name: String,
    email: String,
    password: String,
}

/// The first admin, by the link that the server printed.
pub(in crate::http) async fn admin(
    State(state): State<AppState>,
    via: Via,
    session: Session,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<SetUpForm>(request).await?;
    let kept = kept([("token", &form.token), ("name", &form.name), ("email", &form.email)]);
    let registration = Registration {
        email: form.email,
        password: form.password,
        name: form.name,
        invitation: None,
    };
    match auth::set_up_for(&state, &via, form.token, registration).await {
        Ok(user) => {
            auth::start_session(&state, &session, &user, &via).await?;
            let has_key = !state.keys.keyring.is_empty();
            Ok(see_other(if has_key { "/" } else { "/set-up/key" }))
        }
        Err(error) => Ok(pages::refused(&state, asked, error, kept).await),
    }
}

#[derive(Deserialize)]
struct KeyForm {
    key: String,
    #[serde(default)]
    label: String,
}

pub(in crate::http) async fn key(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<KeyForm>(request).await?;
    let kept = kept([("label", &form.label)]);
    match state
        .managed_keys(actor)
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
