use leptos::prelude::*;

use crate::backend::BackendRef;
use crate::components::{CardFrame, Field, Icon, RefusedSummary, RegionError};
use crate::context::{PageContext, RefusedForm};
use crate::islands::CopyButton;
use crate::pages::query;
use crate::text::{nav, register, set_up as text, sign_in};
use crate::types::SetUp;

/// First run: the administrator, by the one-time link the server printed.
#[component]
pub fn SetUpAdmin() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let context = expect_context::<PageContext>();
    let token = query::carried("token", context.refused.as_ref());
    Suspend::new(async move {
        let set_up = backend.set_up().await;
        // Known before the form is filled in, not after.
        let link_is_good = match set_up {
            Ok(SetUp { has_admin: false, .. }) if !token.is_empty() => backend.set_up_link_is_good(&token).await,
            _ => Ok(true),
        };
        match link_is_good.and_then(|good| Ok((set_up?, good))) {
            Err(error) => view! {
                <CardFrame title=text::TITLE>
                    <h1 id="page-title" class="visually-hidden">{text::TITLE}</h1>
                    <RegionError title=text::FAILED error request_id=context.request_id retry=context.path/>
                </CardFrame>
            }
            .into_any(),
            Ok((SetUp { has_admin: true, .. }, _)) => {
                view! { <Notice title=text::HAS_ADMIN_TITLE words=text::HAS_ADMIN sign_in=true/> }.into_any()
            }
            Ok(_) if token.is_empty() => {
                view! { <Notice title=text::NO_TOKEN_TITLE words=text::NO_TOKEN sign_in=false/> }.into_any()
            }
            Ok((_, false)) => {
                view! { <Notice title=text::OLD_LINK_TITLE words=text::OLD_LINK sign_in=false/> }.into_any()
            }
            Ok(_) => view! { <AdminForm token refused=context.refused/> }.into_any(),
        }
    })
}

#[component]
fn AdminForm(token: String, refused: Option<RefusedForm>) -> impl IntoView {
    view! {
        <CardFrame title=text::TITLE>
            <Steps at=0/>
            <section class="card card-form">
                <h1 id="page-title">{text::ADMIN_TITLE}</h1>
                <p class="muted">{text::ADMIN_HINT}</p>
                <RefusedSummary title=text::ADMIN_REFUSED refused=refused.clone()/>
                <form method="post" action="/set-up" class="stack">
                    <input type="hidden" name="token" value=token/>
                    <AccountFields refused/>
                    <button type="submit" class="button button-primary button-wide">{text::ADMIN_SUBMIT}</button>
                </form>
            </section>
        </CardFrame>
    }
    .into_any()
}

/// Second step, for administrators: the first provider key. With a key, the last step.
#[component]
pub fn SetUpKey() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let refused = expect_context::<PageContext>().refused;
    if backend.status().total_keys > 0 {
        view! { <Done/> }.into_any()
    } else {
        view! { <KeyForm refused/> }.into_any()
    }
}

#[component]
fn KeyForm(refused: Option<RefusedForm>) -> impl IntoView {
    let label = refused
        .as_ref()
        .map(|refused| refused.kept("label"))
        .unwrap_or_default();
    view! {
        <CardFrame title=text::TITLE>
            <Steps at=1/>
            <section class="card card-form">
                <h1 id="page-title">{text::KEY_TITLE}</h1>
                <p class="muted">{text::KEY_HINT}</p>
                <RefusedSummary title=text::KEY_REFUSED refused=refused.clone()/>
                <form method="post" action="/set-up/key" class="stack">
                    <Field
                        name="key"
                        label=text::KEY
                        kind="password"
                        autocomplete="off"
                        hint=text::KEY_FORMAT
                        autofocus=refused.is_none()
                        refused=refused.clone()
                    />
                    <Field
                        name="label"
                        label=text::KEY_LABEL
                        autocomplete="off"
                        hint=text::KEY_LABEL_HINT
                        value=label
                        required=false
                        refused
                    />
                    <button type="submit" class="button button-primary button-wide">{text::KEY_SUBMIT}</button>
                </form>
            </section>
        </CardFrame>
    }
    .into_any()
}

#[component]
fn Done() -> impl IntoView {
    view! {
        <CardFrame title=text::TITLE wide=true>
            <Steps at=2/>
            <section class="card card-form">
                <h1 id="page-title">{text::DONE_TITLE}</h1>
                <p>{text::DONE}</p>
                <pre class="code" tabindex="0" role="region" aria-label=text::CALL_LABEL>{text::CALL}</pre>
                <p class="muted label">{text::CALL_HINT}</p>
                <div class="row">
                    <a class="button button-primary" href="/">{text::DONE_LINK}</a>
                    <CopyButton text=text::CALL.to_owned() label=text::COPY_CALL.to_owned()/>
                </div>
            </section>
        </CardFrame>
    }
    .into_any()
}

#[component]
fn Notice(title: &'static str, words: &'static str, sign_in: bool) -> impl IntoView {
    view! {
        <CardFrame title=text::TITLE>
            <section class="card card-form">
                <h1 id="page-title">{title}</h1>
                <p class="muted">{words}</p>
                {sign_in.then(|| view! { <a class="button button-primary button-wide" href="/sign-in">{nav::SIGN_IN}</a> })}
            </section>
        </CardFrame>
    }
    .into_any()
}

#[component]
fn Steps(at: usize) -> impl IntoView {
    let steps = text::STEPS
        .into_iter()
        .enumerate()
        .map(|(place, word)| {
            let done = place < at;
            let mark = if done {
                view! { <Icon name="check"/> }.into_any()
            } else {
                (place + 1).into_any()
            };
            view! {
                <li class=if done { "step-done" } else { "step" } aria-current=(place == at).then_some("step")>
                    <span class="step-mark">{mark}</span>
                    {word}
                    {done.then(|| view! { <span class="visually-hidden">{text::STEP_DONE}</span> })}
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! { <ol class="steps" role="list" aria-label=text::STEPS_LABEL>{steps}</ol> }
}

/// Name, e-mail and a new password, as registering and setting up both ask for them.
#[component]
pub(super) fn AccountFields(refused: Option<RefusedForm>) -> impl IntoView {
    let kept = |field| refused.as_ref().map(|refused| refused.kept(field)).unwrap_or_default();
    view! {
        <Field
            name="name"
            label=register::NAME
            autocomplete="name"
            value=kept("name")
            autofocus=refused.is_none()
            refused=refused.clone()
        />
        <Field
            name="email"
            label=sign_in::EMAIL
            kind="email"
            autocomplete="username"
            value=kept("email")
            refused=refused.clone()
        />
        <Field
            name="password"
            label=sign_in::PASSWORD
            kind="password"
            autocomplete="new-password"
            hint=register::PASSWORD_HINT
            min_length=12
            refused
        />
    }
    .into_any()
}
