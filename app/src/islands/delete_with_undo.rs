use leptos::html;
use leptos::prelude::*;

use crate::components::Icon;
use crate::text::history_actions as words;

/// How long a deletion can be taken back.
#[cfg(target_arch = "wasm32")]
const UNDO: std::time::Duration = std::time::Duration::from_secs(10);

/// Counts the deletions asked for: a timer of one that was taken back must do nothing.
type Turn = StoredValue<u32>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Ready,
    /// Asked for, not yet done.
    Waiting,
    Deleting,
    Failed(String),
}

/// Deletes one stored analysis: a plain POST before hydration, ten seconds to take it back afterwards.
/// Put it inside the row it deletes and mark that row with `data-row`; `title` names the analysis for screen readers.
#[island]
pub fn DeleteWithUndo(id: String, title: String) -> impl IntoView {
    let step = RwSignal::new(Step::Ready);
    let turn: Turn = StoredValue::new(0);
    let form = NodeRef::<html::Form>::new();
    let action = format!("/history/{id}/delete");
    let url = StoredValue::new(format!("/api/ai-analysis/analyses/{id}"));
    Effect::new(move |_| delete_when_leaving(step, url));
    let is_waiting = Memo::new(move |_| step.get() == Step::Waiting);
    let label = words::delete(&title);
    let on_submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if step.get_untracked() != Step::Waiting {
            begin(step, turn, url, form);
        }
    };
    view! {
        <form class="delete-form" method="post" action=action node_ref=form on:submit=on_submit>
            {move || if is_waiting.get() {
                view! {
                    <button type="button" class="button" on:click=move |_| undo(step, form)>
                        <Icon name="retry"/>
                        {words::UNDO}
                    </button>
                }.into_any()
            } else {
                view! {
                    <button type="submit" class="button button-quiet button-danger" aria-label=label.clone()>
                        <Icon name="trash"/>
                        {words::DELETE}
                    </button>
                }.into_any()
            }}
            // While a way back is offered the struck-out row says it to those who see it.
            <span class="delete-note" class:visually-hidden=move || is_waiting.get() role="status">
                {move || match step.get() {
                    Step::Ready | Step::Deleting => String::new(),
                    Step::Waiting => words::WAITING.to_owned(),
                    Step::Failed(reason) => words::failed(&reason),
                }}
            </span>
        </form>
    }
}

/// Nobody deletes on the server before hydration; the form does.
#[cfg(not(target_arch = "wasm32"))]
fn begin(_: RwSignal<Step>, _: Turn, _: StoredValue<String>, _: NodeRef<html::Form>) {}

#[cfg(not(target_arch = "wasm32"))]
fn undo(_: RwSignal<Step>, _: NodeRef<html::Form>) {}

#[cfg(not(target_arch = "wasm32"))]
fn delete_when_leaving(_: RwSignal<Step>, _: StoredValue<String>) {}

#[cfg(target_arch = "wasm32")]
use browser::{begin, delete_when_leaving, undo};

#[cfg(target_arch = "wasm32")]
mod browser {
    use leptos::html;
    use leptos::prelude::*;
    use wasm_bindgen::JsCast as _;
    use wasm_bindgen::prelude::Closure;

    use super::{Step, Turn, UNDO};
    use crate::islands::browser::{http, window};

    pub(super) fn begin(step: RwSignal<Step>, turn: Turn, url: StoredValue<String>, form: NodeRef<html::Form>) {
        step.set(Step::Waiting);
        mark(form, true);
        // The pressed button is replaced: the focus goes to its successor once that stands there.
        request_animation_frame(move || focus_button(form));
        turn.update_value(|turn| *turn += 1);
        let this_turn = turn.get_value();
        let over = move || {
            if step.get_untracked() == Step::Waiting && turn.get_value() == this_turn {
                leptos::task::spawn_local(delete(step, url, form));
            }
        };
        set_timeout(over, UNDO);
    }

    pub(super) fn undo(step: RwSignal<Step>, form: NodeRef<html::Form>) {
        step.set(Step::Ready);
        mark(form, false);
        request_animation_frame(move || focus_button(form));
    }

    /// Whoever leaves the page in those seconds meant it.
    pub(super) fn delete_when_leaving(step: RwSignal<Step>, url: StoredValue<String>) {
        let on_leave = Closure::<dyn FnMut()>::new(move || {
            if step.get_untracked() == Step::Waiting {
                step.set(Step::Deleting);
                leptos::task::spawn_local(async move {
                    // There is no page left to tell of a failure.
                    let _ = http::delete(&url.get_value(), true).await;
                });
            }
        });
        let _ = window().add_event_listener_with_callback("pagehide", on_leave.as_ref().unchecked_ref());
        on_leave.forget();
    }

    async fn delete(step: RwSignal<Step>, url: StoredValue<String>, form: NodeRef<html::Form>) {
        step.set(Step::Deleting);
        match http::delete(&url.get_value(), false).await {
            Ok(()) => remove_row(form),
            Err(failure) => {
                mark(form, false);
                step.set(Step::Failed(failure.to_string()));
            }
        }
    }

    fn row(form: NodeRef<html::Form>) -> Option<web_sys::Element> {
        form.get_untracked()?.closest("[data-row]").ok().flatten()
    }

    fn mark(form: NodeRef<html::Form>, is_leaving: bool) {
        if let Some(row) = row(form) {
            let _ = row.toggle_attribute_with_force("data-leaving", is_leaving);
        }
    }

    fn remove_row(form: NodeRef<html::Form>) {
        let Some(row) = row(form) else { return };
        let had_focus = document()
            .active_element()
            .is_some_and(|element| row.contains(Some(&element)));
        row.remove();
        if had_focus && let Ok(Some(main)) = document().query_selector("main") {
            let _ = main.unchecked_into::<web_sys::HtmlElement>().focus();
        }
    }

    fn focus_button(form: NodeRef<html::Form>) {
        let button = form
            .get_untracked()
            .and_then(|form| form.query_selector("button").ok().flatten());
        if let Some(button) = button {
            let _ = button.unchecked_into::<web_sys::HtmlElement>().focus();
        }
    }
}
