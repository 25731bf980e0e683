use leptos::prelude::*;

use crate::components::{CardFrame, Icon};
use crate::context::PageContext;
use crate::document::{PageStatus, document};
use crate::text;

/// An error as a page: what happened, what to do, and the request id to report. `code` is the HTTP status.
pub fn error_page(code: u16, request_id: &str) -> impl IntoView + use<> {
    let (title, words) = text::error::page(code);
    let request_id = request_id.to_owned();
    let icon = if code >= 500 { "major" } else { "search" };
    view! {
        <CardFrame title>
            <section class="card card-form error-page" data-testid="error-page">
                <p class="error-code">
                    <Icon name=icon/>
                    <span class="number">{code}</span>
                </p>
                <h1 id="page-title">{title}</h1>
                <p class="muted">{words}</p>
                <p class="label muted">
                    {text::error::REQUEST_ID}
                    " "
                    <code>{request_id}</code>
                </p>
                <a class="button button-primary" href="/">{text::error::BACK}</a>
            </section>
        </CardFrame>
    }
    .into_any()
}

/// [`error_page`] as a whole document, for answers that never reach the app: a refused method, a panic. Needs no script.
pub fn error_document(options: &LeptosOptions, context: PageContext, code: u16) -> String {
    let owner = Owner::new();
    owner.with(|| {
        let request_id = context.request_id.clone();
        provide_context(context);
        let head = view! { <title>{format!("{} · {}", text::error::page(code).0, text::PRODUCT)}</title> };
        document(options, head, error_page(code, &request_id)).to_html()
    })
}

/// What no route answers.
#[component]
pub fn NotFound() -> impl IntoView {
    PageStatus::set(404);
    let request_id = use_context::<PageContext>()
        .map(|context| context.request_id)
        .unwrap_or_default();
    error_page(404, &request_id)
}
