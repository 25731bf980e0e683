//! Identical requests of one person cost one call, nobody sees somebody else's answer, and the figures say so.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use simulator::Behaviour;

use crate::support::{App, Reply, Setup, key, spawn, text_of};

const ANALYZE: &str = "/api/ai-analysis/analyze";
const CACHE: &str = "/api/admin/cache";
const PERFORMANCE: &str = "/api/admin/performance";
const PROMPT: &str = "Why do rivers meander?";

/// One key after the other, and a cache of 100 answers that live 15 minutes.
async fn cached(keys: u32) -> App {
    with_cache(keys, "100", "900s").await
}

async fn with_cache(keys: u32, entries_max: &str, ttl: &str) -> App {
    spawn(Setup {
        keys,
        environment: vec![
            ("KEYPOOL_STRATEGY", "sticky".to_owned()),
            ("CACHE_MAX_ENTRIES", entries_max.to_owned()),
            ("CACHE_TTL", ttl.to_owned()),
            // How fast calls may follow each other is not what is looked at here.
            ("UPSTREAM_RPS", "0".to_owned()),
        ],
        ..Setup::default()
    })
    .await
}

/// How often the provider was asked to generate something.
fn calls(app: &App) -> usize {
    let calls = app.sim.calls();
    calls
        .iter()
        .filter(|call| call.method.ends_with("enerateContent"))
        .count()
}

async fn ask(app: &App, token: &str, body: Value) -> Reply {
    let reply = app.post(ANALYZE, token, &body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply
}

/// Asks twice. The second time there is no call, unless the two are not to be shared.
async fn check(app: &App, first: (&str, Value), second: (&str, Value), is_shared: bool) {
    let before = calls(app);
    let what = format!("{} then {}", first.1, second.1);
    let one = ask(app, first.0, first.1).await;
    assert_eq!(one.body["data"]["cached"], false, "{what}");
    let two = ask(app, second.0, second.1).await;
    assert_eq!(two.body["data"]["cached"], is_shared, "{what}");
    assert_eq!(calls(app) - before, if is_shared { 1 } else { 2 }, "{what}");
    if is_shared {
        for field in ["text", "model", "finishReason"] {
            assert_eq!(two.body["data"][field], one.body["data"][field], "{field}: {what}");
        }
        assert_eq!(two.body["data"]["attempts"], json!([]), "nobody was asked: {what}");
        assert_ne!(
            two.body["data"]["id"], one.body["data"]["id"],
            "an analysis of its own: {what}"
        );
    }
}

#[tokio::test]
async fn an_identical_request_is_answered_without_a_call() {
    let app = cached(3).await;
    let token = app.user().await;
    let body = json!({ "prompt": PROMPT, "system": "Be brief.", "temperature": 0.5, "maxOutputTokens": 900 });
    check(&app, (&token, body.clone()), (&token, body), true).await;
    // How often it may be tried says nothing about what is asked.
    let body = json!({ "prompt": PROMPT });
    let retries = json!({ "prompt": PROMPT, "maxRetries": 2 });
    check(&app, (&token, body), (&token, retries), true).await;
}

#[tokio::test]
async fn what_differs_in_one_field_is_asked_anew() {
    let app = cached(3).await;
    let token = app.user().await;
    let png = "iVBORw0KGgoAAAANSUhEUg==";
    let changes = [
        json!({ "prompt": "Why do rivers meander so?" }),
        json!({ "model": "gemini-2.5-pro" }),
        json!({ "system": "Be brief." }),
        json!({ "temperature": 0.0 }),
        json!({ "maxOutputTokens": 8000 }),
        json!({ "images": [{ "mimeType": "image/png", "data": png }] }),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let body = json!({ "prompt": format!("{PROMPT} {number}") });
        let mut changed = body.clone();
        for (field, value) in change.as_object().unwrap() {
            changed[field] = value.clone();
        }
        check(&app, (&token, body), (&token, changed), false).await;
    }
}

#[tokio::test]
async fn two_people_never_share_an_answer() {
    let app = cached(3).await;
    let (ada, bob) = (app.user().await, app.user().await);
    let body = json!({ "prompt": PROMPT });
    check(&app, (&ada, body.clone()), (&bob, body), false).await;
}

#[tokio::test]
async fn a_streamed_answer_and_a_whole_one_are_the_same_answer() {
    let app = cached(3).await;
    let token = app.user().await;
    let streamed = app.stream(&token, PROMPT).await;
    let whole = ask(&app, &token, json!({ "prompt": PROMPT })).await;
    assert_eq!(whole.body["data"]["cached"], true);
    assert_eq!(whole.text("/data/text"), text_of(&streamed));
    let again = app.stream(&token, PROMPT).await;
    assert_eq!(text_of(&again), text_of(&streamed), "its text comes as text does");
    let done = again.last().unwrap();
    assert_eq!((done.name.as_str(), &done.data["cached"]), ("done", &json!(true)));
    assert_eq!(calls(&app), 1);
}

#[tokio::test]
async fn a_fresh_request_asks_anew_and_its_answer_serves_the_next() {
    let app = cached(1).await;
    let token = app.user().await;
    let body = json!({ "prompt": PROMPT });
    let old = ask(&app, &token, body.clone()).await.text("/data/text");
    app.always(1, "stream-ok");
    assert_eq!(
        ask(&app, &token, body.clone()).await.text("/data/text"),
        old,
        "the first is kept"
    );
    let fresh = ask(&app, &token, json!({ "prompt": PROMPT, "fresh": true })).await;
    assert_eq!(fresh.body["data"]["cached"], false);
    assert_ne!(fresh.text("/data/text"), old);
    let next = ask(&app, &token, body).await;
    assert_eq!(next.body["data"]["cached"], true);
    assert_eq!(next.text("/data/text"), fresh.text("/data/text"));
    assert_eq!(calls(&app), 2);
}

#[tokio::test]
async fn an_answer_lives_its_time() {
    let app = cached(3).await;
    let body = json!({ "prompt": PROMPT });
    let token = app.admin().await;
    check(&app, (&token, body.clone()), (&token, body.clone()), true).await;
    app.clock.advance(Duration::from_secs(899));
    assert_eq!(ask(&app, &token, body.clone()).await.body["data"]["cached"], true);
    // The access token lives as long as the answer does.
    let token = app.admin().await;
    app.clock.advance(Duration::from_secs(1));
    let late = ask(&app, &token, body).await;
    assert_eq!(late.body["data"]["cached"], false, "its 15 minutes are over");
    assert_eq!(calls(&app), 2);
}

#[tokio::test]
async fn what_was_cut_or_blocked_or_failed_is_not_kept() {
    let app = cached(1).await;
    let token = app.user().await;
    let short = json!({ "prompt": PROMPT, "maxOutputTokens": 5 });
    check(&app, (&token, short.clone()), (&token, short), false).await;
    for (fixture, status) in [
        ("prompt-blocked", 422),
        ("answer-safety", 422),
        ("stream-no-finish", 502),
        ("bad-argument", 400),
    ] {
        app.always(1, fixture);
        let before = calls(&app);
        for _ in 0..2 {
            assert_eq!(app.analyze(&token).await.status, status, "{fixture}");
        }
        assert_eq!(calls(&app) - before, 2, "{fixture}: asked anew");
    }
    let admin = app.admin().await;
    assert_eq!(app.get(CACHE, &admin).await.body["data"]["size"], 0);
}

#[tokio::test]
async fn fifty_identical_requests_at_once_are_one_call() {
    let app = cached(3).await;
    let token = app.user().await;
    let replies = futures::future::join_all((0..50).map(|_| app.analyze(&token))).await;
    let mut asked = 0;
    for reply in &replies {
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.text("/data/text"), replies[0].text("/data/text"));
        asked += u32::from(reply.body["data"]["cached"] == false);
    }
    assert_eq!((calls(&app), asked), (1, 1));
    let admin = app.admin().await;
    let stats = app.get(CACHE, &admin).await.body["data"].clone();
    assert_eq!(stats["misses"], 1);
    let served = ["hits", "followers"].map(|name| stats[name].as_u64().unwrap());
    assert_eq!(served.iter().sum::<u64>(), 49);
}

