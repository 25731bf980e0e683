mod filter;
mod table;

pub(in crate::pages::usage) use table::status;

use leptos::prelude::*;

use super::toolbar::Toolbar;
use super::{Asked, fragment, notices};
use crate::backend::{BackendRef, UsageBackendRef};
use crate::components::{Frame, Icon, Place};
use crate::context::PageContext;
use crate::error::AppError;
use crate::islands::LiveRegion;
use crate::text::usage::requests as words;
use crate::types::RequestPage;

/// Id of the part that is kept up to date.
const REGION: &str = "requests-live";

/// The log of requests, newest first. Filter and place are in the address.
#[component]
pub fn RequestsPage() -> impl IntoView {
    let asked = Asked::here();
    Suspend::new(async move {
        let choices = asked.choices().await;
        let page = asked.usage.requests(&asked.query, &asked.address.requests()).await;
        let shown = page.as_ref().map(|page| page.time_range.clone()).map_err(Clone::clone);
        let refused = page.as_ref().err().cloned();
        // New requests are on the first page, and only while its range goes on.
        let is_tail = asked.address.is_up_to_now() && asked.address.get("cursor").is_none();
        let live = is_tail.then(|| {
            let url = asked.address.whole_at("/requests/live");
            let as_of = shown
                .as_ref()
                .map(|range| asked.zone.as_of(&range.end))
                .unwrap_or_default();
            view! { <LiveRegion url region=REGION.to_owned() as_of starts=false holds=true/> }.into_any()
        });
        let filter = filter::form(&asked, choices.clone(), refused.as_ref());
        view! {
            <Frame title=words::TITLE place=Place::Requests zone=asked.zone.word().to_owned()>
                <Toolbar asked=asked.clone() choices shown without_filters=true live/>
                {filter}
                <div id=REGION data-testid=REGION>{body(&asked, page)}</div>
            </Frame>
        }
    })
}

/// The page's list, read once more: the HTML of its live part. `context` has the path and query asked for,
/// `/requests/live?…`.
pub async fn requests_fragment(usage: UsageBackendRef, backend: BackendRef, context: PageContext) -> String {
    let asked = Asked::of(usage.clone(), &backend, context.clone());
    let page = usage.requests(&asked.query, &asked.address.requests()).await;
    fragment(usage, context, || body(&asked, page))
}

fn body(asked: &Asked, page: Result<RequestPage, AppError>) -> AnyView {
    let page = match page {
        Err(error) => return notices::failed(words::FAILED, error, asked),
        Ok(page) => page,
    };
    let as_of = asked.zone.as_of(&page.time_range.end);
    let coverage = page.coverage.clone();
    let is_first = asked.address.get("cursor").is_none();
    let next = page
        .next_cursor
        .clone()
        .map(|cursor| asked.address.with(&[("cursor", &cursor)]));
    let searched = page.searched_back_to.clone().map(|at| {
        let line = words::searched_back_to(&format!("{} {}", asked.zone.minute(&at), asked.zone.word()));
        view! {
            <p class="note" data-testid="searched-back">
                <Icon name="search"/>
                <span>
                    {line}
                    " "
                    {next.clone().map(|href| view! { <a href=href>{words::SEARCH_ON}</a> })}
                </span>
            </p>
        }
    });
    let list = if page.items.is_empty() && page.searched_back_to.is_none() {
        empty(asked, is_first)
    } else if page.items.is_empty() {
        ().into_any()
    } else {
        table::list(asked, page.items)
    };
    let pages = (!is_first || next.is_some()).then(|| {
        let newest = (!is_first).then(|| {
            view! { <a class="button" href=asked.address.with(&[])><Icon name="chevron-left"/>{words::NEWEST}</a> }
        });
        let older = next.map(|href| {
            view! { <a class="button" href=href rel="next">{words::OLDER}<Icon name="chevron-right"/></a> }
        });
        view! { <nav class="pages row" aria-label=words::PAGES>{newest}{older}</nav> }
    });
    view! {
        <div class="stack" data-as-of=as_of>
            <notices::NotWhole coverage/>
            {list}
            {searched}
            {pages}
        </div>
    }
    .into_any()
}

fn empty(asked: &Asked, is_first: bool) -> AnyView {
    if asked.address.is_filtered() || !is_first {
        let href = asked.address.with(&super::address::FILTERS.map(|name| (name, "")));
        return notices::nothing(words::NO_MATCH_TITLE, words::NO_MATCH, Some((href, words::ALL)));
    }
    let href = asked.address.widest();
    notices::nothing(words::EMPTY_TITLE, words::EMPTY, Some((href, words::LAST_30_DAYS)))
}
