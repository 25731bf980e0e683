use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::backend::BackendRef;
use crate::components::{AnalysisPill, Frame, Icon, Place, Region, RegionError, When};
use crate::context::PageContext;
use crate::islands::DeleteWithUndo;
use crate::pages::query;
use crate::text::{self, history as words};
use crate::types::{AnalysisPage, AnalysisSummary, Kind};

/// The caller's own analyses, newest first.
#[component]
pub fn History() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let context = expect_context::<PageContext>();
    let cursor = use_query_map().read_untracked().get("cursor");
    let is_kept = backend.history_is_kept();
    Suspend::new(async move {
        let user_id = context.user.as_ref().map(|user| user.id.clone()).unwrap_or_default();
        let page = backend.analyses(&user_id, cursor.as_deref()).await;
        let first = cursor.is_none();
        view! {
            <Frame title=words::TITLE place=Place::History>
                {match page {
                    Err(error) => view! {
                        <RegionError title=words::FAILED error request_id=context.request_id retry=context.path/>
                    }
                    .into_any(),
                    Ok(page) if page.items.is_empty() && first && !is_kept => view! {
                        <Region icon="history" title=words::OFF_TITLE reason=words::OFF action=Some(("/", words::EMPTY_ACTION))/>
                    }
                    .into_any(),
                    Ok(page) if page.items.is_empty() && first => view! {
                        <Region icon="history" title=words::EMPTY_TITLE reason=words::EMPTY action=Some(("/", words::EMPTY_ACTION))/>
                    }
                    .into_any(),
                    Ok(page) => view! {
                        {(!is_kept).then(|| view! { <p class="note"><Icon name="history"/>{words::OFF_TITLE}". "{words::OFF}</p> })}
                        <List page first/>
                    }
                    .into_any(),
                }}
            </Frame>
        }
    })
}

#[component]
fn List(page: AnalysisPage, first: bool) -> impl IntoView {
    let rows = page
        .items
        .into_iter()
        .map(|item| view! { <Row item/> })
        .collect::<Vec<_>>();
    let next = page
        .next_cursor
        .map(|cursor| query::link("/history", "cursor", &cursor));
    view! {
        <div class="table-wrap">
            <table class="table history" data-testid="history">
                <thead>
                    <tr>
                        <th scope="col">{words::PROMPT}</th>
                        <th scope="col">{words::STATE}</th>
                        <th scope="col" class="history-model">{words::MODEL}</th>
                        <th scope="col" class="table-number">{words::DURATION}</th>
                        <th scope="col">{words::TIME}</th>
                        <th scope="col"><span class="visually-hidden">{words::ACTIONS}</span></th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {(!first || next.is_some())
            .then(|| {
                view! {
                    <nav class="pages row" aria-label=words::PAGES>
                        {(!first).then(|| view! { <a class="button" href="/history"><Icon name="chevron-left"/>{words::FIRST}</a> })}
                        {next.map(|href| view! { <a class="button" href=href rel="next">{words::NEXT}<Icon name="chevron-right"/></a> })}
                    </nav>
                }
            })}
    }
    .into_any()
}

#[component]
fn Row(item: AnalysisSummary) -> impl IntoView {
    let icon = match item.kind {
        Kind::Text => "text",
        Kind::Image => "image",
    };
    let (id, href) = (item.id.clone(), format!("/history/{}", item.id));
    view! {
        <tr data-row=id>
            <td class="history-title">
                <a href=href>
                    <Icon name=icon/>
                    <span class="visually-hidden">{text::kind(item.kind)}": "</span>
                    <span>{item.title.clone()}</span>
                </a>
            </td>
            <td class="history-state"><AnalysisPill state=item.state/></td>
            <td class="history-model muted">{item.model}</td>
            <td class="history-took table-number">{text::took(item.response_time_ms)}</td>
            <td class="history-time muted"><When at=item.created_at zone_shown=true/></td>
            <td class="history-actions"><DeleteWithUndo id=item.id title=item.title/></td>
        </tr>
    }
    .into_any()
}
