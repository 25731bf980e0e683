use leptos::prelude::*;

use crate::backend::{BackendRef, MayRegister};
use crate::components::{CardFrame, Field, RefusedSummary};
use crate::context::{DemoAccount, PageContext};
use crate::pages::query;
use crate::text::sign_in as text;

#[component]
pub fn SignIn() -> impl IntoView {
    let context = expect_context::<PageContext>();
    let open = expect_context::<BackendRef>().may_register() == MayRegister::Anyone;
    let refused = context.refused;
    let next = query::carried("next", refused.as_ref());
    let register = query::link("/register", "next", &next);
    let email = refused
        .as_ref()
        .map(|refused| refused.kept("email"))
        .unwrap_or_default();
    // Whoever was refused goes on with the password: the e-mail is still there.
    let again = !email.is_empty();
    view! {
        <CardFrame title=text::TITLE>
            <section class="card card-form">
                <h1 id="page-title">{text::TITLE}</h1>
                <RefusedSummary title=text::REFUSED refused=refused.clone()/>
                <form method="post" action="/sign-in" class="stack">
                    <input type="hidden" name="next" value=next.clone()/>
                    <Field
                        name="email"
                        label=text::EMAIL
                        kind="email"
                        autocomplete="username"
                        value=email
                        autofocus=!again && refused.is_none()
                        refused=refused.clone()
                    />
                    <Field name="password" label=text::PASSWORD kind="password" autocomplete="current-password" refused/>
                    <button type="submit" class="button button-primary button-wide">{text::SUBMIT}</button>
                </form>
                {open
                    .then(|| {
                        view! {
                            <p class="muted">
                                {text::NO_ACCOUNT}
                                " "
                                <a href=register>{text::REGISTER}</a>
                            </p>
                        }
                    })}
            </section>
            {context.demo.map(|accounts| view! { <Demo accounts next/> })}
        </CardFrame>
    }
    .into_any()
}

/// The accounts of a demo, each with a form that signs in to it. Their passwords are public.
#[component]
fn Demo(accounts: Vec<DemoAccount>, next: String) -> impl IntoView {
    let accounts = accounts
        .into_iter()
        .map(|account| {
            view! {
                <li class="demo-account">
                    <span class="demo-who">
                        <span class="mono">{account.email.clone()}</span>
                        <span class="mono muted">{account.password.clone()}</span>
                    </span>
                    <form method="post" action="/sign-in">
                        <input type="hidden" name="next" value=next.clone()/>
                        <input type="hidden" name="email" value=account.email/>
                        <input type="hidden" name="password" value=account.password/>
                        <button type="submit" class="button">{text::demo_button(account.role)}</button>
                    </form>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="card card-form" aria-labelledby="demo-title">
            <h2 id="demo-title">{text::DEMO_TITLE}</h2>
            <p class="muted">{text::DEMO_HINT}</p>
            <ul role="list" class="stack">{accounts}</ul>
        </section>
    }
    .into_any()
}
