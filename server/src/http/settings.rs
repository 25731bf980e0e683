//! Settings in effect, and those that change while the server runs.

use app::types::EffectiveSetting;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Success};
use super::{AppState, body};
use crate::audit::Actor;
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
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Success<Vec<EffectiveSetting>>> {
    let Patch { strategy, limits } = body::json(&headers, body).await?;
    let own = state.clone();
    let act = async move {
        let before = own.settings.list().await;
        own.settings.change(Change { strategy, limits }).await?;
        let after = own.settings.list().await;
        let (was, is) = changed(&before, &after);
        own.audit
            .record(&actor, "settings.change", "settings", Some(was), Some(is))
            .await?;
        Ok(after)
    };
    Ok(Success(state.audit.act(act).await?))
}

/// What differs, as it was and as it is.
fn changed(before: &[EffectiveSetting], after: &[EffectiveSetting]) -> (Value, Value) {
    let differ = before.iter().zip(after).filter(|(before, after)| before != after);
    let one = |setting: &EffectiveSetting| {
        (
            setting.name.clone(),
            json!({ "value": setting.value, "source": setting.source }),
        )
    };
    let (was, is): (Map<_, _>, Map<_, _>) = differ.map(|(before, after)| (one(before), one(after))).unzip();
    (was.into(), is.into())
}

/// The strategy in effect.
pub(super) async fn strategy(state: &AppState) -> Option<String> {
    let all = state.settings.list().await.into_iter();
    all.filter(|setting| setting.name == "KEYPOOL_STRATEGY")
        .find_map(|setting| setting.value)
}

/// A field that is there, whatever it says.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
