//! Requests that are sent again under one `Idempotency-Key` are done once, whatever happens in between.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use simulator::{Behaviour, Simulator};
use tempfile::TempDir;

use crate::process::{sign_in, start};
use crate::support::{App, Event, Reply, Setup, events, key, spawn, text_of};

const ANALYZE: &str = "/api/ai-analysis/analyze";
const STREAM: &str = "/api/ai-analysis/analyze/stream";
const ANALYSES: &str = "/api/ai-analysis/analyses";
const PROMPT: &str = "Why do rivers meander?";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// One key after the other, so that what the first one does is what happens.
fn setup() -> Setup {
    Setup {
        keys: 1,
        environment: vec![
            ("KEYPOOL_STRATEGY", "sticky".to_owned()),
            // A thousand callers of one machine.
            ("CONNECTIONS_PER_ADDRESS_MAX", "0".to_owned()),
        ],
        ..Setup::default()
    }
}

fn without_history() -> Setup {
    let mut setup = setup();
    setup.environment.push(("KEYPOOL_HISTORY", "off".to_owned()));
    setup
}

fn request(app: &App, path: &str, token: &str, key: &str, prompt: &str) -> RequestBuilder {
    app.request(Method::POST, path)
        .bearer_auth(token)
        .header("idempotency-key", key)
        .json(&json!({ "prompt": prompt }))
}

async fn ask(app: &App, token: &str, key: &str) -> Reply {
    Reply::of(request(app, ANALYZE, token, key, PROMPT).send().await.unwrap()).await
}

fn is_replayed(reply: &Reply) -> bool {
    reply
        .headers
        .get("idempotency-replayed")
        .is_some_and(|value| value == "true")
}

/// Asks under a key that was used before: the same answer, or a new one.
async fn check(app: &App, token: &str, key: &str, before: &Reply, is_same: bool) {
    let calls = app.calls(1);
    let again = ask(app, token, key).await;
    assert_eq!(again.status, 200, "{}", again.body);
    assert_eq!(again.body["data"] == before.body["data"], is_same, "{}", again.body);
    assert_eq!(is_replayed(&again), is_same);
    assert_eq!(app.calls(1) - calls, usize::from(!is_same));
}

async fn done(app: &App, token: &str, key: &str) -> Reply {
    let reply = ask(app, token, key).await;
    assert_eq!((reply.status, is_replayed(&reply)), (200, false), "{}", reply.body);
    reply
}

async fn called(app: &App, count: usize) {
    app.sim.wait_for(|calls| calls.len() == count).await.unwrap();
}

#[tokio::test]
async fn a_thousand_duplicates_at_once_are_one_call_and_one_answer() {
    let app = spawn(setup()).await;
    let token = app.user().await;
    app.sim.always(&key(1), "*", Behaviour::answer().delayed_ms(1_000));
    let replies = futures::future::join_all((0..1_000).map(|_| ask(&app, &token, "once"))).await;
    for reply in &replies {
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.body["data"], replies[0].body["data"]);
    }
    assert_eq!(app.calls(1), 1);
    assert_eq!(replies.iter().filter(|reply| is_replayed(reply)).count(), 999);
    let page = app.get(ANALYSES, &token).await;
    assert_eq!(page.body["data"]["items"].as_array().unwrap().len(), 1, "asked once");
    check(&app, &token, "once", &replies[0], true).await;
}

#[tokio::test]
async fn without_a_key_every_request_is_done() {
    let app = spawn(setup()).await;
    let token = app.user().await;
    for _ in 0..2 {
        let reply = app.analyze(&token).await;
        assert_eq!((reply.status, is_replayed(&reply)), (200, false));
    }
    assert_eq!(app.calls(1), 2);
}

