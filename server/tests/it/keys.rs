//! The keys as admins handle them, over HTTP.

mod command_line;
pub(crate) mod grouping;
mod importing;

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use server::config::{self, Layers};
use server::startup;
use simulator::Behaviour;
use tempfile::TempDir;

use crate::support::{App, Reply, Setup, key, spawn, spawn_app};

async fn send(app: &App, method: Method, path: &str, token: &str, body: &Value) -> Reply {
    let request = app.request(method, path).bearer_auth(token).json(body);
    Reply::of(request.send().await.unwrap()).await
}

async fn keys(app: &App, admin: &str) -> Vec<Value> {
    let list = app.get("/api/admin/keys", admin).await;
    assert_eq!(list.status, 200, "{}", list.body);
    list.body["data"].as_array().unwrap().clone()
}

/// The key with this number, as admins see it.
async fn find(app: &App, admin: &str, number: u32) -> Value {
    let all = keys(app, admin).await;
    let found = all.iter().find(|key| key["keyNumber"] == number);
    found.unwrap_or_else(|| panic!("no key {number} in {all:?}")).clone()
}

async fn path(app: &App, admin: &str, number: u32) -> String {
    format!(
        "/api/admin/keys/{}",
        find(app, admin, number).await["id"].as_str().unwrap()
    )
}

fn with_keys(keys: u32) -> Setup {
    Setup {
        keys,
        ..Setup::default()
    }
}

#[tokio::test]
async fn what_is_said_of_a_key_outlives_a_restart() {
    let app = spawn(with_keys(1)).await;
    let admin = app.admin().await;
    let new = json!({
        "key": key(2), "label": "Team", "tier": "paid", "priority": 5, "weight": 3,
        "project": "projects/123456789012", "account": "Billing A", "tags": ["eu", "batch", "eu"],
    });
    let added = app.post("/api/admin/keys", &admin, &new).await;
    assert_eq!(added.status, 201, "{}", added.body);
    let data = &added.body["data"];
    assert_eq!(
        (&data["tier"], &data["priority"], &data["weight"], &data["project"]),
        (&json!("paid"), &json!(5), &json!(3), &json!("123456789012"))
    );
    assert_eq!(
        (&data["account"], &data["tags"]),
        (&json!("Billing A"), &json!(["eu", "batch"]))
    );
    assert!(
        !added.body.to_string().contains(&key(2)),
        "the secret is not shown again"
    );

    let change = json!({ "label": "Other", "tier": "free", "project": null, "tags": [], "weight": 1 });
    let changed = send(&app, Method::PATCH, &path(&app, &admin, 2).await, &admin, &change).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let app = app.restart(with_keys(1)).await;
    let data = find(&app, &app.admin().await, 2).await;
    assert_eq!(
        (
            &data["label"],
            &data["tier"],
            &data["priority"],
            &data["project"],
            &data["account"]
        ),
        (
            &json!("Other"),
            &json!("free"),
            &json!(5),
            &Value::Null,
            &json!("Billing A")
        )
    );
    assert_eq!((&data["tags"], &data["weight"]), (&json!([]), &json!(1)));
}

#[tokio::test]
async fn a_change_that_does_not_fit_names_its_field_and_changes_nothing() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    let before = keys(&app, &admin).await;
    let place = path(&app, &admin, 1).await;
    for (change, field) in [
        (json!({ "weight": 0 }), Some("weight")),
        (json!({ "priority": 5000 }), Some("priority")),
        (json!({ "tags": ["a\nb"] }), Some("tags")),
        (json!({ "project": "x".repeat(101) }), Some("project")),
        (json!({ "label": "Mine" }), Some("label")),
        (json!({ "tier": "golden" }), Some("tier")),
        (json!({ "secret": "x" }), Some("secret")),
    ] {
        let refused = send(&app, Method::PATCH, &place, &admin, &change).await;
        assert_eq!(refused.status, 400, "{change}: {}", refused.body);
        assert_eq!(refused.body["field"].as_str(), field, "{change}: {}", refused.body);
    }
    assert_eq!(keys(&app, &admin).await, before);
    for unknown in ["/api/admin/keys/999", "/api/admin/keys/x", "/api/admin/keys/-1"] {
        let refused = send(&app, Method::PATCH, unknown, &admin, &json!({})).await;
        assert_eq!((refused.status, refused.text("/error").as_str()), (404, "NOT_FOUND"));
    }
}

