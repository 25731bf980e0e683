use leptos::prelude::*;

use super::look;
use crate::components::{Pill, When};
use crate::text::{self, doctor as words};
use crate::types::{DoctorReport, KeyTest, PerformanceTest, SiblingProposal};

/// The buttons, and what the tests showed when they were last run. Forms, so that they work without script.
#[component]
pub(super) fn TestsSection(report: DoctorReport) -> impl IntoView {
    let nothing = report.key_tests.is_none() && report.performance_test.is_none();
    view! {
        <section class="card" aria-labelledby="tests" data-testid="tests">
            <div class="card-head"><h2 id="tests" tabindex="-1">{words::TESTS}</h2></div>
            <div class="stack">
                <p class="muted">{words::TESTS_HINT}</p>
                <form method="post" action="/admin/doctor" class="row no-print">
                    <button type="submit" class="button button-primary" name="test" value="keys">{words::TEST_KEYS}</button>
                    <button type="submit" class="button" name="test" value="request">{words::TEST_REQUEST}</button>
                </form>
                {nothing.then(|| view! { <p class="muted">{words::NOT_TESTED}</p> })}
                {report.tested_at.map(|at| view! { <p class="label muted">{words::TESTED}" "<When at/></p> })}
                {report.key_tests.map(|tests| view! { <KeyTests tests/> })}
                {report.performance_test.map(|test| view! { <RequestTest test/> })}
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn KeyTests(tests: Vec<KeyTest>) -> impl IntoView {
    if tests.is_empty() {
        return view! { <p class="muted">{words::NO_KEYS}</p> }.into_any();
    }
    let rows = tests
        .into_iter()
        .map(|test| {
            let (tone, icon) = look(test.level());
            let word = if test.error.is_none() {
                words::PASSED
            } else {
                words::FAILED
            };
            view! {
                <tr>
                    <th scope="row">{words::key(test.key_number)}</th>
                    <td><Pill tone icon word/></td>
                    <td class="table-number">{text::took(test.ms)}</td>
                    <td class="doctor-words">{test.error}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <div>
            <h3 class="doctor-part">{words::KEY_TESTS}</h3>
            <div class="table-wrap" tabindex="0" role="region" aria-label=words::KEY_TESTS>
                <table class="table doctor-table doctor-tests" data-testid="key-tests">
                    <thead>
                        <tr>
                            <th scope="col">{words::KEY}</th>
                            <th scope="col">{words::STATE}</th>
                            <th scope="col" class="table-number">{words::TOOK}</th>
                            <th scope="col">{words::WHAT_TO_DO}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </div>
    }
    .into_any()
}

#[component]
fn RequestTest(test: PerformanceTest) -> impl IntoView {
    let (tone, icon) = look(test.level());
    let word = if test.passed { words::PASSED } else { words::FAILED };
    let what = match test.error {
        Some(error) => error,
        None => words::answered_by(&test.model, test.key_number),
    };
    view! {
        <div data-testid="request-test">
            <h3 class="doctor-part">{words::REQUEST_TEST}</h3>
            <p class="row"><Pill tone icon word/><span class="number">{text::took(test.ms)}</span><span class="muted">{what}</span></p>
        </div>
    }
    .into_any()
}

/// Proposals to confirm or dismiss.
#[component]
pub(super) fn Siblings(proposals: Vec<SiblingProposal>) -> impl IntoView {
    if proposals.is_empty() {
        return ().into_any();
    }
    let rows = proposals
        .into_iter()
        .map(|proposal| {
            let keys: Vec<String> = proposal
                .keys
                .iter()
                .map(|key| format!("{} ({})", words::key(key.key_number), key.label))
                .collect();
            let keys = keys.join(", ");
            let about = keys.clone();
            view! {
                <li class="sibling">
                    <p class="sibling-keys"><strong>{keys}</strong><span class="muted">{proposal.model}" · "<When at=proposal.seen_at/></span></p>
                    <form method="post" action="/admin/doctor/siblings" class="row no-print">
                        <input type="hidden" name="id" value=proposal.id/>
                        <button type="submit" class="button" name="answer" value="confirm">
                            {words::CONFIRM}<span class="visually-hidden">": "{about.clone()}</span>
                        </button>
                        <button type="submit" class="button button-quiet" name="answer" value="dismiss">
                            {words::DISMISS}<span class="visually-hidden">": "{about}</span>
                        </button>
                    </form>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="card" aria-labelledby="siblings-title" data-testid="siblings">
            <div class="card-head"><h2 id="siblings-title">{words::SIBLINGS}</h2></div>
            <p class="doctor-hint muted">{words::SIBLINGS_HINT}</p>
            <ul class="checks" role="list">{rows}</ul>
        </section>
    }
    .into_any()
}
