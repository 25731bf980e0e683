use leptos::prelude::*;

use crate::components::Icon;
use crate::text::compose as words;

/// Copies `text`; says so for a moment. Hidden by style where there is no script: there would be nothing to press.
#[island]
pub fn CopyButton(text: String, label: String) -> impl IntoView {
    let text = StoredValue::new(text);
    view! { <Copy text=Signal::derive(move || text.get_value()) label/> }
}

/// The same inside of an island, for a text that changes.
#[component]
pub(super) fn Copy(text: Signal<String>, label: String) -> impl IntoView {
    let outcome = RwSignal::new(None::<bool>);
    let icon = Signal::derive(move || if outcome.get() == Some(true) { "check" } else { "copy" });
    view! {
        <button type="button" class="button copy-button" on:click=move |_| copy(text.get_untracked(), outcome)>
            <Icon name=icon/>
            {label}
        </button>
        <span class="visually-hidden" role="status">
            {move || match outcome.get() {
                Some(true) => words::COPIED,
                Some(false) => words::NOT_COPIED,
                None => "",
            }}
        </span>
    }
}

#[cfg(target_arch = "wasm32")]
fn copy(text: String, outcome: RwSignal<Option<bool>>) {
    leptos::task::spawn_local(async move {
        outcome.set(Some(super::browser::copy(&text).await));
        set_timeout(move || outcome.set(None), std::time::Duration::from_secs(3));
    });
}

/// Nobody clicks on the server.
#[cfg(not(target_arch = "wasm32"))]
fn copy(_: String, _: RwSignal<Option<bool>>) {}
