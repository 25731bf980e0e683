//! Answers that are none: cut, garbage, pages of HTML, and bodies without end.

use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use simulator::{Behaviour, Ended, fixtures};

use super::{SAID, attempts, discreet, last, nobody_is_penalised, refused, shown, sticky};
use crate::support::{App, spawn};

const MB: u64 = 1 << 20;
/// What a connection is handed at once.
const PIECE: usize = 64 * 1024;

/// What the buffers of two sockets may hold of bytes that nobody reads.
const BUFFERS: u64 = 16 * MB;

/// Successes that are no answers, each with a name.
fn useless() -> Vec<(&'static str, Behaviour)> {
    let ok = fixtures::get("ok").unwrap().body;
    let cut = &ok[..ok.len() / 2];
    vec![
        ("cut JSON", Behaviour::respond(200, cut)),
        (
            "cut JSON with words",
            Behaviour::respond(200, format!(r#"{{"{SAID}": [1, 2"#)),
        ),
        ("garbage", Behaviour::respond_bytes(200, b"\x00\xff\xfecanary\x01\x02")),
        ("a lone string", Behaviour::respond(200, format!("\"{SAID}\""))),
        ("an empty body", Behaviour::respond(200, "")),
        ("an empty object", Behaviour::respond(200, "{}")),
        ("no content", Behaviour::respond(204, "")),
        (
            "a page of HTML",
            Behaviour::respond(
                200,
                format!("<!doctype html><title>{SAID}</title><p>Sign in to the network</p>"),
            )
            .with_header("content-type", "text/html; charset=utf-8"),
        ),
        (
            "a page of HTML in events",
            Behaviour::respond(200, format!("data: <html>{SAID}</html>\n\n"))
                .with_header("content-type", "text/event-stream"),
        ),
    ]
}

#[tokio::test]
async fn an_answer_that_is_none_is_a_typed_refusal_that_repeats_nothing_of_it() {
    for (what, behaviour) in useless() {
        let app = spawn(sticky(3)).await;
        let token = app.user().await;
        app.sim.always("*", "*", behaviour);
        refused(&app.ask(&token).await, 502, "UPSTREAM_BAD_RESPONSE", what);
        refused(&app.ask_whole(&token).await, 502, "UPSTREAM_BAD_RESPONSE", what);
        let events = app.ask_streamed(&token).await;
        let (name, data) = last(&events);
        assert_eq!(
            (name, data["error"].as_str()),
            ("error", Some("UPSTREAM_BAD_RESPONSE")),
            "{what}"
        );
        discreet(&shown(&events), what);
        nobody_is_penalised(&app, &token, what).await;
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_asked_for_once_more() {
    for (what, behaviour) in useless() {
        let app = spawn(sticky(3)).await;
        let token = app.user().await;
        app.sim.script("*", "*", vec![behaviour]);
        let reply = app.ask(&token).await;
        assert_eq!(reply.status, 200, "{what}: {}", reply.body);
        let outcomes: Vec<_> = attempts(&reply.body["data"])
            .into_iter()
            .map(|(_, what)| what)
            .collect();
        assert_eq!(outcomes, ["empty", "success"], "{what}");
        discreet(&reply.body["data"]["text"].to_string(), what);
        nobody_is_penalised(&app, &token, what).await;
    }
}

/// Every call so far was left by us, after at most so many bytes.
async fn given_up_after(app: &App, bytes_max: u64, what: &str) {
    app.sim
        .wait_for(|calls| calls.iter().all(|call| call.ended != Ended::InProgress))
        .await
        .unwrap();
    for call in app.sim.calls() {
        assert_eq!(call.ended, Ended::ClosedByCaller, "{what}");
        assert!(
            call.sent_bytes <= bytes_max + BUFFERS,
            "{what}: {} bytes",
            call.sent_bytes
        );
    }
}

#[tokio::test]
async fn a_body_of_a_gigabyte_is_given_up_at_32_mb() {
    let app = spawn(sticky(3)).await;
    let token = app.user().await;
    app.sim.always("*", "*", Behaviour::huge_body(1024 * MB));
    refused(&app.ask_whole(&token).await, 502, "UPSTREAM_BAD_RESPONSE", "1 GB");
    given_up_after(&app, 32 * MB, "1 GB").await;
    nobody_is_penalised(&app, &token, "1 GB").await;
}

#[tokio::test]
async fn a_line_of_a_gigabyte_is_given_up_at_1_mb() {
    let app = spawn(sticky(3)).await;
    let token = app.user().await;
    app.sim.always("*", "*", Behaviour::huge_body(1024 * MB));
    let events = app.ask_streamed(&token).await;
    assert_eq!(last(&events).1["error"], "UPSTREAM_BAD_RESPONSE", "{}", shown(&events));
    given_up_after(&app, MB, "a line of 1 GB").await;
    nobody_is_penalised(&app, &token, "a line of 1 GB").await;
}

#[tokio::test]
async fn a_line_of_ten_megabytes_is_no_answer() {
    let app = spawn(sticky(3)).await;
    let token = app.user().await;
    app.sim.always("*", "*", Behaviour::huge_body(10 * MB));
    let events = app.ask_streamed(&token).await;
    assert_eq!(last(&events).1["error"], "UPSTREAM_BAD_RESPONSE");
    assert!(shown(&events).len() < 16 * 1024, "nothing of it is sent on");
    // Asked for whole it is one: the bound of a line is the stream's.
    let reply = app.ask_whole(&token).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.text("/data/text").len() as u64, 10 * MB);
    nobody_is_penalised(&app, &token, "a line of 10 MB").await;
}

#[tokio::test]
async fn many_lines_of_a_stream_are_given_up_at_32_mb() {
    let app = spawn(sticky(3)).await;
    let token = app.user().await;
    let line = format!("data: {}\n\n", serde_json::json!({ "responseId": "x".repeat(500_000) }));
    app.sim
        .always("*", "*", Behaviour::respond(200, line.repeat(200)).chunked(PIECE, 0));
    refused(&app.ask_once(&token).await, 502, "UPSTREAM_BAD_RESPONSE", "100 MB");
    given_up_after(&app, 32 * MB, "100 MB of lines").await;
    nobody_is_penalised(&app, &token, "100 MB of lines").await;
}

/// About 2 GB of an answer's text in a few megabytes.
fn gzip_bomb() -> Vec<u8> {
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::fast());
    writer
        .write_all(br#"{"candidates":[{"content":{"parts":[{"text":""#)
        .unwrap();
    writer.flush().unwrap();
    let before = writer.get_ref().len();
    writer.write_all(&vec![b'x'; MB as usize]).unwrap();
    writer.flush().unwrap();
    let bytes = writer.get_ref();
    // A flush ends on a byte, so the block can be repeated without being made again.
    [&bytes[..before], &bytes[before..].repeat(2048)].concat()
}

#[tokio::test]
async fn a_gzip_bomb_is_not_unpacked() {
    let app = spawn(sticky(3)).await;
    let token = app.user().await;
    let bomb = gzip_bomb();
    assert!(
        bomb.len() as u64 > 2 * MB && (bomb.len() as u64) < 32 * MB,
        "{}",
        bomb.len()
    );
    for status in [200, 503] {
        let behaviour = Behaviour::respond_bytes(status, &bomb).with_header("content-encoding", "gzip");
        app.sim.always("*", "*", behaviour);
        let code = if status == 200 {
            "UPSTREAM_BAD_RESPONSE"
        } else {
            "UPSTREAM_UNAVAILABLE"
        };
        refused(&app.ask_once(&token).await, 502, code, "a gzip bomb");
        let whole = serde_json::json!({ "maxOutputTokens": 512, "maxRetries": 0 });
        refused(&app.ask_with(&token, whole).await, 502, code, "a gzip bomb");
    }
    nobody_is_penalised(&app, &token, "a gzip bomb").await;
}

#[tokio::test]
async fn a_refusal_without_end_is_judged_by_its_beginning() {
    let app = spawn(sticky(3)).await;
    let token = app.user().await;
    app.sim.always(
        "*",
        "*",
        Behaviour::respond(503, SAID.repeat(10 << 20)).chunked(PIECE, 0),
    );
    refused(
        &app.ask_once(&token).await,
        502,
        "UPSTREAM_UNAVAILABLE",
        "a long refusal",
    );
    given_up_after(&app, MB, "a long refusal").await;
    nobody_is_penalised(&app, &token, "a long refusal").await;
}
