use leptos::prelude::*;

use crate::backend::BackendRef;
use crate::components::{CardFrame, Field, RefusedSummary, RegionError};
use crate::context::{PageContext, RefusedForm};
use crate::error::AppError;
use crate::pages::query;
use crate::text::account::{NEW_PASSWORD, by_link as words};
use crate::text::{self, nav, register, sign_in};
use crate::types::Invitation;

/// A new account, by an admin's invitation.
#[component]
pub fn AcceptInvitation() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let context = expect_context::<PageContext>();
    let token = query::carried("token", context.refused.as_ref());
    Suspend::new(async move {
        let found = match token.as_str() {
            "" => Ok(None),
            token => backend.invitation(token).await,
        };
        match found {
            Err(error) => view! { <Failed title=words::INVITATION_TITLE error context/> }.into_any(),
            Ok(None) => view! { <Over title=words::INVITATION_BAD_TITLE words=words::INVITATION_BAD/> }.into_any(),
            Ok(Some(invitation)) => view! { <InvitationForm token invitation refused=context.refused/> }.into_any(),
        }
    })
}

#[component]
fn InvitationForm(token: String, invitation: Invitation, refused: Option<RefusedForm>) -> impl IntoView {
    let kept = |field| refused.as_ref().map(|refused| refused.kept(field)).unwrap_or_default();
    let email = invitation.email.clone().unwrap_or_else(|| kept("email"));
    let name = kept("name");
    view! {
        <CardFrame title=words::INVITATION_TITLE>
            <section class="card card-form">
                <h1 id="page-title">{words::INVITATION_TITLE}</h1>
                <p class="muted">{words::invited_as(text::role(invitation.role))}</p>
                <RefusedSummary title=register::REFUSED refused=refused.clone()/>
                <form method="post" action="/invitation" class="stack">
                    <input type="hidden" name="token" value=token/>
                    <Field
                        name="name"
                        label=register::NAME
                        autocomplete="name"
                        value=name
                        autofocus=refused.is_none()
                        refused=refused.clone()
                    />
                    <Field
                        name="email"
                        label=sign_in::EMAIL
                        kind="email"
                        autocomplete="username"
                        value=email
                        read_only=invitation.email.is_some()
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
                    <button type="submit" class="button button-primary button-wide">{register::SUBMIT}</button>
                </form>
            </section>
        </CardFrame>
    }
    .into_any()
}

/// A new password for who forgot theirs, by an admin's link.
#[component]
pub fn SetPassword() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let context = expect_context::<PageContext>();
    let token = query::carried("token", context.refused.as_ref());
    Suspend::new(async move {
        let found = match token.as_str() {
            "" => Ok(None),
            token => backend.password_link_email(token).await,
        };
        match found {
            Err(error) => view! { <Failed title=words::PASSWORD_TITLE error context/> }.into_any(),
            Ok(None) => view! { <Over title=words::PASSWORD_BAD_TITLE words=words::PASSWORD_BAD/> }.into_any(),
            Ok(Some(email)) => view! { <PasswordForm token email refused=context.refused/> }.into_any(),
        }
    })
}

#[component]
fn PasswordForm(token: String, email: String, refused: Option<RefusedForm>) -> impl IntoView {
    view! {
        <CardFrame title=words::PASSWORD_TITLE>
            <section class="card card-form">
                <h1 id="page-title">{words::PASSWORD_TITLE}</h1>
                <p class="muted">{words::password_of(&email)}" "{words::PASSWORD_EFFECT}</p>
                <RefusedSummary title=words::REFUSED refused=refused.clone()/>
                <form method="post" action="/password" class="stack">
                    <input type="hidden" name="token" value=token/>
                    // Password managers file the new password under it.
                    <input class="visually-hidden" type="email" name="email" value=email autocomplete="username" readonly tabindex="-1" aria-hidden="true"/>
                    <Field
                        name="newPassword"
                        label=NEW_PASSWORD
                        kind="password"
                        autocomplete="new-password"
                        hint=register::PASSWORD_HINT
                        min_length=12
                        autofocus=refused.is_none()
                        refused
                    />
                    <button type="submit" class="button button-primary button-wide">{words::PASSWORD_SUBMIT}</button>
                </form>
            </section>
        </CardFrame>
    }
    .into_any()
}

#[component]
fn Over(title: &'static str, words: &'static str) -> impl IntoView {
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

#[component]
fn Failed(title: &'static str, error: AppError, context: PageContext) -> impl IntoView {
    view! {
        <CardFrame title>
            <h1 id="page-title" class="visually-hidden">{title}</h1>
            <RegionError title=words::FAILED error request_id=context.request_id retry=context.path/>
        </CardFrame>
    }
    .into_any()
}
