use leptos::prelude::*;

use super::frame::{RangeFrame, Tab};
use super::{Asked, notices, series};
use crate::components::Chart;
use crate::error::AppError;
use crate::text;
use crate::text::usage::{self, analytics as words};
use crate::types::{Measures, Series, SeriesBy, Timeseries};

/// How long answers take, and how long their first token.
#[component]
pub fn LatencyPage() -> impl IntoView {
    let asked = Asked::here();
    Suspend::new(async move {
        let choices = asked.choices().await;
        let total = asked.usage.timeseries(&asked.query, SeriesBy::Total).await;
        let by_model = asked.usage.timeseries(&asked.query, SeriesBy::Model).await;
        let shown = total
            .as_ref()
            .map(|total| total.time_range.clone())
            .map_err(Clone::clone);
        let body = body(&asked, total, by_model);
        view! { <RangeFrame tab=Tab::Latency asked choices shown>{body}</RangeFrame> }
    })
}

fn body(asked: &Asked, total: Result<Timeseries, AppError>, by_model: Result<Timeseries, AppError>) -> AnyView {
    let total = match total {
        Err(error) => return notices::failed(words::LATENCY_FAILED, error, asked),
        Ok(total) => total,
    };
    let coverage = total.coverage.clone();
    if total.series.iter().all(|series| series.total.requests == 0) {
        let href = asked.address.widest();
        let nothing = notices::nothing(words::EMPTY_TITLE, words::EMPTY, Some((href, words::EMPTY_ACTION)));
        return view! { <notices::NotWhole coverage/>{nothing} }.into_any();
    }
    let whole = series::lines(
        words::LATENCY_CHART,
        &total,
        &[
            (words::P50, |at| at.p50),
            (words::P95, |at| at.p95),
            (words::P99, |at| at.p99),
        ],
    );
    let first = series::lines(
        words::FIRST_TOKEN_CHART,
        &total,
        &[
            (words::P50, |at| at.first_token_p50),
            (words::P95, |at| at.first_token_p95),
        ],
    );
    let models = match by_model {
        Err(error) => notices::failed(words::LATENCY_FAILED, error, asked),
        Ok(by_model) => table(asked, total.series.first(), &by_model.series),
    };
    view! {
        <notices::NotWhole coverage/>
        <p class="section-hint muted">{words::LATENCY_HINT}</p>
        <Chart spec=whole id="latency"/>
        <Chart spec=first id="first-token"/>
        {models}
    }
    .into_any()
}

fn table(asked: &Asked, total: Option<&Series>, models: &[Series]) -> AnyView {
    let heads = [
        words::REQUESTS,
        words::MEAN,
        words::P50,
        words::P95,
        words::P99,
        words::FIRST_TOKEN_P50,
        words::FIRST_TOKEN_P95,
    ]
    .map(|word| view! { <th scope="col" class="table-number">{word}</th> })
    .to_vec();
    let rows = models
        .iter()
        .map(|series| {
            let href = asked.address.at("/requests", &[("model", &series.name)]);
            view! { <tr><th scope="row"><a href=href>{series.name.clone()}</a></th>{cells(&series.total)}</tr> }
        })
        .collect::<Vec<_>>();
    let all =
        total.map(|total| view! { <tfoot><tr><th scope="row">{usage::TOTAL}</th>{cells(&total.total)}</tr></tfoot> });
    view! {
        <section class="card" aria-labelledby="latency-title">
            <div class="card-head"><h2 id="latency-title">{words::LATENCY_TABLE}</h2></div>
            <div class="table-wrap" role="region" aria-labelledby="latency-title" tabindex="0">
                <table class="table" data-testid="latency-by-model">
                    <thead><tr><th scope="col">{usage::MODEL_COLUMN}</th>{heads}</tr></thead>
                    <tbody>{rows}</tbody>
                    {all}
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn cells(of: &Measures) -> Vec<AnyView> {
    let figures = [
        text::count(of.requests),
        usage::mean_ms(of.avg_response_time),
        usage::ms(of.p50),
        usage::ms(of.p95),
        usage::ms(of.p99),
        usage::ms(of.first_token_p50),
        usage::ms(of.first_token_p95),
    ];
    Vec::from(figures.map(|figure| view! { <td class="table-number">{figure}</td> }.into_any()))
}
