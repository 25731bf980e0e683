//! The control API: the handle's methods for tests in another language. Documented in the crate's root.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use crate::behaviour::{Behaviour, Reply};
use crate::fixtures;
use crate::options::Limits;
use crate::script::Scripts;
use crate::state::Shared;

/// A body, or why it could not be read.
type Body<T> = Result<Json<T>, JsonRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    key: String,
    model: String,
    behaviours: Vec<Behaviour>,
    #[serde(default)]
    always: bool,
}

/// `POST /_control/script`
pub(super) async fn script(State(shared): State<Arc<Shared>>, body: Body<Script>) -> Response {
    let Script {
        key,
        model,
        behaviours,
        always,
    } = match body {
        Ok(Json(script)) => script,
        Err(error) => return refused(&error.body_text()),
    };
    for behaviour in &behaviours {
        if let Reply::Fixture(name) = &behaviour.reply
            && fixtures::get(name).is_none()
        {
            return refused(&format!("the corpus has no fixture named {name:?}"));
        }
    }
    if !always {
        shared.change(|state| state.script(&key, &model, behaviours));
        return done();
    }
    match <[Behaviour; 1]>::try_from(behaviours) {
        Ok([behaviour]) => {
            shared.change(|state| state.always(&key, &model, behaviour));
            done()
        }
        Err(_) => refused("`always` wants exactly one behaviour"),
    }
}

/// `POST /_control/clear`
pub(super) async fn clear(State(shared): State<Arc<Shared>>) -> Response {
    shared.change(|state| state.scripts = Scripts::default());
    done()
}

/// A limit; serde cannot both flatten and refuse unknown fields, so they are spelt out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    project: String,
    model: String,
    rpm: Option<u64>,
    tpm: Option<u64>,
    rpd: Option<u64>,
}

/// `POST /_control/limit`
pub(super) async fn limit(State(shared): State<Arc<Shared>>, body: Body<Limit>) -> Response {
    let Limit {
        project,
        model,
        rpm,
        tpm,
        rpd,
    } = match body {
        Ok(Json(limit)) => limit,
        Err(error) => return refused(&error.body_text()),
    };
    shared.change(|state| state.quotas.limit(&project, &model, Limits { rpm, tpm, rpd }));
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assign {
    key: String,
    project: String,
}

/// `POST /_control/assign`
pub(super) async fn assign(State(shared): State<Arc<Shared>>, body: Body<Assign>) -> Response {
    match body {
        Ok(Json(Assign { key, project })) => {
            shared.change(|state| state.assign(&key, &project));
            done()
        }
        Err(error) => refused(&error.body_text()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Now {
    ms: Option<u64>,
}

/// `POST /_control/now`
pub(super) async fn now(State(shared): State<Arc<Shared>>, body: Body<Now>) -> Response {
    match body {
        Ok(Json(Now { ms })) => {
            shared.change(|_| shared.clock.set_ms(ms));
            done()
        }
        Err(error) => refused(&error.body_text()),
    }
}

/// `GET /_control/calls`
pub(super) async fn calls(State(shared): State<Arc<Shared>>) -> Response {
    let (calls, in_progress) = shared.read(|state| (state.calls.as_slice().to_vec(), state.calls.in_progress()));
    Json(json!({ "calls": calls, "in_progress": in_progress })).into_response()
}

/// Anything else under `/_control/`.
pub(super) async fn unknown() -> Response {
    refused("the control API has no such call")
}

fn done() -> Response {
    Json(json!({})).into_response()
}

fn refused(message: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": message }))).into_response()
}
