//! Notifications as messages of a chat, as its incoming webhook gets them.

use serde_json::json;

use super::receivers::Receiver;
use super::{URL_CANARY, check_no_secret, revoke, until_delivery};
use crate::support::{App, Setup, spawn};

fn with_chat(receiver: &Receiver, format: Option<&str>) -> Setup {
    let mut environment = vec![("ALERT_CHAT_URL", format!("{}/{URL_CANARY}", receiver.base))];
    environment.extend(format.map(|format| ("ALERT_CHAT_FORMAT", format.to_owned())));
    Setup {
        environment,
        ..Setup::default()
    }
}

async fn lose_key_2(app: &App) {
    let (user, admin) = (app.user().await, app.admin().await);
    revoke(app, &user, &admin, 2).await;
}

#[tokio::test]
async fn a_chat_gets_one_message_in_slacks_shape_unless_told_otherwise() {
    let receiver = Receiver::start(&[], "").await;
    let app = spawn(with_chat(&receiver, None)).await;
    lose_key_2(&app).await;
    let post = receiver.next().await;
    check_no_secret(&post.text);
    let body = post.body();
    let text = body["text"].as_str().unwrap();
    assert!(
        text.starts_with("[Keypool] Critical: Key 2 is revoked\nKey 2 (GOOGLE_AI_API_KEY_2)."),
        "{text}"
    );
    assert_eq!(body.as_object().unwrap().len(), 1);
    assert_eq!(post.headers["content-type"], "application/json");
    let delivery = until_delivery(&app, &app.admin().await, |delivery| delivery["state"] == "delivered").await;
    assert_eq!(delivery["channel"], "chat");
    assert!(receiver.stays_quiet().await);
    app.stop().await;
}

#[tokio::test]
async fn a_chat_of_discords_kind_gets_its_shape_and_is_tried_again_when_it_is_busy() {
    let receiver = Receiver::start(&[429], "").await;
    let app = spawn(with_chat(&receiver, Some("discord"))).await;
    lose_key_2(&app).await;
    let first = receiver.next().await;
    let body = first.body();
    let content = body["content"].as_str().unwrap();
    assert!(
        content.starts_with("\\[Keypool] Critical: Key 2 is revoked\nKey 2 (GOOGLE\\_AI\\_API\\_KEY\\_2)."),
        "{content}"
    );
    assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
    let admin = app.admin().await;
    let delivery = until_delivery(&app, &admin, |delivery| delivery["attempts"] == 1).await;
    assert!(
        delivery["lastError"]
            .as_str()
            .unwrap()
            .contains("The chat answered with status 429"),
        "{delivery}"
    );
    app.clock.advance(std::time::Duration::from_secs(5));
    assert_eq!(receiver.next().await.text, first.text);
    until_delivery(&app, &admin, |delivery| delivery["state"] == "delivered").await;
    app.stop().await;
}

#[tokio::test]
async fn a_chat_that_refuses_is_told_without_its_address() {
    let receiver = Receiver::start(&[404], "").await;
    let app = spawn(with_chat(&receiver, None)).await;
    let admin = app.admin().await;
    let reply = app.post("/api/admin/notifications/test", &admin, &json!({})).await;
    check_no_secret(&reply.body.to_string());
    assert_eq!(reply.body["data"][1]["channel"], "chat");
    assert!(
        reply
            .text("/data/1/error")
            .contains("The chat refused the message with status 404"),
        "{}",
        reply.body
    );
    app.stop().await;
}
