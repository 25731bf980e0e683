//! What is said in place of figures, or about them.

use leptos::prelude::*;

use super::Asked;
use crate::components::{Icon, RegionError};
use crate::error::{AppError, ErrorCode};
use crate::text::usage as words;
use crate::types::Coverage;

/// Why the figures are not whole; nothing when they are.
#[component]
pub(super) fn NotWhole(coverage: Coverage) -> impl IntoView {
    let said = words::not_whole(&coverage);
    (!said.is_empty()).then(|| {
        let lines = said.into_iter().map(|line| view! { <p>{line}</p> }).collect::<Vec<_>>();
        view! {
            <div class="banner tone-degraded" data-testid="not-whole">
                <Icon name="degraded"/>
                <div class="banner-body">{lines}</div>
            </div>
        }
    })
}

/// In place of figures that could not be read. A query that made no sense is not tried again: its page is shown without it.
pub(super) fn failed(title: &'static str, error: AppError, asked: &Asked) -> AnyView {
    let retry = match error.code {
        ErrorCode::BadRequest => asked.address.path().to_owned(),
        _ => asked.address.whole_at(asked.address.path()),
    };
    view! { <RegionError title error request_id=asked.request_id.clone() retry/> }.into_any()
}

/// In place of figures when there are none, with a link that leads to some.
pub(super) fn nothing(title: &'static str, reason: &str, action: Option<(String, &'static str)>) -> AnyView {
    let reason = reason.to_owned();
    view! {
        <section class="region" data-testid="region-empty">
            <Icon name="analytics" class="icon-large"/>
            <h2>{title}</h2>
            <p>{reason}</p>
            {action.map(|(href, word)| view! { <a class="button button-primary" href=href>{word}</a> })}
        </section>
    }
    .into_any()
}
