use leptos::prelude::*;

use super::frame::{RangeFrame, Tab};
use super::{Asked, notices, series};
use crate::components::Chart;
use crate::error::AppError;
use crate::text;
use crate::text::usage::{self, analytics as words};
use crate::types::{ErrorReport, ErrorRow};

/// What failed, on which keys, since when, and what to do.
#[component]
pub fn ErrorsPage() -> impl IntoView {
    let asked = Asked::here();
    Suspend::new(async move {
        let choices = asked.choices().await;
        let report = asked.usage.errors(&asked.query).await;
        let shown = report
            .as_ref()
            .map(|report| report.time_range.clone())
            .map_err(Clone::clone);
        let body = body(&asked, report);
        view! { <RangeFrame tab=Tab::Errors asked choices shown>{body}</RangeFrame> }
    })
}

fn body(asked: &Asked, report: Result<ErrorReport, AppError>) -> AnyView {
    let report = match report {
        Err(error) => return notices::failed(words::ERRORS_FAILED, error, asked),
        Ok(report) => report,
    };
    let coverage = report.coverage.clone();
    let figures = if report.rows.is_empty() {
        notices::nothing(words::ERRORS_EMPTY_TITLE, &words::no_failures(report.calls), None)
    } else {
        let rows = report.rows.iter();
        let spec = series::errors(
            words::ERRORS_CHART,
            rows.map(|row| (row.error_type.as_str(), row.count)),
        );
        let failed: u64 = report.rows.iter().map(|row| row.count).sum();
        view! {
            <p class="section-hint muted">{words::failures(failed, report.calls)}". "{words::ERRORS_HINT}</p>
            <Chart spec id="errors"/>
            {table(asked, report.rows)}
        }
        .into_any()
    };
    view! { <notices::NotWhole coverage/>{figures} }.into_any()
}

fn table(asked: &Asked, rows: Vec<ErrorRow>) -> AnyView {
    let rows = rows.into_iter().map(|row| line(asked, row)).collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="errors-title">
            <div class="card-head">
                <h2 id="errors-title">{words::ERRORS_TABLE}</h2>
                <span class="label muted">{text::times_in(asked.zone.word())}</span>
            </div>
            <div class="table-wrap">
                <table class="table cards" data-testid="errors-table">
                    <thead>
                        <tr>
                            <th scope="col">{words::ERROR_TYPE}</th>
                            <th scope="col" class="table-number">{words::ERROR_COUNT}</th>
                            <th scope="col">{words::ERROR_KEYS}</th>
                            <th scope="col">{words::FIRST_SEEN}</th>
                            <th scope="col">{words::LAST_SEEN}</th>
                            <th scope="col">{words::WHAT_TO_DO}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn line(asked: &Asked, row: ErrorRow) -> AnyView {
    let href = asked.address.at("/requests", &[("errorType", &row.error_type)]);
    let keys = row
        .key_breakdown
        .iter()
        .map(|key| {
            let number = key.key_number.to_string();
            let href = asked.address.at("/requests", &[("errorType", &row.error_type), ("keyNumber", &number)]);
            view! { <li><a href=href>{usage::key(key.key_number)}</a>" "<span class="number">{text::count(key.count)}</span></li> }
        })
        .collect::<Vec<_>>();
    view! {
        <tr>
            <th scope="row" class="cell-title">
                <a class="cell-name" href=href>{usage::error_type(&row.error_type)}</a>
                <code class="label muted">{row.error_type.clone()}</code>
            </th>
            <td class="table-number" data-label=words::ERROR_COUNT>{text::count(row.count)}</td>
            <td data-label=words::ERROR_KEYS><ul class="usage-links" role="list">{keys}</ul></td>
            <td data-label=words::FIRST_SEEN>{asked.zone.time(&row.first_seen)}</td>
            <td data-label=words::LAST_SEEN>{asked.zone.time(&row.last_seen)}</td>
            <td class="errors-remedy" data-label=words::WHAT_TO_DO>{words::what_to_do(&row.error_type)}</td>
        </tr>
    }
    .into_any()
}
