use leptos::prelude::*;

use super::{Icon, Pill};
use crate::text::alerts as words;
use crate::types::{AlertSeverity, Incident, IncidentState};

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

/// What becomes of an incident, as a shape and a word.
#[component]
pub fn IncidentPill(state: IncidentState) -> impl IntoView {
    let (tone, icon) = match state {
        IncidentState::Open => ("tone-partial", "partial"),
        IncidentState::Acknowledged => ("tone-maintenance", "check"),
        IncidentState::Silenced => ("tone-unknown", "disabled"),
        IncidentState::Resolved => ("tone-ok", "operational"),
    };
    view! { <Pill tone icon word=words::state(state)/> }
}

/// What is or was wrong of late, for a page about more than that, in the order given. `when` writes an instant.
#[component]
pub fn RecentAlerts(
    alerts: Vec<Incident>,
    /// Admins have a page about all of them.
    has_page: bool,
    when: impl Fn(&str) -> AnyView,
) -> impl IntoView {
    let is_empty = alerts.is_empty();
    let rows = alerts
        .into_iter()
        .map(|alert| {
            let (opened, ended) = (when(&alert.opened_at), alert.resolved_at.as_deref().map(&when));
            let ended = ended.map(|ended| view! { " "{words::UNTIL}" "{ended} });
            view! {
                <li class="entry">
                    <SeverityPill severity=alert.severity/>
                    <div class="entry-body">
                        <p class="entry-title">{alert.message}</p>
                        <p class="row label muted">
                            <IncidentPill state=alert.state/>
                            <span>{words::SINCE}" "{opened}{ended}</span>
                        </p>
                    </div>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="recent-alerts" data-testid="recent-alerts">
            <div class="card-head">
                <h2 id="recent-alerts">{words::RECENT}</h2>
                {has_page.then(|| view! { <a class="label" href="/admin/alerts">{words::ALL}</a> })}
            </div>
            {match is_empty {
                true => view! {
                    <p class="row muted">
                        <Icon name="operational"/>
                        <span>{words::RECENT_EMPTY}</span>
                    </p>
                }
                .into_any(),
                false => view! { <ul class="rows" role="list">{rows}</ul> }.into_any(),
            }}
        </section>
    }
    .into_any()
}
