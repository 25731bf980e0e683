//! Callers that do not read what they asked for.

use serde_json::json;
use simulator::{Behaviour, Ended};

use super::{PATIENCE, Raw, SHORT, with};
use crate::support::{App, spawn};

/// More than all buffers on the way take.
pub(super) fn endless() -> Behaviour {
    let frame = json!({ "candidates": [{ "content": { "parts": [{ "text": "x".repeat(4_000) }], "role": "model" } }] });
    let body = format!("data: {frame}\r\n\r\n").repeat(4_000);
    let whole = Behaviour::respond(200, body).with_header("content-type", "text/event-stream");
    // In pieces, so that the provider sees how far it came.
    whole.chunked(64 * 1024, 0)
}

/// A whole request for a stream, on a connection of its own.
pub(super) fn analyze_request(token: &str, prompt: &str) -> String {
    let body = json!({ "prompt": prompt }).to_string();
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
    let app = spawn(with(|limits| limits.stall = SHORT)).await;
    let token = app.user().await;
    app.sim.always("*", "*", endless());
    let mut readers = Vec::new();
    for number in 0..5 {
        let mut raw = Raw::open_narrow(&app, 4096).await;
        raw.send(analyze_request(&token, &format!("Number {number}"))).await;
        raw.until("event: delta").await;
        readers.push(raw);
    }
    nothing_in_flight(&app).await;
    let closed =
        |calls: &[simulator::Call]| calls.len() == 5 && calls.iter().all(|call| call.ended == Ended::ClosedByCaller);
    app.sim.wait_for(closed).await.unwrap();
    for raw in &mut readers {
        let rest = raw.rest().await;
        assert!(!rest.contains("event: done"), "it was cut before the end");
        assert!(rest.len() < 1_000_000, "{} bytes were held for it", rest.len());
    }
    app.sim.clear_scripts();
    assert_eq!(app.analyze(&token).await.status, 200);
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
