//! For admins: what is wrong, the rules that say so, where people are told, and what was wrong before.

mod active;
mod channels;
mod history;
mod rules;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::backend::BackendRef;
use crate::components::{Frame, Place, RefusedSummary, RegionError};
use crate::context::{PageContext, RefusedForm, Shown};
use crate::error::AppError;
use crate::text::alerts as words;
use crate::types::{self, IncidentPage};
use active::Active;
use channels::{Channels, Tested};
use history::History;
use rules::Rules;

const PAGE: &str = "/admin/alerts";
/// Of forms that are about no rule, as the server names them.
const ACTS: &str = "acts";

#[component]
pub fn Alerts() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    let context = expect_context::<PageContext>();
    let cursor = use_query_map()
        .read_untracked()
        .get("cursor")
        .filter(|cursor| !cursor.is_empty());
    Suspend::new(async move {
        let read = async {
            let history = backend.alert_history(cursor.as_deref()).await?;
            // Older pages of the history are about nothing else.
            let alerts = match cursor {
                None => Some(backend.alerts().await?),
                Some(_) => None,
            };
            Ok::<_, AppError>((alerts, history))
        };
        let body = match read.await {
            Err(error) => view! {
                <RegionError title=words::FAILED error request_id=context.request_id.clone() retry=PAGE.to_owned()/>
            }
            .into_any(),
            Ok((alerts, history)) => view! { <Body alerts history context=context.clone()/> }.into_any(),
        };
        view! {
            <Frame title=words::TITLE place=Place::Alerts>
                <div class="sections sections-wide">
                    <RefusedSummary
                        title=words::REFUSED
                        refused=RefusedForm::of(context.refused.as_ref(), ACTS)
                    />
                    {body}
                </div>
            </Frame>
        }
    })
}

#[component]
fn Body(alerts: Option<types::Alerts>, history: IncidentPage, context: PageContext) -> impl IntoView {
    let is_first = alerts.is_some();
    let (tests, preview) = match context.shown {
        Some(Shown::ChannelTests(tests)) => (Some(tests), None),
        Some(Shown::AlertPreview(preview)) => (None, Some(*preview)),
        _ => (None, None),
    };
    let now = alerts.map(|alerts| {
        view! {
            <Active incidents=alerts.incidents looked_at=alerts.evaluated_at/>
            <Rules rules=alerts.rules preview refused=context.refused/>
            <Channels channels=alerts.channels/>
        }
    });
    view! {
        {tests.map(|tests| view! { <Tested tests/> })}
        {now}
        <History page=history is_first/>
    }
    .into_any()
}
