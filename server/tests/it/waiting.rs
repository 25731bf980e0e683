//! Requests that wait for a key, over HTTP: bursts, places in the line, other models, the pace.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Behaviour, Limits};

use crate::support::{App, Reply, START, Setup, key, spawn};

const ANALYZE: &str = "/api/ai-analysis/analyze";

/// Waits count by the hand-moved clock, so they may be long; deadlines by the real one.
fn patient(keys: u32, more: &[(&'static str, &str)]) -> Setup {
    let mut environment = vec![("QUEUE_WAIT_MAX", "10m".to_owned())];
    environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Setup {
        keys,
        environment,
        deadline: Duration::from_secs(900),
        ..Setup::default()
    }
}

async fn start(setup: Setup) -> App {
    let app = spawn(setup).await;
    app.sim.set_now_ms(Some(START.as_millis()));
    app
}

fn pass(app: &App, by: Duration) {
    app.sim.set_now_ms(Some(app.clock.now().plus(by).as_millis()));
    app.clock.advance(by);
}

/// Until so many wait in the line, which tells that nothing else moves.
async fn until_waiting(app: &App, admin: &str, expected: u64) {
    let mut seen = Value::Null;
    let reached = async {
        while seen != expected {
            let stats = app.get("/api/admin/cache", admin).await;
            seen = stats.body["data"]["queueLength"].clone();
        }
    };
    let reached = tokio::time::timeout(Duration::from_secs(60), reached).await.is_ok();
    assert!(reached, "{expected} should wait, {seen} do");
}

/// Until so many have their answers: a call that is under way lies in the minute in which the provider accepts it.
async fn until_served(requests: &[tokio::task::JoinHandle<Reply>], expected: usize) {
    let served = || requests.iter().filter(|request| request.is_finished()).count();
    let reached = async {
        while served() < expected {
            tokio::task::yield_now().await;
        }
    };
    let reached = tokio::time::timeout(Duration::from_secs(60), reached).await.is_ok();
    assert!(reached, "{expected} should be served, {} are", served());
}

fn ask(app: &App, token: &str, body: Value) -> tokio::task::JoinHandle<Reply> {
    let request = app.request(Method::POST, ANALYZE).bearer_auth(token).json(&body);
    #[expect(clippy::disallowed_methods, reason = "joined or aborted by the test")]
    tokio::spawn(async move { Reply::of(request.send().await.unwrap()).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_500_meets_each_limit_with_one_refusal_and_then_none() {
    let app = start(patient(3, &[])).await;
    let limits = Limits {
        rpm: Some(10),
        ..Limits::default()
    };
    app.sim.limit("*", "*", limits);
    let (admin, user) = (app.admin().await, app.user().await);
    let requests: Vec<_> = (0..500)
        .map(|_| ask(&app, &user, json!({ "prompt": "Why?" })))
        .collect();
    until_served(&requests, 30).await;
    until_waiting(&app, &admin, 470).await;
    for minute in 1..=3 {
        pass(&app, Duration::from_secs(62));
        until_served(&requests, 30 + 30 * minute).await;
        until_waiting(&app, &admin, 470 - 30 * minute as u64).await;
    }
    let calls: Vec<usize> = (1..=3).map(|number| app.calls(number)).collect();
    assert!(
        calls.iter().all(|calls| *calls <= 41),
        "40 served and at most one refused a key: {calls:?}"
    );
    for request in &requests {
        request.abort();
    }
    until_waiting(&app, &admin, 0).await;
}

#[tokio::test]
async fn configured_limits_leave_nothing_to_refuse() {
    let app = start(patient(2, &[("KEYPOOL_LIMITS", "* free rpm=5")])).await;
    let limits = Limits {
        rpm: Some(5),
        ..Limits::default()
    };
    app.sim.limit("*", "*", limits);
    let (admin, user) = (app.admin().await, app.user().await);
    let requests: Vec<_> = (0..20).map(|_| ask(&app, &user, json!({ "prompt": "Why?" }))).collect();
    until_served(&requests, 10).await;
    until_waiting(&app, &admin, 10).await;
    pass(&app, Duration::from_secs(60));
    for request in requests {
        let reply = request.await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.body["data"]["attempts"].as_array().unwrap().len(), 1);
    }
    assert_eq!(app.calls(1) + app.calls(2), 20);
}

#[tokio::test]
async fn who_waits_is_told_the_place_and_served_when_the_key_returns() {
    let app = start(patient(1, &[])).await;
    let (admin, user) = (app.admin().await, app.user().await);
    app.sim
        .script(&key(1), "*", vec![Behaviour::fixture("minute-requests")]);
    let first = ask(&app, &user, json!({ "prompt": "Why?" }));
    until_waiting(&app, &admin, 1).await;
    let stream = app
        .request(Method::POST, "/api/ai-analysis/analyze/stream")
        .bearer_auth(&user);
    let mut second = stream.json(&json!({ "prompt": "And why not?" })).send().await.unwrap();
    let mut seen = String::new();
    while !seen.contains("\"position\":2") {
        seen.push_str(std::str::from_utf8(&second.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(
        seen.contains("Waiting for a key: 2nd in line, about 22 s") && seen.contains("\"estimateMs\":22000"),
        "{seen}"
    );
    pass(&app, Duration::from_secs(22));
    let first = first.await.unwrap();
    assert_eq!(first.status, 200, "{}", first.body);
    let outcomes = first.body["data"]["attempts"].as_array().unwrap();
    assert_eq!(outcomes[0]["outcome"], "minute_quota");
    assert_eq!(outcomes[1]["outcome"], "success");
    while let Some(chunk) = second.chunk().await.unwrap() {
        seen.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(seen.contains("event: done"), "{seen}");
}

#[tokio::test]
async fn a_wait_that_does_not_fit_is_refused_at_once_with_the_time() {
    let app = start(Setup {
        deadline: Duration::from_secs(2),
        ..patient(1, &[])
    })
    .await;
    app.sim
        .script(&key(1), "*", vec![Behaviour::fixture("minute-requests")]);
    let reply = app.analyze(&app.user().await).await;
    assert_eq!(reply.status, 503, "22 s do not fit into 2 s");
    assert_eq!(reply.headers["retry-after"], "22");
    assert_eq!(reply.body["retryAfterSeconds"], 22);
}

#[tokio::test]
async fn who_leaves_while_waiting_leaves_no_trace() {
    let app = start(patient(1, &[])).await;
    let (admin, user) = (app.admin().await, app.user().await);
    app.sim
        .script(&key(1), "*", vec![Behaviour::fixture("minute-requests")]);
    let mut requests = vec![ask(&app, &user, json!({ "prompt": "Why?" }))];
    until_waiting(&app, &admin, 1).await;
    requests.extend((1..50).map(|_| ask(&app, &user, json!({ "prompt": "Why?" }))));
    until_waiting(&app, &admin, 50).await;
    for request in &requests {
        request.abort();
    }
    until_waiting(&app, &admin, 0).await;
    pass(&app, Duration::from_secs(22));
    assert_eq!(app.analyze(&user).await.status, 200);
    assert_eq!(app.calls(1), 2, "nobody who left was served");
    let key = app.status(&user).await["availableKeys"][0].clone();
    assert_eq!(key["state"], "available", "{key}");
}

#[tokio::test]
async fn a_full_line_says_so() {
    let app = start(patient(1, &[("QUEUE_MAX", "1")])).await;
    let (admin, user) = (app.admin().await, app.user().await);
    app.sim
        .script(&key(1), "*", vec![Behaviour::fixture("minute-requests")]);
    let waiting = ask(&app, &user, json!({ "prompt": "Why?" }));
    until_waiting(&app, &admin, 1).await;
    let reply = app.analyze(&user).await;
    assert_eq!((reply.status, reply.text("/error")), (503, "NO_CAPACITY".to_owned()));
    assert_eq!(reply.headers["retry-after"], "22");
    assert!(reply.text("/message").contains("Too many requests are waiting"));
    waiting.abort();
}

#[tokio::test]
async fn another_model_answers_where_it_is_configured() {
    let app = start(patient(2, &[("GEMINI_FALLBACK_MODELS", "gemini-2.5-flash-lite")])).await;
    let user = app.user().await;
    for (fixture, calls) in [("day-quota-paid", 2), ("model-not-found", 1)] {
        for number in 1..=2 {
            app.sim
                .script(&key(number), "gemini-2.5-flash", vec![Behaviour::fixture(fixture); 4]);
        }
        let reply = app.analyze(&user).await;
        assert_eq!(reply.status, 200, "{fixture}: {}", reply.body);
        let data = &reply.body["data"];
        assert_eq!(data["model"], "gemini-2.5-flash-lite");
        assert_eq!(data["attempts"].as_array().unwrap().len(), calls + 1, "{data}");
        assert_eq!(data["degraded"], true);
        let warning = data["warning"].as_str().unwrap();
        assert!(
            warning.contains("Answered by gemini-2.5-flash-lite because gemini-2.5-flash could not."),
            "{warning}"
        );
        let status = app.status(&user).await;
        assert_eq!(status["level"], "degraded", "{status}");
        let said = status["message"].as_str().unwrap();
        assert!(
            said.starts_with("gemini-2.5-flash cannot answer right now; another model answers."),
            "{said}"
        );
        app.sim.clear_scripts();
        app.post("/api/admin/keys/reset-quota", &app.admin().await, &json!({}))
            .await;
    }
}

#[tokio::test]
async fn without_another_model_the_refusal_stays() {
    let app = start(patient(1, &[])).await;
    app.always(1, "model-not-found");
    let reply = app.analyze(&app.user().await).await;
    assert_eq!((reply.status, reply.text("/error")), (404, "NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn calls_keep_the_pace_of_each_key_and_a_slow_one_blocks_nobody() {
    let settings = [("UPSTREAM_RPS", "2"), ("KEYPOOL_LIMITS", "* free rpm=1000")];
    let app = start(patient(1, &settings)).await;
    let (admin, user) = (app.admin().await, app.user().await);
    app.sim
        .script(&key(1), "*", vec![Behaviour::answer().hang_before_headers()]);
    let slow = ask(&app, &user, json!({ "prompt": "Slow" }));
    app.sim.wait_for(|calls| calls.len() == 1).await.unwrap();
    let requests: Vec<_> = (0..3).map(|_| ask(&app, &user, json!({ "prompt": "Why?" }))).collect();
    until_waiting(&app, &admin, 2).await;
    // Two at once, then one every half second. The second is on its way when the others wait.
    app.sim.wait_for(|calls| calls.len() == 2).await.unwrap();
    for (waiting, calls) in [(1, 3), (0, 4)] {
        pass(&app, Duration::from_millis(500));
        until_waiting(&app, &admin, waiting).await;
        app.sim.wait_for(move |seen| seen.len() == calls).await.unwrap();
    }
    for request in requests {
        assert_eq!(request.await.unwrap().status, 200);
    }
    assert!(!slow.is_finished());
    slow.abort();
}

#[tokio::test]
async fn callers_take_turns_in_the_line() {
    let app = Arc::new(start(patient(1, &[("KEYPOOL_LIMITS", "* free rpm=1")])).await);
    let admin = app.admin().await;
    let (ann, ben) = (app.user().await, app.user().await);
    assert_eq!(app.analyze(&ann).await.status, 200);
    let mut anns = Vec::new();
    for waiting in 1..=3 {
        anns.push(ask(&app, &ann, json!({ "prompt": "Ann" })));
        until_waiting(&app, &admin, waiting).await;
    }
    let ben = ask(&app, &ben, json!({ "prompt": "Ben" }));
    until_waiting(&app, &admin, 4).await;
    pass(&app, Duration::from_secs(60));
    until_served(&anns, 1).await;
    until_waiting(&app, &admin, 3).await;
    pass(&app, Duration::from_secs(60));
    assert_eq!(
        ben.await.unwrap().status,
        200,
        "second, though three of Ann's came first"
    );
    until_waiting(&app, &admin, 2).await;
    for ann in anns {
        ann.abort();
    }
}
