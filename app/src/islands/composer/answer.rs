//! The answer: where it stands, its text as it comes, what can be done with it.

use leptos::prelude::*;

use super::problem_card;
use super::stage::Stage;
use super::state::{Act, Composing, FileKind, act};
use crate::components::Icon;
use crate::islands::copy_button::Copy;
use crate::text;
use crate::text::compose as words;

pub fn part(state: Composing) -> impl IntoView {
    let is_idle = Memo::new(move |_| state.stage.with(|stage| *stage == Stage::Idle));
    view! {
        <section class="answer" aria-labelledby="answer-title" data-testid="answer">
            <div class="answer-head">
                <h2 id="answer-title">{words::ANSWER}</h2>
                <p class="answer-line number" data-testid="state-line">
                    {move || state.is_running().then(|| view! { <span class="answer-spinner" aria-hidden="true"></span> })}
                    <span>{move || state.line()}</span>
                </p>
                // The line counts down while it waits; this one is read out.
                <p class="visually-hidden" role="status" data-testid="announced">{move || state.announced.get()}</p>
            </div>
            {move || is_idle.get().then(|| examples(state))}
            {body(state)}
            {problem_card::part(state)}
            {notes(state)}
            {actions(state)}
        </section>
    }
}

fn body(state: Composing) -> impl IntoView {
    let waits = Memo::new(move |_| state.is_running() && !state.has_text());
    let is_queued = Memo::new(move |_| state.stage.with(|stage| stage.queued().is_some()));
    let streams = Memo::new(move |_| state.has_text() && state.html.with(Option::is_none));
    let is_empty = move || !state.is_running() && !state.has_text();
    view! {
        <div class="answer-body" hidden=is_empty aria-busy=move || if state.is_running() { "true" } else { "false" }>
            // As high as what it holds in turn, so that nothing below it moves.
            {move || waits.get().then(|| view! {
                <div class="answer-wait">
                    {move || if is_queued.get() {
                        view! { <p class="answer-queued"><Icon name="resting"/><span>{words::QUEUED_HINT}</span></p> }.into_any()
                    } else {
                        // Shown by style after 300 ms.
                        view! { <div class="skeleton" aria-hidden="true"><span></span><span></span><span></span></div> }.into_any()
                    }}
                </div>
            })}
            // Text is appended to it piece by piece: what a reader has selected stays selected.
            <div class="answer-stream" hidden=move || !streams.get() node_ref=state.stream></div>
            // Rendered and sanitised by the server.
            <div
                class="prose answer-html"
                hidden=move || state.html.with(Option::is_none)
                inner_html=move || state.html.get().unwrap_or_default()
            ></div>
            <div class="answer-end" node_ref=state.end></div>
            {move || (state.is_running() && state.away.get()).then(|| view! {
                <button type="button" class="button answer-jump" on:click=move |_| act(state, Act::Jump)>
                    <Icon name="arrow-down"/>
                    {words::JUMP}
                </button>
            })}
        </div>
    }
}

/// Links before hydration: the page they lead to has the example filled in.
fn examples(state: Composing) -> impl IntoView {
    let one = move |(index, name): (usize, &'static str)| {
        view! {
            <li>
                <a
                    class="button"
                    href=format!("/?example={index}")
                    on:click=move |event| {
                        event.prevent_default();
                        act(state, Act::Example(index));
                    }
                >
                    {name}
                </a>
            </li>
        }
    };
    view! {
        <div class="region answer-empty">
            <Icon name="text"/>
            <p>{words::EMPTY}</p>
            <ul class="row answer-examples" aria-label=words::EXAMPLES>
                {text::EXAMPLE_NAMES.into_iter().enumerate().map(one).collect_view()}
            </ul>
        </div>
    }
}

/// What a reader should know about a finished answer.
fn notes(state: Composing) -> impl IntoView {
    move || {
        let Stage::Done(result) = state.stage.get() else {
            return None;
        };
        let cut = (result.finish_reason == "MAX_TOKENS").then_some(words::CUT);
        Some(view! {
            <div class="stack-tight answer-notes">
                {result.warning.map(|warning| note("tone-degraded", "degraded", words::plain(&warning)))}
                {cut.map(|text| note("tone-degraded", "degraded", text.to_owned()))}
                {result.cached.then(|| view! {
                    <p class="note">
                        <Icon name="info"/>
                        <span>{words::CACHED}</span>
                        <button
                            type="button"
                            class="button"
                            disabled=move || state.blocked().is_some()
                            on:click=move |_| act(state, Act::Submit { fresh: true })
                        >
                            {words::FRESH}
                        </button>
                    </p>
                })}
            </div>
        })
    }
}

fn note(tone: &'static str, icon: &'static str, text: String) -> impl IntoView {
    view! {
        <p class=format!("banner answer-note {tone}")>
            <Icon name=icon/>
            <span>{text}</span>
        </p>
    }
}

fn actions(state: Composing) -> impl IntoView {
    let id = Memo::new(move |_| match state.stage.get() {
        Stage::Done(result) => Some(result.id),
        _ => None,
    });
    // Then the card has the button, beside its countdown.
    let retries = Memo::new(move |_| !state.stage.with(Stage::has_countdown));
    let is_over = Memo::new(move |_| !state.is_running() && state.stage.with(|stage| *stage != Stage::Idle));
    move || {
        is_over.get().then(|| {
            view! {
                <div class="row answer-actions">
                    {state.has_text().then(|| view! {
                        <Copy text=state.text.into() label=words::COPY.to_owned()/>
                        <button type="button" class="button" on:click=move |_| act(state, Act::Download(FileKind::Markdown))>
                            <Icon name="download"/>
                            {words::DOWNLOAD}
                        </button>
                    })}
                    {id.get().map(|_| view! {
                        <button type="button" class="button" on:click=move |_| act(state, Act::Download(FileKind::Json))>
                            <Icon name="download"/>
                            {words::DOWNLOAD_JSON}
                        </button>
                    })}
                    {retries.get().then(|| view! {
                        <button
                            type="button"
                            class="button"
                            disabled=move || state.blocked().is_some()
                            on:click=move |_| act(state, Act::Submit { fresh: false })
                        >
                            <Icon name="retry"/>
                            {words::RETRY}
                        </button>
                    })}
                    <button type="button" class="button" on:click=move |_| act(state, Act::Edit)>
                        <Icon name="edit"/>
                        {words::EDIT}
                    </button>
                    {id.get().map(|id| view! { <a class="button" href=format!("/history/{id}")>{words::STORED}</a> })}
                </div>
            }
        })
    }
}
