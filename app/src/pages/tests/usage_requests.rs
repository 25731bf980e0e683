//! The log of requests, and one of them.

use super::fixture::{Fixture, render, signed_in};
use super::usage_fixture::UsageFixture;

fn page(path: &str, usage: UsageFixture) -> (u16, String) {
    let fixture = Fixture {
        usage,
        ..Fixture::default()
    };
    let (status, html) = render(path, signed_in(), fixture);
    (status, html.replace("<!>", ""))
}

fn filled(path: &str) -> String {
    page(path, UsageFixture::default()).1
}

#[test]
fn a_row_says_who_asked_what_and_how_it_went() {
    let html = filled("/requests?range=24h&status=failed");
    for said in [
        r#"href="/requests/r1?range=24h&amp;status=failed""#,
        "Account deleted",
        "by API token",
        "Quota used up",
        "Key 2",
        "2.0 s",
        "2,016",
        "21:59:58",
        "Time (UTC)",
    ] {
        assert!(html.contains(said), "{said} in {html}");
    }
}

#[test]
fn the_filter_keeps_what_was_chosen_and_the_next_page_too() {
    let query = "status=failed&errorType=quota&keyNumber=9&model=gone-model&operation=embed&surface=api&user=a%2Bb&requestId=%22%3E";
    let html = filled(&format!("/requests?range=7d&{query}&cursor=old"));
    for said in [
        r#"<option value="failed" selected>Failed</option>"#,
        r#"<option value="quota" selected>Quota used up</option>"#,
        r#"<option value="9" selected>Key 9</option>"#,
        r#"<option value="gone-model" selected>gone-model</option>"#,
        r#"<option value="embed" selected>Embedding</option>"#,
        r#"<option value="api" selected>API</option>"#,
        r#"value="a+b""#,
        r#"value="&quot;&gt;""#,
        "Filter (8)",
        r#"<input type="hidden" name="range" value="7d""#,
        "cursor=a%2Bb",
    ] {
        assert!(html.contains(said), "{said} in {html}");
    }
    assert!(
        !html.contains(r#"type="hidden" name="cursor""#),
        "a filter begins the list anew"
    );
    assert!(
        html.contains(r#"href="/requests?range=7d""#),
        "the filter can be cleared"
    );
    assert!(html.contains("<details open"), "a filter that is set is seen");
    assert!(!filled("/requests").contains("<details open"));
}

#[test]
fn only_the_first_page_of_a_range_that_goes_on_is_followed() {
    assert!(filled("/requests").contains(r#"data-testid="live""#));
    assert!(filled("/requests?status=failed").contains("status=failed"));
    assert!(!filled("/requests?cursor=x").contains(r#"data-testid="live""#));
    assert!(!filled("/requests?startDate=2026-11-01&endDate=2026-11-02").contains(r#"data-testid="live""#));
}

#[test]
fn a_search_that_stopped_says_how_far_it_came_and_goes_on() {
    let usage = UsageFixture {
        searched_back_to: Some("2026-11-30T12:03:00Z".to_owned()),
        ..UsageFixture::default()
    };
    let (_, html) = page("/requests?user=nobody&tz=Europe/Berlin", usage);
    assert!(
        html.contains("Searched back to 30 Nov 2026, 13:03 Europe/Berlin."),
        "{html}"
    );
    assert!(
        html.contains("Search on") && html.contains("user=nobody&amp;cursor=a%2Bb"),
        "{html}"
    );
    assert!(!html.contains("region-empty"), "there may be more");
}

#[test]
fn no_match_leads_to_all_requests() {
    let html = filled("/requests?user=nobody&range=7d");
    assert!(
        html.contains("No request matches") && html.contains(r#"href="/requests?range=7d""#),
        "{html}"
    );
}

#[test]
fn one_request_shows_its_way_through_the_keys() {
    let (status, html) = page(
        "/requests/r1?status=failed&tz=America/Los_Angeles",
        UsageFixture::default(),
    );
    assert_eq!(status, 200);
    for said in [
        "Key 1: day quota, 12 ms → Key 2: answered in 1.9 s",
        "1. Key 1",
        r#"x="50""#,
        r#"width="950""#,
        "30 Nov 2026, 13:59",
        "2,016 (812 prompt, 1,204 output)",
        "410 ms",
        r#"href="/requests?tz=America%2FLos_Angeles&amp;status=failed""#,
    ] {
        assert!(html.contains(said), "{said} in {html}");
    }
}

#[test]
fn a_request_that_is_unknown_is_not_found_and_a_store_that_is_down_is_no_404() {
    let (status, html) = page("/requests/gone", UsageFixture::default());
    assert_eq!(status, 404);
    assert!(html.contains("Page not found"), "{html}");
    let down = UsageFixture {
        down: true,
        ..UsageFixture::default()
    };
    let (status, html) = page("/requests/r1", down);
    assert_eq!(status, 500);
    assert!(html.contains("region-error"), "{html}");
}
