//! Scrolling, focus and the text that is appended by hand.

use std::cell::Cell;

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::Closure;

use crate::islands::browser::{self, http};
use crate::islands::composer::state::{Composing, Field};

/// So far may the end be below the window and still count as seen.
const NEAR_PX: f64 = 48.0;

thread_local! {
    /// The reader asked to be taken along; ends when they scroll away.
    static FOLLOWS: Cell<bool> = const { Cell::new(false) };
}

/// Replaces the prompt and puts the cursor behind it.
pub(super) fn set_prompt(state: Composing, text: &str) {
    fill_prompt(state, text);
    focus(Field::Prompt);
}

/// The cursor behind what stands there, ready to be changed.
pub(super) fn edit_prompt(state: Composing) {
    focus(Field::Prompt);
    if let Some(field) = state.prompt_box.get_untracked() {
        let end = u32::try_from(field.value().encode_utf16().count()).unwrap_or(u32::MAX);
        let _ = field.set_selection_range(end, end);
    }
}

pub(super) fn fill_prompt(state: Composing, text: &str) {
    if let Some(field) = state.prompt_box.get_untracked() {
        field.set_value(text);
    }
    state.unsent.set(true);
    state.prompt.set(text.to_owned());
}

pub(super) fn focus(field: Field) {
    let Some(element) = document().get_element_by_id(field.name()) else {
        return;
    };
    if let Ok(Some(options)) = element.closest("details") {
        let _ = options.set_attribute("open", "");
    }
    let _ = element.unchecked_into::<web_sys::HtmlElement>().focus();
}

/// The buttons below the answer go when a new one begins. Whoever pressed one by keyboard is taken to the button that stops
/// it, without moving the page.
pub(super) fn keep_focus() {
    let document = document();
    let is_in_answer = document
        .active_element()
        .is_some_and(|element| matches!(element.closest(".answer"), Ok(Some(_))));
    let Ok(Some(button)) = document.query_selector(".composer-submit") else {
        return;
    };
    if is_in_answer
        && let Ok(focus) = js_sys::Reflect::get(&button, &"focus".into())
        && let Some(focus) = focus.dyn_ref::<js_sys::Function>()
    {
        let options = js_sys::Object::new();
        let _ = js_sys::Reflect::set(&options, &"preventScroll".into(), &true.into());
        let _ = focus.call1(&button, &options);
    }
}

/// Shows the analysis that has just ended in the list beside the composer. Without an answer the list stays as it was.
pub(super) async fn refresh_recent() {
    let Ok(Some(list)) = document().query_selector("[data-recent]") else {
        return;
    };
    if let Ok(html) = http::get_text("/history/recent").await {
        list.set_inner_html(&html);
    }
}

/// Empties the answer for a new one.
pub(super) fn clear(state: Composing) {
    FOLLOWS.set(false);
    if let Some(stream) = state.stream.get_untracked() {
        stream.set_text_content(None);
    }
}

/// Adds to the answer without touching what stands there, and never moves a reader who did not ask for it.
pub(super) fn append(state: Composing, text: &str) {
    if let Some(stream) = state.stream.get_untracked() {
        let _ = stream.append_with_str_1(text);
    }
    state.text.update(|so_far| so_far.push_str(text));
    if FOLLOWS.get() {
        to_end(state);
    }
    look(state);
}

pub(super) fn jump(state: Composing) {
    FOLLOWS.set(true);
    to_end(state);
    look(state);
}

pub(super) fn watch_scrolling(state: Composing) {
    for name in ["scroll", "resize"] {
        let on_move = Closure::<dyn FnMut()>::new(move || {
            look(state);
            // We scroll in the same breath in which we append, so whoever is away now went away by themselves.
            if state.away.get_untracked() {
                FOLLOWS.set(false);
            }
        });
        let _ = browser::window().add_event_listener_with_callback(name, on_move.as_ref().unchecked_ref());
        on_move.forget();
    }
}

fn to_end(state: Composing) {
    if let Some(end) = state.end.get_untracked() {
        end.scroll_into_view_with_bool(false);
    }
}

/// Whether the end of the answer can be seen.
fn look(state: Composing) {
    let Some(end) = state.end.get_untracked() else { return };
    let height = browser::window()
        .inner_height()
        .ok()
        .and_then(|height| height.as_f64())
        .unwrap_or(f64::MAX);
    let away = end.get_bounding_client_rect().bottom() > height + NEAR_PX;
    if away != state.away.get_untracked() {
        state.away.set(away);
    }
}
