use leptos::prelude::*;

use crate::components::{Icon, SeverityPill, When};
use crate::text::alerts as words;
use crate::types::{Incident, IncidentState};

#[component]
pub(super) fn Active(incidents: Vec<Incident>, looked_at: Option<String>) -> impl IntoView {
    let looked = match looked_at {
        Some(at) => view! { <span class="label muted">{words::LOOKED}" "<When at/></span> }.into_any(),
        None => view! { <span class="label muted">{words::NOT_LOOKED}</span> }.into_any(),
    };
    let is_empty = incidents.is_empty();
    let rows = incidents
        .into_iter()
        .map(|incident| view! { <Row incident/> })
        .collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="active" data-testid="active-alerts">
            <div class="card-head"><h2 id="active">{words::ACTIVE}</h2>{looked}</div>
            {match is_empty {
                true => view! {
                    <p class="row muted">
                        <Icon name="operational"/>
                        <span>{words::ACTIVE_EMPTY}</span>
                    </p>
                }
                .into_any(),
                false => view! {
                    <p class="section-hint muted">{words::RESOLVE_HINT}</p>
                    <ul class="rows" role="list">{rows}</ul>
                }
                .into_any(),
            }}
        </section>
    }
    .into_any()
}

#[component]
fn Row(incident: Incident) -> impl IntoView {
    let Incident {
        id,
        title,
        severity,
        state,
        message,
        advice,
        opened_at,
        acknowledged_at,
        acknowledged_by,
        silenced_until,
        ..
    } = incident;
    let acknowledged = acknowledged_at.map(|at| {
        let by = match acknowledged_by {
            Some(name) => format!("{} {name}", words::ACKNOWLEDGED_BY),
            None => words::ACKNOWLEDGED_AT.to_owned(),
        };
        view! { " · "{by}", "<When at/> }
    });
    let can_acknowledge = acknowledged.is_none();
    let silenced = silenced_until.map(|at| view! { " · "{words::SILENCED_UNTIL}" "<When at/> });
    view! {
        <li class="entry alert-entry">
            <SeverityPill severity/>
            <div class="entry-body">
                <p class="entry-title"><strong>{message.clone()}</strong></p>
                <p>{advice}</p>
                <p class="label muted">
                    {title}" · "{words::SINCE}" "<When at=opened_at/>{acknowledged}{silenced}
                </p>
                <Acts id about=message can_acknowledge is_silenced=state == IncidentState::Silenced/>
            </div>
        </li>
    }
    .into_any()
}

#[component]
fn Acts(id: String, about: String, can_acknowledge: bool, is_silenced: bool) -> impl IntoView {
    let at = |act: &str| format!("{}/{id}/{act}", super::PAGE);
    let select = format!("silence-{id}");
    let times = words::SILENCES
        .into_iter()
        .map(|minutes| view! { <option value=minutes.to_string()>{words::minutes(minutes)}</option> })
        .collect::<Vec<_>>();
    let whose = |about: &str| view! { <span class="visually-hidden">": "{about.to_owned()}</span> };
    view! {
        <div class="row alert-acts no-print">
            {can_acknowledge
                .then(|| {
                    view! {
                        <form method="post" action=at("acknowledge")>
                            <button type="submit" class="button"><Icon name="check"/>{words::ACKNOWLEDGE}{whose(&about)}</button>
                        </form>
                    }
                })}
            <form method="post" action=at("silence") class="row">
                {match is_silenced {
                    true => view! {
                        <input type="hidden" name="minutes" value="0"/>
                        <button type="submit" class="button">{words::UNSILENCE}{whose(&about)}</button>
                    }
                    .into_any(),
                    false => view! {
                        <label class="visually-hidden" for=select.clone()>{words::SILENCE_FOR}</label>
                        <select class="input" id=select name="minutes">{times}</select>
                        <button type="submit" class="button">{words::SILENCE}{whose(&about)}</button>
                    }
                    .into_any(),
                }}
            </form>
            <form method="post" action=at("resolve")>
                <button type="submit" class="button">{words::RESOLVE}{whose(&about)}</button>
            </form>
        </div>
    }
    .into_any()
}
