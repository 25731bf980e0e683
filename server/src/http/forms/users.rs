//! Accounts of others, for admins.

use app::context::Shown;
use app::done::Done;
use app::error::AppError;
use app::text::{account, users as words};
use app::types::{NewInvitation, Role, UserPatch};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;

use super::{kept, kept_by, mistyped, read, see_other};
use crate::audit::Actor;
use crate::http::answer::Answer;
use crate::http::base_url::BaseUrl;
use crate::http::extract::Path;
use crate::http::pages::Asked;
use crate::http::users::{
    change_for, delete_for, delete_invitation_for, invite_for, password_link_for, reset_two_factor_for, sign_out_for,
};
use crate::http::{AppState, pages};

const PAGE: &str = "/admin/users";

fn page_of(id: &str) -> String {
    format!("{PAGE}/{id}")
}

#[derive(Deserialize)]
struct RoleForm {
    role: Role,
}

pub(in crate::http) async fn role(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<RoleForm>(request).await?;
    let patch = UserPatch {
        role: Some(form.role),
        ..UserPatch::default()
    };
    let changed = change_for(&state, &actor, id.clone(), patch).await;
    Ok(answer(&state, asked, &id, "role", changed.map(|_| Done::UserChanged)).await)
}

pub(in crate::http) async fn disable(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    let changed = change_for(&state, &actor, id.clone(), is_disabled(true)).await;
    answer(&state, asked, &id, "access", changed.map(|_| Done::UserDisabled)).await
}

pub(in crate::http) async fn enable(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    let changed = change_for(&state, &actor, id.clone(), is_disabled(false)).await;
    answer(&state, asked, &id, "access", changed.map(|_| Done::UserEnabled)).await
}

fn is_disabled(disabled: bool) -> UserPatch {
    UserPatch {
        disabled: Some(disabled),
        ..UserPatch::default()
    }
}

pub(in crate::http) async fn sign_out(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    let ended = sign_out_for(&state, &actor, id.clone()).await;
    answer(&state, asked, &id, "access", ended.map(|_| Done::UserSignedOut)).await
}

pub(in crate::http) async fn reset_two_factor(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    let reset = reset_two_factor_for(&state, &actor, id.clone()).await;
    answer(&state, asked, &id, "access", reset.map(|_| Done::UserTwoFactorReset)).await
}

/// The page that answers shows the link, this once.
pub(in crate::http) async fn password_link(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    base: BaseUrl,
    request: Request,
) -> Response {
    let asked = Asked::of(&request);
    match password_link_for(&state, &actor, base, id.clone()).await {
        Ok(link) => pages::shown(&state, asked.at(&page_of(&id)), Shown::PasswordLink(link)).await,
        Err(error) => answer(&state, asked, &id, "access", Err(error)).await,
    }
}

#[derive(Deserialize)]
struct DeleteForm {
    email: String,
}

/// After its e-mail was typed.
pub(in crate::http) async fn delete(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<DeleteForm>(request).await?;
    let whom = state.accounts.account(&id).await?;
    let deleted = if form.email.trim().eq_ignore_ascii_case(&whom.email) {
        delete_for(&state, &actor, id.clone()).await
    } else {
        Err(mistyped("email", account::EMAIL_MISTYPED))
    };
    match deleted {
        Ok(()) => Ok(see_other(&Done::UserDeleted.at(PAGE))),
        Err(error) => {
            let kept = kept_by("delete", [("email", &form.email)]);
            Ok(pages::refused(&state, asked.at(&page_of(&id)), error, kept).await)
        }
    }
}

async fn answer(state: &AppState, asked: Asked, id: &str, form: &str, done: Result<Done, AppError>) -> Response {
    let page = page_of(id);
    match done {
        Ok(done) => see_other(&done.at(&page)),
        Err(error) => pages::refused(state, asked.at(&page), error, kept_by(form, [])).await,
    }
}

#[derive(Deserialize)]
struct InviteForm {
    role: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    hours: String,
}

/// The page that answers shows the link, this once.
pub(in crate::http) async fn invite(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    base: BaseUrl,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<InviteForm>(request).await?;
    let asked = asked.at(PAGE);
    let link = match invitation(&form) {
        Some(new) => invite_for(&state, &actor, base, new).await,
        None => Err(mistyped("role", words::INVITE_MISTYPED)),
    };
    match link {
        Ok(link) => Ok(pages::shown(&state, asked, Shown::Invitation(link)).await),
        Err(error) => {
            let kept = kept([("role", &form.role), ("email", &form.email), ("hours", &form.hours)]);
            Ok(pages::refused(&state, asked, error, kept).await)
        }
    }
}

/// `None` for what the form does not offer.
fn invitation(form: &InviteForm) -> Option<NewInvitation> {
    let email = form.email.trim();
    Some(NewInvitation {
        role: Role::parse(&form.role)?,
        email: (!email.is_empty()).then(|| email.to_owned()),
        expires_in_hours: Some(form.hours.parse().ok()?),
    })
}

pub(in crate::http) async fn withdraw_invitation(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer<Response> {
    delete_invitation_for(&state, &actor, id).await?;
    Ok(see_other(&Done::InvitationDeleted.at(PAGE)))
}
