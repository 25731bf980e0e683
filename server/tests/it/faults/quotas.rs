//! Refusals for want of quota, credit or speed: who rests for how long, and who serves meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use server::clock::next_provider_midnight;
use simulator::{Behaviour, fixtures};

use super::{attempts, nobody_is_penalised, repeats_nothing, sticky};
use crate::support::{App, START, key, spawn};

/// How long key 1 rests afterwards.
#[derive(Clone, Copy, Debug)]
enum Rest {
    /// Until the provider's midnight and 30 to 120 s.
    Day,
    Secs(u64),
    /// Until a probe or a person says otherwise.
    Open,
}

const TABLE: [(&str, &str, Rest); 13] = [
    ("day-quota-retry-zero", "quota_reached", Rest::Day),
    ("day-quota-retry-short", "quota_reached", Rest::Day),
    ("day-quota-paid", "quota_reached", Rest::Day),
    ("day-tokens", "quota_reached", Rest::Day),
    ("minute-and-day", "quota_reached", Rest::Day),
    ("minute-requests", "cooling_down", Rest::Secs(22)),
    ("minute-tokens", "cooling_down", Rest::Secs(22)),
    ("minute-as-array", "cooling_down", Rest::Secs(8)),
    ("zero-limit", "needs_setup", Rest::Secs(24 * 3600)),
    ("bare-429", "cooling_down", Rest::Secs(5)),
    ("spend-rate", "cooling_down", Rest::Secs(60)),
    ("prepayment-depleted", "no_credit", Rest::Open),
    ("payment-required", "no_credit", Rest::Open),
];

#[test]
fn every_429_of_the_corpus_is_in_the_table() {
    let refusals = fixtures::all()
        .iter()
        .filter(|fixture| [402, 429].contains(&fixture.http_status))
        .map(|fixture| fixture.name);
    let listed = TABLE.iter().map(|(name, ..)| *name);
    assert_eq!(refusals.collect::<BTreeSet<_>>(), listed.collect());
}

#[tokio::test]
async fn every_429_rests_the_key_it_blames_as_long_as_it_says_while_the_other_serves() {
    for (name, state, rest) in TABLE {
        let app = spawn(sticky(2)).await;
        let token = app.admin().await;
        app.always(1, name);
        let outcome = served_by_key_2(&app, &token, name).await;
        let status = app.status(&token).await;
        let [first, second] = status["availableKeys"].as_array().unwrap().as_slice() else {
            panic!("two keys")
        };
        assert_eq!(first["state"], state, "{name}: {first}");
        assert_eq!(second["state"], "available", "{name}: {second}");
        assert_eq!(first["quotaExceeded"], matches!(rest, Rest::Day), "{name}");
        let wait_ms = first["readyInMs"].as_u64();
        match rest {
            Rest::Day => {
                let midnight_ms = next_provider_midnight(START).since(START).as_millis() as u64;
                let late_ms = wait_ms.unwrap() - midnight_ms;
                assert!(
                    (30_000..=120_000).contains(&late_ms),
                    "{name}: {late_ms} ms after midnight"
                );
            }
            Rest::Secs(secs) => assert_eq!(wait_ms, Some(secs * 1000), "{name}"),
            Rest::Open => assert_eq!(wait_ms, None, "{name}"),
        }
        assert_eq!(app.ask(&token).await.status, 200);
        assert_eq!(generating_calls_of_key_1(&app), 1, "{name}: a resting key gets no call");
        if let Some(wait_ms) = wait_ms {
            serves_again_after(&app, wait_ms, &outcome, name).await;
        }
    }
}

/// Key 1 is refused and key 2 answers. Gives back the outcome of key 1.
async fn served_by_key_2(app: &App, token: &str, name: &str) -> String {
    let reply = app.ask(token).await;
    assert_eq!(reply.status, 200, "{name}: {}", reply.body);
    let [(1, refused), (2, "success")] = attempts(&reply.body["data"])[..] else {
        panic!("{name}: {}", reply.body)
    };
    let answer = format!("{:?} {}", reply.headers, reply.body);
    repeats_nothing(&answer, fixtures::get(name).unwrap().body, name);
    refused.to_owned()
}

