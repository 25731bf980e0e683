//! Alerts from outside: what opens them, what ends them, who is told, and what people do about them.

mod preview;
mod rules;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use simulator::Behaviour;

use crate::notify::receivers::Receiver;
use crate::support::{ADMIN, App, Reply, Setup, key, spawn};

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) async fn alerts(app: &App, admin: &str) -> Value {
    let reply = app.get("/api/admin/alerts", admin).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body["data"].clone()
}

/// Open ones by their rule.
fn open<'a>(alerts: &'a Value, rule: &str) -> Vec<&'a Value> {
    let all = alerts["incidents"].as_array().unwrap();
    all.iter().filter(|incident| incident["rule"] == rule).collect()
}

async fn history(app: &App, admin: &str) -> Vec<Value> {
    let reply = app.get("/api/admin/alerts/history?limit=100", admin).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body["data"]["items"].as_array().unwrap().clone()
}

/// Kinds of notifications that begin so, oldest first.
async fn told(app: &App, admin: &str, begin: &str) -> Vec<String> {
    let reply = app.get("/api/admin/notifications?limit=100", admin).await;
    let items = reply.body["data"]["items"].as_array().unwrap().clone();
    let kinds = items.iter().rev().map(|item| item["type"].as_str().unwrap().to_owned());
    kinds.filter(|kind| kind.starts_with(begin)).collect()
}

