//! What was typed outlives a reload, an error and a new sign-in, in this tab and for this account only.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::islands::browser;
use crate::islands::composer::Draft;
use crate::islands::composer::state::Composing;

const NAME: &str = "keypool.draft";

#[derive(Serialize, Deserialize)]
struct Kept {
    user_id: String,
    draft: Draft,
}

/// Fills the form from what was kept, unless the page came with something to show.
pub(super) fn restore(state: Composing) {
    let typed = state
        .prompt_box
        .get_untracked()
        .map(|field| field.value())
        .unwrap_or_default();
    if !typed.is_empty() {
        // Typed while the page was being hydrated, sent with it, or kept by the browser.
        state.prompt.set(typed);
        return;
    }
    let kept = browser::storage::get(NAME).and_then(|text| serde_json::from_str::<Kept>(&text).ok());
    let Some(Kept { user_id, draft }) = kept else { return };
    if user_id != state.user_id.get_value() {
        clear();
        return;
    }
    let in_options = [
        ("model", &draft.model),
        ("system", &draft.system),
        ("temperature", &draft.temperature),
        ("maxOutputTokens", &draft.max_output_tokens),
    ];
    for (name, value) in in_options.into_iter().filter(|(_, value)| !value.is_empty()) {
        set(&format!("#{name}"), "value", &JsValue::from_str(value));
        set("#composer-options", "open", &JsValue::TRUE);
    }
    super::view::fill_prompt(state, &draft.prompt);
}

pub(super) fn keep(state: Composing) {
    let draft = read(state);
    if draft == Draft::default() {
        clear();
        return;
    }
    let kept = Kept {
        user_id: state.user_id.get_value(),
        draft,
    };
    if let Ok(text) = serde_json::to_string(&kept) {
        browser::storage::set(NAME, &text);
    }
}

pub(super) fn clear() {
    browser::storage::remove(NAME);
}

pub(super) fn keep_when_leaving(state: Composing) {
    // A phone may end a hidden tab without another word; `visibilitychange` bubbles to the window.
    for name in ["pagehide", "visibilitychange"] {
        let on_leave = Closure::<dyn FnMut()>::new(move || {
            if state.unsent.get_untracked() {
                keep(state);
            }
        });
        let _ = browser::window().add_event_listener_with_callback(name, on_leave.as_ref().unchecked_ref());
        on_leave.forget();
    }
}

/// What the form holds, as typed.
pub(super) fn read(state: Composing) -> Draft {
    let data = state
        .form
        .get_untracked()
        .and_then(|form| web_sys::FormData::new_with_form(&form).ok());
    let field = |name: &str| {
        data.as_ref()
            .and_then(|data| data.get(name).as_string())
            .unwrap_or_default()
    };
    Draft {
        prompt: field("prompt"),
        model: field("model"),
        system: field("system"),
        temperature: field("temperature"),
        max_output_tokens: field("maxOutputTokens"),
        images_lost: 0,
    }
}

fn set(selector: &str, property: &str, value: &JsValue) {
    if let Ok(Some(element)) = document().query_selector(selector) {
        let _ = js_sys::Reflect::set(&element, &property.into(), value);
    }
}
