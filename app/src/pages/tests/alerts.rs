//! Alerts, their rules and channels.

use super::fixture::{Fixture, refused, render, signed_in};
use crate::context::{PageContext, RefusedForm, Shown};
use crate::error::{AppError, ErrorCode};
use crate::types::{AlertSeverity, ChannelTest, PreviewBasis, PreviewedIncident, RulePreview};

const PAGE: &str = "/admin/alerts";

#[test]
fn an_alert_says_what_is_wrong_since_when_and_takes_acts_without_script() {
    let (status, html) = render(PAGE, signed_in(), Fixture::default());
    assert_eq!(status, 200);
    for part in [
        "API Key 2 has low success rate: 61.5%",
        "Medium",
        "acknowledged by ada@example.com",
        r#"action="/admin/alerts/i2/acknowledge""#,
        r#"action="/admin/alerts/i1/silence""#,
        r#"action="/admin/alerts/i1/resolve""#,
        "End the silence",
        "24 Nov 2026, 03:48",
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
    assert!(
        !html.contains(r#"action="/admin/alerts/i1/acknowledge""#),
        "that was done"
    );
    assert!(!html.contains("<b>evil</b>"), "words of others are text");
}

#[test]
fn a_rule_is_a_form_with_its_own_ids_and_what_it_does_not_have_is_left_out() {
    let (_, html) = render(PAGE, signed_in(), Fixture::default());
    for part in [
        r#"action="/admin/alerts/rules/low_success_rate""#,
        r#"formaction="/admin/alerts/rules/low_success_rate/preview""#,
        r#"id="low_success_rate-threshold""#,
        "Threshold (percent)",
        r#"id="store_trouble-severity""#,
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
    assert!(!html.contains(r#"id="store_trouble-threshold""#), "{html}");
}

#[test]
fn a_refused_rule_is_open_with_what_was_typed_and_why() {
    let kept = [("form", "low_success_rate"), ("threshold", "1000"), ("severity", "low")];
    let context = PageContext {
        refused: Some(refused("threshold", "The threshold must be smaller.", &kept)),
        ..signed_in()
    };
    let (_, html) = render(PAGE, context, Fixture::default());
    assert!(
        html.contains(r#"value="1000""#) && html.contains("The rule was not changed"),
        "{html}"
    );
    assert_eq!(
        html.matches("The threshold must be smaller.").count(),
        2,
        "in the summary and beside the field"
    );
    assert!(html.contains("<details open class=\"entry-body rule\""), "{html}");
}

#[test]
fn a_refused_act_is_said_at_the_top() {
    let error = AppError::new(ErrorCode::NotFound, "There is no such open alert.");
    let kept = [("form".to_owned(), "acts".to_owned())].into();
    let context = PageContext {
        refused: Some(RefusedForm { error, kept }),
        ..signed_in()
    };
    let (_, html) = render(PAGE, context, Fixture::default());
    assert!(
        html.contains("That was not done") && html.contains("There is no such open alert."),
        "{html}"
    );
}

#[test]
fn a_preview_stands_at_its_rule_with_the_form_as_it_was_tried() {
    let mut rule = super::fixture::alert_rule();
    if let Some(threshold) = &mut rule.threshold {
        threshold.value = 95.5;
    }
    let preview = RulePreview {
        basis: PreviewBasis::Last24Hours,
        from: "2026-11-23T03:48:00Z".to_owned(),
        to: "2026-11-24T03:48:00Z".to_owned(),
        incidents: vec![PreviewedIncident {
            subject: "key/3".to_owned(),
            severity: AlertSeverity::Medium,
            message: "API Key 3 has low success rate: 90%".to_owned(),
            opened_at: "2026-11-23T18:07:00Z".to_owned(),
            resolved_at: None,
        }],
        rule,
    };
    let context = PageContext {
        shown: Some(Shown::AlertPreview(Box::new(preview))),
        ..signed_in()
    };
    let (_, html) = render(PAGE, context, Fixture::default());
    for part in [
        "It would have opened 1 alert:",
        "API Key 3 has low success rate: 90%",
        "still open",
        r#"value="95.5""#,
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
}

#[test]
fn channels_say_how_the_last_telling_went_and_what_became_of_a_test() {
    let tests = vec![ChannelTest {
        channel: "chat".to_owned(),
        delivered: false,
        error: Some("The chat cannot be reached.".to_owned()),
    }];
    let context = PageContext {
        shown: Some(Shown::ChannelTests(tests)),
        ..signed_in()
    };
    let (_, html) = render(PAGE, context, Fixture::default());
    for part in [
        "Webhook",
        "Given up",
        "The webhook refused the message",
        "Test sent",
        "The chat cannot be reached.",
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
}

#[test]
fn older_pages_of_the_history_are_about_nothing_else() {
    let (_, html) = render("/admin/alerts?cursor=a", signed_in(), Fixture::default());
    assert!(html.contains("alert-history") && html.contains("Newest"), "{html}");
    assert!(
        !html.contains("alert-rules") && !html.contains("active-alerts"),
        "{html}"
    );
}

#[test]
fn a_store_that_is_down_is_said_with_a_way_to_try_again() {
    let down = Fixture {
        down: true,
        ..Fixture::default()
    };
    let (_, html) = render(PAGE, signed_in(), down);
    assert!(html.contains("The alerts cannot be read just now"), "{html}");
}

#[test]
fn recent_alerts_say_what_became_of_them_or_that_there_is_none() {
    use leptos::prelude::*;

    use crate::components::RecentAlerts;
    use crate::types::{Incident, IncidentState};
    let html = |alerts: Vec<Incident>, has_page: bool| {
        let when = |at: &str| at.to_owned().into_any();
        Owner::new_root(None).with(|| view! { <RecentAlerts alerts has_page when/> }.to_html())
    };
    assert!(html(Vec::new(), true).contains("No rule has found anything wrong."));
    let over = Incident {
        state: IncidentState::Resolved,
        resolved_at: Some("2026-11-24T05:00:00Z".to_owned()),
        ..super::fixture::incident("i2", false)
    };
    let shown = html(vec![super::fixture::incident("i1", true), over], true).replace("<!>", "");
    for part in [
        "API Key 2 has low success rate: 61.5%",
        "Medium",
        "Silenced",
        "Resolved",
        "since 2026-11-24T03:40:00Z until 2026-11-24T05:00:00Z",
        r#"href="/admin/alerts""#,
    ] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
    assert!(
        !html(Vec::new(), false).contains("/admin/alerts"),
        "viewers have no such page"
    );
}
