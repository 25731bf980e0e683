//! Keys of one project share its quota: by the provider's word, or by the admin's.

use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use simulator::{Behaviour, Limits, Simulator};
use tempfile::TempDir;

use super::{find, keys, path, send, with_keys};
use crate::process::{sign_in, start};
use crate::support::{App, key, spawn};

const PROJECT: &str = "123456789012";

/// Keys 1 and 2 are of one project with a small day; key 3 has another project and serves all day.
pub(crate) async fn with_siblings(requests_per_day: u64) -> App {
    let app = spawn(with_keys(3)).await;
    app.sim.set_now_ms(Some(app.clock.now().as_millis()));
    for number in [1, 2] {
        app.sim.assign(&key(number), PROJECT);
    }
    let limits = Limits {
        rpm: None,
        tpm: None,
        rpd: Some(requests_per_day),
    };
    app.sim.limit(PROJECT, "*", limits);
    app
}

/// The next probe of a key is refused with an error that names the project, and the one after it is accepted.
async fn reveal(app: &App, admin: &str, number: u32) {
    app.sim
        .script(&key(number), "(probes)", vec![Behaviour::fixture("api-disabled")]);
    let test = format!("{}/test", path(app, admin, number).await);
    assert_eq!(
        app.post(&test, admin, &json!({})).await.text("/data/outcome"),
        "key_config"
    );
    until(async || find(app, admin, number).await["project"] == PROJECT).await;
    assert_eq!(app.post(&test, admin, &json!({})).await.text("/data/status"), "success");
}

/// What tasks write down is there a moment later.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let seen = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), seen)
        .await
        .expect("seen in time");
}

/// Calls of keys 1 and 2 that met the spent day while the user got answers.
async fn wasted(app: &App, user: &str, requests: usize) -> usize {
    let mut wasted = 0;
    for _ in 0..requests {
        let answer = app.analyze(user).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let attempts = answer.body["data"]["attempts"].as_array().unwrap();
        wasted += attempts
            .iter()
            .filter(|attempt| attempt["outcome"] == "day_quota")
            .count();
    }
    wasted
}

/// So many requests that both keys are tried, whatever the strategy.
pub(crate) async fn spend_with_both(app: &App, admin: &str, user: &str, requests: usize) -> usize {
    // Key 3 waits until the others are spent.
    let third = path(app, admin, 3).await;
    send(app, reqwest::Method::PATCH, &third, admin, &json!({ "tier": "paid" })).await;
    wasted(app, user, requests).await
}

#[tokio::test]
async fn two_keys_of_one_project_waste_one_call_a_day_once_that_is_known() {
    let app = with_siblings(4).await;
    let (admin, user) = (app.admin().await, app.user().await);
    reveal(&app, &admin, 1).await;
    reveal(&app, &admin, 2).await;
    assert_eq!(
        spend_with_both(&app, &admin, &user, 10).await,
        1,
        "of either key, for both"
    );
    let calls = (app.calls(1), app.calls(2));

    let app = app.restart(with_keys(3)).await;
    assert_eq!(find(&app, &admin, 2).await["project"], PROJECT);
    assert_eq!(wasted(&app, &user, 6).await, 0, "known from before the restart");
    assert_eq!((app.calls(1), app.calls(2)), calls);

    let user = next_day(&app).await;
    assert!(wasted(&app, &user, 12).await <= 1, "the next day too");
    assert!(app.calls(1) + app.calls(2) > calls.0 + calls.1, "they serve again");
}

#[tokio::test]
async fn keys_that_are_not_known_to_be_siblings_waste_a_call_each() {
    let app = with_siblings(4).await;
    let (admin, user) = (app.admin().await, app.user().await);
    assert_eq!(spend_with_both(&app, &admin, &user, 10).await, 2);
}

#[tokio::test]
async fn an_error_while_serving_tells_the_project_too() {
    let app = spawn(with_keys(2)).await;
    let (admin, user) = (app.admin().await, app.user().await);
    app.always(1, "api-disabled");
    for _ in 0..4 {
        assert_eq!(app.analyze(&user).await.status, 200);
    }
    until(async || find(&app, &admin, 1).await["project"] == PROJECT).await;
    assert_eq!(find(&app, &admin, 2).await["project"], Value::Null);
}

#[tokio::test]
async fn the_providers_word_counts_more_than_the_admins() {
    let app = with_siblings(4).await;
    let admin = app.admin().await;
    let place = path(&app, &admin, 1).await;
    send(
        &app,
        reqwest::Method::PATCH,
        &place,
        &admin,
        &json!({ "project": "mine" }),
    )
    .await;
    assert_eq!(find(&app, &admin, 1).await["project"], "mine");
    reveal(&app, &admin, 1).await;
    assert_eq!(find(&app, &admin, 1).await["project"], PROJECT);
}

