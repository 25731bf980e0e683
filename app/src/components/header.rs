use leptos::prelude::*;

use super::Icon;
use crate::context::{PageContext, Theme};
use crate::text;
use crate::types::User;

/// Title, theme and account of a signed-in page.
#[component]
pub(super) fn Header(title: &'static str, user: User, context: PageContext) -> impl IntoView {
    view! {
        <header class="header">
            <h1 id="page-title">{title}</h1>
            <div class="header-end no-print">
                <ThemeForm chosen=context.theme next=context.path/>
                <Account user/>
            </div>
        </header>
    }
    .into_any()
}

/// Brand, theme and the way to sign in.
#[component]
pub(super) fn PublicHeader(context: PageContext, sign_in: bool) -> impl IntoView {
    view! {
        <header class="header header-public">
            <Brand/>
            <div class="header-end no-print">
                <ThemeForm chosen=context.theme next=context.path/>
                {(sign_in && context.user.is_none())
                    .then(|| view! { <a class="button" href="/sign-in">{text::nav::SIGN_IN}</a> })}
            </div>
        </header>
    }
    .into_any()
}

#[component]
pub(super) fn Brand() -> impl IntoView {
    view! {
        <a class="brand" href="/">
            <img src="/favicon.svg" alt="" width="24" height="24"/>
            <span class="brand-name">{text::PRODUCT}</span>
        </a>
    }
    .into_any()
}

/// Works without script: the server sets the cookie and comes back to `next`.
#[component]
fn ThemeForm(chosen: Theme, next: String) -> impl IntoView {
    let choices = Theme::ALL
        .into_iter()
        .map(|theme| {
            let (icon, word) = match theme {
                Theme::System => ("monitor", text::nav::THEME_SYSTEM),
                Theme::Light => ("sun", text::nav::THEME_LIGHT),
                Theme::Dark => ("moon", text::nav::THEME_DARK),
            };
            let pressed = if theme == chosen { "true" } else { "false" };
            view! {
                <button type="submit" name="theme" value=theme.as_str() aria-pressed=pressed title=word>
                    <Icon name=icon/>
                    <span class="visually-hidden">{word}</span>
                </button>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <form method="post" action="/theme">
            <input type="hidden" name="next" value=next/>
            <div class="segmented" role="group" aria-label=text::nav::THEME>{choices}</div>
        </form>
    }
    .into_any()
}

#[component]
fn Account(user: User) -> impl IntoView {
    let initial = user.name.chars().next().unwrap_or('?').to_uppercase().to_string();
    view! {
        <button type="button" class="account" popovertarget="account-menu">
            <span class="avatar" aria-hidden="true">{initial}</span>
            <span class="account-name"><span class="visually-hidden">{text::nav::ACCOUNT}": "</span>{user.name.clone()}</span>
            <Icon name="chevron-down"/>
        </button>
        <div id="account-menu" class="account-menu" popover="auto">
            <p class="account-who">
                <strong>{user.name}</strong>
                <span class="muted label">{user.email}</span>
                <span class="muted label">{text::role(user.role)}</span>
            </p>
            <ul class="account-links" role="list">
                <li><a class="nav-link" href="/account"><Icon name="user"/>{text::nav::YOUR_ACCOUNT}</a></li>
                <li><a class="nav-link" href="/account/tokens"><Icon name="key"/>{text::nav::TOKENS}</a></li>
            </ul>
            <form method="post" action="/sign-out">
                <button type="submit" class="button button-wide">
                    <Icon name="sign-out"/>
                    {text::nav::SIGN_OUT}
                </button>
            </form>
        </div>
    }
    .into_any()
}
