//! Callers that do not read what they asked for.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Behaviour, Ended};

use super::{PATIENCE, Raw, SHORT, with};
use crate::support::{App, Setup, spawn};

/// More than all buffers on the way take.
pub(super) fn endless() -> Behaviour {
    unfinished(4_000)
}

/// So many events of four thousand letters.
fn unfinished(events: usize) -> Behaviour {
    let frame = json!({ "candidates": [{ "content": { "parts": [{ "text": "x".repeat(4_000) }], "role": "model" } }] });
    let body = format!("data: {frame}\r\n\r\n").repeat(events);
    let whole = Behaviour::respond(200, body).with_header("content-type", "text/event-stream");
    // In pieces, so that the provider sees how far it came.
    whole.chunked(64 * 1024, 0)
}

/// A whole request for a stream, on a connection of its own.
pub(super) fn analyze_request(token: &str, prompt: &str) -> String {
    request_for(token, &json!({ "prompt": prompt }))
}

fn request_for(token: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST /api/ai-analysis/analyze/stream HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn in_flight(app: &App) -> u32 {
    let keys = app.pool.snapshot().keys;
    keys.iter().flat_map(|key| &key.cells).map(|cell| cell.in_flight).sum()
}

async fn nothing_in_flight(app: &App) {
    let mut changes = app.pool.subscribe();
    while in_flight(app) > 0 {
        let changed = tokio::time::timeout(PATIENCE, changes.changed()).await;
        changed.expect("the lease comes back").unwrap();
    }
}

#[tokio::test]
async fn a_reader_that_stops_is_cut_and_its_call_is_closed() {
    stopped_readers_are_cut(SHORT, "").await;
}

#[tokio::test]
async fn with_an_idempotency_key_no_more_is_held_for_a_reader_that_stops() {
    // Long enough to read the whole answer.
    stopped_readers_are_cut(SHORT * 10, "idempotency-key: of-this-reader-N\r\n").await;
}

async fn stopped_readers_are_cut(stall: Duration, header: &str) {
    let app = spawn(with(|limits| limits.stall = stall)).await;
    let token = app.user().await;
    app.sim.always("*", "*", endless());
    let mut readers = Vec::new();
    for number in 0..5 {
        let mut raw = Raw::open_narrow(&app, 4096).await;
        let request = analyze_request(&token, &format!("Number {number}"));
        let marked = format!("host: x\r\n{}", header.replace('N', &number.to_string()));
        raw.send(request.replacen("host: x\r\n", &marked, 1)).await;
        raw.until("event: delta").await;
        readers.push(raw);
    }
    nothing_in_flight(&app).await;
    let closed =
        |calls: &[simulator::Call]| calls.len() == 5 && calls.iter().all(|call| call.ended == Ended::ClosedByCaller);
    app.sim.wait_for(closed).await.unwrap();
    let sent: Vec<u64> = app.sim.calls().iter().map(|call| call.sent_bytes).collect();
    assert!(sent.iter().all(|bytes| *bytes < 14_000_000), "{sent:?}");
    for raw in &mut readers {
        let rest = raw.rest().await;
        assert!(!rest.contains("event: done"), "it was cut before the end");
        assert!(rest.len() < 1_000_000, "{} bytes were held for it", rest.len());
    }
    app.sim.clear_scripts();
    assert_eq!(app.analyze(&token).await.status, 200);
}

/// As Google's provider is spoken to.
fn over_http2(stall: Duration) -> Setup {
    let mut setup = with(|limits| limits.stall = stall);
    setup.limits.http2_prior_knowledge = true;
    setup
}

/// Readers that take the first text and then nothing more.
async fn stop_reading(app: &App, token: &str, model: &str, count: usize) -> Vec<Raw> {
    let stopping = (0..count).map(async |number| {
        let mut raw = Raw::open_narrow(app, 4096).await;
        let body = json!({ "prompt": format!("Number {number}"), "model": model });
        raw.send(request_for(token, &body)).await;
        raw.until("event: delta").await;
        raw
    });
    futures::future::join_all(stopping).await
}

// Elsewhere the system's socket takes more.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn little_is_taken_from_the_provider_for_a_reader_that_stops() {
    let app = spawn(over_http2(SHORT)).await;
    let token = app.user().await;
    // What the provider has sent is known to a piece.
    app.sim.always("*", "*", endless().chunked(4 * 1024, 0));
    let readers = stop_reading(&app, &token, "gemini-2.5-flash", 5).await;
    nothing_in_flight(&app).await;
    let left = |calls: &[simulator::Call]| calls.iter().all(|call| call.ended == Ended::ClosedByCaller);
    app.sim.wait_for(left).await.unwrap();
    let sent: Vec<u64> = app.sim.calls().iter().map(|call| call.sent_bytes).collect();
    assert_eq!(sent.len(), 5);
    // In the system's socket, in ours, and ahead of both.
    assert!(sent.iter().all(|bytes| *bytes < 96 * 1024), "{sent:?}");
    for mut raw in readers {
        let rest = raw.rest().await;
        assert!(rest.len() < 48 * 1024, "{} bytes lay in its socket", rest.len());
    }
}

