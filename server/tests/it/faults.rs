//! The provider fails in every way that the specification lists, over real HTTP against the whole server.
//!
//! Beside what the caller is told, every test asserts what must never happen: a key that is penalised for what is not its
//! fault, a secret or the provider's own words in an answer.

mod bodies;
mod callers;
mod failover;
mod outage;
mod quotas;
mod streams;
mod transport;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use server::provider::gemini::Limits;

use crate::support::{App, Event, Reply, Setup};

/// As short as a limit must be that a test waits for.
const SHORT: Duration = Duration::from_millis(200);
/// Part of everything that a hand-made provider says. The keys of the tests have it in them too.
const SAID: &str = "canary";

/// Key 1 is asked first, and as fast as it is wanted. Nobody waits in a queue, so a refusal comes at once.
pub(crate) fn sticky(keys: u32) -> Setup {
    let environment = [
        ("KEYPOOL_STRATEGY", "sticky"),
        ("QUEUE_WAIT_MAX", "0s"),
        ("UPSTREAM_RPS", "0"),
    ];
    Setup {
        keys,
        environment: environment.map(|(name, value)| (name, value.to_owned())).into(),
        ..Setup::default()
    }
}

/// As [`sticky`], for many requests at once: they wait in the queue while the pool tries out with one call whether a limit
/// that nobody told is met.
fn patient(keys: u32) -> Setup {
    let mut setup = sticky(keys);
    setup.environment.push(("QUEUE_WAIT_MAX", "30s".to_owned()));
    setup
}

fn with_limits(keys: u32, limits: Limits) -> Setup {
    Setup { limits, ..sticky(keys) }
}

/// A prompt that was never sent before: no cached answer and no other request stands in for the provider.
pub(crate) fn question() -> String {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    format!("Why do rivers meander? ({})", ASKED.fetch_add(1, Ordering::Relaxed))
}

impl App {
    pub(crate) async fn ask_with(&self, token: &str, mut body: Value) -> Reply {
        body["prompt"] = question().into();
        self.post("/api/ai-analysis/analyze", token, &body).await
    }

    pub(crate) async fn ask(&self, token: &str) -> Reply {
        self.ask_with(token, json!({})).await
    }

    /// One call and no more, whatever comes of it: what follows would wait in real time.
    pub(crate) async fn ask_once(&self, token: &str) -> Reply {
        self.ask_with(token, json!({ "maxRetries": 0 })).await
    }

    /// The provider is asked for the whole answer at once.
    async fn ask_whole(&self, token: &str) -> Reply {
        self.ask_with(token, json!({ "maxOutputTokens": 512 })).await
    }

    async fn ask_streamed(&self, token: &str) -> Vec<Event> {
        self.stream(token, &question()).await
    }

    /// A stream whose events are still to come.
    pub(crate) async fn open_stream(&self, token: &str) -> Response {
        let request = self
            .request(Method::POST, "/api/ai-analysis/analyze/stream")
            .bearer_auth(token);
        request.json(&json!({ "prompt": question() })).send().await.unwrap()
    }

    /// Calls that generate; probes cost nothing and are not among them.
    fn generating_calls(&self) -> usize {
        let calls = self.sim.calls();
        calls.iter().filter(|call| !call.method.starts_with("models.")).count()
    }
}

/// Reads on until the events have these words in them.
pub(crate) async fn read_until(response: &mut Response, words: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(words) {
        let piece = response.chunk().await.unwrap().expect("more events");
        seen += std::str::from_utf8(&piece).unwrap();
    }
    seen
}

/// Every key is ready, on every model, and no call is under way.
async fn nobody_is_penalised(app: &App, token: &str, what: &str) {
    let status = app.status(token).await;
    assert_eq!(status["healthyKeys"], status["totalKeys"], "{what}");
    for key in status["availableKeys"].as_array().unwrap() {
        assert_eq!(
            (&key["state"], &key["quotaExceeded"], &key["quotaResetTime"]),
            (&json!("available"), &json!(false), &Value::Null),
            "{what}: {key}"
        );
        let mut cells = key["cells"].as_array().unwrap().iter();
        assert!(cells.all(|cell| cell["state"] == "available"), "{what}: {key}");
    }
    assert_eq!(in_flight(app), 0, "{what}");
}

/// Calls that the pool believes to be under way.
fn in_flight(app: &App) -> u32 {
    let keys = app.pool.snapshot().keys;
    keys.iter().flat_map(|key| &key.cells).map(|cell| cell.in_flight).sum()
}

/// Waits until the pool has taken in the end of every call.
async fn all_returned(app: &App) {
    let mut changes = app.pool.subscribe();
    while in_flight(app) > 0 {
        let changed = tokio::time::timeout(Duration::from_secs(10), changes.changed()).await;
        changed.expect("a lease is lost").unwrap();
    }
}

/// A refusal with this status and code that tells nothing of the provider's own words, and no secret.
fn refused(reply: &Reply, status: u16, code: &str, what: &str) {
    assert_eq!(
        (reply.status, reply.body["error"].as_str()),
        (status, Some(code)),
        "{what}: {}",
        reply.body
    );
    discreet(&format!("{:?} {}", reply.headers, reply.body), what);
}

/// Neither a key nor what a hand-made provider says.
fn discreet(answer: &str, what: &str) {
    assert!(!answer.contains(SAID) && !answer.contains('<'), "{what}: {answer}");
}

/// Neither a key nor the longer texts of a body of the corpus.
fn repeats_nothing(answer: &str, provider_body: &str, what: &str) {
    discreet(answer, what);
    let said: Value = serde_json::from_str(provider_body).unwrap();
    for text in texts(&said).filter(|text| text.len() >= 24) {
        assert!(!answer.contains(text), "{what}: {text:?} is in {answer}");
    }
}

fn texts(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(text) => Box::new(std::iter::once(text.as_str())),
        Value::Array(values) => Box::new(values.iter().flat_map(texts)),
        Value::Object(fields) => Box::new(fields.values().flat_map(texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Box::new(std::iter::empty()),
    }
}

/// Key and outcome of each call, in order.
fn attempts(result: &Value) -> Vec<(u64, &str)> {
    let attempts = result["attempts"].as_array().unwrap();
    attempts
        .iter()
        .map(|attempt| {
            (
                attempt["keyNumber"].as_u64().unwrap(),
                attempt["outcome"].as_str().unwrap(),
            )
        })
        .collect()
}

/// What a stream ended with.
fn last(events: &[Event]) -> (&str, &Value) {
    let last = events.last().expect("a last word");
    (last.name.as_str(), &last.data)
}

fn shown(events: &[Event]) -> String {
    events
        .iter()
        .map(|event| format!("{} {}\n", event.name, event.data))
        .collect()
}
