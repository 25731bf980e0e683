use leptos::prelude::*;

use super::Icon;
use crate::error::AppError;
use crate::text;

/// The place of data that is not there, and what to do about it.
#[component]
pub fn Region(
    icon: &'static str,
    title: &'static str,
    #[prop(into)] reason: String,
    /// Where to go and what that is called.
    #[prop(optional_no_strip)]
    action: Option<(&'static str, &'static str)>,
) -> impl IntoView {
    view! {
        <section class="region" data-testid="region-empty">
            <Icon name=icon class="icon-large"/>
            <h2>{title}</h2>
            <p>{reason}</p>
            {action.map(|(href, word)| view! { <a class="button button-primary" href=href>{word}</a> })}
        </section>
    }
    .into_any()
}

/// The place of data that could not be read: what happened, its code and request id, and a way to try again.
#[component]
pub fn RegionError(
    title: &'static str,
    error: AppError,
    request_id: String,
    /// The page to load again.
    retry: String,
) -> impl IntoView {
    view! {
        <section class="region region-error tone-major" data-testid="region-error" role="alert">
            <Icon name="major" class="icon-large"/>
            <h2>{title}</h2>
            <p>{error.message}</p>
            <p class="region-code">
                <code>{error.code.as_str()}</code>
                " · "
                {text::error::REQUEST_ID}
                " "
                <code>{request_id}</code>
            </p>
            <a class="button" href=retry>
                <Icon name="retry"/>
                {text::error::RETRY}
            </a>
        </section>
    }
    .into_any()
}