#[tokio::test]
async fn an_answer_is_given_again_for_a_day_over_restarts_and_then_made_anew() {
    let app = spawn(setup()).await;
    let email = app.account(app::types::Role::User).await;
    let first = done(&app, &app.login(&email).await, "day").await;
    let app = app.restart(setup()).await;
    check(&app, &app.login(&email).await, "day", &first, true).await;
    app.clock.advance(DAY - Duration::from_millis(1));
    check(&app, &app.login(&email).await, "day", &first, true).await;
    app.clock.advance(Duration::from_millis(1));
    check(&app, &app.login(&email).await, "day", &first, false).await;
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused() {
    let app = spawn(setup()).await;
    let token = app.user().await;
    app.sim.always(&key(1), "*", Behaviour::answer().delayed_ms(300));
    let other = async |path| {
        let refused = request(&app, path, &token, "mine", "Something else")
            .send()
            .await
            .unwrap();
        let refused = Reply::of(refused).await;
        assert_eq!(
            (refused.status, refused.text("/error").as_str()),
            (409, "CONFLICT"),
            "{}",
            refused.body
        );
        assert!(refused.text("/message").contains("Idempotency-Key"));
    };
    let meanwhile = async {
        called(&app, 1).await;
        other(ANALYZE).await;
    };
    let (first, ()) = futures::join!(done(&app, &token, "mine"), meanwhile);
    other(ANALYZE).await;
    other(STREAM).await;
    assert_eq!(app.calls(1), 1);
    check(&app, &token, "mine", &first, true).await;
}

#[tokio::test]
async fn what_does_not_change_the_question_does_not_change_the_request() {
    let app = spawn(setup()).await;
    let token = app.user().await;
    let first = done(&app, &token, "hints").await;
    let body = json!({ "prompt": PROMPT, "maxRetries": 2, "fresh": true });
    let again = app
        .request(Method::POST, ANALYZE)
        .bearer_auth(&token)
        .header("idempotency-key", "hints")
        .json(&body);
    let again = Reply::of(again.send().await.unwrap()).await;
    assert_eq!(again.body["data"], first.body["data"]);
    assert_eq!(app.calls(1), 1);
}

#[tokio::test]
async fn the_keys_of_two_people_have_nothing_to_do_with_each_other() {
    let app = spawn(setup()).await;
    let (ada, bob) = (app.user().await, app.user().await);
    let of_ada = done(&app, &ada, "same").await;
    let of_bob = done(&app, &bob, "same").await;
    assert_ne!(of_ada.text("/data/id"), of_bob.text("/data/id"));
    check(&app, &ada, "same", &of_ada, true).await;
    check(&app, &bob, "same", &of_bob, true).await;
}

#[tokio::test]
async fn a_failure_reaches_all_who_wait_and_is_not_kept() {
    let app = spawn(setup()).await;
    let token = app.user().await;
    app.sim
        .always(&key(1), "*", Behaviour::fixture("bad-argument").delayed_ms(300));
    let replies = futures::future::join_all((0..20).map(|_| ask(&app, &token, "later"))).await;
    let ids: HashSet<String> = replies.iter().map(|reply| reply.text("/requestId")).collect();
    assert_eq!(ids.len(), 20, "each failure names its own request");
    for reply in &replies {
        assert_eq!((reply.status, reply.text("/error").as_str()), (400, "BAD_REQUEST"));
    }
    assert_eq!(app.calls(1), 1, "nobody tried again behind the first");
    app.sim.clear_scripts();
    let first = done(&app, &token, "later").await;
    check(&app, &token, "later", &first, true).await;
}

#[tokio::test]
async fn when_the_one_that_began_leaves_the_call_goes_on_for_those_who_wait() {
    let app = spawn(setup()).await;
    let token = app.user().await;
    app.sim.always(&key(1), "*", Behaviour::answer().delayed_ms(500));
    let mut leaving = Box::pin(ask(&app, &token, "shared"));
    tokio::select! {
        reply = &mut leaving => panic!("answered at once: {}", reply.body),
        () = called(&app, 1) => {}
    }
    let mut staying = Box::pin(stream(&app, &token, "shared"));
    tokio::select! {
        biased;
        head = &mut staying => panic!("answered at once: {head:?}"),
        () = tokio::task::yield_now() => {}
    }
    let head = request(&app, STREAM, &token, "shared", PROMPT).send().await.unwrap();
    assert_eq!(head.headers()["idempotency-replayed"], "true", "it waits for the first");
    drop(leaving);
    let waited = events(&head.text().await.unwrap());
    let (stayed, replayed) = staying.await;
    assert!(replayed);
    for events in [stayed, waited] {
        assert_eq!(events.last().unwrap().name, "done", "{events:?}");
    }
    assert_eq!(app.calls(1), 1);
}

#[tokio::test]
async fn when_all_have_left_the_call_is_closed_and_the_key_is_free() {
    let app = spawn(setup()).await;
    let token = app.user().await;
    app.sim
        .script(&key(1), "*", vec![Behaviour::answer().hang_before_headers()]);
    let leaving = futures::future::join_all((0..3).map(|_| ask(&app, &token, "left")));
    tokio::select! {
        _ = leaving => panic!("answered by a provider that hangs"),
        () = called(&app, 1) => {}
    }
    app.sim.wait_for_connections(0).await.unwrap();
    let first = done(&app, &token, "left").await;
    check(&app, &token, "left", &first, true).await;
}

/// The events, and whether they are said to be another request's.
async fn stream(app: &App, token: &str, key: &str) -> (Vec<Event>, bool) {
    let response = request(app, STREAM, token, key, PROMPT).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let replayed = response.headers().contains_key("idempotency-replayed");
    (events(&response.text().await.unwrap()), replayed)
}

#[tokio::test]
async fn a_stream_is_given_again_as_its_end_and_is_the_same_answer_whole() {
    let app = spawn(setup()).await;
    let token = app.user().await;
    let (first, replayed) = stream(&app, &token, "stream").await;
    assert!(!replayed);
    let answer = &first.last().unwrap().data;
    assert_eq!(answer["text"], text_of(&first));
    assert!(first.iter().filter(|event| event.name == "delta").count() > 0);
    let (again, replayed) = stream(&app, &token, "stream").await;
    assert!(replayed);
    let names: Vec<&str> = again.iter().map(|event| event.name.as_str()).collect();
    assert_eq!((names.as_slice(), &again[0].data), (["done"].as_slice(), answer));
    let whole = ask(&app, &token, "stream").await;
    assert_eq!(&whole.body["data"], answer);
    assert_eq!(app.calls(1), 1);
}

#[tokio::test]
async fn a_kill_in_the_middle_does_not_block_the_key() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let data = TempDir::new().unwrap();
    let post = |client: &Client, base: &str| {
        let request = client
            .post(format!("{base}{ANALYZE}"))
            .header("idempotency-key", "killed");
        request.json(&json!({ "prompt": PROMPT })).send()
    };
    let first = start(data.path(), &sim);
    sim.script(&key(1), "*", vec![Behaviour::answer().hang_before_headers()]);
    let client = sign_in(&first).await;
    let asking = post(&client, &first.base);
    tokio::select! {
        _ = asking => panic!("answered by a provider that hangs"),
        seen = sim.wait_for(|calls| calls.len() == 1) => {
            seen.unwrap();
            first.kill();
        }
    }
    let second = start(data.path(), &sim);
    let client = sign_in(&second).await;
    let mut answers: Vec<Value> = Vec::new();
    for _ in 0..2 {
        let answer = post(&client, &second.base).await.unwrap();
        assert_eq!(answer.status(), 200);
        answers.push(answer.json().await.unwrap());
    }
    assert_eq!(answers[0]["data"], answers[1]["data"]);
    assert_eq!(sim.calls().len(), 2);
    second.kill();
}

