//! Callers' doing: poison requests and leaving. No key pays for either.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use simulator::{Behaviour, Ended};

use super::{all_returned, attempts, nobody_is_penalised, patient, read_until, sticky};
use crate::support::{App, spawn};

/// Requests at the same time.
const AT_ONCE: usize = 16;

#[tokio::test]
async fn a_thousand_poison_requests_penalise_no_key_and_are_asked_once() {
    let poison = [
        "bad-argument",
        "context-too-long",
        "prompt-blocked",
        "answer-safety",
        "file-foreign",
    ];
    let app = spawn(patient(3)).await;
    let token = app.user().await;
    let behaviours = (0..1000).map(|number| Behaviour::fixture(poison[number % poison.len()]));
    app.sim.script("*", "*", behaviours.collect());
    let replies = stream::iter(0..1000).map(|_| app.ask(&token)).buffer_unordered(AT_ONCE);
    let told: BTreeMap<(u16, String), u32> = replies
        .fold(BTreeMap::new(), async |mut told, reply| {
            *told.entry((reply.status, reply.text("/error"))).or_default() += 1;
            told
        })
        .await;
    let expected = [((400, "BAD_REQUEST"), 600), ((422, "BLOCKED"), 400)];
    assert_eq!(
        told,
        expected
            .map(|((status, code), count)| ((status, code.to_owned()), count))
            .into()
    );
    assert_eq!(app.generating_calls(), 1000, "no key can help, so no other is asked");
    nobody_is_penalised(&app, &token, "poison").await;
    let status = app.status(&token).await;
    let errors = status["availableKeys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["errorCount"]);
    assert!(
        errors.clone().all(|count| *count == 0),
        "{:?}",
        errors.collect::<Vec<_>>()
    );
    let reply = app.ask(&token).await;
    assert_eq!(attempts(&reply.body["data"]).len(), 1, "served at once afterwards");
}

#[tokio::test]
async fn a_model_that_does_not_exist_is_hidden_and_no_key_is_blamed() {
    let app = spawn(sticky(3)).await;
    let token = app.user().await;
    app.sim.always("*", "gemini-9", Behaviour::fixture("model-not-found"));
    for _ in 0..20 {
        let reply = app.ask_with(&token, json!({ "model": "gemini-9" })).await;
        assert!((400..=503).contains(&reply.status), "{}", reply.body);
    }
    assert_eq!(app.generating_calls(), 1, "it is not asked for again within the hour");
    assert_eq!(app.ask(&token).await.status, 200);
    nobody_is_penalised(&app, &token, "no such model").await;
}

/// Where a caller leaves.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    BeforeTheHeaders,
    BeforeTheText,
    InTheText,
}

async fn leave(app: &App, token: &str, leaving: Leaving) {
    let mut response = app.open_stream(token).await;
    let wanted = match leaving {
        // The first event says which key is asked; the call to the provider follows it.
        Leaving::BeforeTheHeaders | Leaving::BeforeTheText => "event: status",
        Leaving::InTheText => "event: delta",
    };
    read_until(&mut response, wanted).await;
}

#[tokio::test]
async fn two_hundred_callers_leave_and_no_lease_and_no_call_is_left_over() {
    let app = spawn(patient(3)).await;
    let token = app.user().await;
    let ways = [
        (Leaving::BeforeTheHeaders, Behaviour::answer().hang_before_headers()),
        (Leaving::BeforeTheText, Behaviour::answer().stall_after_bytes(10)),
        (Leaving::InTheText, Behaviour::answer().stall_after_bytes(400)),
    ];
    for (round, (leaving, behaviour)) in ways.into_iter().cycle().take(10).enumerate() {
        app.sim.always("*", "*", behaviour);
        let leaving = stream::iter(0..20).map(|_| leave(&app, &token, leaving));
        leaving.buffer_unordered(AT_ONCE).collect::<()>().await;
        all_returned(&app).await;
        app.sim
            .wait_for(|calls| calls.iter().all(|call| call.ended == Ended::ClosedByCaller))
            .await
            .unwrap();
        assert_eq!(app.sim.in_progress(), 0, "round {round}");
    }
    nobody_is_penalised(&app, &token, "leaving").await;
    let (status, calls) = (app.status(&token).await, app.generating_calls() as u64);
    // The others left the queue.
    assert!((80..=200).contains(&calls), "{calls} calls were left");
    // Who leaves with a lease in hand has not always called.
    assert!((calls..=200).contains(&sum(&status, "requestCount")));
    assert_eq!((sum(&status, "errorCount"), sum(&status, "successCount")), (0, 0));
    app.sim.clear_scripts();
    assert_eq!(app.ask(&token).await.status, 200);
}

fn sum(status: &Value, field: &str) -> u64 {
    let keys = status["availableKeys"].as_array().unwrap();
    keys.iter().map(|key| key[field].as_u64().unwrap()).sum()
}
