use leptos::prelude::*;

use crate::components::{LevelPill, Pill, When, key_look};
use crate::text::{self, doctor as words};
use crate::types::{CacheStats, KeyStatus, QueueReport, ServiceStatus, UsageStatistics};

#[component]
pub(super) fn ServiceSection(
    status: Option<ServiceStatus>,
    queue: Option<QueueReport>,
    cache: Option<CacheStats>,
) -> impl IntoView {
    let body = match status {
        None => view! { <p class="muted">{words::NOT_OPEN}</p> }.into_any(),
        Some(status) => {
            let keys = status.available_keys.iter().map(key).collect::<Vec<_>>();
            view! {
                <div class="stack">
                    <p class="row"><LevelPill level=status.level total_keys=status.total_keys/>{status.message}</p>
                    <ul class="doctor-keys" role="list">{keys}</ul>
                    <dl class="facts">
                        {queue.map(|queue| view! { <dt>{words::WAITING}</dt><dd class="number">{text::count(queue.length)}</dd> })}
                        {cache.map(|cache| view! {
                            <dt>{words::CACHE}</dt>
                            <dd class="number">{words::kept(cache.size, cache.max, cache.hits, cache.misses)}</dd>
                        })}
                    </dl>
                </div>
            }
            .into_any()
        }
    };
    view! {
        <section class="card" aria-labelledby="service-title" data-testid="service">
            <div class="card-head"><h2 id="service-title">{words::SERVICE}</h2></div>
            {body}
        </section>
    }
    .into_any()
}

fn key(key: &KeyStatus) -> impl IntoView + use<> {
    let (tone, icon) = key_look(key.state);
    view! { <li class="row">{words::key(key.key_number)}<Pill tone icon word=key.state.label()/></li> }
}

#[component]
pub(super) fn UsageSection(usage: Option<UsageStatistics>) -> impl IntoView {
    let body = match usage {
        None => view! { <p class="muted">{words::NOT_OPEN}</p> }.into_any(),
        Some(usage) => view! { <Usage usage/> }.into_any(),
    };
    view! {
        <section class="card" aria-labelledby="usage-title" data-testid="usage">
            <div class="card-head"><h2 id="usage-title">{words::USAGE}</h2></div>
            {body}
        </section>
    }
    .into_any()
}

#[component]
fn Usage(usage: UsageStatistics) -> impl IntoView {
    let rows = usage
        .keys
        .iter()
        .map(|key| {
            view! {
                <tr>
                    <th scope="row">{words::key(key.key_number)}</th>
                    <td class="table-number">{text::count(key.requests)}</td>
                    <td class="table-number">{text::count(key.successes)}</td>
                    <td class="table-number">{text::count(key.failures)}</td>
                    <td class="table-number">{text::count(key.total_tokens)}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let calls = if rows.is_empty() {
        view! { <p class="muted">{words::NO_CALLS}</p> }.into_any()
    } else {
        view! {
            <div class="table-wrap" tabindex="0" role="region" aria-label=words::USAGE>
                <table class="table doctor-table">
                    <thead>
                        <tr>
                            <th scope="col">{words::KEY}</th>
                            <th scope="col" class="table-number">{words::CALLS}</th>
                            <th scope="col" class="table-number">{words::ANSWERED}</th>
                            <th scope="col" class="table-number">{words::NOT_ANSWERED}</th>
                            <th scope="col" class="table-number">{words::TOKENS}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    let performance = usage.performance;
    view! {
        <div class="stack">
            {calls}
            <dl class="facts">
                <dt>{words::REQUESTS}</dt>
                <dd class="number">{text::count(performance.requests)}</dd>
                <dt>{words::AVERAGE}</dt>
                <dd class="number">{format!("{:.0} ms", performance.average_response_time)}</dd>
                <dt>{words::FROM_CACHE}</dt>
                <dd class="number">{performance.cache_hit_rate}</dd>
                <dt>{words::COUNTED_SINCE}</dt>
                <dd><When at=performance.since/></dd>
            </dl>
        </div>
    }
    .into_any()
}
