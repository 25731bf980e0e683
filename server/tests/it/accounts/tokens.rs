//! Access tokens: their sign-in's end, and the secret that signs them.

use reqwest::Method;
use serde_json::json;

use crate::support::{ADMIN, App, PASSWORD, Reply, Setup, spawn, spawn_app};

async fn sign_in(app: &App) -> Reply {
    let form = json!({ "email": ADMIN, "password": PASSWORD });
    let reply = app.post("/api/auth/login", "", &form).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply
}

async fn status(app: &App, reply: &Reply) -> u16 {
    app.get("/api/auth/me", &reply.text("/data/accessToken")).await.status
}

async fn refresh(app: &App, reply: &Reply) -> Reply {
    let body = json!({ "refreshToken": reply.text("/data/refreshToken") });
    app.post("/api/auth/refresh", "", &body).await
}

#[tokio::test]
async fn a_refresh_token_used_twice_ends_the_access_tokens_of_its_sign_in() {
    let app = spawn_app().await;
    let (first, other) = (sign_in(&app).await, sign_in(&app).await);
    let second = refresh(&app, &first).await;
    assert_eq!((status(&app, &first).await, status(&app, &second).await), (200, 200));
    assert_eq!(refresh(&app, &first).await.status, 401, "used before");
    for tokens in [&first, &second] {
        let ended = app.get("/api/auth/me", &tokens.text("/data/accessToken")).await;
        assert_eq!((ended.status, ended.text("/error").as_str()), (401, "UNAUTHENTICATED"));
    }
    assert_eq!(status(&app, &other).await, 200, "another sign-in goes on");
}

#[tokio::test]
async fn signing_out_with_a_token_ends_its_sign_in_at_once() {
    let app = spawn_app().await;
    let (first, other) = (sign_in(&app).await, sign_in(&app).await);
    let logout = app
        .post("/api/auth/logout", &first.text("/data/accessToken"), &json!({}))
        .await;
    assert_eq!(logout.status, 200, "{}", logout.body);
    assert_eq!(status(&app, &first).await, 401);
    assert_eq!(refresh(&app, &first).await.status, 401);
    assert_eq!(status(&app, &other).await, 200);
    let both = json!({ "refreshToken": other.text("/data/refreshToken") });
    let logout = app
        .post("/api/auth/logout", &other.text("/data/accessToken"), &both)
        .await;
    assert_eq!(logout.status, 200, "both tokens of one sign-in: {}", logout.body);
    assert_eq!(status(&app, &other).await, 401);
}

#[tokio::test]
async fn a_new_jwt_secret_takes_the_tokens_of_the_previous_one_while_that_is_named() {
    let with = |secrets: &[(&'static str, &str)]| Setup {
        environment: secrets
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        ..Setup::default()
    };
    let (old, new) = (
        "an-old-secret-of-these-tests-0123456789",
        "a-new-secret-of-these-tests-9876543210",
    );
    let app = spawn(with(&[("JWT_SECRET", old)])).await;
    let before = sign_in(&app).await;
    let app = app
        .restart(with(&[("JWT_SECRET", new), ("JWT_SECRET_PREVIOUS", old)]))
        .await;
    assert_eq!(status(&app, &before).await, 200, "good until it runs out");
    let after = refresh(&app, &before).await;
    assert_eq!(after.status, 200, "refresh tokens do not depend on it");
    let app = app.restart(with(&[("JWT_SECRET", new)])).await;
    assert_eq!(status(&app, &before).await, 401, "the old secret is gone");
    assert_eq!(status(&app, &after).await, 200, "signed with the new one");
    let app = app.restart(with(&[("JWT_SECRET", old)])).await;
    assert_eq!(status(&app, &after).await, 401);
}

#[tokio::test]
async fn a_token_is_refused_once_its_account_is_deleted() {
    let app = spawn_app().await;
    let token = app.user().await;
    let id = app.get("/api/auth/me", &token).await.text("/data/id");
    let admin = app.admin().await;
    let deleted = app
        .call(Method::DELETE, &format!("/api/admin/users/{id}"), &admin, None)
        .await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    assert_eq!(app.get("/api/auth/me", &token).await.status, 401);
}