#[tokio::test]
async fn a_key_that_is_switched_off_serves_nobody_also_after_a_restart() {
    let app = spawn(with_keys(2)).await;
    let (admin, user) = (app.admin().await, app.user().await);
    let place = path(&app, &admin, 1).await;
    let off = app.post(&format!("{place}/disable"), &admin, &json!({})).await;
    assert_eq!((off.status, off.text("/data/state").as_str()), (200, "disabled"));
    let app = app.restart(with_keys(2)).await;
    for _ in 0..6 {
        assert_eq!(app.analyze(&user).await.status, 200);
    }
    assert_eq!((app.calls(1), app.calls(2)), (0, 6));

    let last = app
        .post(&format!("{}/disable", path(&app, &admin, 2).await), &admin, &json!({}))
        .await;
    assert_eq!(
        (last.status, last.text("/error").as_str()),
        (409, "CONFLICT"),
        "{}",
        last.body
    );
    let patched = send(
        &app,
        Method::PATCH,
        &path(&app, &admin, 2).await,
        &admin,
        &json!({ "enabled": false }),
    )
    .await;
    assert_eq!(patched.status, 409, "the other way to do it");
    assert_eq!(app.analyze(&user).await.status, 200, "it is still on");

    let forced = app
        .post(
            &format!("{}/disable", path(&app, &admin, 2).await),
            &admin,
            &json!({ "force": true }),
        )
        .await;
    assert_eq!(forced.status, 200);
    assert_eq!(app.analyze(&user).await.text("/error"), "INVALID_KEYS");
    let on = app.post(&format!("{place}/enable"), &admin, &json!({})).await;
    assert_eq!((on.status, on.text("/data/state").as_str()), (200, "available"));
    assert_eq!(app.analyze(&user).await.status, 200);
    assert_eq!(app.calls(1), 1);
}

#[tokio::test]
async fn a_spent_key_is_not_the_last_usable_one_only_because_it_rests() {
    let app = spawn(with_keys(2)).await;
    let (admin, user) = (app.admin().await, app.user().await);
    app.always(1, "key-leaked");
    app.always(2, "day-quota-paid");
    app.analyze(&user).await;
    app.analyze(&user).await;
    // Key 1 is revoked: key 2 is all that is left, though its day is spent.
    let last = app
        .post(&format!("{}/disable", path(&app, &admin, 2).await), &admin, &json!({}))
        .await;
    assert_eq!(last.status, 409, "{}", last.body);
    let revoked = app
        .post(&format!("{}/disable", path(&app, &admin, 1).await), &admin, &json!({}))
        .await;
    assert_eq!(revoked.status, 200, "it cannot serve anyway: {}", revoked.body);
}

#[tokio::test]
async fn a_key_of_the_console_is_deleted_and_one_of_the_environment_says_how() {
    let app = spawn(with_keys(1)).await;
    let (admin, user) = (app.admin().await, app.user().await);
    app.post("/api/admin/keys", &admin, &json!({ "key": key(2) })).await;
    let of_environment = send(&app, Method::DELETE, &path(&app, &admin, 1).await, &admin, &json!({})).await;
    assert_eq!(of_environment.status, 409);
    assert!(of_environment.text("/message").contains("GOOGLE_AI_API_KEY_1"));
    let place = path(&app, &admin, 2).await;
    assert_eq!(send(&app, Method::DELETE, &place, &admin, &json!({})).await.status, 200);
    assert_eq!(send(&app, Method::DELETE, &place, &admin, &json!({})).await.status, 404);
    assert_eq!(keys(&app, &admin).await.len(), 1);
    let probes = app.calls(2);
    for _ in 0..4 {
        assert_eq!(app.analyze(&user).await.status, 200);
    }
    assert_eq!(app.calls(2), probes, "its secret is not used any more");
    let again = app.post("/api/admin/keys", &admin, &json!({ "key": key(2) })).await;
    assert_eq!(
        again.body["data"]["keyNumber"], 3,
        "2 was the number of the deleted key"
    );
}

#[tokio::test]
async fn the_last_key_is_deleted_by_force_only() {
    let app = spawn(with_keys(0)).await;
    let admin = app.admin().await;
    app.post("/api/admin/keys", &admin, &json!({ "key": key(1) })).await;
    let place = path(&app, &admin, 1).await;
    assert_eq!(send(&app, Method::DELETE, &place, &admin, &json!({})).await.status, 409);
    let forced = send(&app, Method::DELETE, &place, &admin, &json!({ "force": true })).await;
    assert_eq!(forced.status, 200, "{}", forced.body);
    assert!(keys(&app, &admin).await.is_empty());
    assert_eq!(app.analyze(&app.user().await).await.text("/error"), "NO_KEYS");
}

#[tokio::test]
async fn a_key_that_is_there_is_not_asked_about_again() {
    let app = spawn(with_keys(1)).await;
    let admin = app.admin().await;
    let twice = app
        .post("/api/admin/keys", &admin, &json!({ "key": format!("'{}'", key(1)) }))
        .await;
    assert_eq!((twice.status, twice.text("/field").as_str()), (409, "key"));
    assert_eq!(app.calls(1), 0, "the answer was known");
}

#[tokio::test]
async fn a_key_can_be_kept_untested() {
    let app = spawn(with_keys(0)).await;
    let admin = app.admin().await;
    let added = app
        .post("/api/admin/keys", &admin, &json!({ "key": key(5), "test": false }))
        .await;
    assert_eq!(added.status, 201, "{}", added.body);
    assert_eq!(app.calls(5), 0);
}

