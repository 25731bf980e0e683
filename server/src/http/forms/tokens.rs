//! One's own API tokens.

use app::context::Shown;
use app::done::Done;
use app::error::AppError;
use app::text::tokens as words;
use app::types::{NewToken, TokenScope};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;

use super::{kept, mistyped, read, see_other};
use crate::audit::Actor;
use crate::http::answer::{Answer, Failed};
use crate::http::extract::Path;
use crate::http::guard::SignedIn;
use crate::http::tokens::{create_for, revoke_for};
use crate::http::{AppState, pages};

const PAGE: &str = "/account/tokens";

/// The page that answers shows the token, this once.
pub(in crate::http) async fn create(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Answer<Response> {
    // As pairs: a box that is ticked is one, so the name may stand there several times.
    let (asked, pairs) = read::<Vec<(String, String)>>(request).await?;
    let form = TokenForm::of(&pairs);
    let created = match form.token() {
        Ok(new) => create_for(&state, &signed_in, &actor, new).await,
        Err(error) => Err(Failed(error)),
    };
    match created {
        Ok(created) => Ok(pages::shown(&state, asked, Shown::Token(created)).await),
        Err(Failed(error)) => {
            let kept = kept([
                ("name", &form.name),
                ("scopes", &form.scopes.join(",")),
                ("expiresInDays", &form.expires_in_days),
                ("requestsPerMinute", &form.requests_per_minute),
            ]);
            Ok(pages::refused(&state, asked, error, kept).await)
        }
    }
}

#[derive(Default)]
struct TokenForm {
    name: String,
    scopes: Vec<String>,
    expires_in_days: String,
    requests_per_minute: String,
    password: String,
}

impl TokenForm {
    fn of(pairs: &[(String, String)]) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "name" => form.name.clone_from(value),
                "scopes" => form.scopes.push(value.clone()),
                "expiresInDays" => form.expires_in_days.clone_from(value),
                "requestsPerMinute" => form.requests_per_minute.clone_from(value),
                "password" => form.password.clone_from(value),
                _ => {}
            }
        }
        form
    }

    fn token(&self) -> Result<NewToken, AppError> {
        Ok(NewToken {
            name: self.name.clone(),
            scopes: self
                .scopes
                .iter()
                .filter_map(|scope| TokenScope::parse(scope))
                .collect(),
            expires_in_days: number("expiresInDays", &self.expires_in_days)?,
            requests_per_minute: number("requestsPerMinute", &self.requests_per_minute)?,
            password: Some(self.password.clone()),
        })
    }
}

/// An empty field is left out.
fn number(field: &str, text: &str) -> Result<Option<u32>, AppError> {
    match text.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| mistyped(field, words::LIMIT_MISTYPED)),
    }
}

pub(in crate::http) async fn revoke(
    State(state): State<AppState>,
    Extension(signed_in): Extension<SignedIn>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Answer<Response> {
    revoke_for(&state, &signed_in, &actor, &id).await?;
    Ok(see_other(&Done::TokenRevoked.at(PAGE)))
}
