//! Sessions of browsers and sign-ins of programs: their ids, their list, their ends.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::browser::{Browser, cookie, opens};
use crate::support::{ADMIN, PASSWORD, Reply, Setup, spawn, spawn_app};

#[tokio::test]
async fn a_session_gets_a_new_id_at_sign_in_and_when_the_password_changes() {
    let app = spawn_app().await;
    let email = app.account(app::types::Role::User).await;
    let browser = Browser::new(&app, "Firefox");
    let sign_in = async || {
        browser
            .form("/sign-in", &[("email", &email), ("password", PASSWORD)])
            .await
    };
    let first = cookie(sign_in().await.headers()).expect("a cookie");
    assert!(opens(&app, &first).await);
    let second = cookie(sign_in().await.headers()).expect("another cookie");
    assert_ne!(first, second);
    assert!(!opens(&app, &first).await, "an id known from before is worth nothing");
    let changed = browser.change_password("another horse battery staple").await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let third = cookie(&changed.headers).expect("a third cookie");
    assert!(!opens(&app, &second).await && opens(&app, &third).await);
    assert!(browser.is_in().await, "who changed it stays signed in");
}

#[tokio::test]
async fn thirty_sign_ins_under_way_end_with_the_password_they_gave() {
    let app = spawn(Setup {
        environment: vec![("TRUSTED_PROXIES", "127.0.0.1".to_owned())],
        ..Setup::default()
    })
    .await;
    let email = app.account(app::types::Role::User).await;
    let admin = app.admin().await;
    let users = app.get("/api/admin/users", &admin).await.body["data"].clone();
    let listed = users.as_array().unwrap().iter();
    let user = listed.into_iter().find(|user| user["email"] == email.as_str()).unwrap();
    let change = format!("/api/admin/users/{}/password", user["id"].as_str().unwrap());
    let form = json!({ "email": email, "password": PASSWORD });
    let login = |host: usize| {
        let request = app
            .request(Method::POST, "/api/auth/login")
            .header("x-forwarded-for", format!("198.51.100.{host}"));
        let request = request.json(&form);
        async move { Reply::of(request.send().await.unwrap()).await }
    };
    let new = json!({ "password": "another horse battery staple" });
    let first = join_all((30..33).map(login)).await;
    assert!(first.iter().all(|reply| reply.status == 200));
    // Each waits in one line for its password to be checked; in the middle of it stands the change.
    let (before, changed, after) = tokio::join!(
        join_all((0..15).map(login)),
        app.post(&change, &admin, &new),
        join_all((15..30).map(login)),
    );
    assert_eq!(changed.status, 200, "{}", changed.body);
    let replies: Vec<Reply> = first.into_iter().chain(before).chain(after).collect();
    for reply in &replies {
        assert!(reply.status == 200 || reply.status == 401, "{}", reply.body);
        if let Some(cookie) = cookie(&reply.headers) {
            assert!(!opens(&app, &cookie).await, "a browser is in with the old password");
        }
        if reply.status == 200 {
            let token = reply.text("/data/accessToken");
            assert_eq!(app.get("/api/auth/me", &token).await.status, 401, "a program is in");
        }
    }
}

#[tokio::test]
async fn an_id_that_somebody_else_made_up_is_not_taken() {
    let app = spawn_app().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let made_up = "keypool_session=AAAAAAAAAAAAAAAAAAAAAA";
    let form = json!({ "email": ADMIN, "password": PASSWORD });
    let request = client
        .post(format!("{}/api/auth/login", app.base))
        .header("cookie", made_up);
    let answer = request.json(&form).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_ne!(cookie(answer.headers()).as_deref(), Some(made_up));
    assert!(!opens(&app, made_up).await);
}