/// Waits until the alerts are as wanted; time stands still meanwhile.
pub(crate) async fn until(app: &App, admin: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let seen = async {
        loop {
            last = alerts(app, admin).await;
            if wanted(&last) {
                break;
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), seen).await;
    assert!(in_time.is_ok(), "{last:#}");
    last
}

/// Moves the time on, step by step, until the alerts are as wanted.
async fn advance_until(app: &App, step: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..12 {
        app.clock.advance(step);
        let admin = app.admin().await;
        let seen = async {
            loop {
                last = alerts(app, &admin).await;
                if wanted(&last) {
                    break;
                }
            }
        };
        if tokio::time::timeout(Duration::from_millis(700), seen).await.is_ok() {
            return last;
        }
    }
    panic!("{last:#}");
}

/// The same for a notification.
async fn advance_until_told(app: &App, step: Duration, kind: &str) {
    for _ in 0..12 {
        app.clock.advance(step);
        let admin = app.admin().await;
        let seen = async { while !told(app, &admin, kind).await.contains(&kind.to_owned()) {} };
        if tokio::time::timeout(Duration::from_millis(700), seen).await.is_ok() {
            return;
        }
    }
    panic!("{kind} was not told");
}

async fn ask_first(app: &App, admin: &str, number: u32) {
    let reply = app
        .post("/api/admin/keys/switch", admin, &json!({ "keyNumber": number }))
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

/// The provider withdraws a key, which is an incident at once. Its id.
pub(crate) async fn lose_a_key(app: &App, admin: &str, number: u32) -> String {
    app.always(number, "key-leaked");
    ask_first(app, admin, number).await;
    assert_eq!(app.analyze(&app.user().await).await.status, 200);
    app.sim.clear_scripts();
    let subject = json!(format!("key/{number}"));
    let of_key = |alerts: &Value| {
        let found = open(alerts, "key_needs_person").into_iter();
        let mut found = found.filter(|incident| incident["subject"] == subject);
        found.next().map(|incident| incident["id"].as_str().unwrap().to_owned())
    };
    of_key(&until(app, admin, |alerts| of_key(alerts).is_some()).await).unwrap()
}

#[tokio::test]
async fn spent_keys_are_one_incident_that_escalates_and_ends_with_the_reset() {
    let app = spawn(Setup::default()).await;
    let (user, admin) = (app.user().await, app.admin().await);
    app.always(1, "day-quota-retry-zero");
    ask_first(&app, &admin, 1).await;
    assert_eq!(app.analyze(&user).await.status, 200);
    let step = Duration::from_secs(16);
    let seen = advance_until(&app, step, |alerts| !open(alerts, "quota_exceeded").is_empty()).await;
    let first = open(&seen, "quota_exceeded")[0].clone();
    assert_eq!(
        (&first["message"], &first["severity"], &first["state"]),
        (
            &json!("1 API key(s) have exceeded quota"),
            &json!("medium"),
            &json!("open")
        )
    );
    assert!(open(&seen, "no_key_available").is_empty());

    for number in 2..=3 {
        app.always(number, "day-quota-retry-zero");
    }
    assert_eq!(app.analyze(&user).await.status, 429);
    let is_worst = |alerts: &Value| {
        open(alerts, "quota_exceeded")
            .iter()
            .any(|incident| incident["severity"] == "critical")
            && !open(alerts, "no_key_available").is_empty()
    };
    let seen = advance_until(&app, step, is_worst).await;
    let all = open(&seen, "quota_exceeded");
    assert_eq!(all.len(), 1, "it is the same incident: {seen:#}");
    assert_eq!(
        (&all[0]["id"], &all[0]["message"], &all[0]["escalated"]),
        (&first["id"], &json!("3 API key(s) have exceeded quota"), &json!(true))
    );
    let none = &open(&seen, "no_key_available")[0];
    assert_eq!(
        (&none["message"], &none["severity"]),
        (&json!("No API keys available - service degraded"), &json!("critical"))
    );

    // A minute after it was told that the service is degraded.
    advance_until_told(&app, step, "service.down").await;
    app.sim.clear_scripts();
    let admin = app.admin().await;
    app.post("/api/admin/keys/reset-quota", &admin, &json!({})).await;
    advance_until(&app, step, |alerts| alerts["incidents"] == json!([])).await;
    let admin = app.admin().await;
    let over = history(&app, &admin).await;
    assert_eq!(over.len(), 2);
    assert!(
        over.iter()
            .all(|incident| incident["state"] == "resolved" && incident["resolvedAt"].is_string())
    );
    // The announcer told of these facts, and nobody else did.
    assert_eq!(told(&app, &admin, "alert.").await, [""; 0]);
    app.stop().await;
}

/// Two of three calls with the only key succeed.
async fn fail_now_and_then(app: &App) {
    let user = app.user().await;
    let once = json!({ "prompt": "Why do rivers meander?", "maxRetries": 0 });
    for turn in 0..15 {
        if turn % 3 == 2 {
            app.sim.script(&key(1), "*", vec![Behaviour::fixture("internal")]);
        }
        app.post("/api/ai-analysis/analyze", &user, &once).await;
    }
}

fn one_key(environment: Vec<(&'static str, String)>) -> Setup {
    Setup {
        keys: 1,
        environment,
        ..Setup::default()
    }
}

/// The incident of a key that fails now and then, once it is open.
async fn low_success_rate(app: &App) -> Value {
    fail_now_and_then(app).await;
    let seen = advance_until(app, Duration::from_secs(33), |alerts| {
        !open(alerts, "low_success_rate").is_empty()
    })
    .await;
    open(&seen, "low_success_rate")[0].clone()
}

#[tokio::test]
async fn a_low_success_rate_is_told_when_it_opens_and_when_it_ends_and_never_again_by_a_restart() {
    let receiver = Receiver::start(&[], "alert.opened").await;
    let setup = || {
        one_key(vec![
            ("ALERT_WEBHOOK_URL", format!("{}/", receiver.base)),
            ("ALERT_WEBHOOK_SECRET", crate::notify::SECRET.to_owned()),
        ])
    };
    let app = spawn(setup()).await;
    let incident = low_success_rate(&app).await;
    assert_eq!(
        (&incident["message"], &incident["subject"], &incident["severity"]),
        (
            &json!("API Key 1 has low success rate: 66.67%"),
            &json!("key/1"),
            &json!("medium")
        )
    );
    let post = receiver.next().await.body();
    assert_eq!(post["data"]["alertId"], incident["id"]);
    assert_eq!(
        (&post["data"]["rule"], &post["data"]["alertSeverity"]),
        (&json!("low_success_rate"), &json!("medium"))
    );
    assert!(
        post["data"]["text"]
            .as_str()
            .unwrap()
            .starts_with("API Key 1 has low success rate: 66.67%. "),
        "{post}"
    );

    // The preview of the rule says what it opened.
    let admin = app.admin().await;
    let tried = app
        .post("/api/admin/alerts/rules/low_success_rate/preview", &admin, &json!({}))
        .await;
    assert_eq!(tried.status, 200, "{}", tried.body);
    let tried = tried.body["data"]["incidents"].as_array().unwrap();
    assert_eq!(tried.len(), 1, "{tried:#?}");
    for field in ["openedAt", "subject", "message", "severity", "resolvedAt"] {
        assert_eq!(tried[0][field], incident[field], "{field}");
    }

    let app = app.restart(setup()).await;
    for _ in 0..4 {
        app.clock.advance(MINUTE);
        let admin = app.admin().await;
        let seen = until(&app, &admin, |alerts| alerts["evaluatedAt"].is_string()).await;
        assert_eq!(open(&seen, "low_success_rate")[0]["id"], incident["id"]);
    }
    assert!(receiver.stays_quiet().await, "it was told by the process before");
    // An hour later nothing is left in its window.
    app.clock.advance(62 * MINUTE);
    advance_until(&app, MINUTE, |alerts| alerts["incidents"] == json!([])).await;
    let admin = app.admin().await;
    crate::support::eventually(async || told(&app, &admin, "alert.").await == ["alert.opened", "alert.resolved"]).await;
    assert_eq!(history(&app, &admin).await.len(), 1);
    app.stop().await;
}

async fn act(app: &App, admin: &str, id: &str, act: &str, body: Option<Value>) -> Reply {
    let path = format!("/api/admin/alerts/{id}/{act}");
    app.call(Method::POST, &path, admin, body.as_ref()).await
}

#[tokio::test]
async fn an_incident_is_acknowledged_silenced_and_ended_by_people() {
    let app = spawn(Setup::default()).await;
    let admin = app.admin().await;
    let id = lose_a_key(&app, &admin, 2).await;
    let seen = alerts(&app, &admin).await;
    let incident = open(&seen, "key_needs_person")[0];
    assert_eq!(
        (&incident["severity"], &incident["message"], &incident["acknowledgedAt"]),
        (
            &json!("critical"),
            &json!("Key 2 was revoked by the provider"),
            &Value::Null
        )
    );

    let acknowledged = act(&app, &admin, &id, "acknowledge", None).await;
    assert_eq!(acknowledged.status, 200, "{}", acknowledged.body);
    let data = &acknowledged.body["data"];
    assert_eq!(
        (&data["state"], &data["acknowledgedBy"]),
        (&json!("acknowledged"), &json!(ADMIN))
    );
    assert_eq!(data["acknowledgedAt"], "2026-01-15T12:00:00.000Z");

    let silenced = act(&app, &admin, &id, "silence", Some(json!({ "minutes": 10 }))).await;
    let data = &silenced.body["data"];
    assert_eq!(
        (&data["state"], &data["silencedUntil"]),
        (&json!("silenced"), &json!("2026-01-15T12:10:00.000Z"))
    );
    app.clock.advance(10 * MINUTE);
    let admin = app.admin().await;
    until(&app, &admin, |alerts| {
        open(alerts, "key_needs_person")[0]["state"] == "acknowledged"
    })
    .await;
    act(&app, &admin, &id, "silence", Some(json!({ "minutes": 10 }))).await;
    let ended = act(&app, &admin, &id, "silence", Some(json!({ "minutes": 0 }))).await;
    assert_eq!(
        (&ended.body["data"]["silencedUntil"], &ended.body["data"]["state"]),
        (&Value::Null, &json!("acknowledged"))
    );

    let resolved = act(&app, &admin, &id, "resolve", None).await;
    assert_eq!(resolved.body["data"]["state"], "resolved", "{}", resolved.body);
    assert!(open(&alerts(&app, &admin).await, "key_needs_person").is_empty());
    assert_eq!(history(&app, &admin).await[0]["id"], id);
    // The key is still lost: after ten minutes it is another incident.
    let again = advance_until(&app, 5 * MINUTE, |alerts| !open(alerts, "key_needs_person").is_empty()).await;
    let again = open(&again, "key_needs_person")[0]["id"].clone();
    assert_ne!(again, json!(id));
    let admin = app.admin().await;
    let both: Vec<Value> = history(&app, &admin)
        .await
        .iter()
        .map(|incident| incident["id"].clone())
        .collect();
    assert_eq!(both, [again, json!(id)]);
    assert_eq!(told(&app, &admin, "alert.").await, [""; 0]);
    assert_eq!(told(&app, &admin, "key.").await, ["key.needs_person"]);
    app.stop().await;
}

#[tokio::test]
async fn of_a_silenced_incident_nothing_is_told_before_the_silence_is_over() {
    let app = spawn(one_key(Vec::new())).await;
    let incident = low_success_rate(&app).await;
    let id = incident["id"].as_str().unwrap();
    let admin = app.admin().await;
    act(&app, &admin, id, "silence", Some(json!({ "minutes": 60 }))).await;
    let path = "/api/admin/alerts/rules/low_success_rate";
    let worse = json!({ "severity": "critical" });
    assert_eq!(app.call(Method::PUT, path, &admin, Some(&worse)).await.status, 200);
    advance_until(&app, Duration::from_secs(33), |alerts| {
        open(alerts, "low_success_rate")[0]["severity"] == "critical"
    })
    .await;
    let admin = app.admin().await;
    assert_eq!(told(&app, &admin, "alert.").await, ["alert.opened"]);
    // A restart forgets no news that is held back.
    let app = app.restart(one_key(Vec::new())).await;
    let admin = app.admin().await;
    until(&app, &admin, |alerts| alerts["evaluatedAt"].is_string()).await;
    assert_eq!(told(&app, &admin, "alert.").await, ["alert.opened"]);
    act(&app, &admin, id, "silence", Some(json!({ "minutes": 0 }))).await;
    crate::support::eventually(async || told(&app, &admin, "alert.").await == ["alert.opened", "alert.escalated"])
        .await;
    // What ends while it is silenced ends without a word.
    act(&app, &admin, id, "silence", Some(json!({ "minutes": 600 }))).await;
    act(&app, &admin, id, "resolve", None).await;
    app.clock.advance(MINUTE);
    let admin = app.admin().await;
    assert_eq!(alerts(&app, &admin).await["incidents"], json!([]));
    assert_eq!(told(&app, &admin, "alert.").await, ["alert.opened", "alert.escalated"]);
    app.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_field() {
    let app = spawn(Setup::default()).await;
    let admin = app.admin().await;
    let id = lose_a_key(&app, &admin, 1).await;
    let nobody = "0197a1b2-0000-7000-8000-000000000000";
    for (incident, what, body, status, field) in [
        (nobody, "acknowledge", None, 404, None),
        (nobody, "silence", Some(json!({ "minutes": 5 })), 404, None),
        (nobody, "resolve", None, 404, None),
        (&id, "silence", None, 415, None),
        (&id, "silence", Some(json!({})), 400, None),
        (&id, "silence", Some(json!({ "minutes": 10_081 })), 400, Some("minutes")),
        (&id, "silence", Some(json!({ "minutes": -1 })), 400, Some("minutes")),
        (&id, "silence", Some(json!({ "hours": 1 })), 400, None),
    ] {
        let refused = act(&app, &admin, incident, what, body.clone()).await;
        assert_eq!(refused.status, status, "{what} {body:?}: {}", refused.body);
        if let Some(field) = field {
            assert_eq!(refused.text("/field"), field, "{what} {body:?}");
        }
    }
    assert_eq!(act(&app, &admin, &id, "resolve", None).await.status, 200);
    assert_eq!(act(&app, &admin, &id, "resolve", None).await.status, 404, "it is over");
    for query in ["limit=0", "limit=101", "limit=x", "cursor=x"] {
        for path in ["/api/admin/alerts/history", "/api/admin/incidents"] {
            let reply = app.get(&format!("{path}?{query}"), &admin).await;
            assert_eq!(reply.status, 400, "{path}?{query}");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn the_history_comes_in_pages() {
    let app = spawn(Setup {
        keys: 5,
        ..Setup::default()
    })
    .await;
    let admin = app.admin().await;
    for number in 1..=4 {
        lose_a_key(&app, &admin, number).await;
        app.clock.advance(Duration::from_secs(1));
    }
    let all = history(&app, &admin).await;
    assert!(all.len() >= 4, "{all:#?}");
    let (mut paged, mut query) = (Vec::new(), "?limit=3".to_owned());
    loop {
        let reply = app.get(&format!("/api/admin/incidents{query}"), &admin).await;
        paged.extend(reply.body["data"]["items"].as_array().unwrap().clone());
        let Some(cursor) = reply.body["data"]["nextCursor"].as_str() else {
            break;
        };
        query = format!("?limit=3&cursor={cursor}");
    }
    let ids = |list: &[Value]| list.iter().map(|incident| incident["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&paged), ids(&all));
    app.stop().await;
}

async fn page(app: &App) -> String {
    let response = app.request(Method::GET, "/admin/alerts").send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

/// Status, where it leads, and the page.
async fn send(app: &App, path: &str, fields: &[(&str, &str)]) -> (u16, Option<String>, String) {
    let response = app.request(Method::POST, path).form(fields).send().await.unwrap();
    let place = response
        .headers()
        .get("location")
        .map(|place| place.to_str().unwrap().to_owned());
    (response.status().as_u16(), place, response.text().await.unwrap())
}

#[tokio::test]
async fn alerts_are_acted_on_without_script() {
    let app = spawn(Setup::default()).await;
    let admin = app.admin().await;
    let id = lose_a_key(&app, &admin, 2).await;
    app.browser(ADMIN).await;
    let html = page(&app).await;
    assert!(
        html.contains("Key 2 was revoked by the provider") && html.contains("Low success rate of a key"),
        "{html}"
    );
    let (status, place, _) = send(&app, &format!("/admin/alerts/{id}/acknowledge"), &[]).await;
    assert_eq!(
        (status, place.as_deref()),
        (303, Some("/admin/alerts?done=alert-acknowledged"))
    );
    assert!(page(&app).await.contains(&format!("acknowledged by {ADMIN}")));
    let (status, _, html) = send(&app, &format!("/admin/alerts/{id}/silence"), &[("minutes", "soon")]).await;
    assert!(status == 400 && html.contains("Choose one of the times."), "{html}");
    let (status, _, html) = send(&app, "/admin/alerts/test", &[]).await;
    assert!(
        status == 200 && html.contains("Test sent") && html.contains("Delivered"),
        "{html}"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_rule_is_tried_changed_and_reset_without_script() {
    let app = spawn(Setup::default()).await;
    let admin = app.admin().await;
    app.browser(ADMIN).await;
    let rule = "/admin/alerts/rules/latency_jump";
    let typed = [
        ("enabled", "on"),
        ("severity", "low"),
        ("threshold", "1000"),
        ("windowMinutes", "5"),
        ("minSamples", ""),
    ];
    let (status, _, html) = send(&app, rule, &typed).await;
    assert!(
        status == 400 && html.contains("must be a number from 1.2 to 100") && html.contains(r#"value="1000""#),
        "{html}"
    );
    let typed = typed.map(|(name, value)| (name, if name == "threshold" { "3.5" } else { value }));
    let (status, _, html) = send(&app, &format!("{rule}/preview"), &typed).await;
    assert!(
        status == 200 && html.contains("It would have opened no alert.") && html.contains(r#"value="3.5""#),
        "{html}"
    );
    let of_rule = async || {
        let seen = alerts(&app, &admin).await;
        let rules = seen["rules"].as_array().unwrap().clone();
        rules.into_iter().find(|rule| rule["id"] == "latency_jump").unwrap()
    };
    assert_eq!(of_rule().await["changed"], false, "a preview changes nothing");
    let (status, ..) = send(&app, rule, &typed).await;
    assert_eq!(status, 303);
    let changed = of_rule().await;
    assert_eq!(
        (
            &changed["threshold"]["value"],
            &changed["windowMinutes"],
            &changed["minSamples"],
            &changed["severity"]
        ),
        (&json!(3.5), &json!(5), &json!(20), &json!("low"))
    );
    send(&app, &format!("{rule}/reset"), &[]).await;
    assert_eq!(of_rule().await["changed"], false);
    app.stop().await;
}

#[tokio::test]
async fn the_overview_shows_what_is_and_was_wrong_of_late() {
    let app = spawn(Setup::default()).await;
    let admin = app.admin().await;
    app.browser(ADMIN).await;
    let live = async || {
        let response = app.request(Method::GET, "/overview/live").send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.text().await.unwrap()
    };
    assert!(live().await.contains("No rule has found anything wrong."));
    let id = lose_a_key(&app, &admin, 2).await;
    let html = live().await;
    for part in [
        "Key 2 was revoked by the provider",
        "Critical",
        "Open",
        r#"href="/admin/alerts""#,
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
    act(&app, &admin, &id, "resolve", None).await;
    let html = live().await;
    assert!(
        html.contains("Key 2 was revoked by the provider") && html.contains("Resolved"),
        "{html}"
    );
    app.stop().await;
}