#[tokio::test]
async fn what_its_owner_erased_is_not_given_again() {
    for setup in [setup, without_history] {
        let app = spawn(setup()).await;
        let token = app.user().await;
        let first = done(&app, &token, "erased").await;
        let id = first.text("/data/id");
        let deleted = app
            .call(Method::DELETE, &format!("{ANALYSES}/{id}"), &token, None)
            .await;
        assert_eq!(deleted.status, 200, "{}", deleted.body);
        check(&app, &token, "erased", &first, false).await;
        let second = done(&app, &token, "all").await;
        let erased = app.call(Method::DELETE, ANALYSES, &token, None).await;
        assert_eq!(erased.status, 200, "{}", erased.body);
        check(&app, &token, "all", &second, false).await;
    }
}

#[tokio::test]
async fn without_a_history_answers_are_given_again_until_the_restart() {
    let app = spawn(without_history()).await;
    let email = app.account(app::types::Role::User).await;
    let token = app.login(&email).await;
    let first = done(&app, &token, "memory").await;
    check(&app, &token, "memory", &first, true).await;
    let refused = request(&app, ANALYZE, &token, "memory", "Something else");
    assert_eq!(refused.send().await.unwrap().status(), 409);
    app.clock.advance(DAY);
    let token = app.login(&email).await;
    check(&app, &token, "memory", &first, false).await;
    let kept = ask(&app, &token, "memory").await;
    let app = app.restart(without_history()).await;
    check(&app, &token, "memory", &kept, false).await;
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_before_anything_is_asked() {
    let app = spawn(setup()).await;
    let token = app.user().await;
    let long = "k".repeat(256);
    for keys in [vec![""], vec!["a b"], vec!["\u{e9}"], vec![&long], vec!["a", "a"]] {
        let mut request = app
            .request(Method::POST, ANALYZE)
            .bearer_auth(&token)
            .json(&json!({ "prompt": PROMPT }));
        for key in &keys {
            request = request.header("idempotency-key", *key);
        }
        let refused = Reply::of(request.send().await.unwrap()).await;
        assert_eq!(refused.status, 400, "{keys:?}");
        assert!(refused.text("/message").contains("Idempotency-Key"), "{keys:?}");
    }
    assert_eq!(app.calls(1), 0);
    done(&app, &token, &"k".repeat(255)).await;
}
