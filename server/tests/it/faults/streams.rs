//! Errors inside answers that began well: before any text another key serves, after it the answer is said to be broken.

use serde_json::json;
use simulator::{Behaviour, fixtures};

use super::{SAID, attempts, discreet, last, nobody_is_penalised, shown, sticky};
use crate::support::{App, Event, key, spawn, text_of};

/// What the corpus' stream says.
const TEXT: &str = "Four keys.";

fn frame(text: &str) -> String {
    let frame = json!({ "candidates": [{ "content": { "parts": [{ "text": text }], "role": "model" } }] });
    format!("data: {frame}\r\n\r\n")
}

fn error(code: u16, status: &str) -> String {
    json!({ "error": { "code": code, "status": status, "message": SAID } }).to_string()
}

fn events(body: String) -> Behaviour {
    Behaviour::respond(200, body).with_header("content-type", "text/event-stream")
}

async fn broken_off(app: &App, token: &str, behaviour: Behaviour, text: &str, what: &str) {
    let calls = app.generating_calls();
    app.sim.script("*", "*", vec![behaviour]);
    let seen = app.ask_streamed(token).await;
    let (name, data) = last(&seen);
    assert_eq!(
        (name, data["error"].as_str()),
        ("error", Some("UPSTREAM_BAD_RESPONSE")),
        "{what}"
    );
    assert_eq!(text_of(&seen), text, "{what}");
    assert_eq!(
        app.generating_calls(),
        calls + 1,
        "{what}: nobody goes on with another's text"
    );
    discreet(&shown(&seen), what);
}

#[tokio::test]
async fn an_error_in_a_stream_after_text_breaks_it_off_and_blames_nobody() {
    let app = spawn(sticky(3)).await;
    let token = app.user().await;
    for (code, status) in [
        (429, "RESOURCE_EXHAUSTED"),
        (503, "UNAVAILABLE"),
        (500, "INTERNAL"),
        (403, "PERMISSION_DENIED"),
        (400, "INVALID_ARGUMENT"),
    ] {
        let tails = [
            ("an event", format!("data: {}\r\n\r\n", error(code, status))),
            ("a raw tail", error(code, status)),
            ("a raw tail in an array", format!("[{}]", error(code, status))),
            ("a raw tail of several lines", error(code, status).replace(',', ",\n  ")),
        ];
        for (what, tail) in tails {
            let behaviour = events(frame("Four ") + &tail);
            broken_off(&app, &token, behaviour, "Four ", &format!("{code} as {what}")).await;
        }
    }
    let bodies = [
        ("stream-error-frame", "Four "),
        ("stream-raw-tail", "Four "),
        ("stream-no-finish", "Four keys"),
    ];
    for (name, text) in bodies {
        broken_off(&app, &token, Behaviour::fixture(name), text, name).await;
    }
    nobody_is_penalised(&app, &token, "answers that broke off").await;
}

#[tokio::test]
async fn an_error_in_a_stream_before_text_is_judged_as_if_it_had_come_at_once() {
    let cases = [
        (429, "RESOURCE_EXHAUSTED", "bare_429", "cooling_down"),
        (401, "UNAUTHENTICATED", "invalid_key", "available"),
        (402, "FAILED_PRECONDITION", "billing", "no_credit"),
    ];
    for (code, status, outcome, state) in cases {
        for tail in [format!("data: {}\r\n\r\n", error(code, status)), error(code, status)] {
            let app = spawn(sticky(2)).await;
            let token = app.user().await;
            app.sim.script(&key(1), "*", vec![events(tail)]);
            let seen = app.ask_streamed(&token).await;
            let (name, data) = last(&seen);
            assert_eq!(name, "done", "{}", shown(&seen));
            assert_eq!(attempts(data), [(1, outcome), (2, "success")]);
            assert_eq!(data["text"], text_of(&seen));
            discreet(&shown(&seen), outcome);
            // A key that is refused as invalid is looked at with a free call, which finds it well.
            let mut changes = app.pool.subscribe();
            while app.status(&token).await["availableKeys"][0]["state"] != state {
                changes.changed().await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_fault_of_the_provider_in_a_stream_before_text_blames_nobody() {
    let app = spawn(sticky(3)).await;
    let token = app.user().await;
    for (code, status, outcome) in [(503, "UNAVAILABLE", "overload"), (500, "INTERNAL", "server")] {
        app.sim.script("*", "*", vec![events(error(code, status))]);
        let seen = app.ask_streamed(&token).await;
        let outcomes: Vec<_> = attempts(last(&seen).1).into_iter().map(|(_, what)| what).collect();
        assert_eq!(outcomes, [outcome, "success"]);
        discreet(&shown(&seen), outcome);
    }
    nobody_is_penalised(&app, &token, "faults of the provider").await;
}

/// What must hold of every answer, however it was cut: it is whole, or it is said not to be.
fn honest(seen: &[Event], normal: &str, what: &str) {
    let (name, data) = last(seen);
    let text = text_of(seen);
    match name {
        "done" => {
            assert_eq!(data["text"], text, "{what}");
            assert!(text == TEXT || text == normal, "{what}: {text:?} is two answers in one");
        }
        "error" => {
            assert_eq!(data["error"], "UPSTREAM_BAD_RESPONSE", "{what}");
            assert!(TEXT.starts_with(&text) && text != normal, "{what}: {text:?}");
        }
        other => panic!("{what}: ends with {other}"),
    }
}

/// Every byte is tried at the adapter (`a_stream_cut_anywhere_is_never_called_complete`); here a sample of them through the
/// whole server, with every byte around the end of each frame.
#[tokio::test]
async fn an_answer_cut_anywhere_is_never_shown_complete_and_never_joined_to_another() {
    let mut setup = sticky(3);
    // The same answer is wanted again and again, from the provider.
    setup.environment.push(("CACHE_TTL", "0s".to_owned()));
    let app = spawn(setup).await;
    let token = app.user().await;
    let prompt = "Why do rivers meander?";
    let normal = text_of(&app.stream(&token, prompt).await);
    let body = fixtures::get("stream-ok").unwrap().body;
    let near_an_end = |at: usize| {
        let around = at.saturating_sub(3)..(at + 3).min(body.len());
        body.as_bytes()[around].contains(&b'\n')
    };
    let mut broken = 0;
    for at in (0..body.len()).filter(|at| at % 23 == 0 || near_an_end(*at)) {
        let cut = Behaviour::fixture("stream-ok").truncate_after_bytes(at as u64);
        app.sim.script("*", "*", vec![cut]);
        let seen = app.stream(&token, prompt).await;
        honest(&seen, &normal, &format!("cut after {at} bytes"));
        broken += usize::from(last(&seen).0 == "error");
    }
    assert!(broken > 5, "{broken} answers broke off");
    nobody_is_penalised(&app, &token, "cut answers").await;
}
