mod cards;
mod keys;

use leptos::prelude::*;

use super::toolbar::Toolbar;
use super::{Asked, fragment, notices};
use crate::backend::{BackendRef, UsageBackendRef};
use crate::charts::usage as series;
use crate::components::{Chart, Frame, Place, RecentAlerts};
use crate::context::PageContext;
use crate::error::AppError;
use crate::islands::{CopyButton, LiveRegion};
use crate::text::usage::{self, overview as words};
use crate::text::{alerts as alert_words, set_up};
use crate::types::{Incident, Overview, Role};
use cards::Cards;
use keys::Keys;

/// Id of the part that is kept up to date.
const REGION: &str = "overview-live";

/// How the service is used, at a glance.
#[component]
pub fn OverviewPage() -> impl IntoView {
    let asked = Asked::here();
    let (backend, context) = (expect_context::<BackendRef>(), expect_context::<PageContext>());
    Suspend::new(async move {
        let choices = asked.choices().await;
        let overview = asked.usage.overview(&asked.query).await;
        let recent = Recent::of(&backend, &context).await;
        let shown = overview
            .as_ref()
            .map(|overview| overview.time_range.clone())
            .map_err(Clone::clone);
        // What is over does not change any more.
        let live = asked.address.is_up_to_now().then(|| {
            let url = asked.address.whole_at("/overview/live");
            let as_of = shown
                .as_ref()
                .map(|range| asked.zone.as_of(&range.end))
                .unwrap_or_default();
            view! { <LiveRegion url region=REGION.to_owned() as_of starts=true holds=false/> }.into_any()
        });
        view! {
            <Frame title=words::TITLE place=Place::Overview zone=asked.zone.word().to_owned()>
                <Toolbar asked=asked.clone() choices shown live/>
                <div id=REGION data-testid=REGION>{body(&asked, overview, recent)}</div>
            </Frame>
        }
    })
}

/// What the page shows, read once more: the HTML of its live part. `context` has the path and query asked for,
/// `/overview/live?…`.
pub async fn overview_fragment(usage: UsageBackendRef, backend: BackendRef, context: PageContext) -> String {
    let asked = Asked::of(usage.clone(), &backend, context.clone());
    let overview = usage.overview(&asked.query).await;
    let recent = Recent::of(&backend, &context).await;
    fragment(usage, context, || body(&asked, overview, recent))
}

/// What was wrong of late.
struct Recent {
    alerts: Result<Vec<Incident>, AppError>,
    /// Whoever reads may see the page about all of them.
    has_page: bool,
}

impl Recent {
    async fn of(backend: &BackendRef, context: &PageContext) -> Self {
        Self {
            alerts: backend.recent_alerts().await,
            has_page: context.user.as_ref().is_some_and(|user| user.role == Role::Admin),
        }
    }

    fn view(self, asked: &Asked) -> AnyView {
        let has_page = self.has_page;
        match self.alerts {
            Err(error) => notices::failed(alert_words::RECENT_FAILED, error, asked),
            Ok(alerts) => view! { <RecentAlerts alerts has_page when=|at| asked.zone.time(at)/> }.into_any(),
        }
    }
}

fn body(asked: &Asked, overview: Result<Overview, AppError>, recent: Recent) -> AnyView {
    let as_of = overview
        .as_ref()
        .ok()
        .map(|overview| asked.zone.as_of(&overview.time_range.end));
    let keys = view! { <Keys asked=asked.clone()/> };
    let figures = match overview {
        Err(error) => view! {
            <Cards asked=asked.clone() overview=None/>
            <div class="usage-grid">
                {notices::failed(words::BY_KEY_FAILED, error.clone(), asked)}
                {notices::failed(words::ERRORS_FAILED, error, asked)}
            </div>
        }
        .into_any(),
        Ok(overview) => {
            let coverage = overview.coverage.clone();
            view! {
                <notices::NotWhole coverage/>
                <Cards asked=asked.clone() overview=Some(overview.clone())/>
                {if is_empty(&overview) { nothing(asked) } else { charts(asked, overview) }}
            }
            .into_any()
        }
    };
    view! { <div class="stack" data-as-of=as_of>{figures}{keys}{recent.view(asked)}</div> }.into_any()
}

fn is_empty(overview: &Overview) -> bool {
    overview.now.requests == 0 && overview.by_key.series.iter().all(|series| series.total.requests == 0)
}

/// Before the first request a call to copy, later a way to a range that has some.
fn nothing(asked: &Asked) -> AnyView {
    let keys = &asked.status.available_keys;
    if keys.iter().any(|key| key.request_count > 0) {
        let href = asked.address.widest();
        return notices::nothing(words::NONE_TITLE, words::NONE, Some((href, words::NONE_ACTION)));
    }
    view! {
        <section class="region" data-testid="region-empty">
            <crate::components::Icon name="analyze" class="icon-large"/>
            <h2>{words::EMPTY_TITLE}</h2>
            <p>{words::EMPTY}</p>
            <pre class="code region-code-block" tabindex="0" role="region" aria-label=set_up::CALL_LABEL>{set_up::CALL}</pre>
            <p class="label">{set_up::CALL_HINT}</p>
            <div class="row">
                <CopyButton text=set_up::CALL.to_owned() label=set_up::COPY_CALL.to_owned()/>
                <a class="button button-primary" href="/">{crate::text::nav::ANALYZE}</a>
            </div>
        </section>
    }
    .into_any()
}

fn charts(asked: &Asked, overview: Overview) -> AnyView {
    let by_key = series::stacked(words::BY_KEY, &overview.by_key, usage::other_keys);
    let errors = series::errors(
        words::ERRORS,
        overview
            .errors
            .iter()
            .map(|error| (error.error_type.as_str(), error.count)),
    );
    let links = overview
        .errors
        .iter()
        .map(|error| {
            let href = asked.address.at("/requests", &[("status", "failed"), ("errorType", &error.error_type)]);
            let count = crate::text::count(error.count);
            view! { <li><a href=href>{usage::error_type(&error.error_type)}</a>" "<span class="number muted">{count}</span></li> }
        })
        .collect::<Vec<_>>();
    let errors = if links.is_empty() {
        view! {
            <section class="card">
                <h2 class="chart-title">{words::ERRORS}</h2>
                <p class="muted">{words::NO_ERRORS}</p>
            </section>
        }
        .into_any()
    } else {
        view! {
            <section class="card" aria-label=words::ERRORS>
                <Chart spec=errors id="errors"/>
                <ul class="usage-links" role="list" aria-label=words::ERROR_LINKS>{links}</ul>
            </section>
        }
        .into_any()
    };
    view! {
        <div class="usage-grid">
            <Chart spec=by_key id="by-key"/>
            {errors}
        </div>
    }
    .into_any()
}
