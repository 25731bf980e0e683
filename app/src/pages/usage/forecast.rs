use leptos::prelude::*;

use super::frame::{Tab, TabFrame};
use super::zone::{Zone, ahead};
use super::{Asked, notices};
use crate::components::{Icon, Pill};
use crate::text::usage::{self, analytics as words};
use crate::text::{self, remaining};
use crate::types::{CellForecast, Forecast};

/// When each day quota will be used up.
#[component]
pub fn ForecastPage() -> impl IntoView {
    let asked = Asked::here();
    Suspend::new(async move {
        let body = match asked.usage.forecast().await {
            Err(error) => notices::failed(words::FORECAST_FAILED, error, &asked),
            Ok(forecast) if forecast.cells.is_empty() => {
                let action = Some(("/".to_owned(), text::nav::ANALYZE));
                notices::nothing(words::FORECAST_EMPTY_TITLE, words::FORECAST_EMPTY, action)
            }
            Ok(forecast) => table(&forecast),
        };
        // Day quotas begin and end in the provider's zone, whichever the reader chose for the rest.
        let asked = Asked {
            zone: Zone::pacific(),
            ..asked
        };
        view! {
            <TabFrame tab=Tab::Forecast asked>
                <p class="section-hint muted">{words::FORECAST_HINT}</p>
                {body}
            </TabFrame>
        }
    })
}

fn table(forecast: &Forecast) -> AnyView {
    let pacific = Zone::pacific();
    let rows = forecast
        .cells
        .iter()
        .map(|cell| row(cell, &forecast.generated_at, &pacific))
        .collect::<Vec<_>>();
    let unknown = forecast.cells.iter().any(|cell| cell.limit.is_none());
    view! {
        {unknown.then(|| view! { <p class="note" data-testid="set-limit"><Icon name="info"/><span>{words::SET_LIMIT}</span></p> })}
        <section class="card" aria-labelledby="forecast-title">
            <div class="card-head"><h2 id="forecast-title">{words::FORECAST_TABLE}</h2></div>
            <div class="table-wrap">
                <table class="table cards" data-testid="forecast">
                    <thead>
                        <tr>
                            <th scope="col">{words::KEYS}</th>
                            <th scope="col">{words::MODEL}</th>
                            <th scope="col">{words::USED}</th>
                            <th scope="col" class="table-number">{words::EXPECTED}</th>
                            <th scope="col">{words::DRY}</th>
                            <th scope="col">{words::RESETS}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn row(cell: &CellForecast, now: &str, pacific: &Zone) -> AnyView {
    let keys = cell
        .key_numbers
        .iter()
        .map(|number| usage::key(*number))
        .collect::<Vec<_>>();
    let resets = ahead(now, &cell.resets_at);
    view! {
        <tr>
            <th scope="row" class="cell-title">
                <span class="cell-name">{keys.join(", ")}</span>
                <span class="label muted">{cell.project.clone()}</span>
            </th>
            <td data-label=words::MODEL>{cell.model.clone()}</td>
            <td data-label=words::USED><div>{used(cell)}</div></td>
            <td class="table-number" data-label=words::EXPECTED>{words::per_hour(cell.expected_per_hour)}</td>
            <td data-label=words::DRY><div>{dry(cell, pacific)}</div></td>
            <td data-label=words::RESETS>
                <div>
                <time datetime=cell.resets_at.clone() class="nowrap">{words::at_pacific(&pacific.clock(&cell.resets_at))}</time>
                {resets.map(|ahead| view! { " "<span class="label muted nowrap">{ahead}</span> })}
                </div>
            </td>
        </tr>
    }
    .into_any()
}

/// Used of the limit, in words and as a meter beside them.
fn used(cell: &CellForecast) -> AnyView {
    let words = text::live::used(cell.used_today, cell.limit);
    match cell.limit {
        None => {
            view! { <span class="nowrap">{words}</span>" "<span class="label muted nowrap">{words::NO_LIMIT}</span> }
                .into_any()
        }
        Some(limit) => {
            let max = limit.max(1);
            // Good up to four fifths, bad from nine tenths on.
            let (low, high) = (max * 8 / 10, max * 9 / 10);
            view! {
                <span class="nowrap">{words.clone()}</span>
                <meter class="usage-meter" min="0" max=max low=low high=high optimum="0" value=cell.used_today.min(max) aria-label=words></meter>
            }
            .into_any()
        }
    }
}

fn dry(cell: &CellForecast, pacific: &Zone) -> AnyView {
    if cell.is_dry {
        return view! { <Pill tone="tone-degraded" icon="degraded" word=words::IS_DRY/> }.into_any();
    }
    match (&cell.dry_at, cell.limit) {
        (Some(at), _) => view! {
            <time datetime=at.clone() class="nowrap">{words::at_pacific(&pacific.clock(at))}</time>
            {cell.dry_in_ms.map(|ms| view! { " "<span class="label muted nowrap">"in "{remaining(ms)}</span> })}
        }
        .into_any(),
        (None, Some(_)) => view! { <span>{words::LASTS}</span> }.into_any(),
        (None, None) => view! { <span class="muted">{text::NEVER}</span> }.into_any(),
    }
}
