//! The form at `/` and the answer below it.

mod announcer;
mod answer;
mod fields;
mod images;
mod options;
mod picture;
mod problem_card;
mod stage;
mod state;

#[cfg(target_arch = "wasm32")]
mod drive;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use self::announcer::Announcer;
use self::state::{Act, Composing, Problem, act};
use crate::error::AppError;
use crate::text::compose as words;
use crate::types::PublicStatus;

/// For buttons outside of the form that send it.
const FORM_ID: &str = "composer";

/// What the composer's fields hold at first: a refused form, an analysis to run again, or an example.
/// Numbers are kept as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub prompt: String,
    /// Empty for the default model.
    pub model: String,
    pub system: String,
    pub temperature: String,
    pub max_output_tokens: String,
    /// Images of the analysis to run again. They are not kept, so they have to be chosen again.
    #[serde(default)]
    pub images_lost: u32,
}

/// Asks for an analysis and shows the answer. Without script it is a form like any other, sent to `/`.
///
/// `models`: the default first. `refused`: why the server refused this form. `user_id` keeps one account's draft from being
/// shown to the next one in the same tab. A page that gets `?example=n` fills `draft.prompt` with `text::EXAMPLES[n]`, so the
/// examples work without script too.
#[island]
pub fn Composer(
    models: Vec<String>,
    draft: Draft,
    refused: Option<AppError>,
    status: PublicStatus,
    user_id: String,
) -> impl IntoView {
    let state = Composing::new(&draft, refused, status, user_id);
    Effect::new(move |_| act(state, Act::Hydrated));
    announce(state);
    let on_keydown = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) {
            event.prevent_default();
            act(state, Act::Submit { fresh: false });
        }
    };
    view! {
        <div class="composer-layout">
            <form
                class="card composer"
                id=FORM_ID
                class:composer-over=move || state.dragging.get()
                method="post"
                action="/"
                enctype="multipart/form-data"
                aria-label=words::FORM
                node_ref=state.form
                on:submit=move |event| {
                    event.prevent_default();
                    act(state, Act::Submit { fresh: false });
                }
                on:keydown=on_keydown
                on:paste=move |event| act(state, Act::Paste(event))
                on:dragover=move |event| act(state, Act::DragOver(event))
                on:dragleave=move |_| state.dragging.set(false)
                on:drop=move |event| act(state, Act::Drop(event))
            >
                {fields::tabs(state)}
                <div class="composer-panel" id="composer-panel" role="tabpanel" aria-labelledby=move || state.tab.get().id()>
                    {images::part(state)}
                    {fields::prompt(state, draft.prompt)}
                </div>
                {options::part(state, models, draft.model, draft.system, draft.temperature, draft.max_output_tokens)}
                {fields::actions(state)}
            </form>
            {answer::part(state)}
        </div>
    }
}

/// Keeps the live region up to date. Runs in the browser only: before, there is no news to tell.
fn announce(state: Composing) {
    let announcer = StoredValue::new(Announcer::default());
    Effect::new(move |_| {
        let (line, now_ms) = (state.line(), state.feed.now_ms.get());
        let said = state
            .stage
            .with(|stage| announcer.try_update_value(|announcer| announcer.next(stage, line, now_ms)));
        if let Some(Some(said)) = said {
            state.announced.set(said);
        }
    });
}

/// A field's error, where the field is described by it.
fn field_error(state: Composing, field: state::Field) -> impl IntoView {
    let text = move || {
        state
            .problem
            .with(|problem| problem.as_ref().and_then(|problem: &Problem| problem.at(field)))
    };
    view! {
        <div id=field.error_id() aria-live="polite">
            {move || text().map(|text| view! {
                <p class="field-error">
                    <crate::components::Icon name="major"/>
                    <span>{text}</span>
                </p>
            })}
        </div>
    }
}
