//! Overview and analytics, in each of their states.

use super::fixture::{Fixture, render, signed_in, signed_in_as};
use super::usage_fixture::{HOSTILE, UsageFixture};
use crate::types::{Coverage, Role};

/// All pages with figures, and what stands on each.
const PAGES: [(&str, &str); 8] = [
    ("/overview", "Requests by key"),
    ("/analytics/usage", "Calls by key"),
    ("/analytics/hourly-pattern", "Calls by hour"),
    ("/analytics/errors", "Failed calls by error type"),
    ("/analytics/latency", "Time to the first token"),
    ("/analytics/forecast", "Day quotas by project and model"),
    ("/requests", "Requests, newest first"),
    ("/requests/r1", "Calls to the provider"),
];

fn page(path: &str, usage: UsageFixture) -> String {
    let fixture = Fixture {
        usage,
        ..Fixture::default()
    };
    // Between two texts stand comments, for hydration.
    render(path, signed_in(), fixture).1.replace("<!>", "")
}

pub(super) fn filled(path: &str) -> String {
    page(path, UsageFixture::default())
}

fn empty(path: &str) -> String {
    let usage = UsageFixture {
        empty: true,
        ..UsageFixture::default()
    };
    page(path, usage)
}

pub(super) fn down(path: &str) -> String {
    let usage = UsageFixture {
        down: true,
        ..UsageFixture::default()
    };
    page(path, usage)
}

/// What is between two texts.
pub(super) fn between<'a>(html: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = html.split_once(start).unwrap_or_else(|| panic!("no {start} in {html}"));
    rest.split_once(end)
        .unwrap_or_else(|| panic!("no {end} after {start}"))
        .0
}

#[test]
fn every_page_shows_its_figures_and_nobodys_html() {
    for (path, said) in PAGES {
        let html = filled(path);
        assert!(html.contains(said), "{path}: {html}");
        assert!(!html.contains(HOSTILE), "{path} has what somebody named as HTML");
        assert!(
            !html.contains("region-error") && !html.contains("region-empty"),
            "{path}: {html}"
        );
    }
}

#[test]
fn a_store_that_is_down_is_said_on_every_page_with_a_way_to_try_again() {
    for (path, _) in PAGES {
        let path = format!("{path}?range=7d");
        let html = down(&path);
        assert!(
            html.contains("The store does not answer.") && html.contains("req-7") && html.contains("INTERNAL"),
            "{path}: {html}"
        );
        let region = between(&html, "region-error", "</section>");
        assert!(region.contains("range=7d"), "{path} is tried again as it was: {region}");
    }
}

#[test]
fn without_anything_to_show_every_page_says_why() {
    for (path, _) in PAGES.into_iter().filter(|(path, _)| *path != "/requests/r1") {
        assert!(empty(path).contains("region-empty"), "{path}");
    }
}

#[test]
fn figures_that_are_not_whole_say_so_with_their_numbers() {
    let coverage = Coverage {
        recording: false,
        dropped: 1_234,
        waiting: 5_000,
    };
    for (path, _) in PAGES
        .into_iter()
        .take(7)
        .filter(|(path, _)| *path != "/analytics/forecast")
    {
        let usage = UsageFixture {
            coverage: coverage.clone(),
            ..UsageFixture::default()
        };
        let html = page(path, usage);
        for said in [
            "1,234 events were lost",
            "Recording is switched off",
            "5,000 events wait",
        ] {
            assert!(html.contains(said), "{path}: {said} in {html}");
        }
        assert!(!filled(path).contains("not-whole"), "{path}");
    }
}

