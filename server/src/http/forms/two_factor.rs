//! One's own second factor.

use app::context::Shown;
use app::done::Done;
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use tower_sessions::Session;

use super::{kept_by, read, see_other};
use crate::audit::Actor;
use crate::http::account::{PasswordAndCode, confirm_two_factor_for, disable_two_factor_for, renew_recovery_codes_for};
use crate::http::answer::Answer;
use crate::http::client_address::ClientAddress;
use crate::http::guard::SignedIn;
use crate::http::{AppState, pages};

const PAGE: &str = "/account/two-factor";

#[derive(Deserialize)]
struct BeginForm {
    password: String,
}

/// The page shows the secret for as long as the set-up is under way.
pub(in crate::http) async fn begin(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    ClientAddress(from): ClientAddress,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<BeginForm>(request).await?;
    let now = state.clock.now();
    let begun = state
        .accounts
        .begin_two_factor(&signed_in.user.id, form.password, from, now);
    match begun.await {
        Ok(_) => Ok(see_other(PAGE)),
        Err(error) => Ok(pages::refused(&state, asked.at(PAGE), error, kept_by("begin", [])).await),
    }
}

#[derive(Deserialize)]
struct CodeForm {
    code: String,
}

pub(in crate::http) async fn confirm(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    ClientAddress(from): ClientAddress,
    session: Session,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<CodeForm>(request).await?;
    let asked = asked.at(PAGE);
    match confirm_two_factor_for(&state, &session, &signed_in, &actor, from, form.code).await {
        Ok(codes) => Ok(pages::shown(&state, asked, Shown::RecoveryCodes(codes.recovery_codes)).await),
        Err(error) => Ok(pages::refused(&state, asked, error, kept_by("confirm", [])).await),
    }
}

#[derive(Deserialize)]
struct BothForm {
    password: String,
    code: String,
}

impl From<BothForm> for PasswordAndCode {
    fn from(BothForm { password, code }: BothForm) -> Self {
        Self { password, code }
    }
}

pub(in crate::http) async fn renew_codes(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    ClientAddress(from): ClientAddress,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<BothForm>(request).await?;
    let asked = asked.at(PAGE);
    match renew_recovery_codes_for(&state, &signed_in, &actor, from, form.into()).await {
        Ok(codes) => Ok(pages::shown(&state, asked, Shown::RecoveryCodes(codes.recovery_codes)).await),
        Err(error) => Ok(pages::refused(&state, asked, error, kept_by("renew", [])).await),
    }
}

pub(in crate::http) async fn off(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    ClientAddress(from): ClientAddress,
    session: Session,
    request: Request,
) -> Answer<Response> {
    let (asked, form) = read::<BothForm>(request).await?;
    match disable_two_factor_for(&state, &session, &signed_in, &actor, from, form.into()).await {
        Ok(()) => Ok(see_other(&Done::TwoFactorOff.at(PAGE))),
        Err(error) => Ok(pages::refused(&state, asked.at(PAGE), error, kept_by("off", [])).await),
    }
}
