mod columns;

use leptos::prelude::*;

use super::frame::{RangeFrame, Tab};
use super::{Asked, notices, series};
use crate::components::{Chart, Icon};
use crate::error::AppError;
use crate::text;
use crate::text::usage::{self, analytics as words};
use crate::types::{ApiUsage, SeriesBy, Timeseries, UsageStat};
use columns::{COLUMNS, Column, rate, sort};

/// Calls by key and requests by model.
#[component]
pub fn UsagePage() -> impl IntoView {
    let asked = Asked::here();
    Suspend::new(async move {
        let choices = asked.choices().await;
        let stats = asked.usage.api_usage(&asked.query).await;
        let by_key = asked.usage.timeseries(&asked.query, SeriesBy::Key).await;
        let by_model = asked.usage.timeseries(&asked.query, SeriesBy::Model).await;
        let shown = stats
            .as_ref()
            .map(|stats| stats.time_range.clone())
            .map_err(Clone::clone);
        let coverage = stats.as_ref().ok().map(|stats| stats.coverage.clone());
        let is_empty = is_empty(&stats, &by_model);
        let body = if is_empty {
            let href = asked.address.widest();
            notices::nothing(words::EMPTY_TITLE, words::EMPTY, Some((href, words::EMPTY_ACTION)))
        } else {
            view! {
                {by_key_chart(&asked, by_key)}
                {key_table(&asked, stats)}
                {by_model_part(&asked, by_model)}
            }
            .into_any()
        };
        view! {
            <RangeFrame tab=Tab::Usage asked choices shown>
                {coverage.map(|coverage| view! { <notices::NotWhole coverage/> })}
                {body}
            </RangeFrame>
        }
    })
}

/// Nothing counted at all; what could not be read is no emptiness.
fn is_empty(stats: &Result<ApiUsage, AppError>, by_model: &Result<Timeseries, AppError>) -> bool {
    let (Ok(stats), Ok(by_model)) = (stats, by_model) else {
        return false;
    };
    stats.usage_stats.iter().all(|stat| stat.total_requests == 0)
        && by_model.series.iter().all(|series| series.total.requests == 0)
}

fn by_key_chart(asked: &Asked, by_key: Result<Timeseries, AppError>) -> AnyView {
    match by_key {
        Err(error) => notices::failed(words::BY_KEY_FAILED, error, asked),
        Ok(by_key) => {
            let spec = series::stacked(words::BY_KEY_CHART, &by_key, usage::other_keys);
            view! { <Chart spec id="by-key"/> }.into_any()
        }
    }
}

fn key_table(asked: &Asked, stats: Result<ApiUsage, AppError>) -> AnyView {
    let mut stats = match stats {
        Err(error) => return notices::failed(words::BY_KEY_FAILED, error, asked),
        Ok(stats) => stats.usage_stats,
    };
    let sorted = asked.address.get("sort");
    let by = COLUMNS.iter().find(|column| Some(column.name) == sorted);
    let is_descending = asked.address.get("dir") != Some("asc");
    if let Some(by) = by {
        sort(&mut stats, by.value, is_descending);
    }
    let heads = COLUMNS
        .iter()
        .map(|column| {
            head(
                asked,
                column,
                by.is_some_and(|by| by.name == column.name).then_some(is_descending),
            )
        })
        .collect::<Vec<_>>();
    let rows = stats
        .into_iter()
        .map(|stat| {
            let href = asked
                .address
                .at("/requests", &[("keyNumber", &stat.key_number.to_string())]);
            row(&stat, href)
        })
        .collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="by-key-title">
            <div class="card-head"><h2 id="by-key-title">{words::BY_KEY}</h2></div>
            <p class="section-hint muted">{words::BY_KEY_HINT}</p>
            <div class="table-wrap" role="region" aria-labelledby="by-key-title" tabindex="0">
                <table class="table sortable" data-testid="usage-by-key">
                    <thead><tr>{heads}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

/// `sorted`: whether down, when the table is sorted by this column. A link sorts by it, and once more the other way.
fn head(asked: &Asked, column: &Column, sorted: Option<bool>) -> AnyView {
    let dir = match sorted {
        Some(true) => "asc",
        _ => "desc",
    };
    let href = asked.address.with(&[("sort", column.name), ("dir", dir)]);
    let (order, icon) = match sorted {
        None => (None, None),
        Some(true) => (Some("descending"), Some("arrow-down")),
        Some(false) => (Some("ascending"), Some("arrow-up")),
    };
    let class = if column.name == "key" { "" } else { "table-number" };
    view! {
        <th scope="col" class=class aria-sort=order>
            <a href=href>{column.word}{icon.map(|name| view! { <Icon name/> })}</a>
        </th>
    }
    .into_any()
}

fn row(stat: &UsageStat, href: String) -> AnyView {
    let figures = [
        text::count(stat.total_requests),
        text::count(stat.successful_requests),
        text::count(stat.failed_requests),
        usage::percent(rate(stat)),
        usage::mean_ms(stat.avg_response_time),
        usage::ms(stat.p50),
        usage::ms(stat.p95),
        usage::ms(stat.p99),
        text::count(stat.total_tokens),
        text::count(stat.quota_errors),
    ];
    let cells = figures
        .map(|figure| view! { <td class="table-number">{figure}</td> })
        .to_vec();
    view! {
        <tr>
            <th scope="row" class="nowrap"><a href=href>{usage::key(stat.key_number)}</a></th>
            {cells}
        </tr>
    }
    .into_any()
}

fn by_model_part(asked: &Asked, by_model: Result<Timeseries, AppError>) -> AnyView {
    let by_model = match by_model {
        Err(error) => return notices::failed(words::BY_MODEL_FAILED, error, asked),
        Ok(by_model) => by_model,
    };
    let spec = series::stacked(words::BY_MODEL_CHART, &by_model, usage::others);
    let rows = by_model
        .series
        .iter()
        .map(|series| {
            let total = series.total;
            let href = asked.address.at("/requests", &[("model", &series.name)]);
            let figures = [
                text::count(total.requests),
                text::count(total.successes),
                text::count(total.failures),
                usage::percent(total.success_rate),
                usage::mean_ms(total.avg_response_time),
                usage::ms(total.p95),
                text::count(total.total_tokens),
                text::count(total.cached),
            ];
            let cells = figures
                .map(|figure| view! { <td class="table-number">{figure}</td> })
                .to_vec();
            view! { <tr><th scope="row"><a href=href>{series.name.clone()}</a></th>{cells}</tr> }
        })
        .collect::<Vec<_>>();
    let heads = [
        words::REQUESTS,
        words::OK,
        words::FAILED,
        words::RATE,
        words::MEAN,
        words::P95,
        words::TOKENS,
        words::CACHED,
    ]
    .map(|word| view! { <th scope="col" class="table-number">{word}</th> })
    .to_vec();
    view! {
        <Chart spec id="by-model"/>
        <section class="card" aria-labelledby="by-model-title">
            <div class="card-head"><h2 id="by-model-title">{words::BY_MODEL}</h2></div>
            <p class="section-hint muted">{words::BY_MODEL_HINT}</p>
            <div class="table-wrap" role="region" aria-labelledby="by-model-title" tabindex="0">
                <table class="table" data-testid="usage-by-model">
                    <thead><tr><th scope="col">{usage::MODEL_COLUMN}</th>{heads}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}
