//! One healthy key of three hides every fault of the others.

use std::time::Duration;

use serde_json::json;
use simulator::fixtures;

use super::{attempts, repeats_nothing, sticky};
use crate::support::{key, spawn};

const REQUESTS: usize = 600;

/// Bodies that say that a key, its project, its account or its quota is at fault.
fn blaming() -> Vec<&'static str> {
    let outcomes = [
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
    let fixtures = fixtures::all().iter();
    fixtures
        .filter(|fixture| outcomes.contains(&fixture.outcome.as_str()))
        .map(|fixture| fixture.name)
        .collect()
}

#[tokio::test]
async fn with_one_healthy_key_of_three_every_request_is_answered_whatever_the_others_say() {
    let bodies = blaming();
    assert!(bodies.len() >= 23, "{bodies:?}");
    for strategy in ["headroom", "sticky"] {
        let mut setup = sticky(3);
        setup.environment.push(("KEYPOOL_STRATEGY", strategy.to_owned()));
        let app = spawn(setup).await;
        let mut token = app.admin().await;
        for number in 0..REQUESTS / 2 {
            // Each body of key 1 meets another one of key 2 in every round.
            let (round, index) = (number / bodies.len(), number % bodies.len());
            let pair = [bodies[index], bodies[(index + round * 2 + 1) % bodies.len()]];
            app.always(1, pair[0]);
            app.always(2, pair[1]);
            if index == 0 {
                app.clock.advance(Duration::from_secs(61));
                token = app.admin().await;
            }
            // As if a person had mended them: they are asked again, and fail again.
            let reset = app.post("/api/admin/keys/reset-quota", &token, &json!({})).await;
            assert_eq!(reset.status, 200, "{}", reset.body);
            if strategy == "sticky" {
                let to = json!({ "keyNumber": number % 2 + 1 });
                assert_eq!(app.post("/api/admin/keys/switch", &token, &to).await.status, 200);
            }
            // A model a body: limits that were learned from one must not keep the next from being met.
            let body = json!({ "model": format!("gemini-{index}") });
            let reply = app.ask_with(&token, body).await;
            assert_eq!(reply.status, 200, "{strategy}, {number}, {pair:?}: {}", reply.body);
            assert_eq!(attempts(&reply.body["data"]).last(), Some(&(3, "success")), "{pair:?}");
            let answer = format!("{:?} {}", reply.headers, reply.body);
            for name in pair {
                if !fixtures::get(name).unwrap().stream {
                    repeats_nothing(&answer, fixtures::get(name).unwrap().body, name);
                }
            }
        }
        let faults = app.sim.call_count(&key(1)) + app.sim.call_count(&key(2));
        assert!(faults > REQUESTS / 4, "{strategy}: only {faults} faults were met");
    }
}
