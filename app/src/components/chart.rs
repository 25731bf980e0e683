use leptos::prelude::*;

use crate::backend::UsageBackendRef;
use crate::charts::{ChartKind, ChartSpec, ChartWidth, Look, Marker};
use crate::text::{self, charts as words};

/// A chart with its legend and, to open, its table: a card of its own, or a part of the card it stands in. Drawn on the
/// server, once for each width; the style shows the one that fits, so that its text is never too small.
#[component]
pub fn Chart(
    spec: ChartSpec,
    /// Of its own on the page: the figure is `chart-…`, for tests as well.
    #[prop(into)]
    id: String,
) -> impl IntoView {
    let id = format!("chart-{id}");
    let title_id = format!("{id}-title");
    let body = match spec.is_empty() {
        true => view! { <p class="chart-empty muted">{words::EMPTY}</p> }.into_any(),
        false => view! { <Drawn spec=spec.clone()/> }.into_any(),
    };
    view! {
        <figure class="card chart" id=id.clone() aria-labelledby=title_id data-testid=id>
            <figcaption class="chart-title" id=title_id.clone()>{spec.title}</figcaption>
            {body}
        </figure>
    }
    .into_any()
}

#[component]
fn Drawn(spec: ChartSpec) -> impl IntoView {
    let backend = expect_context::<UsageBackendRef>();
    let drawings = ChartWidth::ALL
        .map(|width| view! { <div class=class(width) inner_html=backend.draw(&spec, width)></div> })
        .to_vec();
    view! {
        {(spec.series.len() > 1).then(|| view! { <Legend spec=spec.clone()/> })}
        <div class="chart-drawings">{drawings}</div>
        <Values spec/>
    }
    .into_any()
}

fn class(width: ChartWidth) -> &'static str {
    match width {
        ChartWidth::Narrow => "chart-drawing chart-narrow",
        ChartWidth::Small => "chart-drawing chart-small",
        ChartWidth::Medium => "chart-drawing chart-medium",
        ChartWidth::Wide => "chart-drawing chart-wide",
    }
}

#[component]
fn Legend(spec: ChartSpec) -> impl IntoView {
    let looks = spec.looks();
    let entries = spec
        .series
        .into_iter()
        .zip(looks)
        .map(|(series, look)| {
            let mark = match spec.kind {
                ChartKind::Lines => line_mark(look),
                ChartKind::StackedBars | ChartKind::HorizontalBars => bar_mark(look),
            };
            view! {
                <li>
                    {mark}
                    <span>{series.name}</span>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! { <ul class="chart-legend" role="list">{entries}</ul> }.into_any()
}

/// A piece of the line with its marker, as it is drawn in the chart.
fn line_mark(look: Look) -> AnyView {
    let color = color(look);
    let marker = match look.marker {
        Marker::Circle => "M16 2.5a3.5 3.5 0 1 1 0 7a3.5 3.5 0 1 1 0-7z",
        Marker::Square => "M13 3h6v6h-6z",
        Marker::Triangle => "M16 2l4 7h-8z",
        Marker::Diamond => "M16 1.5L20.5 6L16 10.5L11.5 6z",
    };
    view! {
        <svg class="chart-mark" viewBox="0 0 32 12" aria-hidden="true">
            <path d="M0 6h32" fill="none" stroke=color.clone() stroke-width="2" stroke-dasharray=look.dash></path>
            <path d=marker fill="var(--bg)" stroke=color></path>
        </svg>
    }
    .into_any()
}

fn bar_mark(look: Look) -> AnyView {
    view! {
        <svg class="chart-mark chart-mark-bar" viewBox="0 0 12 12" aria-hidden="true">
            <rect width="12" height="12" rx="2" fill=color(look)></rect>
        </svg>
    }
    .into_any()
}

fn color(look: Look) -> String {
    format!("var(--chart-{})", look.color)
}

/// The same in numbers: a row a label, a column a series.
#[component]
fn Values(spec: ChartSpec) -> impl IntoView {
    let heads = spec
        .series
        .iter()
        .map(|series| view! { <th scope="col" class="table-number">{series.name.clone()}</th> })
        .collect::<Vec<_>>();
    let value = |place: usize, series: usize| {
        let value = spec.series[series].values.get(place).copied().flatten();
        value.map_or_else(|| text::NEVER.to_owned(), |value| spec.unit.exact(value))
    };
    let rows = spec
        .labels
        .iter()
        .enumerate()
        .map(|(place, label)| {
            let cells = (0..spec.series.len())
                .map(|series| view! { <td class="table-number">{value(place, series)}</td> })
                .collect::<Vec<_>>();
            view! { <tr><th scope="row">{label.clone()}</th>{cells}</tr> }
        })
        .collect::<Vec<_>>();
    view! {
        <details class="chart-values">
            <summary>{words::SHOW_TABLE}</summary>
            <div class="table-wrap" tabindex="0" role="region" aria-label=words::table_of(&spec.title)>
                <table class="table chart-table">
                    <thead><tr><td></td>{heads}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests;
