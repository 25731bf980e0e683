use leptos::prelude::*;

use crate::components::Icon;
use crate::pages::usage::Asked;
use crate::text::usage::overview::{self as words, Change, Way};
use crate::text::{self, usage};
use crate::types::Overview;

/// The four figures. Each leads to what it counts; without an overview only the pool's own is known.
#[component]
pub(super) fn Cards(asked: Asked, overview: Option<Overview>) -> impl IntoView {
    let address = &asked.address;
    let before = words::before(
        overview
            .as_ref()
            .and_then(|overview| overview.time_range.range.as_deref()),
    );
    let figures = overview.map(|overview| (overview.now, overview.before));
    let keys = words::of(asked.status.healthy_keys, asked.status.total_keys);
    let reset = asked.status.next_reset_in_ms.map(text::live::next_reset);
    let card = |title, href, testid, figure: Option<(String, String)>, change: Option<Change>| {
        view! { <Card title href testid figure change/> }
    };
    view! {
        <section class="metrics" aria-label=words::FIGURES>
            <section class="card metric" data-testid="card-keys">
                <h2 class="metric-title"><a class="metric-link" href="/status">{words::KEYS_AVAILABLE}</a></h2>
                <p class="metric-value">{keys.0}<span class="metric-of">{keys.1}</span></p>
                <p class="metric-change">{reset}</p>
            </section>
            {card(
                words::REQUESTS,
                address.at("/requests", &[]),
                "card-requests",
                figures.map(|(now, _)| (text::count(now.requests), String::new())),
                figures.map(|(now, then)| words::requests_changed(now.requests, then.requests, before)),
            )}
            {card(
                words::SUCCESS_RATE,
                address.at("/requests", &[("status", "failed")]),
                "card-success",
                figures.map(|(now, _)| (usage::percent(now.success_rate), String::new())),
                figures.and_then(|(now, then)| words::rate_changed(now.success_rate, then.success_rate, before)),
            )}
            {card(
                words::LATENCY,
                address.at("/requests", &[("status", "ok")]),
                "card-latency",
                figures.map(|(now, _)| {
                    let p95 = now.p95.map(|ms| format!(" / {}", text::took(ms)));
                    (usage::ms(now.p50), p95.unwrap_or_default())
                }),
                figures.and_then(|(now, then)| words::latency_changed(now.p95, then.p95, before)),
            )}
        </section>
    }
    .into_any()
}

#[component]
fn Card(
    title: &'static str,
    href: String,
    testid: &'static str,
    /// What stands large, and what smaller behind it; none when it could not be read.
    figure: Option<(String, String)>,
    change: Option<Change>,
) -> impl IntoView {
    let is_known = figure.is_some();
    let (large, small) = figure.unwrap_or_else(|| (text::NEVER.to_owned(), String::new()));
    let change = match change {
        Some(change) => view! { <Changed change/> }.into_any(),
        None if is_known => ().into_any(),
        None => words::NO_FIGURE.into_any(),
    };
    view! {
        <section class="card metric" data-testid=testid>
            <h2 class="metric-title"><a class="metric-link" href=href>{title}</a></h2>
            <p class="metric-value">{large}<span class="metric-of">{small}</span></p>
            <p class="metric-change">{change}</p>
        </section>
    }
    .into_any()
}

#[component]
fn Changed(change: Change) -> impl IntoView {
    let icon = match change.way {
        Way::Up => Some("arrow-up"),
        Way::Down => Some("arrow-down"),
        Way::Same => None,
    };
    view! {
        {icon.map(|name| view! { <Icon name/> })}
        <span>{change.words}</span>
    }
    .into_any()
}
