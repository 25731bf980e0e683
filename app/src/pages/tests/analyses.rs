//! The composer, the history, one analysis.

use std::collections::BTreeMap;

use super::fixture::{Fixture, render, signed_in, stored};
use crate::context::{PageContext, RefusedForm};
use crate::error::{AppError, ErrorCode};
use crate::types::{Analysis, Role, User};

#[test]
fn without_a_key_only_an_administrator_is_led_to_add_one() {
    let (_, html) = render(
        "/",
        signed_in(),
        Fixture {
            keys: 0,
            ..Fixture::default()
        },
    );
    assert!(html.contains(r#"href="/set-up/key""#));
    let user = signed_in().user.map(|user| User {
        role: Role::User,
        ..user
    });
    let (_, html) = render(
        "/",
        PageContext { user, ..signed_in() },
        Fixture {
            keys: 0,
            ..Fixture::default()
        },
    );
    assert!(html.contains("Not set up yet") && !html.contains(r#"href="/set-up/key""#));
}

#[test]
fn running_again_fills_the_composer() {
    let (_, html) = render(
        "/?again=a1",
        signed_in(),
        Fixture {
            analyses: Ok(stored()),
            ..Fixture::default()
        },
    );
    assert!(html.contains("Summarise the report</textarea>"), "{html}");
    let (_, html) = render(
        "/?again=gone",
        signed_in(),
        Fixture {
            analyses: Ok(stored()),
            ..Fixture::default()
        },
    );
    assert!(html.contains("was not found"));
}

#[test]
fn running_an_image_analysis_again_asks_for_the_image() {
    let mut stored = stored();
    stored[0].image_count = 2;
    let again = |stored: &[Analysis]| {
        let analyses = Ok(stored.to_vec());
        render(
            "/?again=a1",
            signed_in(),
            Fixture {
                analyses,
                ..Fixture::default()
            },
        )
        .1
    };
    let html = again(&stored);
    assert!(
        html.contains("This analysis had 2 images. Images are not kept: choose them again."),
        "{html}"
    );
    assert!(
        html.contains(r#"aria-describedby="images-lost images-hint"#),
        "said where they are chosen"
    );
    let tab = html
        .split_once(r#"id="composer-tab-image""#)
        .map(|(_, after)| &after[..80]);
    assert!(
        tab.is_some_and(|tag| tag.contains(r#"aria-selected="true""#)),
        "{tab:?}"
    );
    stored[0].image_count = 0;
    assert!(!again(&stored).contains("images-lost"));
}

#[test]
fn an_analysis_without_a_call_says_where_its_answer_came_from() {
    let mut stored = stored();
    for analysis in &mut stored {
        analysis.attempts.clear();
    }
    let page = |path: &str| {
        let analyses = Ok(stored.clone());
        render(
            path,
            signed_in(),
            Fixture {
                analyses,
                ..Fixture::default()
            },
        )
        .1
    };
    let complete = page("/history/a1");
    assert!(
        complete.contains("From cache") && complete.contains("the same had been asked before"),
        "{complete}"
    );
    let failed = page("/history/a2");
    assert!(
        !failed.contains("From cache") && failed.contains("no key was free"),
        "{failed}"
    );
}

#[test]
fn a_refused_form_says_what_to_do_and_counts_down() {
    let mut error = AppError::new(
        ErrorCode::NoCapacity,
        "No key can take this request right now. Please try again shortly.",
    );
    error.retry_after_seconds = Some(42);
    error.reset_at = Some("2026-11-24T08:00:00Z".to_owned());
    let refused = |error: AppError| {
        let refused = Some(RefusedForm {
            error,
            kept: BTreeMap::from([("prompt".to_owned(), "Kept words".to_owned())]),
        });
        let context = PageContext { refused, ..signed_in() };
        render("/", context, Fixture::default()).1
    };
    let html = refused(error.clone());
    assert!(html.contains("Kept words</textarea>"));
    assert!(
        html.contains("try again when a key is free") && html.contains("Possible in 42 s."),
        "{html}"
    );
    assert!(!html.contains("The quota comes back"), "a short wait is no quota");
    error.code = ErrorCode::QuotaExceeded;
    assert!(refused(error).contains("The quota comes back on 24 Nov 2026 at 08:00 UTC."));
}

#[test]
fn the_history_escapes_what_people_wrote() {
    let (status, html) = render(
        "/history",
        signed_in(),
        Fixture {
            analyses: Ok(stored()),
            ..Fixture::default()
        },
    );
    assert_eq!(status, 200);
    assert!(html.contains("&lt;b&gt;Bold&lt;/b&gt; claims") && !html.contains("<b>Bold"));
    assert!(html.contains("23 Nov 2026, 18:07") && html.contains("Time (UTC)"));
    assert!(html.contains(r#"href="/history?cursor=a%2Bb""#), "{html}");
}

#[test]
fn an_empty_history_leads_to_the_first_analysis() {
    let (_, html) = render("/history", signed_in(), Fixture::default());
    assert!(html.contains("Nothing analysed yet") && html.contains("region-empty"));
}

#[test]
fn a_history_that_cannot_be_read_says_its_code_and_request_id() {
    let (_, html) = render(
        "/history",
        signed_in(),
        Fixture {
            analyses: Err(AppError::internal()),
            ..Fixture::default()
        },
    );
    assert!(html.contains("region-error") && html.contains("INTERNAL") && html.contains("req-7"));
}

#[test]
fn an_answer_is_sanitised_markdown() {
    let (_, html) = render(
        "/history/a1",
        signed_in(),
        Fixture {
            analyses: Ok(stored()),
            ..Fixture::default()
        },
    );
    assert!(
        html.contains("<h3>Findings</h3>") && html.contains("<strong>three</strong>"),
        "{html}"
    );
    assert!(html.contains("&lt;script&gt;alert(1)") && !html.contains("<script>alert"));
    assert!(
        html.contains("1. Key 1") && html.contains("Day quota") && html.contains("2,016 (812 prompt, 1,204 output)")
    );
}

#[test]
fn an_unknown_analysis_and_an_unknown_address_are_not_found() {
    for path in ["/history/gone", "/nowhere"] {
        let (status, html) = render(path, signed_in(), Fixture::default());
        assert_eq!(status, 404, "{path}");
        assert!(html.contains("Page not found") && html.contains("req-7"));
    }
}
