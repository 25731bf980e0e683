//! The overview, and the parts of pages that are kept up to date.

use std::sync::Arc;

use super::fixture::{Fixture, render, signed_in};
use super::usage::{between, down, filled};
use super::usage_fixture::UsageFixture;
use crate::backend::{BackendRef, UsageBackendRef};
use crate::context::PageContext;
use crate::pages::{overview_fragment, requests_fragment};

#[test]
fn the_cards_compare_with_the_time_before_and_lead_to_the_requests() {
    let html = filled("/overview?range=24h&keyNumber=2");
    for said in [
        "18,204",
        "12 % more than in the 24 h before",
        "97.8 %",
        "As in the 24 h before",
        "1.2 s",
        " / 4.8 s",
        r#"href="/requests?range=24h&amp;keyNumber=2""#,
        r#"href="/requests?range=24h&amp;keyNumber=2&amp;status=failed""#,
        r#"href="/requests?range=24h&amp;keyNumber=2&amp;status=failed&amp;errorType=quota""#,
    ] {
        assert!(html.contains(said), "{said} in {html}");
    }
    let keys = between(&html, r#"data-testid="card-keys""#, "</section>");
    assert!(
        keys.contains('2') && keys.contains(" of 3") && keys.contains("Next reset in 4 h 12 min"),
        "{keys}"
    );
}

#[test]
fn with_the_store_down_the_overview_still_has_the_pool() {
    let html = down("/overview");
    let card = between(&html, r#"data-testid="card-requests""#, "</section>");
    assert!(card.contains('—') && card.contains("cannot be read"), "{card}");
    assert!(between(&html, r#"data-testid="card-keys""#, "</section>").contains(" of 3"));
    let table = between(&html, r#"data-testid="overview-keys""#, "</table>");
    assert!(
        table.contains("Quota reached") && table.contains("in 4 h 12 min"),
        "{table}"
    );
}

#[test]
fn before_the_first_request_there_is_a_call_to_copy() {
    let nothing = |keys| Fixture {
        keys,
        usage: UsageFixture {
            empty: true,
            ..UsageFixture::default()
        },
        ..Fixture::default()
    };
    let (_, html) = render("/overview", signed_in(), nothing(0));
    assert!(
        html.contains("No requests yet") && html.contains("/api/ai-analysis/analyze"),
        "{html}"
    );
    let (_, html) = render("/overview?range=1h&model=x", signed_in(), nothing(3));
    assert!(
        html.contains("No requests in this time") && html.contains(r#"href="/overview?range=30d""#),
        "{html}"
    );
}

#[test]
fn the_live_part_is_the_one_on_the_page() {
    for (path, region) in [("/overview", "overview-live"), ("/requests", "requests-live")] {
        let html = filled(&format!("{path}?range=7d"));
        let context = PageContext {
            path: format!("{path}/live?range=7d"),
            ..signed_in()
        };
        let usage: UsageBackendRef = Arc::new(UsageFixture::default());
        let backend: BackendRef = Arc::new(Fixture::default());
        let fragment = match path {
            "/overview" => futures::executor::block_on(overview_fragment(usage, backend, context)),
            _ => futures::executor::block_on(requests_fragment(usage, backend, context)),
        };
        let fragment = fragment.replace("<!>", "");
        let shown = between(&html, &format!(r#"id="{region}""#), "</main>").to_owned();
        assert!(shown.contains(&fragment), "{path}\n{fragment}\n in \n{shown}");
        assert!(fragment.contains(r#"data-as-of="22:05:12 UTC""#), "{fragment}");
        assert!(
            html.contains(&format!("{path}/live?range=7d")),
            "the island knows where to read it"
        );
    }
}
