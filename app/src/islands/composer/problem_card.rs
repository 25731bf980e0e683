//! Why there is no answer, or only a part of one, and what can be done about it.

use leptos::prelude::*;

use super::stage::Stage;
use super::state::{Act, Composing, act};
use crate::components::Icon;
use crate::error::{AppError, ErrorCode};
use crate::islands::copy_button::Copy;
use crate::text::compose as words;

/// What the card says, whatever went wrong.
struct Card {
    tone: &'static str,
    icon: &'static str,
    title: &'static str,
    message: String,
    error: Option<Box<AppError>>,
}

impl Card {
    fn of(stage: Stage, has_text: bool) -> Option<Self> {
        let title = if has_text {
            words::INTERRUPTED
        } else {
            words::NOT_ANSWERED
        };
        match stage {
            Stage::Failed(error) if error.code == ErrorCode::Unauthenticated => Some(Self {
                tone: "tone-maintenance",
                icon: "info",
                title: words::SIGNED_OUT,
                message: words::SIGNED_OUT_HINT.to_owned(),
                error: Some(error),
            }),
            Stage::Failed(error) => {
                let (tone, icon) = if has_text {
                    ("tone-partial", "partial")
                } else {
                    ("tone-major", "major")
                };
                Some(Self {
                    tone,
                    icon,
                    title,
                    message: error.message.clone(),
                    error: Some(error),
                })
            }
            Stage::Lost => {
                let title = if has_text {
                    words::INTERRUPTED
                } else {
                    words::NOT_REACHED
                };
                Some(Self {
                    tone: "tone-partial",
                    icon: "partial",
                    title,
                    message: words::CONNECTION_HINT.to_owned(),
                    error: None,
                })
            }
            Stage::Idle | Stage::Sending | Stage::Working(_) | Stage::Done(_) | Stage::Stopped { .. } => None,
        }
    }
}

pub fn part(state: Composing) -> impl IntoView {
    move || {
        let has_text = state.text.with_untracked(|text| !text.is_empty());
        Card::of(state.stage.get(), has_text).map(|card| {
            view! {
                <div class=format!("problem {}", card.tone) data-testid="problem">
                    <div class="problem-head" role="alert">
                        <Icon name=card.icon/>
                        <div>
                            <h3>{card.title}</h3>
                            <p>{card.message}</p>
                        </div>
                    </div>
                    {card.error.map(|error| facts(state, *error))}
                </div>
            }
        })
    }
}

fn facts(state: Composing, error: AppError) -> impl IntoView {
    let is_signed_out = error.code == ErrorCode::Unauthenticated;
    let has_text = state.text.with_untracked(|text| !text.is_empty());
    let what_next = words::what_next(error.code, has_text);
    // Other waits are short enough to be said by their countdown alone.
    let reset_at = error.reset_at.filter(|_| error.code == ErrorCode::QuotaExceeded);
    let again = error.retry_after_seconds.map(|_| again(state));
    view! {
        {error.details.map(|details| view! { <p class="problem-details">{words::plain(&details)}</p> })}
        {what_next.map(|text| view! { <p>{text}</p> })}
        {reset_at.map(|at| view! { <p>{words::reset_at(&at)}</p> })}
        {again}
        {if is_signed_out {
            view! { <a class="button" href="/sign-in?next=%2F">{words::SIGN_IN}</a> }.into_any()
        } else {
            view! {
                <p class="problem-code">
                    <code>{error.code.as_str()}</code>
                    {error.request_id.map(|id| view! {
                        <span>{words::REQUEST_ID}" "<code>{id.clone()}</code></span>
                        <Copy text=Signal::stored(id) label=words::COPY_ID.to_owned()/>
                    })}
                </p>
            }.into_any()
        }}
    }
}

/// A countdown and a button that can be pressed when it has ended. Without script there is no button: Analyze is still there.
fn again(state: Composing) -> impl IntoView {
    let left_ms = move || state.retry_left_ms().unwrap_or_default();
    let is_due = Memo::new(move |_| left_ms() == 0 && state.blocked().is_none());
    let wait = move || match (left_ms(), state.blocked()) {
        // Its time has come, but nothing can be served yet.
        (0, Some(reason)) => reason,
        (left_ms, _) => words::retry_in(left_ms),
    };
    view! {
        <div class="problem-again">
            <button
                type="button"
                class="button"
                aria-describedby="problem-wait"
                disabled=move || !is_due.get()
                on:click=move |_| act(state, Act::Submit { fresh: false })
            >
                <Icon name="retry"/>
                {words::TRY_AGAIN}
            </button>
            <p class="number" id="problem-wait">{wait}</p>
            // The end of the countdown is read out, its seconds are not.
            <span class="visually-hidden" role="status">{move || is_due.get().then_some(words::RETRY_NOW)}</span>
        </div>
    }
}
