//! The status, and what holds on every page.

use leptos::prelude::*;

use super::fixture::{Fixture, render, signed_in, signed_out, stored};
use crate::context::{PageContext, Theme};

#[test]
fn the_status_page_says_what_holds_calls_back_and_what_is_used() {
    let (_, html) = render("/status", signed_in(), Fixture::default());
    for said in [
        "gemini-2.5-flash is failing at the AI provider right now.",
        "One call tries again in 12 s.",
        "4 of 10",
        "250 of 250",
    ] {
        assert!(html.contains(said), "{said} in {html}");
    }
    let (_, html) = render("/status", signed_out(), Fixture::default());
    assert!(html.contains("One call tries again in 12 s.") && !html.contains("250 of 250"));
}

#[test]
fn the_public_status_names_no_key() {
    let (_, html) = render("/status", signed_out(), Fixture::default());
    assert!(
        html.contains("Text analysis") && !html.contains("Key 1") && !html.contains("keyNumber"),
        "{html}"
    );
    let (_, html) = render("/status", signed_in(), Fixture::default());
    assert!(html.contains("Key 1"));
}

#[test]
fn a_server_without_a_key_is_not_set_up_rather_than_down() {
    let fresh = || Fixture {
        keys: 0,
        ..Fixture::default()
    };
    for path in ["/status", "/history"] {
        let (_, html) = render(path, signed_in(), fresh());
        assert!(
            html.contains("Not set up yet") && !html.contains("Major outage"),
            "{path}: {html}"
        );
        assert!(html.contains(r#"href="/set-up/key""#), "{path}");
    }
    let (_, html) = render("/status", signed_out(), fresh());
    assert!(
        html.contains("Not set up yet") && !html.contains("Major outage"),
        "{html}"
    );
    assert!(!html.contains(r#"href="/set-up/key""#));
}

#[test]
fn the_banner_is_one_line_that_leads_to_the_status_page_which_has_none() {
    let (_, html) = render("/history", signed_in(), Fixture::default());
    let banner = html
        .split_once(r#"data-testid="banner""#)
        .and_then(|(_, after)| after.split_once("<main"));
    let banner = banner.expect("a banner above the content").0;
    assert!(
        banner.contains("Degraded: 1 of 3 keys") && banner.contains(r#"href="/status""#),
        "{banner}"
    );
    let (_, html) = render("/status", signed_in(), Fixture::default());
    assert!(!html.contains(r#"data-testid="banner""#));
}

#[test]
fn simulated_answers_are_said_on_every_page() {
    for path in ["/", "/history", "/status", "/sign-in", "/register"] {
        let line = r#"data-testid="simulated""#;
        assert!(
            render(
                path,
                signed_in(),
                Fixture {
                    simulated: true,
                    ..Fixture::default()
                }
            )
            .1
            .contains(line),
            "{path}"
        );
        assert!(
            !render(path, signed_in(), Fixture::default()).1.contains(line),
            "{path}"
        );
    }
}

#[test]
fn a_page_holds_nothing_the_content_security_policy_forbids() {
    let paths = [
        "/",
        "/history",
        "/history/a1",
        "/status",
        "/sign-in",
        "/register",
        "/set-up",
        "/set-up/key",
        "/admin/doctor",
        "/admin/users",
        "/admin/users/u2",
        "/admin/audit?check=1",
        "/account",
        "/account/two-factor",
        "/account/tokens",
        "/sign-in/code",
        "/invitation?token=g00d",
        "/password?token=g00d",
        "/nowhere",
        "/overview",
        "/analytics/usage",
        "/analytics/hourly-pattern",
        "/analytics/errors",
        "/analytics/latency",
        "/analytics/forecast",
        "/requests?status=failed",
        "/requests/r1",
    ];
    for path in paths {
        let (_, html) = render(
            path,
            signed_in(),
            Fixture {
                analyses: Ok(stored()),
                ..Fixture::default()
            },
        );
        for forbidden in [" style=", " onclick=", " onsubmit=", "<style", "javascript:"] {
            assert!(!html.contains(forbidden), "{path} has {forbidden}");
        }
        assert_eq!(html.matches("<h1").count(), 1, "{path}");
    }
}

#[test]
fn an_error_document_needs_neither_server_nor_script() {
    let options = LeptosOptions::builder().output_name("keypool").build();
    let html = crate::pages::error_document(
        &options,
        PageContext {
            theme: Theme::Dark,
            ..signed_out()
        },
        500,
    );
    assert!(
        html.starts_with("<!DOCTYPE html>") && html.contains(r#"data-theme="dark""#),
        "{html}"
    );
    assert!(html.contains("<title>Something went wrong · Keypool</title>") && html.contains("req-7"));
    assert!(!html.contains("<script"));
}
