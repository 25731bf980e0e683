//! A request that one key cannot serve is served by another, and nobody is blamed for what is not their fault.

use std::time::Duration;

use serde_json::{Value, json};
use server::clock::next_provider_midnight;
use simulator::{Behaviour, fixtures};

use crate::support::{App, START, Setup, events, key, spawn, spawn_app, text_of};

/// Key 1 always gets the body. `attempts`: the outcomes of the request, in order.
async fn check(fixture: &str, attempts: &[&str]) {
    let app = sticky(2).await;
    app.always(1, fixture);
    let token = app.user().await;
    let reply = app.analyze(&token).await;
    assert_eq!(reply.status, 200, "{fixture}: {}", reply.body);
    assert_eq!(outcomes(&reply.body["data"]), attempts, "{fixture}");
    assert!(
        reply.text("/data/text").contains("rivers"),
        "{fixture}: key 2 answers the same request"
    );

    let app = sticky(2).await;
    app.always(1, fixture);
    let events = app.stream(&app.user().await, "Why do rivers meander?").await;
    let last = events.last().unwrap();
    assert_eq!(last.name, "done", "{fixture}: {events:?}");
    assert_eq!(
        last.data["text"],
        text_of(&events),
        "{fixture}: what was streamed is the answer"
    );
    assert_eq!(outcomes(&last.data), attempts, "{fixture}, streamed");
}

