//! The way to the provider: hangs, slowness, resets, TLS, names, redirects.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use server::provider::gemini::Limits;
use simulator::{Behaviour, Ended, Simulator};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{SAID, SHORT, attempts, last, nobody_is_penalised, refused, shown, sticky, with_limits};
use crate::support::{App, Setup, key, spawn, text_of};

async fn every_call_is_left(app: &App) {
    app.sim
        .wait_for(|calls| calls.iter().all(|call| call.ended != Ended::InProgress))
        .await
        .unwrap();
    assert_eq!(app.sim.in_progress(), 0);
}

#[tokio::test]
async fn a_key_that_always_hangs_before_headers_costs_one_attempt_and_the_next_key_serves() {
    let limits = Limits {
        headers_timeout: SHORT,
        ..Limits::default()
    };
    let app = spawn(with_limits(2, limits)).await;
    let token = app.user().await;
    app.sim.always(&key(1), "*", Behaviour::answer().hang_before_headers());
    let reply = app.ask(&token).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(attempts(&reply.body["data"]), [(1, "transport"), (2, "success")]);
    every_call_is_left(&app).await;
    nobody_is_penalised(&app, &token, "a hang").await;
}

#[tokio::test]
async fn a_provider_that_hangs_for_everybody_is_a_time_out() {
    let limits = Limits {
        headers_timeout: SHORT,
        ..Limits::default()
    };
    let app = spawn(with_limits(3, limits)).await;
    let token = app.user().await;
    app.sim.always("*", "*", Behaviour::answer().hang_before_headers());
    refused(&app.ask_once(&token).await, 504, "UPSTREAM_TIMEOUT", "a hang");
    every_call_is_left(&app).await;
    nobody_is_penalised(&app, &token, "a hang").await;
}

#[tokio::test]
async fn a_hang_in_the_middle_of_a_body_before_any_text_is_tried_again() {
    let limits = Limits {
        idle_timeout: SHORT,
        ..Limits::default()
    };
    let app = spawn(with_limits(2, limits)).await;
    let token = app.user().await;
    for whole in [false, true] {
        let behaviour = Behaviour::fixture(if whole { "ok" } else { "stream-ok" }).stall_after_bytes(20);
        app.sim.script("*", "*", vec![behaviour]);
        let reply = if whole {
            app.ask_whole(&token).await
        } else {
            app.ask(&token).await
        };
        assert_eq!(reply.status, 200, "{}", reply.body);
        let outcomes: Vec<_> = attempts(&reply.body["data"])
            .into_iter()
            .map(|(_, what)| what)
            .collect();
        assert_eq!(outcomes, ["transport", "success"]);
    }
    every_call_is_left(&app).await;
    nobody_is_penalised(&app, &token, "a stall").await;
}

#[tokio::test]
async fn a_hang_in_the_middle_of_the_text_ends_the_answer_and_closes_the_call() {
    let limits = Limits {
        idle_timeout: SHORT,
        ..Limits::default()
    };
    let app = spawn(with_limits(3, limits)).await;
    let token = app.user().await;
    app.sim
        .always("*", "*", Behaviour::fixture("stream-ok").stall_after_bytes(450));
    let events = app.ask_streamed(&token).await;
    let (name, data) = last(&events);
    assert_eq!((name, data["error"].as_str()), ("error", Some("UPSTREAM_BAD_RESPONSE")));
    assert_eq!(text_of(&events), "Four ");
    assert_eq!(app.generating_calls(), 1, "nobody else goes on with another's text");
    every_call_is_left(&app).await;
    nobody_is_penalised(&app, &token, "a stall").await;
}

#[tokio::test]
async fn a_slow_body_is_ended_by_the_total_deadline_of_the_call_and_of_the_request() {
    let limits = Limits {
        total_timeout: SHORT,
        ..Limits::default()
    };
    let of_request = Setup {
        deadline: SHORT,
        ..sticky(3)
    };
    for setup in [with_limits(3, limits), of_request] {
        let app = spawn(setup).await;
        let token = app.user().await;
        // A byte every 20 ms never meets the limit between two pieces.
        app.sim.always("*", "*", Behaviour::fixture("stream-ok").chunked(1, 20));
        refused(&app.ask_once(&token).await, 504, "UPSTREAM_TIMEOUT", "a slow body");
        every_call_is_left(&app).await;
        nobody_is_penalised(&app, &token, "a slow body").await;
    }
}