#[tokio::test]
async fn what_is_known_of_a_key_follows_it_into_its_project_also_through_a_kill() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    sim.always(&key(1), "*", Behaviour::fixture("day-quota-paid"));
    let data = TempDir::new().unwrap();
    let first = start(data.path(), &sim);
    let client = sign_in(&first).await;
    let analyze = async |client: &Client, base: &str| {
        let request = client.post(format!("{base}/api/ai-analysis/analyze"));
        request
            .json(&json!({ "prompt": "Why?" }))
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(analyze(&client, &first.base).await, 200);
    assert_eq!(sim.call_count(&key(1)), 1, "its day is spent");
    let list: Value = client
        .get(format!("{}/api/admin/keys", first.base))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let place = format!(
        "{}/api/admin/keys/{}",
        first.base,
        list["data"][0]["id"].as_str().unwrap()
    );
    let change = client
        .patch(place)
        .json(&json!({ "project": PROJECT }))
        .send()
        .await
        .unwrap();
    assert_eq!(change.status(), 200);
    first.kill();

    let second = start(data.path(), &sim);
    let client = sign_in(&second).await;
    assert_eq!(analyze(&client, &second.base).await, 200);
    assert_eq!(sim.call_count(&key(1)), 1, "still known to be spent");
    second.kill();
}

/// Gives back a user of that day: tokens do not last so long.
async fn next_day(app: &App) -> String {
    app.clock.advance(Duration::from_secs(24 * 3600));
    app.sim.set_now_ms(Some(app.clock.now().as_millis()));
    app.user().await
}

pub(crate) async fn proposals(app: &App, admin: &str) -> Vec<Value> {
    let list = app.get("/api/admin/keys/siblings", admin).await;
    list.body["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn keys_that_run_dry_together_are_proposed_as_siblings_and_confirmed() {
    let app = with_siblings(4).await;
    let (admin, user) = (app.admin().await, app.user().await);
    spend_with_both(&app, &admin, &user, 10).await;
    until(async || !proposals(&app, &admin).await.is_empty()).await;
    let proposed = proposals(&app, &admin).await;
    let numbers: Vec<&Value> = proposed[0]["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["keyNumber"])
        .collect();
    assert_eq!((proposed.len(), numbers), (1, vec![&json!(1), &json!(2)]));

    let app = app.restart(with_keys(3)).await;
    let place = format!(
        "/api/admin/keys/siblings/{}",
        proposals(&app, &admin).await[0]["id"].as_str().unwrap()
    );
    let left = app.post(&format!("{place}/confirm"), &admin, &json!({})).await;
    assert_eq!((left.status, &left.body["data"]), (200, &json!([])));
    let (first, second) = (find(&app, &admin, 1).await, find(&app, &admin, 2).await);
    assert!(first["project"].is_string());
    assert_eq!(first["project"], second["project"]);
    assert_eq!(
        app.post(&format!("{place}/confirm"), &admin, &json!({})).await.status,
        404
    );

    let user = next_day(&app).await;
    let calls = app.calls(1) + app.calls(2);
    assert!(wasted(&app, &user, 12).await <= 1, "they share what is known");
    assert!(app.calls(1) + app.calls(2) > calls, "they serve again");
}

#[tokio::test]
async fn siblings_that_were_dismissed_are_not_proposed_again() {
    let app = with_siblings(4).await;
    let (admin, user) = (app.admin().await, app.user().await);
    spend_with_both(&app, &admin, &user, 10).await;
    until(async || !proposals(&app, &admin).await.is_empty()).await;
    let place = format!(
        "/api/admin/keys/siblings/{}",
        proposals(&app, &admin).await[0]["id"].as_str().unwrap()
    );
    let left = app.post(&format!("{place}/dismiss"), &admin, &json!({})).await;
    assert_eq!((left.status, &left.body["data"]), (200, &json!([])));
    assert_eq!(
        app.post(&format!("{place}/dismiss"), &admin, &json!({})).await.status,
        404
    );
    let app = app.restart(with_keys(3)).await;
    app.post("/api/admin/keys/reset-quota", &admin, &json!({})).await;
    wasted(&app, &user, 6).await;
    let app = app.restart(with_keys(3)).await;
    assert!(
        proposals(&app, &admin).await.is_empty(),
        "the stop wrote down all that was seen"
    );
    assert!(keys(&app, &admin).await.iter().all(|key| key["project"] == Value::Null));
}
