//! Notifications as their receivers see them: a real HTTP receiver, a real SMTP listener, time moved by hand.

mod chat;
pub(crate) mod receivers;
mod scheduled;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{App, Reply, Setup, spawn};
use receivers::{MailServer, Post, Receiver};

/// 32 bytes.
pub(crate) const SECRET: &str = "whsec_Y2FuYXJ5LXdlYmhvb2stc2VjcmV0LTAxMjM0NTY3ODk=";
const URL_CANARY: &str = "canary-path-token";

fn with_webhook(receiver: &Receiver) -> Setup {
    Setup {
        environment: vec![
            ("ALERT_WEBHOOK_URL", format!("{}/{URL_CANARY}", receiver.base)),
            ("ALERT_WEBHOOK_SECRET", SECRET.to_owned()),
        ],
        ..Setup::default()
    }
}

fn check_signature(post: &Post) {
    let header = |name: &str| post.headers[name].to_str().unwrap().to_owned();
    let key = STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let signed = format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), post.text);
    mac.update(signed.as_bytes());
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), expected);
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(post.body()["data"]["id"], header("webhook-id"));
}

fn check_no_secret(text: &str) {
    for secret in ["canary-provider-key", SECRET, URL_CANARY] {
        assert!(!text.contains(secret), "{text}");
    }
}

/// The delivery log, newest first.
async fn log(app: &App, admin: &str) -> Vec<Value> {
    let reply = app.get("/api/admin/notifications?limit=100", admin).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    check_no_secret(&reply.body.to_string());
    reply.body["data"]["items"].as_array().unwrap().clone()
}

fn kinds(log: &[Value]) -> Vec<&str> {
    log.iter().map(|item| item["type"].as_str().unwrap()).collect()
}

