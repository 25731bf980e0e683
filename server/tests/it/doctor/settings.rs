//! Settings in effect, and those that an admin changes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, PASSWORD, Reply, Setup, key, spawn};

fn sticky_by_environment() -> Setup {
    Setup {
        environment: vec![("KEYPOOL_STRATEGY", "fill_first".to_owned())],
        ..Setup::default()
    }
}

async fn list(app: &App, admin: &str) -> Vec<Value> {
    let reply = app.get("/api/admin/settings", admin).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body["data"].as_array().unwrap().clone()
}

async fn setting(app: &App, admin: &str, name: &str) -> (Value, Value, Value) {
    let all = list(app, admin).await;
    let found = all.iter().find(|setting| setting["name"] == name).unwrap();
    (
        found["value"].clone(),
        found["source"].clone(),
        found["changeable"].clone(),
    )
}

async fn change(app: &App, admin: &str, body: Value) -> Reply {
    let request = app
        .request(Method::PATCH, "/api/admin/settings")
        .bearer_auth(admin)
        .json(&body);
    Reply::of(request.send().await.unwrap()).await
}

/// Which key answers, one request after the other.
async fn answered_by(app: &App, user: &str, requests: usize) -> Vec<Value> {
    let mut keys = Vec::new();
    for _ in 0..requests {
        let answer = app.analyze(user).await;
        keys.push(answer.body["data"]["attempts"][0]["keyNumber"].clone());
    }
    keys
}

#[tokio::test]
async fn settings_are_listed_with_their_sources_and_without_secrets() {
    let app = spawn(sticky_by_environment()).await;
    let admin = app.admin().await;
    assert_eq!(
        setting(&app, &admin, "KEYPOOL_STRATEGY").await,
        (json!("fill_first"), json!("environment"), json!(true))
    );
    assert_eq!(
        setting(&app, &admin, "HOST").await,
        (json!("127.0.0.1"), json!("default"), json!(false))
    );
    assert_eq!(
        setting(&app, &admin, "KEYPOOL_LIMITS").await,
        (Value::Null, json!("default"), json!(true))
    );
    let all = list(&app, &admin).await;
    for secret in [
        "JWT_SECRET",
        "KEYPOOL_ADMIN_PASSWORD",
        "GOOGLE_AI_API_KEY_1",
        "SMTP_URL",
        "ALERT_WEBHOOK_URL",
    ] {
        assert!(!all.iter().any(|setting| setting["name"] == secret), "{secret}");
    }
    let text = Value::from(all).to_string();
    assert!(!text.contains(&key(1)) && !text.contains(PASSWORD));
}

#[tokio::test]
async fn a_strategy_set_in_the_console_wins_at_once_and_after_a_restart_until_it_is_taken_back() {
    let app = spawn(sticky_by_environment()).await;
    let (admin, user) = (app.admin().await, app.user().await);
    assert_eq!(answered_by(&app, &user, 3).await, [1, 1, 1]);

    let changed = change(&app, &admin, json!({ "strategy": "round_robin" })).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let mut keys: Vec<u64> = answered_by(&app, &user, 3)
        .await
        .iter()
        .map(|key| key.as_u64().unwrap())
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, [1, 2, 3]);

    let app = app.restart(sticky_by_environment()).await;
    assert_eq!(
        setting(&app, &admin, "KEYPOOL_STRATEGY").await,
        (json!("round_robin"), json!("console"), json!(true))
    );
    change(&app, &admin, json!({ "strategy": null })).await;
    assert_eq!(
        setting(&app, &admin, "KEYPOOL_STRATEGY").await,
        (json!("fill_first"), json!("environment"), json!(true))
    );
    assert_eq!(answered_by(&app, &user, 2).await, [1, 1]);
    let app = app.restart(sticky_by_environment()).await;
    assert_eq!(setting(&app, &admin, "KEYPOOL_STRATEGY").await.1, "environment");
}

#[tokio::test]
async fn limits_set_in_the_console_hold_at_once_and_after_a_restart() {
    let one = || Setup {
        keys: 1,
        ..Setup::default()
    };
    let app = spawn(one()).await;
    let (admin, user) = (app.admin().await, app.user().await);
    let limits = "gemini-2.5-flash free rpd=2";
    assert_eq!(change(&app, &admin, json!({ "limits": limits })).await.status, 200);
    for _ in 0..2 {
        assert_eq!(app.analyze(&user).await.status, 200);
    }
    assert_ne!(
        app.analyze(&user).await.status,
        200,
        "the day's limit is known without asking the provider"
    );
    assert_eq!(app.calls(1), 2);

    let app = app.restart(one()).await;
    assert_eq!(
        setting(&app, &admin, "KEYPOOL_LIMITS").await,
        (json!(limits), json!("console"), json!(true))
    );
    assert_ne!(app.analyze(&user).await.status, 200);
    assert_eq!(change(&app, &admin, json!({ "limits": null })).await.status, 200);
    assert_eq!(
        app.status(&user).await["availableKeys"][0]["cells"][0]["limitPerDay"],
        Value::Null
    );
    // What was spent under the old limit rests until the day ends or a person says otherwise.
    app.post("/api/admin/keys/reset-quota", &admin, &json!({})).await;
    for _ in 0..3 {
        assert_eq!(app.analyze(&user).await.status, 200);
    }
}

#[tokio::test]
async fn a_setting_that_does_not_fit_names_its_field_and_changes_nothing() {
    let app = spawn(sticky_by_environment()).await;
    let admin = app.admin().await;
    for (body, field) in [
        (json!({ "strategy": "best" }), "strategy"),
        (json!({ "strategy": "sticky", "limits": "flash" }), "limits"),
    ] {
        let refused = change(&app, &admin, body.clone()).await;
        assert_eq!(
            (refused.status, refused.text("/field")),
            (400, field.to_owned()),
            "{body}"
        );
    }
    assert_eq!(change(&app, &admin, json!({ "port": "1" })).await.status, 400);
    assert_eq!(setting(&app, &admin, "KEYPOOL_STRATEGY").await.0, "fill_first");
}

#[tokio::test]
async fn a_switch_survives_a_restart_and_is_undone_by_setting_a_strategy() {
    let app = spawn(sticky_by_environment()).await;
    let (admin, user) = (app.admin().await, app.user().await);
    let switched = app
        .post("/api/admin/keys/switch", &admin, &json!({ "keyNumber": 2 }))
        .await;
    assert_eq!(switched.status, 200, "{}", switched.body);
    assert_eq!(answered_by(&app, &user, 2).await, [2, 2]);
    let app = app.restart(sticky_by_environment()).await;
    assert_eq!(setting(&app, &admin, "KEYPOOL_STRATEGY").await.0, "sticky");
    assert_eq!(answered_by(&app, &user, 2).await, [2, 2]);
    change(&app, &admin, json!({ "strategy": null })).await;
    assert_eq!(answered_by(&app, &user, 2).await, [1, 1]);
    let unknown = app
        .post("/api/admin/keys/switch", &admin, &json!({ "keyNumber": 9 }))
        .await;
    assert_eq!(unknown.status, 404);
}
