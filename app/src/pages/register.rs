use leptos::prelude::*;

use crate::backend::{BackendRef, MayRegister};
use crate::components::{CardFrame, RefusedSummary};
use crate::context::PageContext;
use crate::pages::query;
use crate::pages::set_up::AccountFields;
use crate::text::{nav, register as text};

#[component]
pub fn Register() -> impl IntoView {
    let context = expect_context::<PageContext>();
    match expect_context::<BackendRef>().may_register() {
        MayRegister::Anyone => {}
        MayRegister::Invited => return view! { <Closed title=text::INVITED_TITLE words=text::INVITED/> }.into_any(),
        MayRegister::Nobody => return view! { <Closed title=text::CLOSED_TITLE words=text::CLOSED/> }.into_any(),
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
fn Closed(title: &'static str, words: &'static str) -> impl IntoView {
    view! {
        <CardFrame title>
            <section class="card card-form">
                <h1 id="page-title">{title}</h1>
                <p class="muted">{words}</p>
                <a class="button button-wide" href="/sign-in">{nav::SIGN_IN}</a>
            </section>
        </CardFrame>
    }
    .into_any()
}