#[test]
fn a_query_that_makes_no_sense_is_said_where_it_was_typed() {
    for path in ["/overview", "/analytics/usage", "/analytics/hourly-pattern"] {
        let html = filled(&format!("{path}?tz=Mars/Olympus&range=7d"));
        assert!(
            html.contains(r#"value="Mars/Olympus""#) && html.contains(r#"aria-invalid="true""#),
            "{path}: {html}"
        );
        assert!(html.matches("There is no zone of this name.").count() >= 2, "{path}");
        let region = between(&html, "region-error", "</section>");
        assert!(region.contains(&format!(r#"href="{path}""#)), "{path}: {region}");
    }
}

#[test]
fn times_are_in_the_chosen_zone_which_is_named() {
    let html = filled("/analytics/errors?tz=America/Los_Angeles");
    assert!(
        html.contains("29 Nov 2026, 18:00") && html.contains("30 Nov 2026, 13:59"),
        "{html}"
    );
    assert!(html.contains("Times in Pacific") && html.contains("Zone: Pacific"));
    assert!(filled("/analytics/errors").contains("Times in UTC"));
    let html = filled("/requests?tz=Asia/Kolkata");
    assert!(
        html.contains("Time (Asia/Kolkata)") && html.contains("1 Dec, 03:29:58"),
        "{html}"
    );
}

#[test]
fn the_toolbar_keeps_the_rest_of_the_address() {
    let html =
        filled("/analytics/usage?range=24h&keyNumber=2&model=gemini-2.5-flash&tz=Europe/Berlin&sort=p95&dir=asc");
    let toolbar = between(&html, r#"data-testid="toolbar""#, r#"data-testid="usage-by-key""#);
    for said in [
        "range=7d",
        r#"<input type="hidden" name="sort" value="p95""#,
        r#"<input type="hidden" name="tz" value="Europe/Berlin""#,
        r#"<option value="2" selected>Key 2</option>"#,
        r#"<option value="gemini-2.5-flash" selected>"#,
        "/api/analytics/export.csv?range=24h&amp;tz=Europe%2FBerlin&amp;keyNumber=2",
        "/api/analytics/export.json?",
    ] {
        assert!(toolbar.contains(said), "{said} in {toolbar}");
    }
    let chosen = between(toolbar, r#"aria-current="true""#, "</a>");
    assert!(chosen.contains("24 h"), "{chosen}");
    let tabs = between(&html, r#"class="tabs"#, "</nav>");
    assert!(
        tabs.contains(
            r#"href="/analytics/errors?range=24h&amp;tz=Europe%2FBerlin&amp;keyNumber=2&amp;model=gemini-2.5-flash""#
        ),
        "{tabs}"
    );
}

#[test]
fn a_range_of_ones_own_is_filled_in_and_nothing_is_live_in_the_past() {
    let html = filled("/overview?startDate=2026-11-29&endDate=2026-11-30&tz=Europe/Berlin");
    assert!(
        html.contains(r#"value="2026-11-29T23:00""#) && html.contains(r#"value="2026-11-30T23:05""#),
        "{html}"
    );
    assert!(!html.contains(r#"data-testid="live""#));
    assert!(filled("/overview").contains(r#"data-testid="live""#));
}

#[test]
fn the_table_by_key_is_sorted_by_its_links() {
    let order = |path: &str| {
        let html = filled(path);
        let table = between(&html, r#"data-testid="usage-by-key""#, "</table>").to_owned();
        let mut keys: Vec<(usize, u32)> = (1..=3)
            .map(|key| (table.find(&format!(">Key {key}</a>")).unwrap(), key))
            .collect();
        keys.sort_unstable();
        (keys.into_iter().map(|(_, key)| key).collect::<Vec<_>>(), table)
    };
    assert_eq!(order("/analytics/usage").0, [1, 2, 3]);
    let (keys, table) = order("/analytics/usage?range=7d&sort=requests&dir=desc");
    assert_eq!(keys, [2, 3, 1]);
    assert!(table.contains(r#"aria-sort="descending""#), "{table}");
    assert!(
        table.contains(r#"href="/analytics/usage?range=7d&amp;sort=requests&amp;dir=asc""#),
        "once more, the other way"
    );
    assert_eq!(
        order("/analytics/usage?sort=p95&dir=asc").0,
        [3, 1, 2],
        "without a figure last"
    );
    assert_eq!(order("/analytics/usage?sort=%3Cb%3E").0, [1, 2, 3]);
}

#[test]
fn a_day_with_another_number_of_hours_says_so() {
    let mut hours: Vec<u8> = (0..24).collect();
    assert!(!filled("/analytics/hourly-pattern").contains("odd-day"));
    hours.insert(2, 2);
    let html = page(
        "/analytics/hourly-pattern?date=2026-10-25&tz=Europe/Berlin",
        UsageFixture {
            hours,
            ..UsageFixture::default()
        },
    );
    assert!(
        html.contains("This day has 25 hours in the zone Europe/Berlin."),
        "{html}"
    );
    assert!(
        html.contains(r#"type="date" value="2026-10-25""#) && html.contains("date=2026-10-24"),
        "{html}"
    );
}

#[test]
fn an_error_says_where_it_was_and_what_to_do() {
    let html = filled("/analytics/errors?range=7d");
    for said in [
        "Quota used up",
        "240 of 9,520 calls failed (2.5 %)",
        "returns at 00:00 Pacific",
        r#"href="/requests?range=7d&amp;errorType=quota&amp;keyNumber=3""#,
    ] {
        assert!(html.contains(said), "{said} in {html}");
    }
}

#[test]
fn a_forecast_says_when_in_pacific_time_and_how_soon() {
    let html = filled("/analytics/forecast");
    for said in [
        "15:40 Pacific",
        "1 h 35 min",
        "Used up",
        "Lasts until the reset",
        "No limit known",
        "KEYPOOL_LIMITS",
        "00:00 Pacific",
        "in 9 h 55 min",
        "120 of 250",
        "31",
        "Key 1, Key 4",
        "<meter",
        "Times in Pacific",
    ] {
        assert!(html.contains(said), "{said} in {html}");
    }
}

#[test]
fn who_may_see_usage_finds_it_in_the_navigation() {
    let links = |role| {
        let html = render("/history", signed_in_as(role), Fixture::default()).1;
        between(&html, "<nav aria-label=\"Main\"", "</nav>").to_owned()
    };
    let user = links(Role::User);
    assert!(!user.contains("/overview") && !user.contains("nav-sheet"), "{user}");
    let viewer = links(Role::Viewer);
    for path in ["/overview", "/analytics/usage", "/requests"] {
        assert!(viewer.contains(&format!(r#"href="{path}""#)), "{path} in {viewer}");
    }
    assert!(!viewer.contains("/admin/"), "{viewer}");
    let admin = links(Role::Admin);
    assert!(
        admin.contains("/overview") && admin.contains("/admin/doctor"),
        "{admin}"
    );
    assert!(
        admin.contains(r#"popovertarget="nav-sheet""#) && admin.contains(r#"id="nav-sheet""#),
        "{admin}"
    );
}
