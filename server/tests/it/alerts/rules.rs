//! Rules as admins change and try them.

use app::types::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{alerts, lose_a_key, open, until};
use crate::support::{App, Reply, Setup, spawn_app};

async fn change(app: &App, admin: &str, rule: &str, patch: &Value) -> Reply {
    let path = format!("/api/admin/alerts/rules/{rule}");
    app.call(Method::PUT, &path, admin, Some(patch)).await
}

async fn rule(app: &App, admin: &str, id: &str) -> Value {
    let seen = alerts(app, admin).await;
    let rules = seen["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 9);
    rules.iter().find(|rule| rule["id"] == id).unwrap().clone()
}

#[tokio::test]
async fn a_changed_rule_holds_at_once_and_after_a_restart_until_null_takes_it_back() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    let usual = rule(&app, &admin, "low_success_rate").await;
    assert_eq!(
        (
            &usual["threshold"],
            &usual["windowMinutes"],
            &usual["minSamples"],
            &usual["holdSeconds"]
        ),
        (
            &json!({ "value": 80.0, "unit": "percent", "min": 1.0, "max": 100.0 }),
            &json!(60),
            &json!(11),
            &json!(60)
        )
    );
    assert_eq!(
        (&usual["changed"], &usual["enabled"], &usual["toldAs"]),
        (&json!(false), &json!(true), &json!("alert"))
    );
    let patch = json!({ "threshold": 95.5, "windowMinutes": 5, "severity": "critical" });
    let changed = change(&app, &admin, "low_success_rate", &patch).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.body["data"]["threshold"]["value"], 95.5);
    let app = app.restart(Setup::default()).await;
    let kept = rule(&app, &admin, "low_success_rate").await;
    assert_eq!(kept, changed.body["data"]);
    assert_eq!(kept["changed"], true);
    let back = json!({ "threshold": null, "windowMinutes": null, "severity": null });
    change(&app, &admin, "low_success_rate", &back).await;
    assert_eq!(rule(&app, &admin, "low_success_rate").await, usual);
    app.stop().await;
}

#[tokio::test]
async fn a_rule_that_is_switched_off_ends_its_incidents_without_a_word() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    lose_a_key(&app, &admin, 1).await;
    change(&app, &admin, "key_needs_person", &json!({ "enabled": false })).await;
    until(&app, &admin, |alerts| open(alerts, "key_needs_person").is_empty()).await;
    change(&app, &admin, "key_needs_person", &json!({ "enabled": null })).await;
    until(&app, &admin, |alerts| !open(alerts, "key_needs_person").is_empty()).await;
    assert_eq!(super::told(&app, &admin, "alert.").await, [""; 0]);
    app.stop().await;
}

#[tokio::test]
async fn a_change_that_does_not_fit_names_its_field_and_changes_nothing() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    for (id, patch, status, field) in [
        ("low_success_rate", json!({ "threshold": 0 }), 400, "threshold"),
        ("low_success_rate", json!({ "threshold": 101 }), 400, "threshold"),
        ("low_success_rate", json!({ "threshold": "80" }), 400, "threshold"),
        (
            "low_success_rate",
            json!({ "windowMinutes": 361 }),
            400,
            "windowMinutes",
        ),
        (
            "low_success_rate",
            json!({ "windowMinutes": 1.5 }),
            400,
            "windowMinutes",
        ),
        ("low_success_rate", json!({ "minSamples": 0 }), 400, "minSamples"),
        (
            "low_success_rate",
            json!({ "minSamples": 5, "threshold": -1 }),
            400,
            "threshold",
        ),
        ("low_success_rate", json!({ "severity": "loud" }), 400, "severity"),
        ("store_trouble", json!({ "threshold": 1 }), 400, "threshold"),
        ("quota_exceeded", json!({ "threshold": 1.5 }), 400, "threshold"),
        ("quota_exceeded", json!({ "windowMinutes": 5 }), 400, "windowMinutes"),
        ("low_success_rate", json!({ "treshold": 90 }), 400, ""),
        ("no_such_rule", json!({ "enabled": false }), 404, ""),
    ] {
        let path = format!("/api/admin/alerts/rules/{id}/preview");
        for refused in [
            change(&app, &admin, id, &patch).await,
            app.post(&path, &admin, &patch).await,
        ] {
            assert_eq!(refused.status, status, "{id} {patch}: {}", refused.body);
            if !field.is_empty() {
                assert_eq!(refused.text("/field"), field, "{id} {patch}");
            }
        }
    }
    let seen = alerts(&app, &admin).await;
    assert!(
        seen["rules"]
            .as_array()
            .unwrap()
            .iter()
            .all(|rule| rule["changed"] == false),
        "{seen:#}"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_preview_of_a_rule_about_the_pool_tries_it_on_what_is_so_now() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    let tried = async |patch: Value| {
        let reply = app
            .post("/api/admin/alerts/rules/key_needs_person/preview", &admin, &patch)
            .await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body["data"].clone()
    };
    assert_eq!(tried(json!({})).await["incidents"], json!([]));
    lose_a_key(&app, &admin, 3).await;
    // One that is switched off can be tried all the same.
    let seen = tried(json!({ "enabled": false, "severity": "low" })).await;
    assert_eq!(
        (&seen["basis"], &seen["rule"]["severity"]),
        (&json!("now"), &json!("low"))
    );
    assert_eq!(
        seen["incidents"],
        json!([{
            "subject": "key/3", "severity": "critical", "message": "Key 3 was revoked by the provider",
            "openedAt": "2026-01-15T12:00:00.000Z", "resolvedAt": null
        }])
    );
    assert_eq!(alerts(&app, &admin).await["rules"][2]["enabled"], true);
    app.stop().await;
}

#[tokio::test]
async fn alerts_are_for_admins_alone() {
    let app = spawn_app().await;
    for role in [Role::User, Role::Viewer] {
        let token = app.login(&app.account(role).await).await;
        for path in ["/api/admin/alerts", "/api/admin/alerts/history", "/api/admin/incidents"] {
            assert_eq!(app.get(path, &token).await.status, 403, "{path} as {role:?}");
        }
        let refused = change(&app, &token, "low_success_rate", &json!({ "enabled": false })).await;
        assert_eq!(refused.status, 403, "{role:?}");
    }
    app.stop().await;
}
