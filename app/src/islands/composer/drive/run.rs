//! One analysis from the button to its end.

use std::cell::RefCell;

use leptos::prelude::*;
use web_sys::{AbortController, AbortSignal, FormData};

use super::{draft, files, view};
use crate::error::AppError;
use crate::islands::browser;
use crate::islands::browser::http::{self, Body, Events, Failure};
use crate::islands::composer::Draft;
use crate::islands::composer::stage::{Stage, read_event};
use crate::islands::composer::state::{Composing, Field, Problem};
use crate::text::compose as words;
use crate::types::{AnalyzeRequest, StreamEvent};

const URL: &str = "/api/ai-analysis/analyze/stream";
const RENDER_URL: &str = "/history/answer";

thread_local! {
    static UNDER_WAY: RefCell<Option<AbortController>> = const { RefCell::new(None) };
}

pub(super) fn submit(state: Composing, fresh: bool) {
    if state.stage.with_untracked(Stage::is_running) || untrack(|| state.blocked()).is_some() {
        return;
    }
    draft::keep(state);
    let body = match prepare(state, fresh) {
        Ok(body) => body,
        Err(problem) => {
            view::focus(problem.field);
            state.problem.set(Some(problem));
            return;
        }
    };
    let Ok(controller) = AbortController::new() else { return };
    let signal = controller.signal();
    UNDER_WAY.set(Some(controller));
    state.problem.set(None);
    state.html.set(None);
    state.text.set(String::new());
    view::clear(state);
    view::keep_focus();
    enter(state, Stage::Sending);
    leptos::task::spawn_local(async move {
        let end = follow(state, body, &signal).await;
        // Whoever stopped it has said so already, and may have begun another.
        if !signal.aborted() {
            finish(state, end, &signal).await;
            view::refresh_recent().await;
        }
    });
}

pub(super) fn stop(state: Composing) {
    if let Some(controller) = UNDER_WAY.take() {
        controller.abort();
    }
    let waited = state.stage.with_untracked(|stage| stage.queued().is_some());
    enter(state, Stage::Stopped { waited });
    leptos::task::spawn_local(render_kept(state));
}

/// The stage and the instant at which it began.
fn enter(state: Composing, stage: Stage) {
    state.stage_at_ms.set(browser::now_ms());
    state.stage.set(stage);
}

async fn follow(state: Composing, body: Body, signal: &AbortSignal) -> Stage {
    let mut events = match Events::open(URL, body, signal).await {
        Ok(events) => events,
        Err(Failure::Refused(error)) => return Stage::Failed(error),
        Err(Failure::Unreachable) => return Stage::Lost,
    };
    loop {
        let Ok(Some(event)) = events.next().await else {
            return Stage::Lost;
        };
        if signal.aborted() {
            return Stage::Stopped { waited: false };
        }
        match read_event(&event.name, &event.data) {
            Some(StreamEvent::Delta { text }) => view::append(state, &text),
            Some(event) => match Stage::after(event) {
                Some(stage) if stage.is_running() => enter(state, stage),
                Some(end) => return end,
                None => {}
            },
            None => {}
        }
    }
}

async fn finish(state: Composing, end: Stage, signal: &AbortSignal) {
    UNDER_WAY.set(None);
    if let Stage::Failed(error) = &end {
        let is_empty = state.text.with_untracked(String::is_empty);
        if let (true, Some(problem)) = (is_empty, Problem::from_error(error)) {
            enter(state, Stage::Idle);
            view::focus(problem.field);
            state.problem.set(Some(problem));
            return;
        }
    }
    let Stage::Done(result) = end else {
        enter(state, end);
        render_kept(state).await;
        return;
    };
    draft::clear();
    state.unsent.set(false);
    // The whole text, also when it came from the cache in one piece.
    if state.text.with_untracked(|text| *text != result.text) {
        view::clear(state);
        state.text.set(String::new());
        view::append(state, &result.text);
    }
    let url = format!("/history/{}/answer", result.id);
    enter(state, Stage::Done(result));
    // Without it the plain text stays.
    if let Ok(html) = http::get_text(&url).await
        && !signal.aborted()
        && state.stage.with_untracked(|stage| matches!(stage, Stage::Done(_)))
    {
        state.html.set(Some(html));
        view::clear(state);
    }
}

/// An answer that ends without its end is shown like the others. Without the server its plain text stays.
async fn render_kept(state: Composing) {
    let text = state.text.get_untracked();
    if text.is_empty() {
        return;
    }
    let html = http::post_text(RENDER_URL, &text).await;
    // Another analysis may have begun meanwhile.
    let is_same = !state.stage.with_untracked(Stage::is_running) && state.text.with_untracked(|now| *now == text);
    if let (Ok(html), true) = (html, is_same) {
        state.html.set(Some(html));
        view::clear(state);
    }
}

/// What is sent, once it is checked.
fn prepare(state: Composing, fresh: bool) -> Result<Body, Problem> {
    let request = request(draft::read(state), fresh)?;
    if let Err(error) = request.check() {
        return Err(Problem::from_error(&error).unwrap_or(Problem {
            field: Field::Prompt,
            text: error.message,
        }));
    }
    if !files::are_meant(state) {
        let json = serde_json::to_string(&request).map_err(|_| internal())?;
        return Ok(Body::Json(json));
    }
    if state.pictures.with_untracked(Vec::is_empty) {
        return Err(Problem {
            field: Field::Images,
            text: words::CHOOSE_AN_IMAGE.to_owned(),
        });
    }
    let form = FormData::new().map_err(|_| internal())?;
    let number = |value: Option<f64>| value.map(|value| value.to_string());
    let fields = [
        (Field::Prompt.name(), Some(request.prompt.clone())),
        ("model", request.model.clone()),
        (Field::System.name(), request.system.clone()),
        (Field::Temperature.name(), number(request.temperature)),
        (
            Field::MaxOutputTokens.name(),
            request.max_output_tokens.map(|value| value.to_string()),
        ),
        ("fresh", request.fresh.map(|value| value.to_string())),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            let _ = form.append_with_str(name, &value);
        }
    }
    files::append(state, &form);
    Ok(Body::Form(form))
}

fn request(draft: Draft, fresh: bool) -> Result<AnalyzeRequest, Problem> {
    let some = |text: String| (!text.trim().is_empty()).then_some(text);
    let wrong = |field: Field, text: &str| Problem {
        field,
        text: text.to_owned(),
    };
    let temperature = some(draft.temperature).map(|text| text.trim().parse()).transpose();
    let max_output_tokens = some(draft.max_output_tokens)
        .map(|text| text.trim().parse())
        .transpose();
    Ok(AnalyzeRequest {
        prompt: draft.prompt,
        model: some(draft.model),
        system: some(draft.system),
        images: Vec::new(),
        temperature: temperature.map_err(|_| wrong(Field::Temperature, words::TEMPERATURE))?,
        max_output_tokens: max_output_tokens.map_err(|_| wrong(Field::MaxOutputTokens, words::OUTPUT_TOKENS))?,
        max_retries: None,
        fresh: fresh.then_some(true),
    })
}

fn internal() -> Problem {
    Problem {
        field: Field::Prompt,
        text: AppError::internal().message,
    }
}