#[tokio::test]
async fn readers_that_stop_do_not_use_up_the_calls_that_a_connection_takes() {
    let app = spawn(over_http2(PATIENCE * 2)).await;
    let token = app.user().await;
    app.sim.always("*", "gemini-2.5-pro", unfinished(100));
    // The simulator takes no more than these on one connection.
    let _readers = stop_reading(&app, &token, "gemini-2.5-pro", 200).await;
    let answer = tokio::time::timeout(PATIENCE, app.analyze(&token)).await;
    let answer = answer.expect("nobody is in its way");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["data"]["attempts"].as_array().unwrap().len(), 1, "at once");
    assert_eq!(app.sim.in_progress(), 200, "they are there still");
}

#[tokio::test]
async fn a_reader_that_takes_too_little_is_cut_though_it_never_stops() {
    let app = spawn(with(|limits| {
        limits.stall = SHORT * 4;
        limits.answer_bytes_per_second_min = 1_000_000_000;
    }))
    .await;
    let token = app.user().await;
    app.sim.always("*", "*", endless());
    let mut raw = Raw::open_narrow(&app, 64 * 1024).await;
    raw.send(analyze_request(&token, "Slowly")).await;
    let mut pace = tokio::time::interval(SHORT / 100);
    let (mut seen, mut piece) = (0, vec![0; 8192]);
    loop {
        pace.tick().await;
        match tokio::io::AsyncReadExt::read(&mut raw.stream, &mut piece).await {
            Ok(count) if count > 0 => seen += count,
            _ => break,
        }
    }
    assert!(seen < 15_000_000, "{seen} bytes: cut before the end");
    nothing_in_flight(&app).await;
}

#[tokio::test]
async fn a_reader_that_is_only_slow_gets_the_whole_answer() {
    let app = spawn(with(|limits| limits.stall = SHORT * 4)).await;
    let token = app.user().await;
    let text = "x".repeat(200_000);
    let frame = json!({ "candidates": [{ "content": { "parts": [{ "text": text }], "role": "model" } }] });
    let last = json!({ "candidates": [{ "content": { "parts": [{ "text": "" }] }, "finishReason": "STOP" }] });
    let body = format!("data: {frame}\r\n\r\n").repeat(16) + &format!("data: {last}\r\n\r\n");
    let answer = Behaviour::respond(200, body).with_header("content-type", "text/event-stream");
    app.sim.always("*", "*", answer);
    let mut raw = Raw::open_narrow(&app, 64 * 1024).await;
    raw.send(analyze_request(&token, "Slowly")).await;
    let mut pace = tokio::time::interval(SHORT / 100);
    let (mut seen, mut piece) = (Vec::new(), vec![0; 8192]);
    loop {
        pace.tick().await;
        let count = tokio::io::AsyncReadExt::read(&mut raw.stream, &mut piece)
            .await
            .unwrap();
        if count == 0 {
            break;
        }
        seen.extend_from_slice(&piece[..count]);
    }
    let seen = String::from_utf8_lossy(&seen);
    assert!(seen.contains("event: done"), "{} bytes, then cut", seen.len());
}

#[tokio::test]
async fn a_reader_that_stops_does_not_hold_up_those_who_wait_for_the_same_answer() {
    let app = spawn(with(|_| {})).await;
    let token = app.user().await;
    let text = "x".repeat(4_000);
    let frame = json!({ "candidates": [{ "content": { "parts": [{ "text": text }], "role": "model" } }] });
    let last = json!({ "candidates": [{ "content": { "parts": [{ "text": "" }] }, "finishReason": "STOP" }] });
    let body = format!("data: {frame}\r\n\r\n").repeat(500) + &format!("data: {last}\r\n\r\n");
    let answer = Behaviour::respond(200, body).with_header("content-type", "text/event-stream");
    app.sim.always("*", "*", answer);
    let with_key =
        analyze_request(&token, "Shared").replacen("host: x\r\n", "host: x\r\nidempotency-key: shared\r\n", 1);
    let mut stopped = Raw::open_narrow(&app, 4096).await;
    stopped.send(&with_key).await;
    stopped.until("event: delta").await;
    let waited = Raw::exchange(&app, &with_key).await;
    assert!(
        waited.contains("event: done") && waited.contains("idempotency-replayed: true"),
        "{waited:.300}"
    );
    let rest = stopped.rest().await;
    assert!(
        rest.contains("REQUEST_TIMEOUT") && !rest.contains("event: done"),
        "its end is not called whole"
    );
    assert_eq!(app.sim.calls().len(), 1);
}
