use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::users::{LinkOnce, look, roles};
use crate::backend::BackendRef;
use crate::components::{Choice, Confirm, Field, Frame, Icon, Pill, Place, RefusedSummary, RegionError, When};
use crate::context::{PageContext, RefusedForm, Shown};
use crate::document::PageStatus;
use crate::text::{self, users as words};
use crate::types::Account;

/// For admins: one account, and what can be done about it.
#[component]
pub fn User() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let context = expect_context::<PageContext>();
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    Suspend::new(async move {
        let is_me = context.user.as_ref().is_some_and(|user| user.id == id);
        let link = match context.shown {
            Some(Shown::PasswordLink(link)) => Some(link),
            _ => None,
        };
        let body = match backend.account(&id).await {
            Err(error) => {
                PageStatus::set(error.code.http_status());
                view! { <RegionError title=words::FAILED error request_id=context.request_id retry=context.path/> }
                    .into_any()
            }
            Ok(account) => view! { <One account is_me refused=context.refused/> }.into_any(),
        };
        view! {
            <Frame title=words::USER_TITLE place=Place::Users>
                <div class="sections">
                    <a class="analysis-back" href="/admin/users"><Icon name="chevron-left"/>{words::BACK}</a>
                    {link.map(|link| view! { <LinkOnce title=words::PASSWORD_LINK_MADE link onward=format!("/admin/users/{id}")/> })}
                    {body}
                </div>
            </Frame>
        }
    })
}

#[component]
fn One(account: Account, is_me: bool, refused: Option<RefusedForm>) -> impl IntoView {
    let actions = (!is_me).then(|| {
        let account = account.clone();
        view! {
            <ChangeRole account=account.clone() refused=RefusedForm::of(refused.as_ref(), "role")/>
            <Access account=account.clone() refused=RefusedForm::of(refused.as_ref(), "access")/>
            <Delete account refused=RefusedForm::of(refused.as_ref(), "delete")/>
        }
    });
    let yourself = is_me.then(|| {
        view! { <p class="note"><Icon name="info"/><span>{words::YOURSELF}" "<a href="/account">{text::nav::YOUR_ACCOUNT}</a>"."</span></p> }
    });
    view! {
        <Facts account/>
        {yourself}
        {actions}
    }
    .into_any()
}

#[component]
fn Facts(account: Account) -> impl IntoView {
    let (tone, icon, word) = look(&account);
    let last = match account.last_sign_in_at {
        Some(at) => view! { <When at/> }.into_any(),
        None => words::NEVER.into_any(),
    };
    view! {
        <section class="card" aria-labelledby="user">
            <div class="card-head">
                <h2 id="user">{account.name}</h2>
                <Pill tone icon word/>
            </div>
            <dl class="facts">
                <dt>{text::account::EMAIL}</dt>
                <dd>{account.email}</dd>
                <dt>{words::ROLE}</dt>
                <dd>{text::role(account.role)}</dd>
                <dt>{words::TWO_FACTOR}</dt>
                <dd>{if account.two_factor { words::ON } else { words::OFF }}</dd>
                <dt>{words::LAST_SIGN_IN_FACT}</dt>
                <dd>{last}</dd>
                <dt>{words::CREATED}</dt>
                <dd><When at=account.created_at/></dd>
                <dt>{words::ID}</dt>
                <dd><code>{account.id}</code></dd>
            </dl>
        </section>
    }
    .into_any()
}

#[component]
fn ChangeRole(account: Account, refused: Option<RefusedForm>) -> impl IntoView {
    let action = format!("/admin/users/{}/role", account.id);
    view! {
        <section class="card" aria-labelledby="role-title">
            <div class="card-head"><h2 id="role-title">{words::ROLE}</h2></div>
            <div class="stack">
                <p class="muted">{words::ROLE_EFFECT}</p>
                <RefusedSummary title=words::ROLE_REFUSED refused/>
                <form method="post" action=action class="stack form-narrow">
                    <Choice
                        name="role"
                        label=words::ROLE
                        choices=roles()
                        chosen=account.role.as_str()
                        hint=words::ROLE_HINT
                    />
                    <div><button type="submit" class="button">{words::SAVE_ROLE}</button></div>
                </form>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn Access(account: Account, refused: Option<RefusedForm>) -> impl IntoView {
    let at = |what: &str| format!("/admin/users/{}/{what}", account.id);
    let (toggle, word, effect) = if account.disabled {
        (at("enable"), words::ENABLE, words::ENABLE_EFFECT)
    } else {
        (at("disable"), words::DISABLE, words::DISABLE_EFFECT)
    };
    let reset = at("two-factor");
    let second_factor = account.two_factor.then(|| {
        view! {
            <Confirm label=words::RESET_TWO_FACTOR effect=words::RESET_TWO_FACTOR_EFFECT>
                <form method="post" action=reset>
                    <button type="submit" class="button button-danger">{words::RESET_TWO_FACTOR_SUBMIT}</button>
                </form>
            </Confirm>
        }
    });
    let (password_link, sign_out) = (at("password-link"), at("sign-out"));
    view! {
        <section class="card" aria-labelledby="access">
            <div class="card-head"><h2 id="access">{words::ACCESS}</h2></div>
            <div class="stack">
                <RefusedSummary title=words::ROLE_REFUSED refused/>
                <Act action=password_link word=words::PASSWORD_LINK effect=words::PASSWORD_LINK_EFFECT/>
                <Act action=sign_out word=words::SIGN_OUT effect=words::SIGN_OUT_EFFECT/>
                <Act action=toggle word effect/>
                {second_factor}
            </div>
        </section>
    }
    .into_any()
}

/// A button with its effect beside it.
#[component]
fn Act(action: String, word: &'static str, effect: &'static str) -> impl IntoView {
    view! {
        <form method="post" action=action class="act">
            <p class="act-effect muted">{effect}</p>
            <button type="submit" class="button">{word}</button>
        </form>
    }
    .into_any()
}

#[component]
fn Delete(account: Account, refused: Option<RefusedForm>) -> impl IntoView {
    let action = format!("/admin/users/{}/delete", account.id);
    let open = refused.is_some();
    let email = refused
        .as_ref()
        .map(|refused| refused.kept("email"))
        .unwrap_or_default();
    view! {
        <section class="card" aria-labelledby="delete">
            <div class="card-head"><h2 id="delete">{words::DELETE}</h2></div>
            <Confirm label=words::DELETE effect=words::DELETE_EFFECT open>
                <RefusedSummary title=words::DELETE_REFUSED refused=refused.clone()/>
                <form method="post" action=action class="stack form-narrow">
                    <Field name="email" label=words::DELETE_CONFIRM autocomplete="off" value=email refused/>
                    <div><button type="submit" class="button button-danger">{words::DELETE_SUBMIT}</button></div>
                </form>
            </Confirm>
        </section>
    }
    .into_any()
}
