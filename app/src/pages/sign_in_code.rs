use leptos::prelude::*;

use crate::components::{CardFrame, Field, RefusedSummary};
use crate::context::PageContext;
use crate::pages::query;
use crate::text::account::two_factor::sign_in as words;

/// The second step of signing in, for accounts with a second factor.
#[component]
pub fn SignInCode() -> impl IntoView {
    let refused = expect_context::<PageContext>().refused;
    let next = query::carried("next", refused.as_ref());
    let back = query::link("/sign-in", "next", &next);
    view! {
        <CardFrame title=words::TITLE>
            <section class="card card-form">
                <h1 id="page-title">{words::TITLE}</h1>
                <p class="muted">{words::HINT}</p>
                <RefusedSummary title=words::REFUSED refused=refused.clone()/>
                <form method="post" action="/sign-in/code" class="stack">
                    <input type="hidden" name="next" value=next/>
                    <Field
                        name="code"
                        label=words::CODE
                        autocomplete="one-time-code"
                        hint=words::CODE_HINT
                        autofocus=refused.is_none()
                        refused
                    />
                    <button type="submit" class="button button-primary button-wide">{words::SUBMIT}</button>
                </form>
                <p class="muted"><a href=back>{words::BACK}</a></p>
            </section>
        </CardFrame>
    }
    .into_any()
}