/// Not a millisecond before the time told, and then.
async fn serves_again_after(app: &App, wait_ms: u64, outcome: &str, name: &str) {
    app.sim.clear_scripts();
    app.always(2, "day-quota-paid");
    app.clock.set(START.plus(Duration::from_millis(wait_ms - 1)));
    let token = app.admin().await;
    assert_ne!(app.ask(&token).await.status, 200, "{name}: {outcome} is not over");
    assert_eq!(generating_calls_of_key_1(app), 1, "{name}: too early");
    app.clock.advance(Duration::from_millis(1));
    let reply = app.ask(&token).await;
    assert_eq!(reply.status, 200, "{name}: {}", reply.body);
    assert!(attempts(&reply.body["data"]).contains(&(1, "success")), "{name}");
}

fn generating_calls_of_key_1(app: &App) -> usize {
    let calls = app.sim.calls();
    let of_key_1 = calls.iter().filter(|call| call.key == key(1));
    of_key_1.filter(|call| !call.method.starts_with("models.")).count()
}

#[tokio::test]
async fn a_429_that_comes_to_everybody_is_the_providers_and_blames_no_key() {
    let app = spawn(sticky(3)).await;
    let token = app.admin().await;
    app.sim.always("*", "*", Behaviour::fixture("bare-429"));
    let reply = app.ask(&token).await;
    assert_eq!(reply.status, 502, "{}", reply.body);
    assert_eq!(app.generating_calls(), 3);
    nobody_is_penalised(&app, &token, "a storm of 429s").await;
    let reply = app.ask(&token).await;
    assert_eq!(
        (reply.status, &reply.headers["retry-after"]),
        (502, &"5".parse().unwrap())
    );
    assert_eq!(app.generating_calls(), 3, "the provider is left in peace");
    app.sim.clear_scripts();
    app.clock.advance(Duration::from_secs(5));
    assert_eq!(app.ask(&token).await.status, 200);
}

#[tokio::test]
async fn the_providers_clock_does_not_matter() {
    let body = fixtures::get("minute-requests").unwrap().body;
    for date in [
        "Sat, 01 Jan 2000 00:00:00 GMT",
        "Fri, 31 Dec 2099 23:59:59 GMT",
        "yesterday",
    ] {
        let app = spawn(sticky(2)).await;
        let token = app.admin().await;
        let refusal = Behaviour::respond(429, body).with_header("date", date);
        app.sim.script(&key(1), "*", vec![refusal]);
        served_by_key_2(&app, &token, "minute-requests").await;
        let first = app.status(&token).await["availableKeys"][0].clone();
        assert_eq!(
            (&first["state"], &first["readyInMs"]),
            (&json!("cooling_down"), &json!(22_000)),
            "{date}"
        );
    }
}

#[tokio::test]
async fn a_provider_whose_day_ends_late_is_asked_again_after_minutes_and_not_tomorrow() {
    let app = spawn(sticky(1)).await;
    let limits = simulator::Limits {
        rpd: Some(1),
        ..Default::default()
    };
    app.sim.limit(&key(1), "*", limits);
    // Its clock is ten minutes late.
    let late = Duration::from_secs(600);
    let tell = |app: &App| {
        app.sim
            .set_now_ms(Some(app.clock.now().as_millis() - late.as_millis() as u64))
    };
    tell(&app);
    let token = app.admin().await;
    assert_eq!(app.ask(&token).await.status, 200);
    assert_ne!(app.ask(&token).await.status, 200, "the day's one request is used up");

    app.clock
        .set(next_provider_midnight(START).plus(Duration::from_secs(121)));
    tell(&app);
    let token = app.admin().await;
    assert_ne!(app.ask(&token).await.status, 200, "it is still yesterday there");
    app.clock.advance(Duration::from_secs(10 * 60 + 1));
    tell(&app);
    let reply = app.ask(&token).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}
