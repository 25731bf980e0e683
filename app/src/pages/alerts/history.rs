use leptos::prelude::*;

use crate::components::{Icon, IncidentPill, SeverityPill, When};
use crate::pages::query;
use crate::text::{self, alerts as words};
use crate::types::{Incident, IncidentPage};

#[component]
pub(super) fn History(page: IncidentPage, is_first: bool) -> impl IntoView {
    let is_empty = page.items.is_empty();
    let next = page
        .next_cursor
        .map(|cursor| query::link(super::PAGE, "cursor", &cursor));
    let rows = page
        .items
        .into_iter()
        .map(|incident| view! { <Row incident/> })
        .collect::<Vec<_>>();
    let table = view! {
        <div class="table-wrap">
            <table class="table cards" data-testid="alert-history">
                <thead>
                    <tr>
                        <th scope="col">{words::WHAT}</th>
                        <th scope="col">{words::SEVERITY}</th>
                        <th scope="col">{words::STATE}</th>
                        <th scope="col">{words::OPENED}</th>
                        <th scope="col">{words::ENDED}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    };
    view! {
        <section class="card" aria-labelledby="history">
            <div class="card-head"><h2 id="history">{words::HISTORY}</h2></div>
            {match is_empty {
                true => view! { <p class="muted">{words::HISTORY_EMPTY}</p> }.into_any(),
                false => table.into_any(),
            }}
            {(!is_first || next.is_some())
                .then(|| {
                    view! {
                        <nav class="pages row" aria-label=words::PAGES>
                            {(!is_first)
                                .then(|| view! { <a class="button" href=super::PAGE><Icon name="chevron-left"/>{words::NEWEST}</a> })}
                            {next
                                .map(|href| view! { <a class="button" href=href rel="next">{words::OLDER}<Icon name="chevron-right"/></a> })}
                        </nav>
                    }
                })}
        </section>
    }
    .into_any()
}

#[component]
fn Row(incident: Incident) -> impl IntoView {
    let ended = match incident.resolved_at {
        Some(at) => view! { <When at zone_shown=true/> }.into_any(),
        None => text::NEVER.into_any(),
    };
    view! {
        <tr>
            <th scope="row" class="cell-title">
                <span>{incident.message}</span>
                <span class="label muted">{incident.title}</span>
            </th>
            <td data-label=words::SEVERITY><SeverityPill severity=incident.severity/></td>
            <td data-label=words::STATE><IncidentPill state=incident.state/></td>
            <td class="muted" data-label=words::OPENED><When at=incident.opened_at zone_shown=true/></td>
            <td class="muted" data-label=words::ENDED>{ended}</td>
        </tr>
    }
    .into_any()
}
