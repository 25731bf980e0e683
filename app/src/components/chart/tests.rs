use std::sync::Arc;

use async_trait::async_trait;
use leptos::prelude::*;

use super::Chart;
use crate::backend::{UsageBackend, UsageBackendRef};
use crate::charts::{ChartKind, ChartSeries, ChartSpec, ChartWidth, Unit};
use crate::error::{AppError, ErrorCode};
use crate::types::{
    ApiUsage, ErrorReport, Forecast, HourlyPattern, Overview, RequestDetail, RequestPage, RequestQuery, SeriesBy,
    Timeseries, UsageQuery,
};

/// Draws, and answers nothing else.
struct Pen;

fn nothing<T>() -> Result<T, AppError> {
    Err(AppError::new(ErrorCode::NotFound, "There is nothing here."))
}

#[async_trait]
impl UsageBackend for Pen {
    async fn overview(&self, _: &UsageQuery) -> Result<Overview, AppError> {
        nothing()
    }

    async fn api_usage(&self, _: &UsageQuery) -> Result<ApiUsage, AppError> {
        nothing()
    }

    async fn timeseries(&self, _: &UsageQuery, _: SeriesBy) -> Result<Timeseries, AppError> {
        nothing()
    }

    async fn hourly_pattern(&self, _: &UsageQuery, _: Option<&str>) -> Result<HourlyPattern, AppError> {
        nothing()
    }

    async fn errors(&self, _: &UsageQuery) -> Result<ErrorReport, AppError> {
        nothing()
    }

    async fn forecast(&self) -> Result<Forecast, AppError> {
        nothing()
    }

    async fn requests(&self, _: &UsageQuery, _: &RequestQuery) -> Result<RequestPage, AppError> {
        nothing()
    }

    async fn request(&self, _: &str) -> Result<RequestDetail, AppError> {
        nothing()
    }

    async fn models_seen(&self) -> Result<Vec<String>, AppError> {
        nothing()
    }

    fn draw(&self, chart: &ChartSpec, width: ChartWidth) -> String {
        format!("<svg>{} {width:?}</svg>", chart.title)
    }
}

fn spec(kind: ChartKind, unit: Unit, series: &[&[Option<f64>]]) -> ChartSpec {
    let series = series.iter().zip(1_u8..).map(|(values, color)| ChartSeries {
        name: format!("Key <{color}>"),
        values: values.to_vec(),
        color,
    });
    ChartSpec {
        kind,
        title: "Requests".to_owned(),
        labels: vec!["08:00".to_owned(), "09:00".to_owned()],
        series: series.collect(),
        unit,
    }
}

fn html(spec: ChartSpec) -> String {
    Owner::new_root(None).with(|| {
        provide_context::<UsageBackendRef>(Arc::new(Pen));
        view! { <Chart spec id="by-key"/> }.to_html().replace("<!>", "")
    })
}

/// The page has all of these, in this order.
fn check(html: &str, words: &[&str]) {
    let mut rest = html;
    for word in words {
        match rest.split_once(word) {
            Some((_, after)) => rest = after,
            None => panic!("{word} is not in, or not after the others:\n{html}"),
        }
    }
}

#[test]
fn a_chart_has_its_title_legend_drawings_and_table() {
    let both: [&[Option<f64>]; 2] = [&[Some(1_204.0), Some(2.0)], &[None, Some(17.0)]];
    let html = html(spec(ChartKind::Lines, Unit::Count, &both));
    check(
        &html,
        &[
            r#"<figure id="chart-by-key" aria-labelledby="chart-by-key-title" data-testid="chart-by-key""#,
            r#"<figcaption id="chart-by-key-title""#,
            "Requests</figcaption>",
            "chart-legend",
            "var(--chart-1)",
            "<span>Key &lt;1&gt;</span>",
            "var(--chart-2)",
            "stroke-dasharray",
            "<span>Key &lt;2&gt;</span>",
            r#"chart-narrow"><svg>Requests Narrow</svg>"#,
            r#"chart-small"><svg>Requests Small</svg>"#,
            r#"chart-medium"><svg>Requests Medium</svg>"#,
            r#"chart-wide"><svg>Requests Wide</svg>"#,
            "<summary>Show as table</summary>",
            r#"tabindex="0" role="region" aria-label="Table: Requests""#,
            r#"<th scope="col" class="table-number">Key &lt;1&gt;</th>"#,
            r#"<th scope="row">08:00</th><td class="table-number">1,204</td><td class="table-number">—</td>"#,
            r#"<th scope="row">09:00</th><td class="table-number">2</td><td class="table-number">17</td>"#,
        ],
    );
    // The content security policy would block it.
    assert!(!html.contains("style="), "{html}");
}

#[test]
fn one_series_needs_no_legend() {
    let html = html(spec(
        ChartKind::StackedBars,
        Unit::Percent,
        &[&[Some(97.84), Some(f64::NAN)]],
    ));
    assert!(!html.contains("chart-legend"), "{html}");
    check(
        &html,
        &[
            "<td class=\"table-number\">97.8 %</td>",
            "<td class=\"table-number\">—</td>",
        ],
    );
}

#[test]
fn bars_have_squares_for_a_legend() {
    let both: [&[Option<f64>]; 2] = [&[Some(1.0)], &[Some(2.0)]];
    let html = html(spec(ChartKind::StackedBars, Unit::Milliseconds, &both));
    check(
        &html,
        &["chart-mark-bar", "<rect", "chart-mark-bar", "<rect", "1 ms", "2 ms"],
    );
    assert!(!html.contains("stroke-dasharray"), "{html}");
}

#[test]
fn a_chart_of_nothing_says_so_and_draws_nothing() {
    for values in [
        vec![],
        vec![None, None],
        vec![Some(0.0), Some(0.0)],
        vec![Some(f64::NAN)],
    ] {
        let html = html(spec(ChartKind::Lines, Unit::Count, &[&values]));
        check(&html, &["Requests</figcaption>", "Nothing in this time range"]);
        assert!(!html.contains("<svg") && !html.contains("<table"), "{html}");
    }
}