#[tokio::test]
async fn a_reset_on_a_reused_connection_costs_the_caller_nothing() {
    let app = spawn(sticky(3)).await;
    let token = app.user().await;
    for reply in [app.ask(&token).await, app.ask_whole(&token).await] {
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
    app.sim.wait_for_connections(1).await.unwrap();
    app.sim
        .script("*", "*", vec![Behaviour::answer().reset_before_headers()]);
    let reply = app.ask_once(&token).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(attempts(&reply.body["data"]), [(1, "success")], "the retry is free");
    assert_eq!(app.generating_calls(), 4);
    nobody_is_penalised(&app, &token, "a reset").await;
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_before_the_provider_would() {
    assert_eq!(Limits::default().pool_idle_timeout, Duration::from_secs(15));
    let limits = Limits {
        pool_idle_timeout: SHORT,
        ..Limits::default()
    };
    let app = spawn(with_limits(1, limits)).await;
    let token = app.user().await;
    assert_eq!(app.ask(&token).await.status, 200);
    app.sim.wait_for_connections(0).await.unwrap();
    let reply = app.ask_once(&token).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn a_reset_before_the_text_is_tried_again_and_after_it_ends_the_answer() {
    let app = spawn(sticky(3)).await;
    let token = app.user().await;
    // Slow enough that the kernel does not drop what came before the reset.
    let cut = |bytes| Behaviour::fixture("stream-ok").chunked(150, 5).reset_after_bytes(bytes);
    app.sim.script("*", "*", vec![cut(20)]);
    let events = app.ask_streamed(&token).await;
    assert_eq!(last(&events).0, "done", "{}", shown(&events));
    assert_eq!(last(&events).1["text"], text_of(&events));

    app.sim.script("*", "*", vec![cut(450)]);
    let events = app.ask_streamed(&token).await;
    assert_eq!(last(&events).1["error"], "UPSTREAM_BAD_RESPONSE", "{}", shown(&events));
    assert_eq!(text_of(&events), "Four ");
    nobody_is_penalised(&app, &token, "a reset").await;
}

/// Answers every connection with some bytes, whatever it is sent, and keeps that.
struct Stranger {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
    tasks: JoinSet<()>,
}

impl Stranger {
    async fn answering(bytes: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sent: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let kept = Arc::clone(&sent);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut got = vec![0; 64 * 1024];
                let len = socket.read(&mut got).await.unwrap_or(0);
                let _ = socket.write_all(bytes).await;
                // Until the other side closes: it never does if it goes on.
                let _ = socket.read_to_end(&mut Vec::new()).await;
                got.truncate(len);
                kept.lock().unwrap().push(got);
            }
        });
        Self { address, sent, tasks }
    }

    async fn spawn_app_on(&self, scheme: &str) -> App {
        on_address(format!("{scheme}://{}", self.address)).await
    }
}

async fn on_address(base_url: String) -> App {
    let mut setup = sticky(3);
    setup.environment.push(("GOOGLE_AI_BASE_URL", base_url));
    spawn(setup).await
}

#[tokio::test]
async fn a_provider_without_tls_where_tls_is_wanted_gets_no_key_and_blames_nobody() {
    for answer in [
        &b"220 canary mail ready\r\n"[..],
        b"HTTP/1.1 400 Bad Request\r\n\r\ncanary",
        b"\x15\x03\x01\x00\x02\x02\x28",
    ] {
        let stranger = Stranger::answering(answer).await;
        let app = stranger.spawn_app_on("https").await;
        let token = app.user().await;
        let reply = app.ask_once(&token).await;
        refused(&reply, 502, "UPSTREAM_UNAVAILABLE", "no TLS");
        nobody_is_penalised(&app, &token, "no TLS").await;
        let sent = stranger.sent.lock().unwrap().clone();
        assert!(!sent.is_empty(), "it was asked and its connection is closed");
        for bytes in sent {
            assert_eq!(bytes.first(), Some(&0x16), "a TLS handshake and nothing else");
            assert!(!bytes.windows(SAID.len()).any(|window| window == SAID.as_bytes()));
        }
        drop(stranger.tasks);
    }
}

#[tokio::test]
async fn an_http_answer_that_is_none_is_a_transport_fault_of_nobody() {
    let stranger = Stranger::answering(b"220 canary mail ready\r\n").await;
    let app = stranger.spawn_app_on("http").await;
    let token = app.user().await;
    refused(&app.ask_once(&token).await, 502, "UPSTREAM_UNAVAILABLE", "no HTTP");
    nobody_is_penalised(&app, &token, "no HTTP").await;
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_or_an_address_that_refuses_blames_nobody_and_says_when_to_return() {
    let refusing = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for address in ["http://no-such-host.invalid".to_owned(), refusing] {
        let app = on_address(address.clone()).await;
        let token = app.user().await;
        let reply = app.ask_once(&token).await;
        refused(&reply, 502, "UPSTREAM_UNAVAILABLE", &address);
        assert!(!reply.body.to_string().contains("no-such-host"), "{}", reply.body);
        nobody_is_penalised(&app, &token, &address).await;

        // The breaker opens: from now on it is told at once, with the time to return.
        for _ in 0..5 {
            app.ask_once(&token).await;
        }
        let reply = app.ask_once(&token).await;
        refused(&reply, 502, "UPSTREAM_UNAVAILABLE", &address);
        assert_eq!(reply.headers["retry-after"], "5", "{address}");
        nobody_is_penalised(&app, &token, &address).await;
    }
}

#[tokio::test]
async fn the_first_refusal_for_want_of_a_provider_says_when_to_return_too() {
    let app = on_address("http://no-such-host.invalid".to_owned()).await;
    let reply = app.ask_once(&app.user().await).await;
    refused(&reply, 502, "UPSTREAM_UNAVAILABLE", "no provider");
    assert!(reply.headers.contains_key("retry-after"), "{:?}", reply.headers);
}

#[tokio::test]
async fn a_redirect_is_never_followed_with_the_key() {
    let app = spawn(sticky(3)).await;
    let token = app.user().await;
    let elsewhere = Simulator::start(simulator::Options::default()).await.unwrap();
    let stranger = Stranger::answering(b"").await;
    let places = [
        elsewhere.base_url(),
        format!("http://{}/{SAID}", stranger.address),
        format!("https://{}/{SAID}", stranger.address),
    ];
    for status in [301, 302, 303, 307, 308] {
        for place in &places {
            app.sim.always(
                "*",
                "*",
                Behaviour::respond(status, SAID).with_header("location", place),
            );
            let reply = app.ask(&token).await;
            refused(&reply, 502, "UPSTREAM_BAD_RESPONSE", &format!("{status} to {place}"));
            assert!(!reply.body.to_string().contains(place), "{}", reply.body);
        }
    }
    assert_eq!(
        app.generating_calls(),
        15,
        "one call each, and no other key for what no key can help"
    );
    assert!(elsewhere.calls().is_empty() && elsewhere.connections() == 0);
    assert!(stranger.sent.lock().unwrap().is_empty());
    nobody_is_penalised(&app, &token, "redirects").await;
}
