use leptos::prelude::*;

use crate::components::{Icon, Pill, RegionError, When};
use crate::error::AppError;
use crate::text::account as words;
use crate::types::{ActiveSession, SessionKind};

/// Where the account is signed in, each with a button that ends it.
#[component]
pub(super) fn SessionsSection(sessions: Result<Vec<ActiveSession>, AppError>, request_id: String) -> impl IntoView {
    let body = match sessions {
        Err(error) => view! {
            <RegionError title=words::SESSIONS_FAILED error request_id retry="/account".to_owned()/>
        }
        .into_any(),
        Ok(sessions) => view! { <List sessions/> }.into_any(),
    };
    view! {
        <section class="card" aria-labelledby="sessions" data-testid="sessions">
            <div class="card-head"><h2 id="sessions">{words::SESSIONS}</h2></div>
            <p class="section-hint muted">{words::SESSIONS_HINT}</p>
            {body}
        </section>
    }
    .into_any()
}

#[component]
fn List(sessions: Vec<ActiveSession>) -> impl IntoView {
    let others = sessions.iter().any(|session| !session.current);
    let rows = sessions
        .into_iter()
        .map(|session| view! { <Row session/> })
        .collect::<Vec<_>>();
    view! {
        <ul class="rows" role="list">{rows}</ul>
        {others
            .then(|| {
                view! {
                    <form method="post" action="/account/sessions/end" class="section-end no-print">
                        <button type="submit" class="button button-danger">{words::END_OTHERS}</button>
                    </form>
                }
            })}
    }
    .into_any()
}

#[component]
fn Row(session: ActiveSession) -> impl IntoView {
    let icon = match session.kind {
        SessionKind::Browser => "monitor",
        SessionKind::Api => "text",
    };
    let name = words::agent(session.kind, session.user_agent.as_deref());
    let about = name.clone();
    let action = format!("/account/sessions/{}/end", session.id);
    view! {
        <li class="entry">
            <Icon name=icon class="entry-icon"/>
            <div class="entry-body">
                <p class="entry-title">
                    <strong>{name}</strong>
                    {session.current.then(|| view! { <Pill tone="tone-ok" icon="operational" word=words::THIS_SESSION/> })}
                </p>
                <p class="label muted">
                    {words::kind(session.kind)}
                    {session.address.map(|address| format!(", {address}"))}
                    " · "{words::BEGAN}" "<When at=session.began_at/>
                    " · "{words::LAST_USED}" "<When at=session.last_used_at/>
                </p>
            </div>
            {(!session.current)
                .then(|| {
                    view! {
                        <form method="post" action=action class="no-print">
                            <button type="submit" class="button">
                                {words::END}
                                <span class="visually-hidden">": "{about}</span>
                            </button>
                        </form>
                    }
                })}
        </li>
    }
    .into_any()
}