#[tokio::test]
async fn when_the_one_that_asks_leaves_another_asks() {
    let app = cached(1).await;
    let token = app.user().await;
    app.sim
        .script(&key(1), "*", vec![Behaviour::answer().hang_before_headers()]);
    let mut leaving = Box::pin(app.analyze(&token));
    let mut staying = Box::pin(app.analyze(&token));
    tokio::select! {
        reply = &mut leaving => panic!("answered by a provider that hangs: {}", reply.body),
        seen = app.sim.wait_for(|calls| calls.len() == 1) => seen.unwrap(),
    }
    assert!(futures::poll!(&mut staying).is_pending());
    drop(leaving);
    let reply = staying.await;
    assert_eq!((reply.status, calls(&app)), (200, 2), "{}", reply.body);
}

#[tokio::test]
async fn an_answer_that_is_kept_is_given_when_no_key_is_left() {
    let app = cached(2).await;
    let token = app.user().await;
    let kept = ask(&app, &token, json!({ "prompt": PROMPT })).await.text("/data/text");
    (1..=2).for_each(|number| app.always(number, "day-quota-paid"));
    let refused = app.post(ANALYZE, &token, &json!({ "prompt": "Something else" })).await;
    assert_eq!(refused.status, 429);
    let again = ask(&app, &token, json!({ "prompt": PROMPT })).await;
    assert_eq!(again.text("/data/text"), kept);
}

