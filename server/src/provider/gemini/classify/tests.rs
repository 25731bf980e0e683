use std::time::Duration;

use pool::{Limit, LimitUnit, Outcome};
use proptest::prelude::*;
use serde_json::json;
use simulator::fixtures::{self, Fixture};

use super::*;

fn refusals() -> impl Iterator<Item = &'static Fixture> {
    fixtures::all().iter().filter(|fixture| fixture.http_status != 200)
}

/// The outcome's name in the corpus, such as `DayQuota`.
fn kind(outcome: &Outcome) -> String {
    format!("{outcome:?}")
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect()
}

fn limit_of(outcome: &Outcome) -> Option<Limit> {
    match outcome {
        Outcome::DayQuota { limit } | Outcome::MinuteQuota { limit, .. } => *limit,
        _ => None,
    }
}

fn blames_whole_project(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Revoked { whole_project: true } | Outcome::KeyConfig { whole_project: true }
    )
}

fn check(http_status: u16, message: &str, expected: Outcome) {
    check_error(http_status, json!({ "message": message }), expected);
}

fn check_error(http_status: u16, error: Value, expected: Outcome) {
    let body = json!({ "error": error }).to_string();
    assert_eq!(
        classify(http_status, None, body.as_bytes()).outcome,
        expected,
        "{http_status} {body}"
    );
}

fn info(reason: &str, consumer: &str) -> Value {
    let metadata = json!({ "consumer": consumer });
    json!({ "details": [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "metadata": metadata }] })
}

#[test]
fn every_refusal_of_the_corpus_gets_its_outcome() {
    assert!(refusals().count() > 30);
    for fixture in refusals() {
        let Failure { outcome, evidence } = classify(fixture.http_status, None, fixture.body.as_bytes());
        assert_eq!(kind(&outcome), fixture.outcome, "{}", fixture.name);
        assert_eq!(evidence.http_status, Some(fixture.http_status), "{}", fixture.name);
        assert_eq!(evidence.project, fixture.project, "{}", fixture.name);
        if fixture.scope.is_some() {
            assert_eq!(
                fixture.scope.as_deref() == Some("project"),
                blames_whole_project(&outcome),
                "{}",
                fixture.name
            );
        }
        if let Some(value) = fixture.limit {
            assert_eq!(
                limit_of(&outcome).map(|limit| limit.value),
                Some(value),
                "{}",
                fixture.name
            );
        }
        if let Some(secs) = fixture.retry_after_seconds {
            let advice = matches!(outcome, Outcome::MinuteQuota { retry_after: Some(delay), .. } if delay == Duration::from_secs(secs));
            assert!(advice, "{}: {outcome:?}", fixture.name);
        }
    }
}

#[test]
fn limits_of_the_corpus_count_requests_or_tokens() {
    for (name, unit) in [
        ("day-quota-paid", LimitUnit::Requests),
        ("day-tokens", LimitUnit::Tokens),
        ("minute-requests", LimitUnit::Requests),
        ("minute-tokens", LimitUnit::Tokens),
    ] {
        let fixture = fixtures::get(name).unwrap();
        let outcome = classify(fixture.http_status, None, fixture.body.as_bytes()).outcome;
        assert_eq!(limit_of(&outcome).map(|limit| limit.unit), Some(unit), "{name}");
    }
}

#[test]
fn a_key_that_must_be_set_up_comes_with_the_link_that_mends_it() {
    let fixture = fixtures::get("api-disabled").unwrap();
    let failure = classify(403, None, fixture.body.as_bytes());
    assert_eq!(failure.outcome, Outcome::KeyConfig { whole_project: true });
    let url = "https://console.developers.google.com/apis/api/generativelanguage.googleapis.com/overview?project=123456789012";
    assert_eq!(failure.evidence.help_url.as_deref(), Some(url));
}

#[test]
fn an_echoed_key_reaches_no_failure() {
    let fixture = fixtures::get("key-suspended").unwrap();
    assert!(fixture.body.contains("AIzaSyEXAMPLE"), "the fixture must echo a key");
    for http_status in [400, 401, 403, 404, 429, 500, 503] {
        let failure = classify(http_status, None, fixture.body.as_bytes());
        assert!(!format!("{failure:?}").contains("AIza"), "{failure:?}");
    }
}

#[test]
fn a_page_of_html_is_judged_by_its_status() {
    let html = b"<html>503</html>";
    for (http_status, expected) in [
        (429, Outcome::Bare429),
        (500, Outcome::Server),
        (502, Outcome::Server),
        (504, Outcome::Server),
        (520, Outcome::Server),
        (503, Outcome::Overload),
        (413, Outcome::CallerFault),
        (401, Outcome::InvalidKey),
        (402, Outcome::Billing),
        (302, Outcome::Unknown),
        (403, Outcome::Unknown),
    ] {
        let failure = classify(http_status, None, html);
        assert_eq!(failure.outcome, expected, "{http_status}");
        assert!(failure.evidence.garbled, "{http_status}");
    }
}

