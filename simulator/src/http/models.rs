//! `models.list` and `models.get`, which cost no quota.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::incoming::Incoming;
use super::{Content, JSON, elsewhere, pretty};
use crate::state::Shared;

/// Whether a first path segment is a version of the API.
pub(super) fn is_version(segment: &str) -> bool {
    ["v1", "v1beta", "v1alpha"].contains(&segment)
}

/// `GET /{version}/models`
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Path(version): Path<String>,
    incoming: Incoming,
) -> Response {
    let models: Vec<Value> = shared.options.models.iter().map(|model| description(model)).collect();
    probe(
        &shared,
        &version,
        incoming,
        ("models.list", ""),
        json!({ "models": models }),
    )
    .await
}

/// `GET /{version}/models/{model}`; any model exists, as any may be asked.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Path((version, model)): Path<(String, String)>,
    incoming: Incoming,
) -> Response {
    probe(&shared, &version, incoming, ("models.get", &model), description(&model)).await
}

async fn probe(
    shared: &Arc<Shared>,
    version: &str,
    incoming: Incoming,
    (method, model): (&str, &str),
    body: Value,
) -> Response {
    if !is_version(version) {
        return elsewhere(State(Arc::clone(shared)), incoming).await;
    }
    let recorded = incoming.record(shared, method, model);
    if let Err(error) = recorded.check_key(shared) {
        return recorded.reply(error.into()).await;
    }
    let behaviour = shared.read(|state| state.scripts.next_probe(&recorded.incoming.key, model));
    recorded
        .play(behaviour, |_, _| Content::whole(200, JSON, pretty(&body)))
        .await
}

fn description(model: &str) -> Value {
    json!({
        "name": format!("models/{model}"),
        "version": "001",
        "displayName": format!("Simulated {model}"),
        "description": "A simulated model: it counts words and asks nobody.",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}
