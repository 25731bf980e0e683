//! One's own account: name, password, sessions, data.

use app::done::Done;
use app::text::account as words;
use app::types::PasswordChange;
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use tower_sessions::Session;

use super::{kept_by, mistyped, read, see_other};
use crate::audit::Actor;
use crate::http::account::{change_password_for, delete_own_for};
use crate::http::analyses::erase_for;
use crate::http::answer::Answer;
use crate::http::client_address::ClientAddress;
use crate::http::extract::Path;
use crate::http::guard::SignedIn;
use crate::http::{AppState, auth, pages};

const PAGE: &str = "/account";

#[derive(Deserialize)]
struct NameForm {
    name: String,
}

pub(in crate::http) async fn rename(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<NameForm>(request).await?;
    match state.accounts.rename(&signed_in.user.id, &form.name).await {
        Ok(_) => Ok(see_other(&Done::Name.at(PAGE))),
        Err(error) => {
            let kept = kept_by("name", [("name", &form.name)]);
            Ok(pages::refused(&state, asked.at(PAGE), error, kept).await)
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PasswordForm {
    current_password: String,
    new_password: String,
}

pub(in crate::http) async fn password(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    ClientAddress(from): ClientAddress,
    session: Session,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<PasswordForm>(request).await?;
    let change = PasswordChange {
        current_password: form.current_password,
        new_password: form.new_password,
        end_tokens: false,
    };
    match change_password_for(&state, &session, &signed_in, &actor, from, change).await {
        Ok(()) => Ok(see_other(&Done::Password.at(PAGE))),
        Err(error) => Ok(pages::refused(&state, asked.at(PAGE), error, kept_by("password", [])).await),
    }
}

pub(in crate::http) async fn end_session(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Path(id): Path<String>,
) -> Answer<Response> {
    let now = state.clock.now();
    state.accounts.end_session(&signed_in.user.id, &id, now).await?;
    Ok(see_other(&Done::SessionEnded.at(PAGE)))
}

pub(in crate::http) async fn end_other_sessions(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
) -> Answer<Response> {
    let by = auth::by(&signed_in);
    state.accounts.end_other_sessions(&signed_in.user.id, &by).await?;
    Ok(see_other(&Done::SessionsEnded.at(PAGE)))
}

#[derive(Deserialize)]
struct EraseForm {
    word: String,
}

/// The whole history.
pub(in crate::http) async fn erase(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<EraseForm>(request).await?;
    if form.word.trim() != words::ERASE_WORD {
        let error = mistyped("word", words::ERASE_MISTYPED);
        return Ok(pages::refused(&state, asked.at(PAGE), error, kept_by("erase", [])).await);
    }
    erase_for(&state, &signed_in, &actor).await?;
    Ok(see_other(&Done::HistoryErased.at(PAGE)))
}

#[derive(Deserialize)]
struct DeleteForm {
    email: String,
    password: String,
}

/// The account itself, after its e-mail was typed and its password given.
pub(in crate::http) async fn delete(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    ClientAddress(from): ClientAddress,
    session: Session,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<DeleteForm>(request).await?;
    let kept = kept_by("delete", [("email", &form.email)]);
    let deleted = if form.email.trim().eq_ignore_ascii_case(&signed_in.user.email) {
        delete_own_for(&state, &session, &signed_in, &actor, from, form.password).await
    } else {
        Err(mistyped("email", words::EMAIL_MISTYPED))
    };
    match deleted {
        Ok(()) => Ok(see_other(&Done::AccountDeleted.at("/sign-in"))),
        Err(error) => Ok(pages::refused(&state, asked.at(PAGE), error, kept).await),
    }
}
