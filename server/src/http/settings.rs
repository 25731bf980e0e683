//! Settings in effect, and those that change while the server runs.

use app::types::EffectiveSetting;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Deserializer};

use super::answer::{Answer, Success};
use super::{AppState, body};
use crate::settings::Change;

/// What is absent stays; `null` goes back to what file, environment and flags say.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Patch {
    #[serde(default, deserialize_with = "present")]
    strategy: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    limits: Option<Option<String>>,
}

pub(super) async fn list(State(state): State<AppState>) -> Success<Vec<EffectiveSetting>> {
    Success(state.settings.list().await)
}

/// Answers with all settings as they are then.
pub(super) async fn change(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<Vec<EffectiveSetting>>> {
    let Patch { strategy, limits } = body::json(&headers, body).await?;
    state.settings.change(Change { strategy, limits }).await?;
    Ok(Success(state.settings.list().await))
}

/// A field that is there, whatever it says.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
