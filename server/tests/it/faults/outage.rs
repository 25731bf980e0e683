//! The provider is down for everybody: the breaker opens, one call tries, the service returns, and no key is blamed.

use std::time::Duration;

use serde_json::json;
use simulator::Behaviour;

use super::{all_returned, nobody_is_penalised, read_until, refused, sticky};
use crate::support::{App, spawn};

/// Failures in a row that open it.
const BREAKER_IN_A_ROW: usize = 5;

/// An app whose breaker was just opened by this failure.
async fn broken(behaviour: &Behaviour, status: u16, code: &str) -> (App, String) {
    let app = spawn(sticky(3)).await;
    let token = app.admin().await;
    app.sim.always("*", "*", behaviour.clone());
    for _ in 0..BREAKER_IN_A_ROW {
        refused(&app.ask_once(&token).await, status, code, "a failure");
    }
    assert_eq!(app.generating_calls(), BREAKER_IN_A_ROW);
    (app, token)
}

#[tokio::test]
async fn a_burst_of_5xx_opens_the_breaker_and_blames_no_key() {
    let failures = [
        ("overloaded", 502, "UPSTREAM_UNAVAILABLE"),
        ("high-demand", 502, "UPSTREAM_UNAVAILABLE"),
        ("internal", 502, "UPSTREAM_UNAVAILABLE"),
        ("html-502", 502, "UPSTREAM_UNAVAILABLE"),
        ("deadline", 504, "UPSTREAM_TIMEOUT"),
    ];
    for (name, status, code) in failures {
        let (app, token) = broken(&Behaviour::fixture(name), status, code).await;
        for _ in 0..10 {
            let reply = app.ask_once(&token).await;
            refused(&reply, 502, "UPSTREAM_UNAVAILABLE", name);
            assert_eq!(reply.headers["retry-after"], "5", "{name}");
        }
        assert_eq!(
            app.generating_calls(),
            BREAKER_IN_A_ROW,
            "{name}: the provider is left in peace"
        );
        nobody_is_penalised(&app, &token, name).await;
    }
}

#[tokio::test]
async fn after_the_breakers_rest_one_call_tries_while_the_others_are_refused() {
    let (app, token) = broken(&Behaviour::fixture("overloaded"), 502, "UPSTREAM_UNAVAILABLE").await;
    app.clock.advance(Duration::from_secs(5));
    // A trial lasts until the provider accepts the call.
    app.sim.always("*", "*", Behaviour::answer().hang_before_headers());
    let mut probe = app.open_stream(&token).await;
    read_until(&mut probe, "event: status").await;
    app.sim
        .wait_for(|calls| calls.len() == BREAKER_IN_A_ROW + 1)
        .await
        .unwrap();
    let others = (0..10).map(|_| app.ask_once(&token));
    for reply in futures::future::join_all(others).await {
        refused(&reply, 502, "UPSTREAM_UNAVAILABLE", "during the trial");
        assert_eq!(reply.headers["retry-after"], "1");
    }
    assert_eq!(app.generating_calls(), BREAKER_IN_A_ROW + 1, "one trial");

    // Whoever made it leaves: the next one tries, and the service is back.
    drop(probe);
    all_returned(&app).await;
    app.sim.clear_scripts();
    assert_eq!(app.ask_once(&token).await.status, 200);
    for _ in 0..10 {
        assert_eq!(app.ask_once(&token).await.status, 200, "it is open to all again");
    }
    nobody_is_penalised(&app, &token, "after the outage").await;
}

#[tokio::test]
async fn a_trial_that_fails_makes_the_next_rest_longer_up_to_a_minute() {
    let (app, _) = broken(&Behaviour::fixture("internal"), 502, "UPSTREAM_UNAVAILABLE").await;
    let mut calls = BREAKER_IN_A_ROW;
    for rest_secs in [5, 10, 20, 40, 60, 60] {
        let token = app.admin().await;
        let reply = app.ask_once(&token).await;
        assert_eq!(reply.headers["retry-after"], rest_secs.to_string().as_str());
        app.clock.advance(Duration::from_secs(rest_secs));
        app.ask_once(&token).await;
        calls += 1;
        assert_eq!(app.generating_calls(), calls, "one trial after {rest_secs} s");
    }
    app.sim.clear_scripts();
    app.clock.advance(Duration::from_secs(60));
    let token = app.admin().await;
    assert_eq!(app.ask_once(&token).await.status, 200);
    nobody_is_penalised(&app, &token, "after the outage").await;
}

#[tokio::test]
async fn an_outage_of_one_model_leaves_the_others_alone() {
    let app = spawn(sticky(3)).await;
    let token = app.admin().await;
    app.sim.always("*", "gemini-2.5-pro", Behaviour::fixture("overloaded"));
    let body = json!({ "model": "gemini-2.5-pro", "maxRetries": 0 });
    for _ in 0..BREAKER_IN_A_ROW + 1 {
        let reply = app.ask_with(&token, body.clone()).await;
        refused(&reply, 502, "UPSTREAM_UNAVAILABLE", "one model");
    }
    assert_eq!(app.ask_once(&token).await.status, 200);
    nobody_is_penalised(&app, &token, "one model").await;
}
