use leptos::prelude::*;

use crate::components::{Pill, key_look};
use crate::pages::usage::Asked;
use crate::text::usage::{self, overview as words};
use crate::text::{self, live};
use crate::types::KeyStatus;

/// So many keys are listed; all of them are on the page *Status*.
const ROWS_MAX: usize = 10;

/// The keys with their states, from the pool itself: it does not need the store. What needs attention comes first.
#[component]
pub(super) fn Keys(asked: Asked) -> impl IntoView {
    let mut keys = asked.status.available_keys.clone();
    keys.sort_by_key(|key| (key.state.serves(), key.key_number));
    let hidden = keys.len().saturating_sub(ROWS_MAX);
    keys.truncate(ROWS_MAX);
    let is_empty = keys.is_empty();
    let rows = keys
        .into_iter()
        .map(|key| {
            let href = asked
                .address
                .at("/requests", &[("keyNumber", &key.key_number.to_string())]);
            view! { <Row key_status=key href/> }
        })
        .collect::<Vec<_>>();
    let table = view! {
        <div class="table-wrap" role="region" aria-labelledby="overview-keys" tabindex="0">
            <table class="table" data-testid="overview-keys">
                <thead>
                    <tr>
                        <th scope="col">{usage::KEY_COLUMN}</th>
                        <th scope="col">{words::STATE}</th>
                        <th scope="col" class="table-number">{usage::REQUESTS}</th>
                        <th scope="col" class="table-number">{usage::SUCCESS}</th>
                        <th scope="col">{words::RESETS}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    };
    view! {
        <section class="card" aria-labelledby="overview-keys">
            <div class="card-head">
                <h2 id="overview-keys">{words::KEYS}</h2>
                <a class="label" href="/status">
                    {words::ALL_KEYS}
                    {(hidden > 0).then(|| format!(" ({})", words::more_keys(hidden)))}
                </a>
            </div>
            {if is_empty { view! { <p class="muted">{words::NO_KEYS}</p> }.into_any() } else { table.into_any() }}
        </section>
    }
    .into_any()
}

#[component]
fn Row(key_status: KeyStatus, href: String) -> impl IntoView {
    let key = key_status;
    let (tone, icon) = key_look(key.state);
    let back = key.ready_in_ms.filter(|_| !key.state.serves());
    let judged = key.success_count + key.error_count;
    view! {
        <tr id=format!("overview-key-{}", key.key_number)>
            <th scope="row" class="nowrap"><a href=href>{usage::key(key.key_number)}</a></th>
            <td><Pill tone icon word=key.state.label()/></td>
            <td class="table-number">{text::count(key.request_count)}</td>
            <td class="table-number">{live::success_rate(key.success_count, judged)}</td>
            <td class="nowrap">{back.map_or_else(|| text::NEVER.to_owned(), live::ready_in)}</td>
        </tr>
    }
    .into_any()
}