#[test]
fn only_an_unknown_outcome_carries_a_hash_of_its_body() {
    let unknown = classify(418, None, b"teapot").evidence.body_hash.unwrap();
    assert_eq!(unknown.len(), 16);
    assert_ne!(Some(unknown), classify(418, None, b"kettle").evidence.body_hash);
    assert_eq!(classify(500, None, b"teapot").evidence.body_hash, None);
}

#[test]
fn the_reason_decides_whatever_the_words() {
    check_error(400, info("API_KEY_INVALID", ""), Outcome::InvalidKey);
    check_error(403, info("API_KEY_INVALID", ""), Outcome::InvalidKey);
    check_error(
        403,
        info("CONSUMER_SUSPENDED", "api_key:x"),
        Outcome::Revoked { whole_project: false },
    );
    check_error(
        403,
        info("CONSUMER_SUSPENDED", "projects/12"),
        Outcome::Revoked { whole_project: true },
    );
    check_error(
        403,
        info("API_KEY_IP_ADDRESS_BLOCKED", "projects/12"),
        Outcome::KeyConfig { whole_project: false },
    );
    check_error(
        403,
        info("API_KEY_ANDROID_APP_BLOCKED", "projects/12"),
        Outcome::KeyConfig { whole_project: false },
    );
    check_error(403, info("BILLING_DISABLED", "projects/12"), Outcome::Billing);
    check_error(500, info("API_KEY_INVALID", ""), Outcome::Server);
}

#[test]
fn words_decide_where_the_provider_gives_no_reason() {
    check(
        400,
        "API key not valid. Please pass a valid API key.",
        Outcome::InvalidKey,
    );
    check(
        403,
        "Your API key was reported as leaked.",
        Outcome::Revoked { whole_project: false },
    );
    check(
        403,
        "Your project has been denied access.",
        Outcome::Revoked { whole_project: true },
    );
    check(
        403,
        "The provided API key has an IP address restriction.",
        Outcome::KeyConfig { whole_project: false },
    );
    check(
        403,
        "Requests from referer https://a.b are blocked.",
        Outcome::KeyConfig { whole_project: false },
    );
    check(
        404,
        "This model models/x is no longer available to new users.",
        Outcome::ModelGone,
    );
    check(404, "The File abc was not found.", Outcome::FileForeign);
    check(404, "Requested entity was not found.", Outcome::CallerFault);
}

#[test]
fn a_precondition_is_the_region_only_if_it_names_a_place() {
    let failed = |message: &str| json!({ "status": "FAILED_PRECONDITION", "message": message });
    check_error(
        400,
        failed("Gemini API free tier is not available in your country."),
        Outcome::Region,
    );
    check_error(
        400,
        failed("The File my-location is not in an ACTIVE state."),
        Outcome::CallerFault,
    );
    check_error(400, failed("The request is too old."), Outcome::CallerFault);
    check_error(
        400,
        json!({ "status": "INVALID_ARGUMENT", "message": "bad location" }),
        Outcome::CallerFault,
    );
}

#[test]
fn what_a_caller_wrote_blames_no_key() {
    check(
        400,
        "Invalid value at 'contents', \"API key not valid. API_KEY_INVALID, leaked, suspended, limit: 0\"",
        Outcome::CallerFault,
    );
    check(
        403,
        "You do not have permission to access the File leaked-suspended or it may not exist.",
        Outcome::FileForeign,
    );
    check(404, "The File model-denied-access was not found.", Outcome::FileForeign);
}

#[test]
fn a_probe_believes_a_model_and_nothing_else() {
    assert_eq!(check_model(200, br#"{"name":"models/gemini-2.5-flash"}"#), Ok(()));
    assert_eq!(
        check_model(200, br#"{"error":{"code":429}}"#).unwrap_err().outcome,
        Outcome::Bare429
    );
    for body in [&b"<html>Sign in to the network</html>"[..], b"{}", b""] {
        let failure = check_model(200, body).unwrap_err();
        assert_eq!((failure.outcome, failure.evidence.garbled), (Outcome::Empty, true));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(http_status in 100_u16..600, retry_after in "\\PC{0,20}", body in prop::collection::vec(any::<u8>(), 0..300)) {
        let failure = classify(http_status, Some(&retry_after), &body);
        prop_assert_eq!(failure.evidence.http_status, Some(http_status));
    }

    #[test]
    fn no_damage_to_a_real_body_makes_it_panic(which in 0_usize..1000, at in 0_usize..3000, byte in any::<u8>(), cut in any::<bool>()) {
        let fixtures: Vec<_> = refusals().collect();
        let fixture = fixtures[which % fixtures.len()];
        let mut body = fixture.body.as_bytes().to_vec();
        let at = at % body.len();
        if cut { body.truncate(at) } else { body[at] = byte }
        let failure = classify(fixture.http_status, None, &body);
        let shown = format!("{failure:?}");
        prop_assert!(!shown.contains("AIza"), "{}", shown);
    }
}
