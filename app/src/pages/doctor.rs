use leptos::prelude::*;

use crate::backend::BackendRef;
use crate::components::{Frame, Icon, Pill, Place, When};
use crate::islands::CopyButton;
use crate::text::doctor as words;
use crate::types::{Check, CheckLevel, DoctorReport, EnvironmentEntry, EnvironmentState};

mod service;
mod tests_run;

use service::{ServiceSection, UsageSection};
use tests_run::{Siblings, TestsSection};

/// For admins: the debug report, and buttons that run its tests.
#[component]
pub fn Doctor() -> impl IntoView {
    let backend = expect_context::<BackendRef>();
    Suspend::new(async move {
        let report = backend.doctor().await;
        view! {
            <Frame title=words::TITLE place=Place::Doctor>
                <Report report/>
            </Frame>
        }
    })
}

#[component]
fn Report(report: DoctorReport) -> impl IntoView {
    view! {
        <div class="stack">
            <Summary report=report.clone()/>
            <TestsSection report=report.clone()/>
            <Siblings proposals=report.siblings/>
            <Checks checks=report.checks/>
            <ServiceSection status=report.service_status queue=report.queue cache=report.cache/>
            <UsageSection usage=report.usage_statistics/>
            <Environment entries=report.environment/>
        </div>
    }
    .into_any()
}

/// What it all comes to.
#[component]
fn Summary(report: DoctorReport) -> impl IntoView {
    let level = report.level();
    let (tone, icon) = look(level);
    let (warnings, failures) = (report.count(CheckLevel::Warning), report.count(CheckLevel::Failed));
    let text = words::plain(&report);
    view! {
        <section class=format!("banner {tone}") aria-labelledby="summary" data-testid="summary">
            <Icon name=icon/>
            <div class="banner-body">
                <h2 id="summary" class="banner-title">{words::headline(level, warnings, failures)}</h2>
                <p class="label">{words::MADE}" "<When at=report.generated_at/>" · Keypool "{report.version}</p>
            </div>
        </section>
        <div class="row no-print">
            <a class="button" href="/admin/doctor"><Icon name="retry"/>{words::AGAIN}</a>
            <CopyButton text label=words::COPY.to_owned()/>
        </div>
    }
    .into_any()
}

#[component]
fn Checks(checks: Vec<Check>) -> impl IntoView {
    let rows = checks
        .into_iter()
        .map(|check| {
            let (tone, icon) = look(check.level);
            view! {
                <li class="check">
                    <span class="check-level"><Pill tone icon word=check.level.label()/></span>
                    <div class="check-body">
                        <p><strong>{check.name}</strong>": "{check.message}</p>
                        {check.remedy.map(|remedy| view! { <p class="check-remedy">{words::WHAT_TO_DO}": "{remedy}</p> })}
                    </div>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="checks-title" data-testid="checks">
            <div class="card-head"><h2 id="checks-title">{words::CHECKS}</h2></div>
            <ul class="checks" role="list">{rows}</ul>
        </section>
    }
    .into_any()
}

#[component]
fn Environment(entries: Vec<EnvironmentEntry>) -> impl IntoView {
    let rows = entries
        .into_iter()
        .map(|entry| {
            let (tone, icon) = match entry.state {
                EnvironmentState::Set => ("tone-ok", "operational"),
                EnvironmentState::Missing => ("tone-unknown", "unknown"),
                EnvironmentState::Default => ("tone-maintenance", "busy"),
                EnvironmentState::Invalid => ("tone-major", "major"),
            };
            view! {
                <tr>
                    <th scope="row"><code>{entry.name}</code></th>
                    <td><Pill tone icon word=entry.state.label()/></td>
                    <td class="doctor-source muted">{entry.source}</td>
                    <td class="doctor-meaning muted">{entry.meaning}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="environment-title" data-testid="environment">
            <div class="card-head"><h2 id="environment-title">{words::ENVIRONMENT}</h2></div>
            <p class="doctor-hint muted">{words::ENVIRONMENT_HINT}</p>
            <div class="table-wrap" tabindex="0" role="region" aria-label=words::ENVIRONMENT>
                <table class="table doctor-table">
                    <thead>
                        <tr>
                            <th scope="col">{words::NAME}</th>
                            <th scope="col">{words::STATE}</th>
                            <th scope="col" class="doctor-source">{words::SOURCE}</th>
                            <th scope="col" class="doctor-meaning">{words::MEANING}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

/// Tone and icon of a level.
fn look(level: CheckLevel) -> (&'static str, &'static str) {
    match level {
        CheckLevel::Skipped => ("tone-unknown", "unknown"),
        CheckLevel::Ok => ("tone-ok", "operational"),
        CheckLevel::Warning => ("tone-degraded", "degraded"),
        CheckLevel::Failed => ("tone-major", "major"),
    }
}

#[cfg(test)]
mod tests;