fn outcomes(result: &Value) -> Vec<&str> {
    result["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["outcome"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn every_body_that_blames_a_key_is_answered_by_the_next_key() {
    let table = [
        ("day-quota-retry-zero", "day_quota"),
        ("day-quota-retry-short", "day_quota"),
        ("day-quota-paid", "day_quota"),
        ("day-tokens", "day_quota"),
        ("minute-requests", "minute_quota"),
        ("minute-tokens", "minute_quota"),
        ("minute-and-day", "day_quota"),
        ("minute-as-array", "minute_quota"),
        ("zero-limit", "zero_limit"),
        ("bare-429", "bare_429"),
        ("prepayment-depleted", "billing"),
        ("payment-required", "billing"),
        ("spend-rate", "spend"),
        ("key-not-valid", "invalid_key"),
        ("key-expired", "invalid_key"),
        ("key-not-found", "invalid_key"),
        ("token-type-unsupported", "invalid_key"),
        ("key-leaked", "revoked"),
        ("key-suspended", "revoked"),
        ("project-denied", "revoked"),
        ("api-disabled", "key_config"),
        ("method-blocked", "key_config"),
        ("referrer-blocked", "key_config"),
    ];
    for (fixture, outcome) in table {
        check(fixture, &[outcome, "success"]).await;
    }
}

#[tokio::test]
async fn an_error_inside_a_stream_before_any_text_is_answered_by_the_next_key() {
    let app = sticky(2).await;
    app.always(1, "stream-error-first");
    let events = app.stream(&app.user().await, "Why do rivers meander?").await;
    assert_eq!(outcomes(&events.last().unwrap().data), ["bare_429", "success"]);
    assert!(
        events
            .iter()
            .any(|event| event.name == "status" && event.data["message"] == "Switched key after a rate limit, 2 of 2")
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_said_to_be_broken_and_never_joined_to_another() {
    for fixture in ["stream-error-frame", "stream-raw-tail", "stream-no-finish"] {
        let app = sticky(2).await;
        app.always(1, fixture);
        let token = app.user().await;
        let events = app.stream(&token, "Count").await;
        let last = events.last().unwrap();
        assert_eq!(
            (last.name.as_str(), &last.data["error"]),
            ("error", &json!("UPSTREAM_BAD_RESPONSE")),
            "{fixture}"
        );
        assert!(text_of(&events).starts_with("Four "), "{fixture}");
        assert_eq!(app.calls(2), 0, "{fixture}: text was sent on, so nobody else is asked");
        let history = stored(&app, &token).await;
        assert_eq!(history["state"], "interrupted", "{fixture}");
        assert_eq!(history["text"], text_of(&events), "{fixture}: what came is kept");
    }
}

/// The newest analysis of the history, once it is there: failed ones are stored behind the answer.
async fn stored(app: &App, token: &str) -> Value {
    for _ in 0..200 {
        let page = app.get("/api/ai-analysis/analyses", token).await;
        if let Some(id) = page.body.pointer("/data/items/0/id").and_then(Value::as_str) {
            return app.get(&format!("/api/ai-analysis/analyses/{id}"), token).await.body["data"].clone();
        }
        tokio::task::yield_now().await;
    }
    panic!("nothing was stored");
}

#[tokio::test]
async fn a_callers_mistake_is_returned_and_no_key_is_blamed() {
    let app = spawn_app().await;
    let token = app.user().await;
    for fixture in ["bad-argument", "context-too-long"] {
        (1..=3).for_each(|number| app.always(number, fixture));
        for _ in 0..20 {
            let reply = app.analyze(&token).await;
            assert_eq!(
                (reply.status, reply.text("/error").as_str()),
                (400, "BAD_REQUEST"),
                "{fixture}"
            );
        }
    }
    assert_eq!(app.status(&token).await["healthyKeys"], 3);
}

#[tokio::test]
async fn a_blocked_answer_is_an_answer_and_is_not_tried_elsewhere() {
    for fixture in ["prompt-blocked", "answer-safety"] {
        let app = spawn_app().await;
        (1..=3).for_each(|number| app.always(number, fixture));
        let reply = app.analyze(&app.user().await).await;
        assert_eq!(
            (reply.status, reply.text("/error").as_str()),
            (422, "BLOCKED"),
            "{fixture}"
        );
        assert_eq!((1..=3).map(|number| app.calls(number)).sum::<usize>(), 1, "{fixture}");
    }
}

#[tokio::test]
async fn when_every_day_quota_is_spent_the_seeds_message_and_the_reset_are_told() {
    let app = spawn_app().await;
    (1..=3).for_each(|number| app.always(number, "day-quota-retry-zero"));
    let token = app.user().await;
    let reply = app.analyze(&token).await;
    assert_eq!(reply.status, 429);
    assert_eq!(reply.body["success"], false);
    assert_eq!(reply.text("/error"), "QUOTA_EXCEEDED");
    assert_eq!(
        reply.text("/message"),
        "AI service quota exceeded for today. Please try again tomorrow or contact support for higher limits."
    );
    assert_eq!(
        reply.text("/details"),
        "🚫 ALL API QUOTA EXCEEDED: All 3 Google AI API key(s) have reached their daily quota limit."
    );
    assert_eq!(reply.body["data"], Value::Null);
    let wait: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
    let to_midnight = next_provider_midnight(START).since(START).as_secs();
    assert!(
        (to_midnight + 30..=to_midnight + 121).contains(&wait),
        "{wait} s is not until midnight in Los Angeles and 30 to 120 s"
    );
    assert_eq!(reply.body["retryAfterSeconds"], wait);
    assert!(reply.text("/resetAt").starts_with("2026-01-16T08:0"));

    let calls = app.sim.calls().len();
    assert_eq!(app.analyze(&token).await.status, 429);
    assert_eq!(app.sim.calls().len(), calls, "spent keys get no call");
    let status = app.status(&token).await;
    assert_eq!(
        (&status["level"], &status["healthyKeys"]),
        (&json!("major_outage"), &json!(0))
    );
    assert!(
        status["availableKeys"]
            .as_array()
            .unwrap()
            .iter()
            .all(|key| key["quotaExceeded"] == true)
    );
}

#[tokio::test]
async fn spent_keys_come_back_by_themselves_after_midnight_in_los_angeles() {
    let app = spawn_app().await;
    (1..=3).for_each(|number| app.always(number, "day-quota-retry-zero"));
    let token = app.user().await;
    assert_eq!(app.analyze(&token).await.status, 429);
    app.sim.clear_scripts();
    let midnight = next_provider_midnight(START);
    app.clock.set(midnight.plus(Duration::from_secs(29)));
    let token = app.admin().await;
    assert_eq!(
        app.analyze(&token).await.status,
        429,
        "the provider's clock may be late: nothing is asked before 30 s past midnight"
    );
    app.clock.set(midnight.plus(Duration::from_secs(121)));
    assert_eq!(app.analyze(&token).await.status, 200);
}

#[tokio::test]
async fn a_request_served_while_keys_are_out_says_so() {
    let app = sticky(3).await;
    app.always(1, "day-quota-paid");
    app.always(2, "day-quota-paid");
    let reply = app.analyze(&app.user().await).await;
    assert_eq!((reply.status, &reply.body["data"]["degraded"]), (200, &json!(true)));
    assert_eq!(
        reply.text("/data/warning"),
        "⚠️ PARTIAL QUOTA EXCEEDED: 2 of 3 API keys have exceeded quota. 1 key(s) still available."
    );
}

#[tokio::test]
async fn partly_spent_and_all_invalid_pools_have_the_seeds_other_messages() {
    let app = spawn_app().await;
    app.always(1, "day-quota-paid");
    app.always(2, "day-quota-paid");
    app.always(3, "minute-requests");
    let reply = app.analyze(&app.user().await).await;
    assert_eq!((reply.status, reply.text("/error").as_str()), (503, "PARTIAL_QUOTA"));
    assert_eq!(
        reply.text("/message"),
        "Some AI services are at capacity, but analysis should still work. If this persists, please try again later."
    );
    assert!(
        reply
            .text("/details")
            .starts_with("⚠️ PARTIAL QUOTA EXCEEDED: 2 of 3 API keys have exceeded quota.")
    );
    assert_eq!(
        reply.headers["retry-after"], "22",
        "the minute limit's own 21 s and one more"
    );

    let app = spawn_app().await;
    (1..=3).for_each(|number| app.always(number, "key-leaked"));
    let reply = app.analyze(&app.user().await).await;
    assert_eq!((reply.status, reply.text("/error").as_str()), (503, "INVALID_KEYS"));
    assert_eq!(
        reply.text("/message"),
        "AI service configuration error. Please contact support."
    );
    assert_eq!(
        reply.text("/details"),
        "🔑 ALL API KEYS INVALID: All configured API keys are invalid."
    );
}

#[tokio::test]
async fn an_overloaded_provider_is_asked_again_and_then_left_alone() {
    let app = spawn_app().await;
    (1..=3).for_each(|number| app.always(number, "html-502"));
    let token = app.user().await;
    let reply = app.analyze(&token).await;
    assert_eq!(
        (reply.status, reply.text("/error").as_str()),
        (502, "UPSTREAM_UNAVAILABLE")
    );
    assert!(
        !reply.body.to_string().contains("<html>"),
        "the provider's text is never passed on"
    );
    assert_eq!(app.status(&token).await["healthyKeys"], 3, "no key is blamed");
}

#[tokio::test]
async fn a_provider_that_hangs_costs_one_attempt_and_disables_nobody() {
    let limits = server::provider::gemini::Limits {
        headers_timeout: Duration::from_millis(200),
        ..Default::default()
    };
    let app = spawn(Setup {
        keys: 2,
        limits,
        environment: vec![("KEYPOOL_STRATEGY", "sticky".to_owned())],
        ..Setup::default()
    })
    .await;
    app.sim
        .script(&key(1), "*", vec![Behaviour::answer().hang_before_headers()]);
    let token = app.user().await;
    let reply = app.analyze(&token).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(outcomes(&reply.body["data"]), ["transport", "success"]);
    assert_eq!(app.status(&token).await["healthyKeys"], 2);
}

#[tokio::test]
async fn a_caller_that_leaves_closes_the_call_to_the_provider() {
    let app = spawn_app().await;
    let token = app.user().await;
    (1..=3).for_each(|number| {
        app.sim
            .always(&key(number), "*", Behaviour::answer().stall_after_bytes(400))
    });
    let request = app
        .request(reqwest::Method::POST, "/api/ai-analysis/analyze/stream")
        .bearer_auth(&token);
    let mut response = request
        .json(&json!({ "prompt": "Why do rivers meander?" }))
        .send()
        .await
        .unwrap();
    let mut seen = String::new();
    while !seen.contains("event: delta") {
        seen.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(!events(&seen).is_empty());
    drop(response);
    app.sim
        .wait_for(|calls| calls.iter().all(|call| call.ended == simulator::Ended::ClosedByCaller))
        .await
        .unwrap();
    let history = stored(&app, &token).await;
    assert_eq!(history["state"], "stopped");
    assert_eq!(history["attempts"][0]["outcome"], "cancelled");
    assert_eq!(app.status(&token).await["healthyKeys"], 3);
}

#[tokio::test]
async fn max_retries_bounds_the_keys_that_are_asked() {
    let app = sticky(3).await;
    app.always(1, "day-quota-paid");
    let body = json!({ "prompt": "Why?", "maxRetries": 0 });
    let reply = app.post("/api/ai-analysis/analyze", &app.user().await, &body).await;
    assert_eq!((reply.status, reply.text("/error").as_str()), (503, "PARTIAL_QUOTA"));
    assert_eq!((app.calls(1), app.calls(2), app.calls(3)), (1, 0, 0));
}

#[tokio::test]
async fn a_key_refused_as_invalid_is_checked_with_a_free_call_and_then_rests() {
    let app = sticky(2).await;
    app.always(1, "key-not-valid");
    let token = app.user().await;
    assert_eq!(app.analyze(&token).await.status, 200);
    app.sim
        .wait_for(|calls| {
            calls
                .iter()
                .any(|call| call.key == key(1) && call.method.starts_with("models."))
        })
        .await
        .unwrap();
    let mut changes = app.pool.subscribe();
    while app.status(&token).await["availableKeys"][0]["state"] != "invalid" {
        changes.changed().await.unwrap();
    }
    let calls = app.calls(1);
    assert_eq!(app.analyze(&token).await.status, 200);
    assert_eq!(app.calls(1), calls, "an invalid key gets no call");
}

#[test]
fn the_corpus_has_no_body_that_is_not_tried_here() {
    let blames_a_key = [
        "DayQuota",
        "MinuteQuota",
        "ZeroLimit",
        "Bare429",
        "Billing",
        "Spend",
        "InvalidKey",
        "Revoked",
        "KeyConfig",
    ];
    let bodies = fixtures::all()
        .iter()
        .filter(|fixture| blames_a_key.contains(&fixture.outcome.as_str()) && !fixture.stream)
        .count();
    assert_eq!(bodies, 23, "add new bodies to the table above");
}

#[tokio::test]
async fn a_model_that_somebody_else_spent_does_not_degrade_the_service() {
    let app = spawn_app().await;
    let token = app.user().await;
    (1..=3).for_each(|number| {
        app.sim
            .always(&key(number), "gemini-2.5-pro", Behaviour::fixture("day-quota-paid"))
    });
    let body = json!({ "prompt": "Why?", "model": "gemini-2.5-pro" });
    assert_eq!(app.post("/api/ai-analysis/analyze", &token, &body).await.status, 429);
    let status = app.status(&token).await;
    assert_eq!(
        (&status["level"], &status["healthyKeys"]),
        (&json!("operational"), &json!(3))
    );
    assert_eq!(status["nextReset"], Value::Null);
    let served = app.analyze(&token).await;
    assert_eq!((served.status, &served.body["data"]["degraded"]), (200, &json!(false)));
}

#[tokio::test]
async fn the_key_that_took_over_counts_one_request() {
    let app = sticky(2).await;
    app.always(1, "day-quota-paid");
    let token = app.user().await;
    app.analyze(&token).await;
    let status = app.status(&token).await;
    assert_eq!(
        (
            &status["availableKeys"][0]["requestCount"],
            &status["availableKeys"][1]["requestCount"]
        ),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn asking_the_same_key_again_is_not_counted_as_another_key() {
    let app = sticky(2).await;
    app.sim.script(&key(1), "*", vec![Behaviour::fixture("internal"); 2]);
    let events = app.stream(&app.user().await, "Why?").await;
    let switched = events.iter().find(|event| event.data["phase"] == "switched").unwrap();
    assert_eq!(switched.data["message"], "Switched key after a provider error, 2 of 2");
    assert_eq!(outcomes(&events.last().unwrap().data), ["server", "server", "success"]);
}

async fn sticky(keys: u32) -> App {
    spawn(Setup {
        keys,
        environment: vec![("KEYPOOL_STRATEGY", "sticky".to_owned())],
        ..Setup::default()
    })
    .await
}
