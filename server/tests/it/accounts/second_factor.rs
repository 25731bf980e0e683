//! The second factor as browsers and programs see it.

use app::types::Role;
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use super::browser::{Browser, cookie, opens};
use crate::support::{App, PASSWORD, Reply, spawn_app};

/// What the phone shows now.
fn code(app: &App, secret: &str) -> String {
    let phone = Builder::new()
        .with_secret(Secret::try_from_base32(secret).unwrap())
        .build()
        .unwrap();
    phone.generate(app.clock.now().as_millis() / 1000).to_string()
}

/// A code that the phone does not show around now.
fn wrong(app: &App, secret: &str) -> String {
    let phone = Builder::new()
        .with_secret(Secret::try_from_base32(secret).unwrap())
        .build()
        .unwrap();
    let now = app.clock.now().as_millis() / 1000;
    let near = [now - 30, now, now + 30].map(|at| phone.generate(at).to_string());
    let mut all = (0..10).map(|number| format!("{number:06}"));
    all.find(|code| !near.contains(code)).unwrap()
}

fn later(app: &App) {
    app.clock.advance(std::time::Duration::from_secs(30));
}

async fn login(app: &App, email: &str, code: Option<&str>) -> Reply {
    let form = json!({ "email": email, "password": PASSWORD, "code": code });
    app.post("/api/auth/login", "", &form).await
}

/// Switches it on in a browser; secret and recovery codes.
async fn enrol(app: &App, browser: &Browser<'_>) -> (String, Vec<String>) {
    let path = "/api/auth/two-factor";
    let begun = browser.call(Method::POST, path, json!({ "password": PASSWORD })).await;
    assert_eq!(begun.status, 200, "{}", begun.body);
    let secret = begun.text("/data/secret");
    assert!(begun.text("/data/uri").contains(&secret));
    assert_eq!(browser.get(path).await.body["data"]["enabled"], false, "not yet");
    let confirm = json!({ "code": code(app, &secret) });
    let confirmed = browser
        .call(Method::POST, "/api/auth/two-factor/confirm", confirm)
        .await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.body);
    let codes: Vec<Value> = confirmed.body["data"]["recoveryCodes"].as_array().unwrap().clone();
    later(app);
    (
        secret,
        codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect(),
    )
}

#[tokio::test]
async fn switching_it_on_and_off_gives_a_new_id_and_ends_what_else_is_signed_in() {
    let app = spawn_app().await;
    let email = app.account(Role::User).await;
    let browser = Browser::new(&app, "Laptop/2");
    let signed_in = browser
        .form("/sign-in", &[("email", &email), ("password", PASSWORD)])
        .await;
    let before = cookie(signed_in.headers()).unwrap();
    let (phone, program) = (
        Browser::signed_in(&app, &email, "Phone/1").await,
        app.login(&email).await,
    );
    let (secret, codes) = enrol(&app, &browser).await;
    assert!(browser.is_in().await && !opens(&app, &before).await, "a new id");
    assert!(!phone.is_in().await);
    assert_eq!(app.get("/api/auth/me", &program).await.status, 401);

    let token = login(&app, &email, Some(&code(&app, &secret)))
        .await
        .text("/data/accessToken");
    let body = json!({ "password": PASSWORD, "code": codes[0] });
    let off = browser.call(Method::DELETE, "/api/auth/two-factor", body).await;
    assert_eq!(off.status, 200, "{}", off.body);
    let after = cookie(&off.headers).expect("a new id");
    assert!(opens(&app, &after).await && browser.is_in().await);
    assert_eq!(app.get("/api/auth/me", &token).await.status, 401);
    assert_eq!(login(&app, &email, None).await.status, 200);
}

#[tokio::test]
async fn a_program_sends_the_code_with_the_password() {
    let app = spawn_app().await;
    let email = app.account(Role::User).await;
    let (secret, codes) = enrol(&app, &Browser::signed_in(&app, &email, "Laptop/2").await).await;
    let missing = login(&app, &email, None).await;
    assert_eq!(
        (missing.status, missing.text("/details")),
        (401, "TWO_FACTOR_REQUIRED".to_owned())
    );
    assert!(cookie(&missing.headers).is_none(), "half a sign-in is none");
    assert_eq!(login(&app, &email, Some(&wrong(&app, &secret))).await.status, 401);
    let shown = code(&app, &secret);
    assert_eq!(login(&app, &email, Some(&shown)).await.status, 200);
    assert_eq!(login(&app, &email, Some(&shown)).await.status, 401, "each code once");
    assert_eq!(login(&app, &email, Some(&codes[0])).await.status, 200);
    assert_eq!(
        login(&app, &email, Some(&codes[0])).await.status,
        401,
        "each recovery code once"
    );
    let other = json!({ "email": email, "password": "not the password at all", "code": codes[1] });
    let refused = app.post("/api/auth/login", "", &other).await;
    assert_eq!(
        (refused.status, refused.body["details"].is_null()),
        (401, true),
        "the password comes first"
    );
}

#[tokio::test]
async fn a_browser_signs_in_in_two_steps() {
    let app = spawn_app().await;
    let email = app.account(Role::User).await;
    let (secret, _) = enrol(&app, &Browser::signed_in(&app, &email, "Laptop/2").await).await;
    let browser = Browser::new(&app, "Phone/1");
    let first = browser
        .form("/sign-in", &[("email", &email), ("password", PASSWORD)])
        .await;
    assert_eq!(first.status(), 303);
    assert!(
        first.headers()["location"]
            .to_str()
            .unwrap()
            .starts_with("/sign-in/code"),
        "{:?}",
        first.headers()
    );
    let half = cookie(first.headers()).expect("a cookie for the second step");
    assert!(
        !browser.is_in().await && !opens(&app, &half).await,
        "half a sign-in opens nothing"
    );
    assert_eq!(
        browser
            .form("/sign-in/code", &[("code", &wrong(&app, &secret))])
            .await
            .status(),
        401
    );
    let done = browser.form("/sign-in/code", &[("code", &code(&app, &secret))]).await;
    assert_eq!(done.status(), 303);
    assert!(browser.is_in().await);
    assert!(!opens(&app, &half).await, "the id of the first step is worth nothing");
}

#[tokio::test]
async fn the_second_step_ends_after_five_minutes_and_after_five_codes() {
    let app = spawn_app().await;
    let email = app.account(Role::User).await;
    let (secret, _) = enrol(&app, &Browser::signed_in(&app, &email, "Laptop/2").await).await;
    let browser = Browser::new(&app, "Phone/1");
    let begin = async || {
        browser
            .form("/sign-in", &[("email", &email), ("password", PASSWORD)])
            .await
            .status()
    };
    begin().await;
    app.clock.advance(std::time::Duration::from_secs(300));
    browser.form("/sign-in/code", &[("code", &code(&app, &secret))]).await;
    assert!(!browser.is_in().await, "too late");
    begin().await;
    for _ in 0..5 {
        browser.form("/sign-in/code", &[("code", &wrong(&app, &secret))]).await;
    }
    browser.form("/sign-in/code", &[("code", &code(&app, &secret))]).await;
    assert!(!browser.is_in().await, "the sixth");
    let nobody = Browser::new(&app, "Phone/3");
    nobody.form("/sign-in/code", &[("code", &code(&app, &secret))]).await;
    assert!(!nobody.is_in().await, "without the first step");
    app.clock.advance(std::time::Duration::from_secs(900));
    begin().await;
    browser.form("/sign-in/code", &[("code", &code(&app, &secret))]).await;
    assert!(browser.is_in().await, "the same with the right code in time");
}
