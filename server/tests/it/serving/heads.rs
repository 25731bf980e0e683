//! Heads of requests, and connections without any.

use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{HEALTHZ, Raw, SHORT, is_healthy, status, with};
use crate::support::{App, spawn};

/// Sends a byte every now and then until the server has enough of it.
async fn dribble(mut raw: Raw) {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let mut answer = [0; 16];
    for byte in b"x".iter().cycle() {
        tokio::select! {
            _ = pace.tick() => if raw.stream.write_all(&[*byte]).await.is_err() { return },
            read = raw.stream.read(&mut answer) => {
                let answer = &answer[..read.unwrap_or_default()];
                // What began as the preface of HTTP/2 is no request any more.
                assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
                return;
            }
        }
    }
}

#[tokio::test]
async fn heads_that_dribble_are_cut_while_others_are_served() {
    let app = spawn(with(|limits| limits.head = SHORT)).await;
    let token = app.user().await;
    let mut slow = Vec::new();
    for number in 0..60 {
        let mut raw = Raw::open(&app).await;
        match number % 4 {
            // Not even a word.
            0 => {}
            1 => raw.send("GET /healthz HTTP/1.1\r\nx: ").await,
            2 => raw.send("PRI * HTTP/2.0\r\n").await,
            // The second request of a connection.
            _ => {
                raw.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
                raw.until("ok\"}").await;
                raw.send("GET /healthz HTTP/1.1\r\nx: ").await;
            }
        }
        slow.push(raw);
    }
    let silent = slow.split_off(40);
    let silent = silent.into_iter().map(|mut raw| async move { raw.rest().await });
    let asking = async {
        for _ in 0..10 {
            assert_eq!(app.analyze(&token).await.status, 200);
        }
    };
    let (_, answers, ()) = tokio::join!(join_all(slow.into_iter().map(dribble)), join_all(silent), asking);
    assert!(answers.iter().all(String::is_empty), "{answers:?}");
    assert!(is_healthy(&Raw::exchange(&app, HEALTHZ).await));
}

#[tokio::test]
async fn a_connection_may_rest_between_requests_but_not_for_ever() {
    let app = spawn(with(|limits| {
        limits.head = SHORT / 3;
        limits.idle = SHORT * 3;
    }))
    .await;
    let mut raw = Raw::open(&app).await;
    for _ in 0..2 {
        raw.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        raw.until("ok\"}").await;
        // Longer than a head may take: it has not begun.
        let silence = tokio::time::timeout(SHORT, raw.stream.readable()).await;
        assert!(silence.is_err(), "it is still open");
    }
    assert_eq!(raw.rest().await, "", "closed after its rest");
}

async fn slots(app: &App, count: usize) -> Vec<Raw> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(Raw::open(app).await);
    }
    all
}

#[tokio::test]
async fn newcomers_take_the_places_of_those_who_have_not_asked_yet() {
    for name in ["CONNECTIONS_PER_ADDRESS_MAX", "CONNECTIONS_MAX"] {
        let mut setup = with(|_| {});
        setup.environment.push((name, "8".to_owned()));
        let app = spawn(setup).await;
        let mut silent = slots(&app, 8).await;
        assert!(is_healthy(&Raw::exchange(&app, HEALTHZ).await), "{name}");
        assert_eq!(silent.remove(0).rest().await, "", "{name}: the oldest gave way");
        // The others are still there, and may ask.
        let youngest = silent.last_mut().unwrap();
        youngest.send(HEALTHZ).await;
        assert!(is_healthy(&youngest.rest().await), "{name}");
    }
}

#[tokio::test]
async fn who_is_at_work_keeps_its_place_and_the_newcomer_is_told_to_come_later() {
    let mut setup = with(|_| {});
    setup.environment.push(("CONNECTIONS_PER_ADDRESS_MAX", "4".to_owned()));
    let app = spawn(setup).await;
    let token = app.user().await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut raw = Raw::open(&app).await;
        raw.send(format!(
            "GET /api/ai-analysis/service-status/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
        ))
        .await;
        raw.until("event: status").await;
        streams.push(raw);
    }
    let refused = Raw::open(&app).await.rest().await;
    assert_eq!(status(&refused), 503, "{refused}");
    assert!(refused.contains("retry-after: 1"), "{refused}");
    drop(streams.pop());
    loop {
        // As soon as the server has seen it leave.
        let answer = Raw::exchange(&app, HEALTHZ).await;
        if is_healthy(&answer) {
            break;
        }
        assert!([0, 503].contains(&status(&answer)), "{answer}");
    }
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let app = spawn(with(|_| {})).await;
    let headers = |count: usize| {
        (0..count)
            .map(|number| format!("x-{number}: y\r\n"))
            .collect::<String>()
    };
    let table = [
        (format!("{}\r\n", headers(99)), 200),
        (format!("{}\r\n", headers(101)), 431),
        (format!("x: {}\r\n\r\n", "y".repeat(100_000)), 431),
        (format!("{}: y\r\n\r\n", "x".repeat(100_000)), 431),
        // Never an end of the line, never an end of the head.
        ("x".repeat(200_000), 431),
        ("x: y\r\n".repeat(50_000), 431),
    ];
    for (rest, expected) in table {
        let mut raw = Raw::open(&app).await;
        raw.send(format!("GET /healthz HTTP/1.1\r\nconnection: close\r\n{rest}"))
            .await;
        let answer = raw.rest().await;
        // A reset may overtake the refusal of what is still being sent.
        let told = status(&answer);
        assert!(told == expected || told == 0 && expected == 431, "{told}: {:.60}", rest);
    }
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000));
    let told = status(&Raw::exchange(&app, long).await);
    assert!([414, 431].contains(&told), "{told}");
    assert!(is_healthy(&Raw::exchange(&app, HEALTHZ).await));
}

#[tokio::test]
async fn requests_in_one_packet_are_answered_in_their_order() {
    let app = spawn(with(|_| {})).await;
    let missing = "GET /api/nothing HTTP/1.1\r\nhost: x\r\n\r\n";
    let healthy = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let answers = Raw::exchange(&app, format!("{healthy}{missing}{HEALTHZ}")).await;
    let told: Vec<u16> = answers
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| answer[..3].parse().unwrap())
        .collect();
    assert_eq!(told, [200, 404, 200]);
}
