//! Bodies that come slowly, too large, ambiguous, or packed.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::{HEALTHZ, PATIENCE, Raw, SHORT, is_healthy, status, with};
use crate::support::{PASSWORD, Reply, spawn};

const LOGIN: &str = "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let app = spawn(with(|limits| limits.body_piece = SHORT)).await;
    for begun in ["", "{\"email\":"] {
        let answer = Raw::exchange(&app, format!("{LOGIN}content-length: 100\r\n\r\n{begun}")).await;
        assert_eq!(status(&answer), 408, "{answer}");
        assert!(answer.contains("REQUEST_TIMEOUT"), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_dribbles_is_not_waited_for_either() {
    let app = spawn(with(|limits| {
        limits.body_piece = SHORT * 10;
        limits.body_start = SHORT;
    }))
    .await;
    let mut raw = Raw::open(&app).await;
    raw.send(format!("{LOGIN}content-length: 100000\r\n\r\n")).await;
    let (mut reader, mut writer) = raw.stream.split();
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    let writing = async {
        loop {
            pace.tick().await;
            if writer.write_all(b" ").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut head = [0; 12];
    let reading = tokio::io::AsyncReadExt::read_exact(&mut reader, &mut head);
    tokio::select! {
        read = tokio::time::timeout(PATIENCE, reading) => { read.unwrap().unwrap(); }
        () = writing => {}
    }
    assert_eq!(&head, b"HTTP/1.1 408");
}

#[tokio::test]
async fn uploads_wait_their_turn_while_others_fill_the_memory_and_small_bodies_do_not() {
    let app = spawn(with(|limits| limits.uploads_bytes_max = 1_000_000)).await;
    let token = app.user().await;
    let head = |length: usize| {
        format!(
            "POST /api/ai-analysis/analyze HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n"
        )
    };
    let mut first = Raw::open(&app).await;
    first.send(head(900_000)).await;
    first.until("100 Continue").await;
    first.send(vec![b' '; 899_999]).await;
    let refused = loop {
        let mut second = Raw::open(&app).await;
        second.send(head(900_000)).await;
        let answer = second.until("\r\n\r\n").await;
        // As soon as the bytes of the first one are read.
        if status(&answer) != 100 {
            break answer;
        }
    };
    assert_eq!(status(&refused), 503, "refused before it is sent: {refused}");
    assert!(refused.contains("retry-after: "), "{refused}");
    assert_eq!(app.analyze(&token).await.status, 200, "a small one is taken");
    first.send("x").await;
    assert_eq!(status(&first.until("\r\n\r\n").await), 400);
    let body = json!({ "prompt": "x".repeat(90_000), "system": "y".repeat(90_000) });
    assert_eq!(app.post("/api/ai-analysis/analyze", &token, &body).await.status, 200);
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_without_being_kept() {
    let app = spawn(with(|_| {})).await;
    let token = app.user().await;
    let mut raw = Raw::open(&app).await;
    raw.send(format!(
        "POST /api/ai-analysis/analyze HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 104857600\r\n\r\n"
    ))
    .await;
    let (reader, mut writer) = raw.stream.into_split();
    let writing = async {
        let piece = vec![b' '; 1 << 20];
        for _ in 0..100 {
            if writer.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    let mut answer = Vec::new();
    let mut reader = tokio::io::AsyncReadExt::take(reader, 1 << 16);
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut answer);
    // In the end the server has read enough and closes the connection, which may take the refusal with it.
    let (_, read) = tokio::join!(writing, tokio::time::timeout(PATIENCE, reading));
    let _ = read.expect("it ends");
    let told = status(&String::from_utf8_lossy(&answer));
    assert!([0, 413].contains(&told), "{told}");
    assert!(is_healthy(&Raw::exchange(&app, HEALTHZ).await));
    assert!(app.sim.calls().is_empty());
}

#[tokio::test]
async fn a_body_whose_end_is_not_beyond_doubt_is_refused_and_nothing_after_it_is_answered() {
    let app = spawn(with(|_| {})).await;
    let smuggled = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let table = [
        (
            "two lengths",
            "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "two lengths, the other way round",
            "transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
        ),
        (
            "two lengths in other letters",
            "Transfer-Encoding: Chunked\r\nCONTENT-LENGTH: 4\r\n\r\n0\r\n\r\n",
        ),
        (
            "different lengths",
            "content-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
        ),
        ("a list of lengths", "content-length: 4, 5\r\n\r\nabcde"),
        ("a negative length", "content-length: -1\r\n\r\n"),
        ("a signed length", "content-length: +4\r\n\r\nabcd"),
        (
            "a length beyond numbers",
            "content-length: 99999999999999999999999\r\n\r\n",
        ),
        (
            "not chunked at last",
            "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        ),
        ("another encoding", "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("a space before the colon", "content-length : 4\r\n\r\nabcd"),
        ("a folded header", "x: a\r\n content-length: 4\r\n\r\nabcd"),
        ("no number", "transfer-encoding: chunked\r\n\r\nzz\r\n"),
        (
            "a number beyond numbers",
            "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        ),
        ("a negative number", "transfer-encoding: chunked\r\n\r\n-1\r\n"),
        (
            "no end of a piece",
            "transfer-encoding: chunked\r\n\r\n2\r\nabXX\r\n0\r\n\r\n",
        ),
    ];
    for (what, rest) in table {
        let answers = Raw::exchange(&app, format!("{LOGIN}{rest}{smuggled}")).await;
        assert_eq!(status(&answers), 400, "{what}: {answers}");
        assert!(!answers.contains("\"ok\""), "{what}: {answers}");
    }
    let old = "POST /api/auth/login HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(status(&Raw::exchange(&app, old).await), 400, "HTTP/1.0 has no pieces");
    // Well-formed, and yet nothing that follows is believed to be a request.
    let whole = format!("{LOGIN}transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n{smuggled}");
    let answers = Raw::exchange(&app, whole).await;
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
}

#[tokio::test]
async fn packed_bodies_are_refused() {
    let app = spawn(with(|_| {})).await;
    let form = json!({ "email": "a@example.org", "password": PASSWORD });
    for (encoding, expected) in [("gzip", 415), ("br", 415), ("identity, gzip", 415), ("identity", 401)] {
        let request = app.request(reqwest::Method::POST, "/api/auth/login").json(&form);
        let reply = Reply::of(request.header("content-encoding", encoding).send().await.unwrap()).await;
        assert_eq!(reply.status, expected, "{encoding}: {}", reply.body);
    }
}
