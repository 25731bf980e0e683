use leptos::prelude::*;

use crate::backend::BackendRef;
use crate::components::{CardFrame, RefusedSummary};
use crate::context::PageContext;
use crate::pages::query;
use crate::pages::set_up::AccountFields;
use crate::text::{nav, register as text};

#[component]
pub fn Register() -> impl IntoView {
    let context = expect_context::<PageContext>();
    if !use_context::<BackendRef>().is_some_and(|backend| backend.registration_open()) {
        return view! { <Closed/> }.into_any();
    }
    let next = query::carried("next", context.refused.as_ref());
    let sign_in = query::link("/sign-in", "next", &next);
    view! {
        <CardFrame title=text::TITLE>
            <section class="card card-form">
                <h1 id="page-title">{text::TITLE}</h1>
                <RefusedSummary title=text::REFUSED refused=context.refused.clone()/>
                <form method="post" action="/register" class="stack">
                    <input type="hidden" name="next" value=next/>
                    <AccountFields refused=context.refused/>
                    <button type="submit" class="button button-primary button-wide">{text::SUBMIT}</button>
                </form>
                <p class="muted">
                    {text::HAVE_ACCOUNT}
                    " "
                    <a href=sign_in>{nav::SIGN_IN}</a>
                </p>
            </section>
        </CardFrame>
    }
    .into_any()
}

#[component]
fn Closed() -> impl IntoView {
    view! {
        <CardFrame title=text::CLOSED_TITLE>
            <section class="card card-form">
                <h1 id="page-title">{text::CLOSED_TITLE}</h1>
                <p class="muted">{text::CLOSED}</p>
                <a class="button button-wide" href="/sign-in">{nav::SIGN_IN}</a>
            </section>
        </CardFrame>
    }
    .into_any()
}
