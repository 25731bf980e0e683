//! A server that is told to stop lets requests end and says good-bye to streams.

use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use reqwest::{Client, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use simulator::{Behaviour, Simulator};
use tempfile::TempDir;
use tokio::time::Instant;

use super::readers::{analyze_request, endless};
use super::{PATIENCE, Raw, SHORT, status, with};
use crate::faults::read_until;
use crate::process::{Running, sign_in, start_with};
use crate::support::{events, spawn, text_of};

const ANALYZE: &str = "/api/ai-analysis/analyze";
const STREAM: &str = "/api/ai-analysis/analyze/stream";
const STATUS_STREAM: &str = "/api/ai-analysis/service-status/stream";

#[tokio::test]
async fn a_server_that_stops_is_not_ready_answers_for_a_moment_and_closes_its_streams() {
    let app = spawn(with(|limits| limits.lame_duck = Duration::from_secs(1))).await;
    let token = app.user().await;
    let follow = app.request(reqwest::Method::GET, STATUS_STREAM).bearer_auth(&token);
    let mut stream = follow.send().await.unwrap();
    read_until(&mut stream, "event: status").await;
    let mut kept = Raw::open(&app).await;
    kept.send("GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let before = kept.until("\"store\":true}").await;
    assert!(
        status(&before) == 200 && !before.contains("connection: close"),
        "{before}"
    );

    app.begin_to_stop();
    let fresh = Raw::exchange(&app, "GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(status(&fresh), 503, "{fresh}");
    assert!(fresh.contains("connection: close"), "{fresh}");
    kept.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let after = kept.rest().await;
    assert!(status(&after) == 200 && after.contains("connection: close"), "{after}");
    let rest = stream.text().await.unwrap();
    assert!(rest.contains("event: closing") && rest.contains("retry: "), "{rest}");
    let address = super::address(&app);
    app.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_server_without_callers_stops_without_delay() {
    let app = spawn(with(|limits| limits.lame_duck = PATIENCE * 2)).await;
    assert!(tokio::time::timeout(PATIENCE, app.stop()).await.is_ok());
}

#[tokio::test]
async fn answers_under_way_end_whole() {
    let app = spawn(with(|_| {})).await;
    let token = app.user().await;
    app.sim.always("*", "*", Behaviour::answer().delayed_ms(1_000));
    let stopping = async {
        app.sim.wait_for(|calls| calls.len() == 2).await.unwrap();
        app.begin_to_stop();
    };
    let (whole, streamed, ()) = tokio::join!(app.analyze(&token), app.stream(&token, "And lakes?"), stopping);
    assert_eq!(whole.status, 200, "{}", whole.body);
    assert_eq!(streamed.last().unwrap().name, "done");
    app.stop().await;
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_said_to_be_broken_off_and_what_came_is_kept() {
    let setup = || {
        with(|limits| {
            limits.answers = SHORT;
            limits.drain = PATIENCE * 3;
        })
    };
    let app = spawn(setup()).await;
    let token = app.user().await;
    app.sim.always("*", "*", Behaviour::answer().stall_after_bytes(400));
    let mut response = app.open_stream(&token).await;
    let mut seen = read_until(&mut response, "event: delta").await;
    let stopping = async {
        app.begin_to_stop();
        response.text().await.unwrap()
    };
    // Asked for whole, and nothing of it is there.
    let (rest, whole) = tokio::join!(stopping, app.analyze(&token));
    seen += &rest;
    let seen = events(&seen);
    let last = seen.last().unwrap();
    assert_eq!(
        (last.name.as_str(), last.data["error"].as_str()),
        ("error", Some("NO_CAPACITY")),
        "{seen:?}"
    );
    assert!(
        last.data["message"].as_str().unwrap().contains("restarts"),
        "{}",
        last.data
    );
    assert_eq!(
        (whole.status, whole.text("/error").as_str()),
        (503, "NO_CAPACITY"),
        "{}",
        whole.body
    );
    let text = text_of(&seen);
    assert!(!text.is_empty());

    let app = app.restart(setup()).await;
    let list = app.get("/api/ai-analysis/analyses", &token).await;
    let items = list.body["data"]["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["state"] == "interrupted");
    let id = item.unwrap_or_else(|| panic!("{items:?}"))["id"].as_str().unwrap();
    let kept = app.get(&format!("/api/ai-analysis/analyses/{id}"), &token).await;
    assert_eq!(kept.text("/data/text"), text);
}

#[tokio::test]
async fn half_a_head_holds_nothing_up() {
    let app = spawn(with(|limits| {
        limits.answers = PATIENCE * 2;
        limits.drain = PATIENCE * 2;
        limits.stall = PATIENCE * 2;
    }))
    .await;
    let mut half = Raw::open(&app).await;
    half.send("GET /healthz HTTP/1.1\r\nx: ").await;
    // Whoever has not asked yet is not waited for, however long a head may take.
    let stopped = tokio::time::timeout(PATIENCE / 4, app.stop()).await;
    assert!(stopped.is_ok());
    assert_eq!(half.rest().await, "");
}

#[tokio::test]
async fn who_does_not_read_is_not_waited_for_beyond_the_end() {
    let app = spawn(with(|limits| {
        limits.answers = SHORT;
        limits.drain = SHORT * 2;
        limits.stall = PATIENCE * 2;
    }))
    .await;
    let token = app.user().await;
    app.sim.always("*", "*", endless());
    let mut raw = Raw::open_narrow(&app, 4096).await;
    raw.send(analyze_request(&token, "Never read")).await;
    raw.until("event: delta").await;
    assert!(tokio::time::timeout(PATIENCE, app.stop()).await.is_ok());
    assert!(!raw.rest().await.contains("event: done"));
}

const SETTINGS: &[(&str, &str)] = &[
    ("KEYPOOL_LIMITS", "* free rpm=1000000"),
    ("UPSTREAM_RPS", "0"),
    ("CACHE_MAX_ENTRIES", "0"),
    ("RATE_LIMIT_REQUESTS", "0"),
    ("LOG_LEVEL", "info"),
];

async fn process(data: &Path) -> (Simulator, Running, Client) {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let running = start_with(data, &sim, SETTINGS);
    let client = sign_in(&running).await;
    (sim, running, client)
}

fn terminate(running: &Running) {
    kill_process(Pid::from_child(&running.child), Signal::TERM).unwrap();
}

async fn ended(mut running: Running) -> ExitStatus {
    let waiting = tokio::task::spawn_blocking(move || running.child.wait().unwrap());
    tokio::time::timeout(PATIENCE, waiting).await.expect("it ends").unwrap()
}

async fn not_ready(running: &Running, client: &Client) {
    loop {
        let asked = client.get(format!("{}/readyz", running.base)).send().await;
        match asked.expect("it still listens").status() {
            StatusCode::SERVICE_UNAVAILABLE => return,
            ready => assert_eq!(ready, StatusCode::OK),
        }
    }
}

/// Whole requests one after the other, until `enough` or the server asks for another connection. Gives back how many.
async fn load(client: Client, base: String, enough: Arc<AtomicBool>) -> usize {
    for count in 0.. {
        if enough.load(Ordering::Relaxed) {
            return count;
        }
        let body = json!({ "prompt": crate::faults::question(), "maxOutputTokens": 512 });
        let answer = client
            .post(format!("{base}{ANALYZE}"))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "request {count}");
        answer.bytes().await.unwrap();
    }
    0
}

#[tokio::test]
async fn sigterm_fails_no_request_and_ends_500_streams_with_a_last_word() {
    let data = TempDir::new().unwrap();
    let (sim, running, client) = process(data.path()).await;
    sim.always("*", "gemini-2.5-pro", Behaviour::answer().chunked(400, 200));
    let follow = |_| client.get(format!("{}{STATUS_STREAM}", running.base)).send();
    let ask = |number: u32| {
        let body = json!({ "prompt": format!("Number {number}"), "model": "gemini-2.5-pro" });
        client.post(format!("{}{STREAM}", running.base)).json(&body).send()
    };
    let followers = join_all((0..450).map(follow)).await;
    let answers = join_all((0..50).map(ask)).await;
    let streams = followers.into_iter().chain(answers).map(|stream| async {
        let stream = stream.unwrap();
        assert_eq!(stream.status(), 200);
        stream.text().await.unwrap()
    });
    let enough = Arc::new(AtomicBool::new(false));
    let loads = (0..8).map(|_| load(client.clone(), running.base.clone(), Arc::clone(&enough)));
    let stopping = async {
        sim.wait_for(|calls| calls.len() > 100).await.unwrap();
        terminate(&running);
        not_ready(&running, &client).await;
        enough.store(true, Ordering::Relaxed);
    };
    let (streams, loads, ()) = tokio::join!(join_all(streams), join_all(loads), stopping);
    for (number, text) in streams.iter().enumerate() {
        let last = if number < 450 { "event: closing" } else { "event: done" };
        let tail: String = text.chars().skip(text.chars().count().saturating_sub(300)).collect();
        assert!(text.contains(last), "stream {number} ended with {tail}");
    }
    assert!(loads.iter().all(|count| *count > 0), "{loads:?}");
    assert!(ended(running).await.success());
}

#[tokio::test]
async fn a_second_sigterm_ends_the_server_at_once() {
    let data = TempDir::new().unwrap();
    let (sim, running, client) = process(data.path()).await;
    sim.always("*", "*", Behaviour::answer().stall_after_bytes(400));
    let body = json!({ "prompt": "Why do rivers meander?" });
    let asked = client
        .post(format!("{}{STREAM}", running.base))
        .json(&body)
        .send()
        .await;
    let mut stream = asked.unwrap();
    read_until(&mut stream, "event: delta").await;
    terminate(&running);
    not_ready(&running, &client).await;
    let began = Instant::now();
    terminate(&running);
    assert_eq!(ended(running).await.code(), Some(1));
    assert!(began.elapsed() < PATIENCE, "it did not wait for the answer");
    assert!(stream.text().await.is_err(), "the stream was cut");
}
