use leptos::prelude::*;

use crate::backend::BackendRef;
use crate::components::{AccountTab, AccountTabs, Field, Frame, RefusedSummary};
use crate::context::{PageContext, RefusedForm};
use crate::text::{self, account as words, register};
use crate::types::User;

mod data;
mod sessions;

use data::{DeleteSection, HistorySection};
use sessions::SessionsSection;

/// One's own account: who one is, the password, where one is signed in, what is kept.
#[component]
pub fn Account() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let context = expect_context::<PageContext>();
    Suspend::new(async move {
        // The guard let nobody through who is not signed in.
        let user = context.user.clone();
        let user_id = user.as_ref().map(|user| user.id.clone()).unwrap_or_default();
        let sessions = backend.sessions(&user_id).await;
        let refused = context.refused.clone();
        view! {
            <Frame title=words::TITLE>
                <AccountTabs here=AccountTab::Account/>
                <div class="sections">
                    {user.map(|user| {
                        let refused = refused.clone();
                        view! {
                            <Profile user=user.clone() refused=RefusedForm::of(refused.as_ref(), "name")/>
                            <Password email=user.email refused=RefusedForm::of(refused.as_ref(), "password")/>
                        }
                    })}
                    <SessionsSection sessions request_id=context.request_id/>
                    <HistorySection refused=RefusedForm::of(refused.as_ref(), "erase")/>
                    <DeleteSection refused=RefusedForm::of(refused.as_ref(), "delete")/>
                </div>
            </Frame>
        }
    })
}

#[component]
fn Profile(user: User, refused: Option<RefusedForm>) -> impl IntoView {
    let name = refused
        .as_ref()
        .map_or_else(|| user.name.clone(), |refused| refused.kept("name"));
    view! {
        <section class="card" aria-labelledby="profile">
            <div class="card-head"><h2 id="profile">{words::PROFILE}</h2></div>
            <div class="stack">
                <dl class="facts">
                    <dt>{words::EMAIL}</dt>
                    <dd>{user.email}</dd>
                    <dt>{words::ROLE}</dt>
                    <dd>{text::role(user.role)}</dd>
                </dl>
                <RefusedSummary title=words::NAME_REFUSED refused=refused.clone()/>
                <form method="post" action="/account/name" class="stack form-narrow">
                    <Field name="name" label=words::NAME autocomplete="name" value=name refused/>
                    <div><button type="submit" class="button">{words::SAVE_NAME}</button></div>
                </form>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn Password(email: String, refused: Option<RefusedForm>) -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="password-title">
            <div class="card-head"><h2 id="password-title">{words::PASSWORD_TITLE}</h2></div>
            <div class="stack">
                <p class="muted">{words::PASSWORD_EFFECT}</p>
                <RefusedSummary title=words::PASSWORD_REFUSED refused=refused.clone()/>
                <form method="post" action="/account/password" class="stack form-narrow">
                    // Password managers file the new password under it.
                    <input
                        class="visually-hidden"
                        type="email"
                        name="email"
                        value=email
                        autocomplete="username"
                        readonly
                        tabindex="-1"
                        aria-hidden="true"
                    />
                    <Field
                        name="currentPassword"
                        label=words::CURRENT_PASSWORD
                        kind="password"
                        autocomplete="current-password"
                        refused=refused.clone()
                    />
                    <Field
                        name="newPassword"
                        label=words::NEW_PASSWORD
                        kind="password"
                        autocomplete="new-password"
                        hint=register::PASSWORD_HINT
                        min_length=12
                        refused
                    />
                    <div><button type="submit" class="button">{words::CHANGE_PASSWORD}</button></div>
                </form>
            </div>
        </section>
    }
    .into_any()
}
