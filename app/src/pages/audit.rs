use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde_json::Value;

use crate::backend::{AuditQuery, BackendRef};
use crate::components::{Field, Frame, Icon, Place, Region, RegionError, When};
use crate::context::PageContext;
use crate::error::AppError;
use crate::pages::query;
use crate::text::audit as words;
use crate::types::{AuditEntry, AuditPage, AuditVerdict};

const PAGE: &str = "/admin/audit";

/// For admins: who did what. Filter, place and check are in the address.
#[component]
pub fn Audit() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let context = expect_context::<PageContext>();
    let asked = use_query_map().read_untracked().clone();
    let given = |name: &str| asked.get(name).filter(|value| !value.trim().is_empty());
    let query = AuditQuery {
        actor: given("actor"),
        action: given("action"),
        target: given("target"),
        cursor: given("cursor"),
    };
    let check = given("check").is_some();
    Suspend::new(async move {
        let page = backend.audit_page(&query).await;
        let verdict = match check {
            true => Some(backend.audit_verdict().await),
            false => None,
        };
        let body = match page {
            Err(error) => view! { <Failed error context/> }.into_any(),
            Ok(page) => view! { <Entries page query=query.clone()/> }.into_any(),
        };
        view! {
            <Frame title=words::TITLE place=Place::Audit>
                <p class="section-hint muted">{words::HINT}</p>
                {verdict.map(|verdict| view! { <Verdict verdict/> })}
                <Filter query/>
                {body}
            </Frame>
        }
    })
}

#[component]
fn Failed(error: AppError, context: PageContext) -> impl IntoView {
    view! { <RegionError title=words::FAILED error request_id=context.request_id retry=context.path/> }
}

#[component]
fn Verdict(verdict: Result<AuditVerdict, AppError>) -> impl IntoView {
    let (tone, icon, title, lines) = match verdict {
        Ok(AuditVerdict {
            fault: None,
            intact: true,
            entries,
            head,
        }) => {
            let head = head.map(|head| format!("{} {head}", words::HEAD));
            let lines = [Some(words::whole(entries)), head];
            ("tone-ok", "operational", words::WHOLE_TITLE, lines)
        }
        Ok(AuditVerdict { fault, .. }) => {
            let fault = fault.map(|fault| words::fault(fault.seq, &fault.message));
            let lines = [fault, Some(words::BROKEN_NEXT.to_owned())];
            ("tone-major", "major", words::BROKEN_TITLE, lines)
        }
        Err(error) => ("tone-major", "major", words::FAILED, [Some(error.message), None]),
    };
    let lines = lines
        .into_iter()
        .flatten()
        .map(|line| view! { <p class="audit-line">{line}</p> })
        .collect::<Vec<_>>();
    view! {
        <div class=format!("banner {tone}") role="status" data-testid="verdict">
            <Icon name=icon/>
            <div class="banner-body">
                <p class="banner-title">{title}</p>
                {lines}
            </div>
        </div>
    }
    .into_any()
}

#[component]
fn Filter(query: AuditQuery) -> impl IntoView {
    let AuditQuery {
        actor,
        action,
        target,
        cursor: _,
    } = query;
    view! {
        <div class="filter-bar no-print">
            <form method="get" action=PAGE class="filters" role="search" aria-label=words::FILTER>
                <Field name="actor" label=words::ACTOR autocomplete="off" value=actor.unwrap_or_default() required=false/>
                <Field name="action" label=words::ACTION autocomplete="off" value=action.unwrap_or_default() required=false/>
                <Field name="target" label=words::TARGET autocomplete="off" value=target.unwrap_or_default() required=false/>
                <button type="submit" class="button"><Icon name="search"/>{words::APPLY}</button>
            </form>
            <form method="get" action=PAGE>
                <button type="submit" class="button" name="check" value="1"><Icon name="shield"/>{words::CHECK}</button>
            </form>
        </div>
    }
    .into_any()
}

#[component]
fn Entries(page: AuditPage, query: AuditQuery) -> impl IntoView {
    let first = query.cursor.is_none();
    let filtered = query
        != AuditQuery {
            cursor: query.cursor.clone(),
            ..AuditQuery::default()
        };
    if page.items.is_empty() && (filtered || !first) {
        return view! {
            <Region icon="search" title=words::NO_MATCH_TITLE reason=words::NO_MATCH action=Some((PAGE, words::ALL))/>
        }
        .into_any();
    }
    if page.items.is_empty() {
        return view! { <Region icon="audit" title=words::EMPTY_TITLE reason=words::EMPTY action=None/> }.into_any();
    }
    let newest = query::link_all(PAGE, &parts(&query));
    let next = page.next_cursor.map(|cursor| {
        let mut parts = parts(&query);
        parts.push(("cursor", cursor));
        query::link_all(PAGE, &parts)
    });
    let rows = page
        .items
        .into_iter()
        .map(|entry| view! { <Row entry/> })
        .collect::<Vec<_>>();
    view! {
        <div class="table-wrap">
            <table class="table cards audit" data-testid="audit">
                <thead>
                    <tr>
                        <th scope="col">{words::ACTION}</th>
                        <th scope="col">{words::TARGET}</th>
                        <th scope="col">{words::ACTOR}</th>
                        <th scope="col">{words::FROM}</th>
                        <th scope="col">{words::TIME}</th>
                        <th scope="col">{words::CHANGE}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {(!first || next.is_some())
            .then(|| {
                view! {
                    <nav class="pages row" aria-label=words::PAGES>
                        {(!first).then(|| view! { <a class="button" href=newest><Icon name="chevron-left"/>{words::FIRST}</a> })}
                        {next.map(|href| view! { <a class="button" href=href rel="next">{words::NEXT}<Icon name="chevron-right"/></a> })}
                    </nav>
                }
            })}
    }
    .into_any()
}

/// The filter as it stands in the address.
fn parts(query: &AuditQuery) -> Vec<(&'static str, String)> {
    let all = [
        ("actor", &query.actor),
        ("action", &query.action),
        ("target", &query.target),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect()
}

#[component]
fn Row(entry: AuditEntry) -> impl IntoView {
    let address = entry.address.map(|address| format!(", {address}"));
    let from = words::surface(&entry.surface).to_owned();
    view! {
        <tr>
            <th scope="row" class="cell-title">
                <code>{entry.action}</code>
                <span class="label muted">"#"{entry.seq}</span>
            </th>
            <td class="audit-target" data-label=words::TARGET><code>{entry.target}</code></td>
            <td class="audit-actor" data-label=words::ACTOR>{entry.actor}</td>
            <td class="muted" data-label=words::FROM>{from}{address}</td>
            <td class="muted" data-label=words::TIME><When at=entry.at zone_shown=true/></td>
            <td data-label=words::CHANGE><Change before=entry.before after=entry.after/></td>
        </tr>
    }
    .into_any()
}

#[component]
fn Change(before: Option<Value>, after: Option<Value>) -> impl IntoView {
    if before.is_none() && after.is_none() {
        return crate::text::NEVER.into_any();
    }
    let part = |word: &'static str, value: Option<Value>| {
        value.map(|value| {
            let text = serde_json::to_string_pretty(&value).unwrap_or_default();
            view! { <div><p class="label muted">{word}</p><pre class="code">{text}</pre></div> }
        })
    };
    view! {
        <details class="change">
            <summary>{words::SHOW_CHANGE}</summary>
            <div class="stack-tight">
                {part(words::BEFORE, before)}
                {part(words::AFTER, after)}
            </div>
        </details>
    }
    .into_any()
}