#[tokio::test]
async fn admins_see_the_cache_and_clear_it() {
    let app = cached(3).await;
    let (token, admin) = (app.user().await, app.admin().await);
    let body = json!({ "prompt": PROMPT });
    let figures = |size: u64, hits: u64, misses: u64| {
        json!({
            "size": size, "max": 100, "queueLength": 0, "isProcessing": false,
            "hits": hits, "misses": misses, "followers": 0, "weight": size * 16_384,
        })
    };
    assert_eq!(app.get(CACHE, &admin).await.body["data"], figures(0, 0, 0));
    check(&app, (&token, body.clone()), (&token, body.clone()), true).await;
    assert_eq!(app.get(CACHE, &admin).await.body["data"], figures(1, 1, 1));
    let cleared = app.request(Method::DELETE, CACHE).bearer_auth(&admin);
    let cleared = Reply::of(cleared.send().await.unwrap()).await;
    assert_eq!((cleared.status, &cleared.body["data"]), (200, &figures(0, 1, 1)));
    check(&app, (&token, body.clone()), (&token, body), true).await;
    assert_eq!(calls(&app), 2);
}

#[tokio::test]
async fn a_call_under_way_is_shown() {
    let app = cached(1).await;
    let (token, admin) = (app.user().await, app.admin().await);
    app.sim
        .script(&key(1), "*", vec![Behaviour::answer().hang_before_headers()]);
    let mut asking = Box::pin(app.analyze(&token));
    tokio::select! {
        reply = &mut asking => panic!("answered by a provider that hangs: {}", reply.body),
        seen = app.sim.wait_for(|calls| calls.len() == 1) => seen.unwrap(),
    }
    assert_eq!(app.get(CACHE, &admin).await.body["data"]["isProcessing"], true);
}

#[tokio::test]
async fn either_setting_at_zero_switches_the_cache_off() {
    for (entries_max, ttl) in [("0", "900s"), ("100", "0s")] {
        let app = with_cache(3, entries_max, ttl).await;
        let token = app.user().await;
        let body = json!({ "prompt": PROMPT });
        check(&app, (&token, body.clone()), (&token, body), false).await;
        let admin = app.admin().await;
        let stats = app.get(CACHE, &admin).await.body["data"].clone();
        assert_eq!(
            (&stats["max"], &stats["size"]),
            (&json!(0), &json!(0)),
            "{entries_max}, {ttl}"
        );
    }
}

#[tokio::test]
async fn the_performance_report_counts_requests_hits_and_every_call_of_a_key() {
    let app = cached(2).await;
    let (token, admin) = (app.user().await, app.admin().await);
    let empty = app.get(PERFORMANCE, &admin).await.body["data"].clone();
    assert_eq!(
        empty,
        json!({
            "requests": 0, "cacheHits": 0, "averageResponseTime": 0.0, "keyPerformance": {}, "errorRates": {},
            "cacheHitRate": "0%", "keyPerformanceDetails": {}, "since": "2026-01-15T12:00:00.000Z",
        })
    );
    // Key 1 cannot, key 2 answers; the same again comes from the cache; then nobody can.
    app.always(1, "day-quota-paid");
    let body = json!({ "prompt": PROMPT });
    check_failover(&app, &token, body).await;
    app.always(2, "day-quota-paid");
    for prompt in ["One", "Two"] {
        assert_eq!(
            app.post(ANALYZE, &token, &json!({ "prompt": prompt })).await.status,
            429
        );
    }
    let report = app.get(PERFORMANCE, &admin).await.body["data"].clone();
    let shown = |pointer: &str| report.pointer(pointer).cloned().unwrap_or_default();
    assert_eq!((shown("/requests"), shown("/cacheHits")), (json!(4), json!(1)));
    assert_eq!(shown("/cacheHitRate"), "25.00%");
    assert_eq!(shown("/errorRates"), json!({ "quota": "50.00%" }));
    assert!(shown("/averageResponseTime").is_number());
    for (number, requests, successes, rate) in [(1, 1, 0, "0.00%"), (2, 2, 1, "50.00%")] {
        let of_key = |field: &str| shown(&format!("/{field}/{number}"));
        let (counts, details) = (of_key("keyPerformance"), of_key("keyPerformanceDetails"));
        assert_eq!(
            (&counts["requests"], &counts["successes"]),
            (&json!(requests), &json!(successes))
        );
        assert!(counts["totalResponseTime"].is_u64());
        assert_eq!(
            (&details["totalRequests"], &details["successRate"]),
            (&json!(requests), &json!(rate))
        );
        let mean = details["averageResponseTime"]
            .as_str()
            .unwrap()
            .strip_suffix("ms")
            .unwrap();
        let (_, digits) = mean.split_once('.').unwrap();
        assert_eq!((digits.len(), mean.parse::<f64>().is_ok()), (2, true), "{mean}");
    }
    app.clock.advance(Duration::from_secs(60));
    let reset = app.post(&format!("{PERFORMANCE}/reset"), &admin, &json!({})).await;
    let mut expected = empty;
    expected["since"] = json!("2026-01-15T12:01:00.000Z");
    assert_eq!((reset.status, &reset.body["data"]), (200, &expected));
    assert_eq!(app.get(PERFORMANCE, &admin).await.body["data"], expected);
}

async fn check_failover(app: &App, token: &str, body: Value) {
    let first = ask(app, token, body.clone()).await;
    assert_eq!(first.body["data"]["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(ask(app, token, body).await.body["data"]["cached"], true);
}
