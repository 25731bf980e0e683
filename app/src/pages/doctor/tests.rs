use leptos::prelude::*;

use super::Report;
use crate::types::{
    Check, CheckLevel, DoctorReport, EnvironmentEntry, EnvironmentState, KeyTest, PerformanceTest, SiblingKey,
    SiblingProposal,
};

fn check_of(level: CheckLevel, remedy: Option<&str>) -> Check {
    Check {
        name: "Store".to_owned(),
        level,
        message: "It is as it is.".to_owned(),
        remedy: remedy.map(ToOwned::to_owned),
    }
}

fn report(checks: Vec<Check>) -> DoctorReport {
    DoctorReport {
        generated_at: "2026-11-23T18:07:12.345Z".to_owned(),
        version: "0.1.0".to_owned(),
        environment: vec![EnvironmentEntry {
            name: "JWT_SECRET".to_owned(),
            state: EnvironmentState::Missing,
            source: "not set".to_owned(),
            meaning: "signs access tokens".to_owned(),
        }],
        checks,
        service_status: None,
        usage_statistics: None,
        key_tests: None,
        performance_test: None,
        tested_at: None,
        queue: None,
        cache: None,
        siblings: Vec::new(),
    }
}

/// The rendered report has all of these, in this order.
fn check(report: DoctorReport, words: &[&str]) {
    let html = Owner::new_root(None).with(|| view! { <Report report/> }.to_html());
    let mut rest = html.as_str();
    for word in words {
        match rest.split_once(word) {
            Some((_, after)) => rest = after,
            None => panic!("{word} is not in, or not after the others:\n{html}"),
        }
    }
}

#[test]
fn a_report_without_faults_says_so() {
    let fine = report(vec![
        check_of(CheckLevel::Ok, None),
        check_of(CheckLevel::Skipped, None),
    ]);
    check(
        fine,
        &[
            "tone-ok",
            "Everything that was looked at is fine.",
            "OK",
            "Skipped",
            "JWT_SECRET",
            "Missing",
        ],
    );
}

#[test]
fn a_warning_and_a_failure_say_what_to_do_in_word_and_shape() {
    let warned = report(vec![check_of(CheckLevel::Warning, Some("Mend it."))]);
    check(
        warned,
        &[
            "tone-degraded",
            "1 check has a warning",
            "icons.svg#degraded",
            "Warning",
            "What to do",
            "Mend it.",
        ],
    );
    let failed = report(vec![check_of(CheckLevel::Failed, Some("Mend it."))]);
    check(
        failed,
        &[
            "tone-major",
            "1 check or test failed.",
            "icons.svg#major",
            "Failed",
            "Mend it.",
        ],
    );
}

#[test]
fn a_failed_test_is_a_failure_of_the_whole() {
    let tested = DoctorReport {
        key_tests: Some(vec![KeyTest {
            key_number: 2,
            status: "failed".to_owned(),
            outcome: Some("invalid_key".to_owned()),
            error: Some("Make a new one in AI Studio.".to_owned()),
            ms: 31,
        }]),
        performance_test: Some(PerformanceTest {
            passed: true,
            ms: 1_240,
            model: "gemini-2.5-flash".to_owned(),
            key_number: Some(1),
            error: None,
        }),
        tested_at: Some("2026-11-23T18:09:00Z".to_owned()),
        ..report(Vec::new())
    };
    let words = [
        "1 check or test failed.",
        "23 Nov 2026, 18:09",
        "Key 2",
        "Failed",
        "31 ms",
        "AI Studio",
        "Passed",
        "1.2 s",
        "key 1",
    ];
    check(tested, &words);
}

#[test]
fn keys_that_may_share_a_project_can_be_confirmed_and_dismissed() {
    let key = |key_number| SiblingKey {
        key_number,
        label: "<Team>".to_owned(),
        project: None,
    };
    let proposed = DoctorReport {
        siblings: vec![SiblingProposal {
            id: "p1".to_owned(),
            keys: vec![key(1), key(2)],
            model: "gemini-2.5-flash".to_owned(),
            seen_at: "2026-11-23T18:09:00Z".to_owned(),
        }],
        ..report(Vec::new())
    };
    let words = [
        "Key 1 (&lt;Team&gt;), Key 2",
        r#"action="/admin/doctor/siblings""#,
        r#"value="p1""#,
        r#"value="confirm""#,
        r#"value="dismiss""#,
    ];
    check(proposed, &words);
}
