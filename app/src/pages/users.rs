use leptos::prelude::*;

use crate::backend::BackendRef;
use crate::components::{Choice, Field, Frame, Icon, Once, Pill, Place, RefusedSummary, RegionError, When};
use crate::context::{PageContext, RefusedForm, Shown};
use crate::error::AppError;
use crate::text::{self, users as words};
use crate::types::{Account, Invitation, NewLink, Role};

const PAGE: &str = "/admin/users";

/// For admins: all accounts, and invitations that nobody used yet.
#[component]
pub fn Users() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let context = expect_context::<PageContext>();
    Suspend::new(async move {
        let me = context.user.as_ref().map(|user| user.id.clone()).unwrap_or_default();
        let read = async { Ok::<_, AppError>((backend.accounts().await?, backend.invitations().await?)) };
        let link = match context.shown {
            Some(Shown::Invitation(link)) => Some(link),
            _ => None,
        };
        let form = link.is_none();
        let body = match read.await {
            Err(error) => view! {
                <RegionError title=words::FAILED error request_id=context.request_id retry=PAGE.to_owned()/>
            }
            .into_any(),
            Ok((accounts, invitations)) => view! {
                <List accounts me/>
                {(!invitations.is_empty()).then(|| view! { <Invitations invitations/> })}
            }
            .into_any(),
        };
        view! {
            <Frame title=words::TITLE place=Place::Users>
                <div class="sections sections-wide">
                    {link.map(|link| view! { <LinkOnce title=words::INVITED link onward=PAGE.to_owned()/> })}
                    {body}
                    {form.then(|| view! { <Invite refused=context.refused/> })}
                </div>
            </Frame>
        }
    })
}

/// A link to hand on.
#[component]
pub(super) fn LinkOnce(title: &'static str, link: NewLink, onward: String) -> impl IntoView {
    view! {
        <Once
            title
            hint=words::LINK_ONCE
            label=words::LINK
            copy=words::COPY_LINK
            secret=link.url
            onward
            onward_word=words::LINK_DONE
        >
            <p>{words::LINK_UNTIL}" "<When at=link.expires_at/>"."</p>
        </Once>
    }
    .into_any()
}

/// Tone, icon and word of whether an account may sign in.
pub(super) fn look(account: &Account) -> (&'static str, &'static str, &'static str) {
    if account.disabled {
        ("tone-unknown", "disabled", words::DISABLED)
    } else {
        ("tone-ok", "operational", words::ACTIVE)
    }
}

#[component]
fn List(accounts: Vec<Account>, me: String) -> impl IntoView {
    let rows = accounts
        .into_iter()
        .map(|account| {
            let is_me = account.id == me;
            view! { <Row account is_me/> }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="accounts">
            <div class="card-head"><h2 id="accounts">{words::LIST}</h2></div>
            <div class="table-wrap">
                <table class="table cards" data-testid="accounts">
                    <thead>
                        <tr>
                            <th scope="col">{words::WHO}</th>
                            <th scope="col">{words::ROLE}</th>
                            <th scope="col">{words::STATE}</th>
                            <th scope="col">{words::TWO_FACTOR}</th>
                            <th scope="col">{words::LAST_SIGN_IN}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn Row(account: Account, is_me: bool) -> impl IntoView {
    let (tone, icon, word) = look(&account);
    let href = format!("{PAGE}/{}", account.id);
    let last = match account.last_sign_in_at {
        Some(at) => view! { <When at zone_shown=true/> }.into_any(),
        None => words::NEVER.into_any(),
    };
    view! {
        <tr>
            <th scope="row" class="cell-title">
                <span class="cell-name">
                    <a href=href>{account.name}</a>
                    {is_me.then(|| view! { <span class="label muted">" ("{words::YOU}")"</span> })}
                </span>
                <span class="muted">{account.email}</span>
            </th>
            <td data-label=words::ROLE>{text::role(account.role)}</td>
            <td data-label=words::STATE><Pill tone icon word/></td>
            <td data-label=words::TWO_FACTOR>{if account.two_factor { words::ON } else { words::OFF }}</td>
            <td class="muted" data-label=words::LAST_SIGN_IN>{last}</td>
        </tr>
    }
    .into_any()
}

#[component]
fn Invitations(invitations: Vec<Invitation>) -> impl IntoView {
    let rows = invitations
        .into_iter()
        .map(|invitation| {
            let action = format!("/admin/invitations/{}/delete", invitation.id);
            let whom = invitation.email.unwrap_or_else(|| words::ANY_EMAIL.to_owned());
            let about = whom.clone();
            view! {
                <li class="entry">
                    <Icon name="user" class="entry-icon"/>
                    <div class="entry-body">
                        <p class="entry-title"><strong>{whom}</strong></p>
                        <p class="label muted">
                            {text::role(invitation.role)}" · "{words::UNTIL}" "<When at=invitation.expires_at/>
                        </p>
                    </div>
                    <form method="post" action=action class="no-print">
                        <button type="submit" class="button">
                            {words::WITHDRAW}<span class="visually-hidden">": "{about}</span>
                        </button>
                    </form>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="invitations" data-testid="invitations">
            <div class="card-head"><h2 id="invitations">{words::INVITATIONS}</h2></div>
            <ul class="rows" role="list">{rows}</ul>
        </section>
    }
    .into_any()
}

/// The roles as choices of a form.
pub(super) fn roles() -> Vec<(String, String)> {
    Role::ALL
        .into_iter()
        .map(|role| (role.as_str().to_owned(), text::role(role).to_owned()))
        .collect()
}

#[component]
fn Invite(refused: Option<RefusedForm>) -> impl IntoView {
    let kept = |field, usual: String| refused.as_ref().map_or(usual, |refused| refused.kept(field));
    let email = kept("email", String::new());
    let role = kept("role", Role::User.as_str().to_owned());
    let hours = kept("hours", words::HOURS_USUAL.to_string());
    let times = words::HOURS
        .into_iter()
        .map(|hours| (hours.to_string(), words::hours(hours)))
        .collect();
    view! {
        <section class="card" aria-labelledby="invite">
            <div class="card-head"><h2 id="invite">{words::INVITE}</h2></div>
            <div class="stack">
                <p class="muted">{words::INVITE_HINT}</p>
                <RefusedSummary title=words::INVITE_REFUSED refused=refused.clone()/>
                <form method="post" action="/admin/invitations" class="stack form-narrow">
                    <Choice name="role" label=words::ROLE choices=roles() chosen=role hint=words::ROLE_HINT/>
                    <Field
                        name="email"
                        label=words::INVITE_EMAIL
                        kind="email"
                        autocomplete="off"
                        hint=words::INVITE_EMAIL_HINT
                        value=email
                        required=false
                        refused
                    />
                    <Choice name="hours" label=words::INVITE_HOURS choices=times chosen=hours/>
                    <div><button type="submit" class="button button-primary">{words::INVITE_SUBMIT}</button></div>
                </form>
            </div>
        </section>
    }
    .into_any()
}
