//! The browser's side of the composer: what each [`Act`] does.

mod draft;
mod files;
mod run;
mod view;

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::stage::Stage;
use super::state::{Act, Composing, FileKind, Tab};
use crate::islands::browser;
use crate::text;

pub(super) fn act(state: Composing, act: Act) {
    match act {
        Act::Hydrated => hydrated(state),
        Act::Submit { fresh } => run::submit(state, fresh),
        Act::Stop => run::stop(state),
        Act::Choose => files::chosen(state),
        Act::DragOver(event) => files::drag_over(state, &event),
        Act::Drop(event) => files::dropped(state, &event),
        Act::Paste(event) => files::pasted(state, &event),
        Act::Remove(id) => files::remove(state, id),
        Act::Example(index) => view::set_prompt(state, text::EXAMPLES.get(index).copied().unwrap_or_default()),
        Act::Show(tab) => show(state, tab),
        Act::Download(kind) => download(state, kind),
        Act::Edit => view::edit_prompt(state),
        Act::Jump => view::jump(state),
    }
}

fn hydrated(state: Composing) {
    state.stage_at_ms.set(browser::now_ms());
    if let Some(form) = state.form.get_untracked() {
        // From here on errors are said beside their field instead of in the browser's bubble.
        form.set_no_validate(true);
    }
    draft::restore(state);
    files::chosen(state);
    draft::keep_when_leaving(state);
    view::watch_scrolling(state);
}

fn show(state: Composing, tab: Tab) {
    state.tab.set(tab);
    if let Some(element) = document().get_element_by_id(tab.id()) {
        let _ = element.unchecked_into::<web_sys::HtmlElement>().focus();
    }
}

fn download(state: Composing, kind: FileKind) {
    let stage = state.stage.get_untracked();
    match (kind, stage) {
        (FileKind::Json, Stage::Done(result)) => {
            if let Ok(json) = serde_json::to_string_pretty(&result) {
                browser::download(&format!("analysis-{}.json", result.id), "application/json", &json);
            }
        }
        // An answer that was not finished has no more than its text.
        (_, stage) => {
            let name = match stage {
                Stage::Done(result) => format!("analysis-{}.md", result.id),
                _ => "analysis.md".to_owned(),
            };
            state
                .text
                .with_untracked(|text| browser::download(&name, "text/markdown", text));
        }
    }
}
