//! Bodies that come slowly, too large, ambiguous, or packed.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::{HEALTHZ, PATIENCE, Raw, SHORT, is_healthy, status, with};
use crate::support::{App, PASSWORD, Reply, spawn};

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

/// Sends `first` and then a piece every now and then until the server answers: the beginning of the answer.
async fn dribble(app: &App, first: usize, piece: &[u8]) -> String {
    let mut raw = Raw::open(app).await;
    raw.send(format!("{LOGIN}content-length: 1000000\r\n\r\n")).await;
    raw.send(vec![b' '; first]).await;
    let (mut reader, mut writer) = raw.stream.split();
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    let writing = async {
        loop {
            pace.tick().await;
            if writer.write_all(piece).await.is_err() {
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
    String::from_utf8_lossy(&head).into_owned()
}

#[tokio::test]
async fn a_body_that_dribbles_is_not_waited_for_however_fast_it_began() {
    let app = spawn(with(|limits| {
        limits.body_piece = SHORT * 10;
        limits.body_window = SHORT;
    }))
    .await;
    for first in [0, 200_000] {
        assert_eq!(
            dribble(&app, first, b" ").await,
            "HTTP/1.1 408",
            "{first} bytes at once"
        );
    }
}

#[tokio::test]
async fn a_body_ends_in_time_however_it_comes() {
    let app = spawn(with(|limits| limits.body_whole = SHORT * 2)).await;
    assert_eq!(dribble(&app, 0, &[b' '; 1_000]).await, "HTTP/1.1 408");
}

/// Head of an upload; says whether there is room for it before it is sent.
fn upload_head(token: &str, length: usize) -> String {
    format!(
        "POST /api/ai-analysis/analyze HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n"
    )
}

/// 100 when there is room.
async fn room_for(app: &App, token: &str, length: usize) -> (Raw, u16) {
    let mut raw = Raw::open(app).await;
    raw.send(upload_head(token, length)).await;
    let told = status(&raw.until("\r\n\r\n").await);
    (raw, told)
}

/// Fills what one account or address has: as soon as the bytes are read.
async fn until_full(app: &App, token: &str, length: usize) {
    while room_for(app, token, length).await.1 == 100 {}
}

#[tokio::test]
async fn uploads_wait_their_turn_while_others_fill_the_memory_and_small_bodies_do_not() {
    let app = spawn(with(|limits| limits.uploads_bytes_max = 4_000_000)).await;
    let (token, other) = (app.user().await, app.user().await);
    let (mut first, told) = room_for(&app, &token, 900_000).await;
    assert_eq!(told, 100);
    first.send(vec![b' '; 899_999]).await;
    until_full(&app, &token, 900_000).await;
    let mut refused = Raw::open(&app).await;
    refused.send(upload_head(&token, 900_000)).await;
    let refused = refused.until("\r\n\r\n").await;
    assert_eq!(status(&refused), 503, "refused before it is sent: {refused}");
    assert!(refused.contains("retry-after: "), "{refused}");
    assert_eq!(app.analyze(&token).await.status, 200, "a small one is taken");
    let body = json!({ "prompt": "x".repeat(90_000), "system": "y".repeat(90_000) });
    let of_another = app.post("/api/ai-analysis/analyze", &other, &body).await;
    assert_eq!(
        of_another.status, 200,
        "one account does not fill it: {}",
        of_another.body
    );
    first.send("x").await;
    assert_eq!(status(&first.until("\r\n\r\n").await), 400);
    assert_eq!(app.post("/api/ai-analysis/analyze", &token, &body).await.status, 200);
}

#[tokio::test]
async fn who_has_no_account_keeps_nobody_from_uploading_and_signing_in() {
    let app = spawn(with(|limits| limits.uploads_bytes_max = 16_000_000)).await;
    let token = app.user().await;
    let head = format!("{LOGIN}content-length: 900000\r\n\r\n");
    let (mut held, mut refused) = (Vec::new(), 0);
    for _ in 0..30 {
        let mut raw = Raw::open(&app).await;
        raw.send(&head).await;
        raw.send(vec![b' '; 899_999]).await;
        let answered = tokio::time::timeout(SHORT, raw.stream.readable()).await;
        refused += usize::from(answered.is_ok());
        held.push(raw);
        if refused == 3 {
            break;
        }
    }
    assert_eq!(refused, 3, "one address holds no more than its part");
    assert!(held.len() < 10, "{} of 900,000 bytes are held", held.len());
    let body = json!({ "prompt": "x".repeat(90_000), "system": "y".repeat(90_000) });
    let uploaded = app.post("/api/ai-analysis/analyze", &token, &body).await;
    assert_eq!(uploaded.status, 200, "{}", uploaded.body);
    app.user().await;
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_without_being_kept() {
    // One account may hold one upload.
    let app = spawn(with(|limits| limits.uploads_bytes_max = 88_000_000)).await;
    let token = app.user().await;
    for length in ["content-length: 104857600", "transfer-encoding: chunked"] {
        let head = upload_head(&token, 0).replace("content-length: 0\r\nexpect: 100-continue", length);
        let mut raw = Raw::open(&app).await;
        raw.send(&head).await;
        let (reader, mut writer) = raw.stream.split();
        let megabyte = [&b"100000\r\n"[..], &vec![b' '; 1 << 20], b"\r\n"].concat();
        for _ in 0..45 {
            writer.write_all(&megabyte).await.unwrap();
        }
        // The sockets hold some of it, and the server has come past what is taken.
        let (_, told) = room_for(&app, &token, 20_000_000).await;
        assert_eq!(told, 100, "{length}: what is thrown away takes room");
        let writing = async {
            for _ in 0..55 {
                if writer.write_all(&megabyte).await.is_err() {
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
    }
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