#[tokio::test]
async fn the_cookie_is_for_this_host_and_no_script_and_in_production_for_tls() {
    let cookie = async |production: bool| {
        let mut setup = Setup::default();
        if production {
            setup.environment = vec![
                ("NODE_ENV", "production".to_owned()),
                ("JWT_SECRET", "a-secret-of-these-tests-0123456789".to_owned()),
            ];
        }
        let app = spawn(setup).await;
        let form = json!({ "email": ADMIN, "password": PASSWORD });
        let reply = app.post("/api/auth/login", "", &form).await;
        reply.headers["set-cookie"].to_str().unwrap().to_owned()
    };
    let words = |cookie: &str| -> Vec<String> { cookie.split("; ").skip(1).map(str::to_owned).collect() };
    let plain = cookie(false).await;
    assert!(plain.starts_with("keypool_session="), "{plain}");
    let mut expected = vec!["HttpOnly", "SameSite=Lax", "Path=/"];
    assert_eq!(words(&plain), expected, "{plain}");
    let secure = cookie(true).await;
    assert!(secure.starts_with("__Host-keypool="), "{secure}");
    expected.insert(2, "Secure");
    assert_eq!(words(&secure), expected, "{secure}");
}

fn ids(list: &Value, kind: &str) -> Vec<String> {
    let all = list["data"].as_array().unwrap().iter();
    all.filter(|session| session["kind"] == kind)
        .map(|session| session["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn browsers_and_programs_are_in_one_list_and_each_can_be_ended() {
    let app = spawn_app().await;
    let phone = Browser::signed_in(&app, ADMIN, "Phone/1").await;
    app.clock.advance(std::time::Duration::from_secs(120));
    let laptop = Browser::signed_in(&app, ADMIN, "Laptop/2").await;
    let program = app.admin().await;
    let list = laptop.get("/api/auth/sessions").await;
    let sessions = list.body["data"].as_array().unwrap();
    // A program that signs in gets a cookie, too, whether it keeps it or not.
    assert_eq!(
        (ids(&list.body, "browser").len(), ids(&list.body, "api").len()),
        (3, 1),
        "{}",
        list.body
    );
    assert_eq!(
        (
            &sessions[0]["current"],
            &sessions[0]["userAgent"],
            &sessions[0]["address"]
        ),
        (&json!(true), &json!("Laptop/2"), &json!("127.0.0.1"))
    );
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    let of_phone = sessions
        .iter()
        .find(|session| session["userAgent"] == "Phone/1")
        .unwrap();
    assert_eq!(of_phone["beganAt"], "2026-01-15T12:00:00.000Z");
    assert_eq!(of_phone["lastUsedAt"], "2026-01-15T12:00:00.000Z");

    let end = async |id: &str| {
        laptop
            .call(Method::DELETE, &format!("/api/auth/sessions/{id}"), json!({}))
            .await
            .status
    };
    for session in sessions {
        let id = session["id"].as_str().unwrap();
        assert!(
            !opens(&app, &format!("keypool_session={id}")).await,
            "an id in the list is no credential"
        );
        assert_eq!(app.get("/api/auth/me", id).await.status, 401);
    }
    let stranger = app.user().await;
    let path = format!("/api/auth/sessions/{}", of_phone["id"].as_str().unwrap());
    assert_eq!(
        app.call(Method::DELETE, &path, &stranger, None).await.status,
        404,
        "of somebody else"
    );
    assert!(phone.is_in().await);
    assert_eq!(end(of_phone["id"].as_str().unwrap()).await, 200);
    assert!(!phone.is_in().await, "ended at once");
    assert_eq!(end(of_phone["id"].as_str().unwrap()).await, 404);
    assert_eq!(end(&ids(&list.body, "api")[0]).await, 200);
    assert_eq!(app.get("/api/auth/me", &program).await.status, 401, "ended at once");
    assert!(laptop.is_in().await);
}

#[tokio::test]
async fn all_others_are_ended_and_the_one_that_asks_stays() {
    let app = spawn_app().await;
    let phone = Browser::signed_in(&app, ADMIN, "Phone/1").await;
    let (program, other) = (app.admin().await, app.admin().await);
    let ended = app.call(Method::DELETE, "/api/auth/sessions", &program, None).await;
    assert_eq!(
        (ended.status, ended.body["data"]["ended"].as_u64()),
        (200, Some(4)),
        "{}",
        ended.body
    );
    assert!(!phone.is_in().await);
    assert_eq!(app.get("/api/auth/me", &other).await.status, 401);
    assert_eq!(app.get("/api/auth/me", &program).await.status, 200);
    let list = app.get("/api/auth/sessions", &program).await;
    assert_eq!(ids(&list.body, "browser").len() + ids(&list.body, "api").len(), 1);
}

#[tokio::test]
async fn a_changed_password_ends_everything_else_that_is_signed_in() {
    let app = spawn_app().await;
    let email = app.account(app::types::Role::User).await;
    let (phone, laptop) = (
        Browser::signed_in(&app, &email, "Phone/1").await,
        Browser::signed_in(&app, &email, "Laptop/2").await,
    );
    let program = app.login(&email).await;
    let wrong = json!({ "currentPassword": "not the password at all", "newPassword": "another horse battery staple" });
    let refused = laptop.call(Method::POST, "/api/auth/password", wrong).await;
    assert_eq!((refused.status, refused.text("/error").as_str()), (403, "FORBIDDEN"));
    assert!(phone.is_in().await, "nothing happened");
    assert_eq!(laptop.change_password("another horse battery staple").await.status, 200);
    assert!(laptop.is_in().await && !phone.is_in().await);
    assert_eq!(app.get("/api/auth/me", &program).await.status, 401);
    let form = json!({ "email": email, "password": PASSWORD });
    assert_eq!(
        app.post("/api/auth/login", "", &form).await.status,
        401,
        "the old password"
    );
    let form = json!({ "email": email, "password": "another horse battery staple" });
    let token = app.post("/api/auth/login", "", &form).await.text("/data/accessToken");

    let body = json!({ "currentPassword": "another horse battery staple", "newPassword": PASSWORD });
    assert_eq!(app.post("/api/auth/password", &token, &body).await.status, 200);
    assert_eq!(
        app.get("/api/auth/me", &token).await.status,
        401,
        "a program signs in anew"
    );
    assert!(!laptop.is_in().await);
}

#[tokio::test]
async fn another_role_and_a_disabled_account_count_at_once_whatever_the_credential() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    for (patch, back) in [
        (json!({ "role": "viewer" }), json!({ "role": "user" })),
        (json!({ "disabled": true }), json!({ "disabled": false })),
    ] {
        let email = app.account(app::types::Role::User).await;
        let (browser, program) = (
            Browser::signed_in(&app, &email, "Phone/1").await,
            app.login(&email).await,
        );
        let new = json!({ "name": "script", "scopes": ["status"] });
        let token = app.post("/api/tokens", &program, &new).await.text("/data/token");
        let status = "/api/ai-analysis/service-status";
        assert_eq!(app.get(status, &token).await.status, 200);
        let id = app.get("/api/auth/me", &program).await.text("/data/id");
        let path = format!("/api/admin/users/{id}");
        let changed = app.call(Method::PATCH, &path, &admin, Some(&patch)).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        assert!(!browser.is_in().await, "{patch}");
        assert_eq!(app.get("/api/auth/me", &program).await.status, 401, "{patch}");
        let disabled = patch["disabled"] == true;
        assert_eq!(
            app.get(status, &token).await.status == 401,
            disabled,
            "an API token goes by its owner: {patch}"
        );
        if disabled {
            let form = json!({ "email": email, "password": PASSWORD });
            let (right, wrong) = (
                form.clone(),
                json!({ "email": email, "password": "not the password at all" }),
            );
            let right = app.post("/api/auth/login", "", &right).await;
            let wrong = app.post("/api/auth/login", "", &wrong).await;
            assert_eq!((right.status, right.text("/message")), (401, wrong.text("/message")));
        }
        assert_eq!(app.call(Method::PATCH, &path, &admin, Some(&back)).await.status, 200);
        assert!(!app.login(&email).await.is_empty());
    }
}