#[tokio::test]
async fn one_key_is_tested_and_its_fault_is_known_at_once() {
    let app = spawn(with_keys(2)).await;
    let (admin, user) = (app.admin().await, app.user().await);
    app.always(1, "key-leaked");
    let test = app
        .post(&format!("{}/test", path(&app, &admin, 1).await), &admin, &json!({}))
        .await;
    assert_eq!((test.status, test.text("/data/status").as_str()), (200, "failed"));
    assert_eq!(test.text("/data/outcome"), "revoked");
    assert!(test.text("/data/error").contains("AI Studio"), "it says what to do");
    assert_eq!(app.calls(2), 0, "the other was not asked");
    for _ in 0..4 {
        assert_eq!(app.analyze(&user).await.status, 200);
    }
    assert_eq!(app.calls(1), 1, "the test alone");
}

#[tokio::test]
async fn a_reset_is_of_one_cell_of_one_key_or_of_all() {
    const OTHER: &str = "gemini-2.5-pro";
    let app = spawn(with_keys(1)).await;
    let (admin, user) = (app.admin().await, app.user().await);
    app.sim.always(&key(1), "*", Behaviour::fixture("day-quota-paid"));
    let other = json!({ "prompt": "Why?", "model": OTHER });
    app.analyze(&user).await;
    app.post("/api/ai-analysis/analyze", &user, &other).await;
    let spent = async || -> Vec<String> {
        let key = find(&app, &admin, 1).await;
        let cells = key["cells"].as_array().unwrap().iter();
        cells
            .filter(|cell| cell["state"] == "quota_reached")
            .map(|cell| cell["model"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(spent().await.len(), 2);
    let place = path(&app, &admin, 1).await;
    let reset = app
        .post(&format!("{place}/reset"), &admin, &json!({ "model": OTHER }))
        .await;
    assert_eq!(reset.status, 200, "{}", reset.body);
    let left = spent().await;
    assert_eq!(left.len(), 1);
    assert_ne!(left[0], OTHER);

    let unknown = app
        .post(&format!("{place}/reset"), &admin, &json!({ "model": "gemini-9" }))
        .await;
    assert_eq!((unknown.status, unknown.text("/field").as_str()), (404, "model"));
    let by_model = app
        .post("/api/admin/keys/reset-quota", &admin, &json!({ "model": left[0] }))
        .await;
    assert_eq!(by_model.status, 200, "{}", by_model.body);
    assert_eq!(spent().await.len(), 0);

    app.analyze(&user).await;
    assert_eq!(spent().await.len(), 1);
    assert_eq!(
        app.post(&format!("{place}/reset"), &admin, &json!({})).await.status,
        200
    );
    assert_eq!(spent().await.len(), 0);
    app.analyze(&user).await;
    assert_eq!(
        app.post("/api/admin/keys/reset-quota", &admin, &json!({})).await.status,
        200
    );
    let app = app.restart(with_keys(1)).await;
    assert_eq!(
        find(&app, &admin, 1).await["quotaExceeded"],
        false,
        "the reset was stored"
    );
}

#[tokio::test]
async fn all_keys_of_a_project_have_its_account() {
    let app = spawn(with_keys(3)).await;
    let admin = app.admin().await;
    let set = async |number: u32, change: Value| {
        let changed = send(&app, Method::PATCH, &path(&app, &admin, number).await, &admin, &change).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
    };
    let accounts = async || -> Vec<Value> {
        keys(&app, &admin)
            .await
            .iter()
            .map(|key| key["account"].clone())
            .collect()
    };
    set(1, json!({ "project": "team", "account": "A" })).await;
    set(2, json!({ "project": "team" })).await;
    assert_eq!(
        accounts().await,
        [json!("A"), json!("A"), Value::Null],
        "who joins takes it"
    );
    set(2, json!({ "account": "B" })).await;
    assert_eq!(
        accounts().await,
        [json!("B"), json!("B"), Value::Null],
        "one word counts for all"
    );
    set(1, json!({ "account": null })).await;
    set(3, json!({ "account": "C", "project": "team" })).await;
    assert_eq!(
        accounts().await,
        [json!("C"), json!("C"), json!("C")],
        "who joins brings it"
    );
}

#[tokio::test]
async fn a_change_is_made_whole_even_when_who_asked_for_it_leaves() {
    let data = TempDir::new().unwrap();
    let environment = [
        ("DATA_DIR", data.path().display().to_string()),
        ("GOOGLE_AI_API_KEY_1", key(1)),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
    let layers = Layers {
        environment,
        ..Layers::default()
    };
    let opened = startup::open_keys(&config::check(&layers).unwrap()).await.unwrap();
    let (admin, status) = (Arc::clone(&opened.keys), opened.status.clone());
    let id = admin.keyring.all()[0].id.to_string();
    {
        let mut leaving = std::pin::pin!(admin.set_enabled(&id, false, true));
        assert!(futures::poll!(&mut leaving).is_pending(), "it waits for the store");
    }
    opened.close().await.unwrap();
    let key = server::keys::list(&admin.keyring, status.read()).remove(0);
    assert_eq!((key.enabled, key.status.state.label()), (false, "Disabled"));
}
