use leptos::prelude::*;

use crate::components::Pill;
use crate::pages::usage::Asked;
use crate::text;
use crate::text::usage::{self, requests as words};
use crate::types::RequestRow;

pub(super) fn list(asked: &Asked, items: Vec<RequestRow>) -> AnyView {
    let rows = items.into_iter().map(|item| row(asked, item)).collect::<Vec<_>>();
    view! {
        <div class="table-wrap">
            <table class="table cards requests" data-testid="requests">
                <caption class="visually-hidden">{words::TABLE}</caption>
                <thead>
                    <tr>
                        <th scope="col">{usage::time_in(asked.zone.name())}</th>
                        <th scope="col">{words::STATUS}</th>
                        <th scope="col">{words::WHO}</th>
                        <th scope="col">{words::OPERATION}</th>
                        <th scope="col">{words::MODEL}</th>
                        <th scope="col">{words::KEY}</th>
                        <th scope="col" class="table-number">{words::CALLS}</th>
                        <th scope="col" class="table-number">{words::TOOK}</th>
                        <th scope="col" class="table-number">{words::TOKENS}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(asked: &Asked, item: RequestRow) -> AnyView {
    let href = asked.address.whole_at(&format!("/requests/{}", item.request_id));
    let who = item
        .user_email
        .clone()
        .unwrap_or_else(|| words::SOMEBODY_GONE.to_owned());
    let by_token = item.token_id.is_some();
    view! {
        // The id tells a row that was there from one that came.
        <tr id=format!("request-{}", item.request_id)>
            <th scope="row" class="cell-title">
                <a class="cell-name" href=href>
                    <time datetime=item.at.clone() class="nowrap">{asked.zone.second(&item.at)}</time>
                </a>
            </th>
            <td class="requests-status" data-label=words::STATUS>{status(&item)}</td>
            <td class="requests-who" data-label=words::WHO>
                <span>
                    {who}
                    {by_token.then(|| view! { " "<span class="label muted nowrap">{words::BY_TOKEN}</span> })}
                </span>
            </td>
            <td class="requests-what" data-label=words::OPERATION>
                <span>
                    {words::operation(&item.operation).to_owned()}
                    " "
                    <span class="label muted nowrap">{words::surface(&item.surface).to_owned()}</span>
                </span>
            </td>
            <td class="requests-model" data-label=words::MODEL>{item.model}</td>
            <td class="nowrap" data-label=words::KEY>{item.key_number.map_or_else(|| text::NEVER.to_owned(), usage::key)}</td>
            <td class="table-number" data-label=words::CALLS>{item.attempts}</td>
            <td class="table-number" data-label=words::TOOK>{text::took(item.response_time_ms)}</td>
            <td class="table-number" data-label=words::TOKENS>{text::count(item.usage.total_tokens)}</td>
        </tr>
    }
    .into_any()
}

/// In one word, as the list and the request itself say it.
pub(in crate::pages::usage) fn status(item: &RequestRow) -> AnyView {
    let (tone, icon, word) = if item.cached {
        ("tone-ok", "history", words::CACHED.to_owned())
    } else if item.success {
        ("tone-ok", "operational", words::OK.to_owned())
    } else {
        let word = item
            .error_type
            .as_deref()
            .map_or_else(|| text::outcome(&item.outcome), usage::error_type);
        match item.error_type.as_deref() {
            // Not a fault of ours or of a key's.
            Some("cancelled" | "blocked" | "bad_request") => ("tone-unknown", "stop", word),
            _ => ("tone-major", "major", word),
        }
    };
    view! { <Pill tone icon word/> }.into_any()
}