/// Waits until the delivery log is as wanted; time stands still meanwhile.
async fn until(app: &App, admin: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let mut last = Vec::new();
    let seen = async {
        loop {
            last = log(app, admin).await;
            if wanted(&last) {
                break;
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), seen).await;
    assert!(in_time.is_ok(), "{last:#?}");
    last
}

/// The delivery of what was told of a key, once it is as wanted.
async fn until_delivery(app: &App, admin: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let of_key = |log: &[Value]| {
        let of_key: Vec<&Value> = log.iter().filter(|item| item["type"] == "key.needs_person").collect();
        assert!(of_key.len() <= 1, "told twice: {of_key:#?}");
        of_key.first().map(|item| item["deliveries"][0].clone())
    };
    let log = until(app, admin, |log| of_key(log).is_some_and(|delivery| wanted(&delivery))).await;
    of_key(&log).unwrap()
}

async fn until_told(app: &App, admin: &str, expected: &[&str]) -> Vec<Value> {
    until(app, admin, |log| kinds(log) == expected).await
}

/// The key answers that it was leaked; another one answers the caller.
async fn revoke(app: &App, user: &str, admin: &str, number: u32) {
    app.always(number, "key-leaked");
    ask_first(app, admin, number).await;
    assert_eq!(app.analyze(user).await.status, 200);
    app.sim.clear_scripts();
}

/// The next request tries this key before the others.
async fn ask_first(app: &App, admin: &str, number: u32) {
    let reply = app
        .post("/api/admin/keys/switch", admin, &json!({ "keyNumber": number }))
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn a_revoked_key_is_posted_once_signed_and_without_secrets() {
    let receiver = Receiver::start(&[], "key.needs_person").await;
    let app = spawn(with_webhook(&receiver)).await;
    let (user, admin) = (app.user().await, app.admin().await);
    revoke(&app, &user, &admin, 2).await;
    let post = receiver.next().await;
    check_signature(&post);
    check_no_secret(&post.text);
    let body = post.body();
    assert_eq!(
        (&body["type"], &body["data"]["severity"]),
        (&json!("key.needs_person"), &json!("critical"))
    );
    assert_eq!(
        (&body["data"]["reason"], &body["data"]["keys"][0]["keyNumber"]),
        (&json!("revoked"), &json!(2))
    );
    assert!(
        body["data"]["text"].as_str().unwrap().contains("GOOGLE_AI_API_KEY_2"),
        "{body}"
    );
    let delivered = |log: &[Value]| log.len() == 1 && log[0]["deliveries"][0]["state"] == "delivered";
    let log = until(&app, &admin, delivered).await;
    assert_eq!(log[0]["id"], body["data"]["id"]);
    assert_eq!(
        log[0]["deliveries"],
        json!([{
            "channel": "webhook", "state": "delivered", "attempts": 1, "nextTryAt": null, "lastError": null,
            "updatedAt": "2026-01-15T12:00:00.000Z"
        }])
    );
    assert_eq!(receiver.count(), 1);
    app.stop().await;
}

#[tokio::test]
async fn a_refused_post_is_sent_again_after_5_and_30_seconds_with_the_same_id() {
    let receiver = Receiver::start(&[500, 429], "key.needs_person").await;
    let app = spawn(with_webhook(&receiver)).await;
    let (user, admin) = (app.user().await, app.admin().await);
    revoke(&app, &user, &admin, 1).await;
    let first = receiver.next().await;
    for (attempts, pause_s, error) in [(1, 5, "500"), (2, 30, "429")] {
        let delivery = until_delivery(&app, &admin, |delivery| delivery["attempts"] == attempts).await;
        assert_eq!(delivery["state"], "pending");
        assert!(delivery["lastError"].as_str().unwrap().contains(error), "{delivery}");
        app.clock.advance(Duration::from_millis(pause_s * 1000 - 1));
        assert!(receiver.stays_quiet().await, "before {pause_s} s are over");
        app.clock.advance(Duration::from_millis(1));
        let again = receiver.next().await;
        check_signature(&again);
        assert_eq!(
            (&again.headers["webhook-id"], &again.text),
            (&first.headers["webhook-id"], &first.text)
        );
    }
    until_delivery(&app, &admin, |delivery| delivery["state"] == "delivered").await;
    app.clock.advance(Duration::from_secs(3600));
    assert!(receiver.stays_quiet().await, "it was accepted");
    app.stop().await;
}

#[tokio::test]
async fn what_is_refused_for_good_is_given_up_with_advice() {
    let receiver = Receiver::start(&[404], "key.needs_person").await;
    let app = spawn(with_webhook(&receiver)).await;
    let (user, admin) = (app.user().await, app.admin().await);
    revoke(&app, &user, &admin, 1).await;
    let delivery = until_delivery(&app, &admin, |delivery| delivery["state"] == "failed").await;
    assert_eq!(receiver.count(), 1);
    let _ = receiver.next().await;
    let error = delivery["lastError"].as_str().unwrap();
    assert!(error.contains("404") && error.contains("address"), "{error}");
    app.clock.advance(Duration::from_secs(3600));
    assert!(receiver.stays_quiet().await);
    app.stop().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, receiver) = (
        Receiver::start(&[], "key.needs_person").await,
        Receiver::start(&[307], "key.needs_person").await,
    );
    receiver.redirect_to(&elsewhere.base);
    let app = spawn(with_webhook(&receiver)).await;
    let (user, admin) = (app.user().await, app.admin().await);
    revoke(&app, &user, &admin, 1).await;
    until_delivery(&app, &admin, |delivery| delivery["state"] == "failed").await;
    assert_eq!(elsewhere.count(), 0);
    app.stop().await;
}

#[tokio::test]
async fn what_is_pending_at_the_end_is_delivered_by_the_next_process_and_nothing_is_told_twice() {
    let receiver = Receiver::start(&[503], "key.needs_person").await;
    let app = spawn(with_webhook(&receiver)).await;
    let (user, admin) = (app.user().await, app.admin().await);
    revoke(&app, &user, &admin, 3).await;
    let first = receiver.next().await;
    until_delivery(&app, &admin, |delivery| delivery["attempts"] == 1).await;
    let app = app.restart(with_webhook(&receiver)).await;
    app.clock.advance(Duration::from_secs(5));
    let again = receiver.next().await;
    assert_eq!(again.headers["webhook-id"], first.headers["webhook-id"]);
    let admin = app.admin().await;
    until_delivery(&app, &admin, |delivery| delivery["state"] == "delivered").await;
    // The key is still revoked, and that was told.
    let app = app.restart(with_webhook(&receiver)).await;
    let admin = app.admin().await;
    app.analyze(&app.user().await).await;
    app.clock.advance(Duration::from_secs(20));
    assert!(receiver.stays_quiet().await);
    until_delivery(&app, &admin, |delivery| delivery["state"] == "delivered").await;
    app.stop().await;
}

#[tokio::test]
async fn what_is_accepted_while_the_process_ends_is_not_sent_again_by_the_next() {
    let receiver = Receiver::start(&[], "key.needs_person").await;
    let app = spawn(with_webhook(&receiver)).await;
    let (user, admin) = (app.user().await, app.admin().await);
    receiver.hold(true);
    revoke(&app, &user, &admin, 3).await;
    let _ = receiver.next().await;
    let accept = async {
        assert!(receiver.stays_quiet().await);
        receiver.hold(false);
    };
    let (app, ()) = tokio::join!(app.restart(with_webhook(&receiver)), accept);
    app.clock.advance(Duration::from_secs(3600));
    assert!(receiver.stays_quiet().await, "it was accepted");
    let admin = app.admin().await;
    let delivery = until_delivery(&app, &admin, |delivery| delivery["state"] == "delivered").await;
    assert_eq!(delivery["attempts"], 1);
    app.stop().await;
}

#[tokio::test]
async fn mail_arrives_as_plain_text_and_without_secrets() {
    let mail = MailServer::start().await;
    let setup = Setup {
        environment: vec![
            ("SMTP_URL", format!("smtp://127.0.0.1:{}", mail.port)),
            ("ALERT_EMAIL_TO", "ops@example.org, night@example.org".to_owned()),
            ("ALERT_EMAIL_FROM", "keypool@example.org".to_owned()),
        ],
        ..Setup::default()
    };
    let app = spawn(setup).await;
    let (user, admin) = (app.user().await, app.admin().await);
    revoke(&app, &user, &admin, 2).await;
    let message = mail.next().await;
    check_no_secret(&message);
    for part in [
        "MAIL FROM:<keypool@example.org>",
        "RCPT TO:<ops@example.org>",
        "RCPT TO:<night@example.org>",
        "Subject: [Keypool] Critical: Key 2 is revoked",
        "Content-Type: text/plain; charset=utf-8",
        "Date: Thu, 15 Jan 2026 12:00:00 +0000",
        "Key 2 (GOOGLE_AI_API_KEY_2)",
    ] {
        assert!(message.contains(part), "{part} is missing in {message}");
    }
    let log = until(&app, &admin, |log| {
        log.len() == 1 && log[0]["deliveries"][0]["state"] == "delivered"
    })
    .await;
    assert_eq!(log[0]["deliveries"][0]["channel"], "mail");
    assert!(
        message.contains(&format!("Message-ID: <{}@example.org>", log[0]["id"].as_str().unwrap())),
        "{message}"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_test_notification_tells_per_channel_what_became_of_it() {
    let (receiver, mail) = (Receiver::start(&[401], "").await, MailServer::start().await);
    let mut setup = with_webhook(&receiver);
    setup.environment.extend([
        ("SMTP_URL", format!("smtp://127.0.0.1:{}", mail.port)),
        ("ALERT_EMAIL_TO", "ops@example.org".to_owned()),
    ]);
    let app = spawn(setup).await;
    let admin = app.admin().await;
    let reply = app.post("/api/admin/notifications/test", &admin, &json!({})).await;
    assert_eq!(reply.status, 200);
    check_no_secret(&reply.body.to_string());
    let data = reply.body["data"].as_array().unwrap();
    assert_eq!(data[0], json!({ "channel": "log", "delivered": true, "error": null }));
    assert_eq!(
        (&data[1]["channel"], &data[1]["delivered"]),
        (&json!("webhook"), &json!(false))
    );
    assert!(
        data[1]["error"]
            .as_str()
            .unwrap()
            .contains("check its address and its secret"),
        "{}",
        reply.body
    );
    assert_eq!(data[2], json!({ "channel": "mail", "delivered": true, "error": null }));
    assert!(mail.next().await.contains("Subject: [Keypool] Test notification"));
    let post = receiver.next().await;
    check_signature(&post);
    assert_eq!(post.body()["type"], "notification.test");
    assert!(log(&app, &admin).await.is_empty());
    app.stop().await;
}

#[tokio::test]
async fn a_webhook_that_nobody_listens_at_is_reported_without_its_address() {
    let receiver = Receiver::start(&[], "key.needs_person").await;
    let setup = with_webhook(&receiver);
    receiver.stop().await;
    let app = spawn(setup).await;
    let admin = app.admin().await;
    let reply = app.post("/api/admin/notifications/test", &admin, &json!({})).await;
    check_no_secret(&reply.body.to_string());
    assert!(
        reply.text("/data/1/error").contains("cannot be reached"),
        "{}",
        reply.body
    );
    assert!(!reply.text("/data/1/error").contains("127.0.0.1"), "{}", reply.body);
    app.stop().await;
}

#[tokio::test]
async fn the_delivery_log_comes_in_pages_and_only_with_sense_in_the_query() {
    let app = spawn(Setup {
        keys: 5,
        ..Setup::default()
    })
    .await;
    let (user, admin) = (app.user().await, app.admin().await);
    for number in 1..=4 {
        revoke(&app, &user, &admin, number).await;
        until(&app, &admin, |log| log.len() == number as usize).await;
    }
    let all = log(&app, &admin).await;
    let (mut paged, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let reply = app.get(&format!("/api/admin/notifications{query}"), &admin).await;
        paged.extend(reply.body["data"]["items"].as_array().unwrap().clone());
        let Some(cursor) = reply.body["data"]["nextCursor"].as_str() else {
            break;
        };
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!(paged, all);
    for query in ["?limit=0", "?limit=101", "?limit=x", "?cursor=x"] {
        let reply = app.get(&format!("/api/admin/notifications{query}"), &admin).await;
        assert_eq!(reply.status, 400, "{query}");
    }
    app.stop().await;
}

/// `POST` without a body, as an operator's script does.
async fn post_empty(app: &App, path: &str, token: &str) -> Reply {
    Reply::of(app.request(Method::POST, path).bearer_auth(token).send().await.unwrap()).await
}

#[tokio::test]
async fn a_test_without_channels_reaches_the_log() {
    let app = spawn(Setup::default()).await;
    let admin = app.admin().await;
    let reply = post_empty(&app, "/api/admin/notifications/test", &admin).await;
    assert_eq!(
        reply.body["data"],
        json!([{ "channel": "log", "delivered": true, "error": null }])
    );
    app.stop().await;
}
