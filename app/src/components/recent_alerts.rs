use leptos::prelude::*;

use super::{Icon, Pill, When};
use crate::text::alerts as words;
use crate::types::{AlertSeverity, Incident};

/// Alerts that one look is enough for.
const SHOWN_MAX: usize = 5;

/// How bad something is, as a shape and a word.
#[component]
pub fn SeverityPill(severity: AlertSeverity) -> impl IntoView {
    let (tone, icon) = match severity {
        AlertSeverity::Low => ("tone-maintenance", "info"),
        AlertSeverity::Medium => ("tone-degraded", "degraded"),
        AlertSeverity::Critical => ("tone-major", "major"),
    };
    view! { <Pill tone icon word=words::severity(severity)/> }
}

/// What is wrong now, for a page about more than that. The first few of them, in the order given.
#[component]
pub fn RecentAlerts(alerts: Vec<Incident>) -> impl IntoView {
    let is_empty = alerts.is_empty();
    let rows = alerts
        .into_iter()
        .take(SHOWN_MAX)
        .map(|alert| {
            view! {
                <li class="entry">
                    <SeverityPill severity=alert.severity/>
                    <div class="entry-body">
                        <p class="entry-title">{alert.message}</p>
                        <p class="label muted">{words::SINCE}" "<When at=alert.opened_at/></p>
                    </div>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="recent-alerts" data-testid="recent-alerts">
            <div class="card-head">
                <h2 id="recent-alerts">{words::RECENT}</h2>
                <a href="/admin/alerts">{words::ALL}</a>
            </div>
            {match is_empty {
                true => view! {
                    <p class="row muted">
                        <Icon name="operational"/>
                        <span>{words::ACTIVE_EMPTY}</span>
                    </p>
                }
                .into_any(),
                false => view! { <ul class="rows" role="list">{rows}</ul> }.into_any(),
            }}
        </section>
    }
    .into_any()
}
