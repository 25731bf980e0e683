//! The tabs, the prompt and the buttons.

use leptos::prelude::*;

use super::field_error;
use super::state::{Act, Composing, Field, Tab, act};
use crate::components::Icon;
use crate::text::compose as words;
use crate::types::PROMPT_CHARS_MAX;

/// Both parts are simply visible where there is no script; the tabs are then hidden by style.
pub fn tabs(state: Composing) -> impl IntoView {
    let on_keydown = move |event: leptos::ev::KeyboardEvent| {
        let next = match event.key().as_str() {
            "ArrowLeft" | "ArrowRight" => state.tab.get_untracked().other(),
            "Home" => Tab::Text,
            "End" => Tab::Image,
            _ => return,
        };
        event.prevent_default();
        act(state, Act::Show(next));
    };
    let tab = move |tab: Tab, icon: &'static str, word: &'static str| {
        view! {
            <button
                type="button"
                role="tab"
                id=tab.id()
                aria-controls="composer-panel"
                aria-selected=move || if state.tab.get() == tab { "true" } else { "false" }
                tabindex=move || if state.tab.get() == tab { "0" } else { "-1" }
                on:click=move |_| state.tab.set(tab)
            >
                <Icon name=icon/>
                {word}
                {(tab == Tab::Image).then(|| view! {
                    <span class="number">{move || match state.pictures.with(Vec::len) {
                        0 => String::new(),
                        count => format!(" ({count})"),
                    }}</span>
                })}
            </button>
        }
    };
    view! {
        <div class="segmented composer-tabs" role="tablist" aria-label=words::KIND on:keydown=on_keydown>
            {tab(Tab::Text, "text", words::TAB_TEXT)}
            {tab(Tab::Image, "image", words::TAB_IMAGE)}
        </div>
    }
}

pub fn prompt(state: Composing, initial: String) -> impl IntoView {
    let count = move || state.prompt.with(|prompt| prompt.chars().count());
    view! {
        <div class="field">
            <div class="field-head">
                <label for="prompt">{words::PROMPT}</label>
                <span class="field-hint number" id="prompt-count" class:field-over=move || { count() > PROMPT_CHARS_MAX }>
                    {move || words::character_count(count(), PROMPT_CHARS_MAX)}
                </span>
            </div>
            <textarea
                class="input composer-prompt"
                id="prompt"
                name=Field::Prompt.name()
                rows="7"
                required
                placeholder=words::PROMPT_PLACEHOLDER
                aria-describedby=format!("prompt-count {}", Field::Prompt.error_id())
                aria-invalid=move || state.is_wrong(Field::Prompt).then_some("true")
                node_ref=state.prompt_box
                inner_html=escaped(&initial)
                on:input=move |event| {
                    state.prompt.set(event_target_value(&event));
                    state.unsent.set(true);
                    if state.is_wrong(Field::Prompt) {
                        state.problem.set(None);
                    }
                }
            ></textarea>
            {field_error(state, Field::Prompt)}
        </div>
    }
}

/// One button: Analyze, and Stop while an answer is under way. It keeps the focus.
pub fn actions(state: Composing) -> impl IntoView {
    let is_off = move || !state.is_running() && state.blocked().is_some();
    let meant_stop = StoredValue::new(false);
    let on_pointer_down = move |_| meant_stop.set_value(state.stage.with_untracked(super::stage::Stage::is_running));
    let on_click = move |event: leptos::ev::MouseEvent| {
        // Pressed as Stop and released as Analyze, because the answer ended in between. A keyboard's click has no pointer.
        if meant_stop.try_update_value(std::mem::take) == Some(true)
            && !state.stage.with_untracked(super::stage::Stage::is_running)
        {
            event.prevent_default();
            return;
        }
        if state.stage.with_untracked(super::stage::Stage::is_running) {
            // Otherwise the button, a submit button again by then, would send the form once more.
            event.prevent_default();
            // The second half of a double click is no wish to stop.
            if event.detail() < 2 {
                act(state, Act::Stop);
            }
        }
    };
    view! {
        <div class="composer-actions">
            <button
                type=move || if state.is_running() { "button" } else { "submit" }
                class="button composer-submit"
                class:button-primary=move || !state.is_running()
                disabled=is_off
                aria-describedby="composer-blocked"
                on:pointerdown=on_pointer_down
                on:click=on_click
            >
                <Icon name=Signal::derive(move || if state.is_running() { "stop" } else { "analyze" })/>
                {move || if state.is_running() { words::STOP } else { words::ANALYZE }}
            </button>
            <span class="field-hint composer-shortcut" aria-hidden="true">
                <kbd>"Ctrl"</kbd>
                " + "
                <kbd>"Enter"</kbd>
            </span>
            <p class="composer-blocked" id="composer-blocked">
                {move || if state.is_running() { None } else { state.blocked() }}
            </p>
        </div>
    }
}

/// A textarea's content. The parser drops a first line feed, so a text that begins with one gets one more.
pub fn escaped(text: &str) -> String {
    let first = if text.starts_with('\n') { "\n" } else { "" };
    format!("{first}{}", text.replace('&', "&amp;").replace('<', "&lt;"))
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_prompt_cannot_close_its_textarea() {
        assert_eq!(escaped("</textarea><b>&amp;"), "&lt;/textarea>&lt;b>&amp;amp;");
        assert_eq!(escaped("\nfirst line is empty"), "\n\nfirst line is empty");
    }
}
