//! What admins do with accounts, invitations and password links.

use app::types::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, App, PASSWORD, Reply, Setup, spawn, spawn_app};

async fn users(app: &App, admin: &str) -> Vec<Value> {
    app.get("/api/admin/users", admin).await.body["data"]
        .as_array()
        .unwrap()
        .clone()
}

async fn id(app: &App, admin: &str, email: &str) -> String {
    let users = users(app, admin).await;
    let user = users.iter().find(|user| user["email"] == email).unwrap();
    user["id"].as_str().unwrap().to_owned()
}

/// What a link carries.
fn token(reply: &Reply, path: &str) -> String {
    let url = reply.text("/data/url");
    let (before, token) = url.split_once("?token=").unwrap();
    assert!(
        before.starts_with("http://127.0.0.1:") && before.ends_with(path),
        "{url}"
    );
    token.to_owned()
}

/// Actions in the audit log, oldest first.
async fn actions(app: &App, admin: &str, target: &str) -> Vec<String> {
    let page = app.get(&format!("/api/admin/audit?target={target}"), admin).await;
    let items = page.body["data"]["items"].as_array().unwrap();
    items
        .iter()
        .rev()
        .map(|entry| entry["action"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn admins_see_accounts_and_when_they_signed_in() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    // Not in the moment of the first: they are listed oldest first.
    app.clock.advance(std::time::Duration::from_secs(1));
    let new = json!({ "email": "ada@example.org", "password": PASSWORD, "name": "Ada", "role": "user" });
    let made = app.post("/api/admin/users", &admin, &new).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let seen = users(&app, &admin).await;
    assert_eq!(seen.len(), 2);
    let fields: Vec<&String> = seen[1].as_object().unwrap().keys().collect();
    let expected = [
        "createdAt",
        "disabled",
        "email",
        "id",
        "lastSignInAt",
        "name",
        "role",
        "twoFactor",
    ];
    assert_eq!(fields, expected);
    assert_eq!(
        (&seen[1]["lastSignInAt"], &seen[1]["disabled"]),
        (&Value::Null, &json!(false))
    );
    app.clock.advance(std::time::Duration::from_secs(60));
    app.login("ada@example.org").await;
    assert_eq!(users(&app, &admin).await[1]["lastSignInAt"], "2026-01-15T12:01:01.000Z");
    let target = format!("user/{}", made.text("/data/id"));
    assert_eq!(actions(&app, &admin, &target).await, ["user.create"]);
}

#[tokio::test]
async fn admins_change_accounts_and_the_audit_log_has_it() {
    let app = spawn_app().await;
    let (email, admin) = (app.account(Role::User).await, app.admin().await);
    let ada = id(&app, &admin, &email).await;
    let path = format!("/api/admin/users/{ada}");
    let patch = async |body: Value| app.call(Method::PATCH, &path, &admin, Some(&body)).await;
    assert_eq!(
        patch(json!({ "role": "viewer", "name": "Countess" })).await.body["data"]["role"],
        "viewer"
    );
    assert_eq!(patch(json!({ "disabled": true })).await.body["data"]["disabled"], true);
    assert_eq!(patch(json!({ "disabled": false })).await.status, 200);
    assert_eq!(patch(json!({ "disabled": false })).await.status, 200, "no change");
    assert_eq!(
        patch(json!({ "passwordHash": "x" })).await.status,
        400,
        "a field that is none"
    );
    assert_eq!(patch(json!({ "role": "root" })).await.status, 400);
    assert_eq!(
        app.post(&format!("{path}/sign-out"), &admin, &json!({})).await.status,
        200
    );
    let password = json!({ "password": "another horse battery staple" });
    assert_eq!(
        app.post(&format!("{path}/password"), &admin, &password).await.status,
        200
    );
    assert_eq!(
        app.post(&format!("{path}/two-factor/reset"), &admin, &json!({}))
            .await
            .status,
        200
    );
    assert_eq!(app.call(Method::DELETE, &path, &admin, None).await.status, 200);
    assert_eq!(app.call(Method::DELETE, &path, &admin, None).await.status, 404);
    assert_eq!(
        actions(&app, &admin, &format!("user/{ada}")).await,
        [
            "user.create",
            "user.rename",
            "user.role",
            "user.disable",
            "user.enable",
            "user.sign_out",
            "user.password",
            "user.two_factor_reset",
            "user.delete"
        ]
    );
    let log = app.get("/api/admin/audit", &admin).await.body.to_string();
    assert!(!log.contains("horse battery staple"), "{log}");
}

#[tokio::test]
async fn admins_do_not_lock_themselves_out() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    let own = format!("/api/admin/users/{}", id(&app, &admin, ADMIN).await);
    let refused = async || {
        for body in [json!({ "role": "user" }), json!({ "disabled": true })] {
            let reply = app.call(Method::PATCH, &own, &admin, Some(&body)).await;
            assert_eq!(
                (reply.status, reply.text("/error").as_str()),
                (409, "CONFLICT"),
                "{body}"
            );
        }
        assert_eq!(app.call(Method::DELETE, &own, &admin, None).await.status, 409);
    };
    refused().await;
    let erase = json!({ "password": PASSWORD });
    assert_eq!(
        app.call(Method::DELETE, "/api/auth/me", &admin, Some(&erase))
            .await
            .status,
        409,
        "the last admin"
    );
    let other = app.account(Role::Admin).await;
    let admin = app.admin().await;
    for body in [json!({ "role": "user" }), json!({ "disabled": true })] {
        assert_eq!(
            app.call(Method::PATCH, &own, &admin, Some(&body)).await.status,
            409,
            "oneself: {body}"
        );
    }
    let other = app.login(&other).await;
    assert_eq!(
        app.call(Method::PATCH, &own, &other, Some(&json!({ "role": "user" })))
            .await
            .status,
        200
    );
    assert_eq!(app.get("/api/admin/users", &admin).await.status, 401, "at once");
    assert_eq!(
        app.get("/api/admin/users", &app.admin().await).await.status,
        403,
        "a user now"
    );
}

#[tokio::test]
async fn an_invitation_is_handed_on_and_used_once() {
    let setting = |word: &str| Setup {
        environment: vec![("KEYPOOL_REGISTRATION", word.to_owned())],
        ..Setup::default()
    };
    let app = spawn(setting("invite")).await;
    let admin = app.admin().await;
    let form = json!({ "email": "ada@example.org", "password": PASSWORD, "name": "Ada" });
    assert_eq!(app.post("/api/auth/register", "", &form).await.status, 403);
    let invited = app
        .post("/api/admin/invitations", &admin, &json!({ "role": "viewer" }))
        .await;
    assert_eq!(invited.status, 201, "{}", invited.body);
    assert_eq!(
        invited.text("/data/expiresAt"),
        "2026-01-18T12:00:00.000Z",
        "after 72 hours"
    );
    let mut with = form.clone();
    with["invitation"] = json!(token(&invited, "/invitation"));
    let listed = app.get("/api/admin/invitations", &admin).await;
    assert_eq!(listed.text("/data/0/id"), invited.text("/data/id"));
    assert!(
        !listed.body.to_string().contains(with["invitation"].as_str().unwrap()),
        "shown once"
    );
    let made = app.post("/api/auth/register", "", &with).await;
    assert_eq!((made.status, made.text("/data/role").as_str()), (201, "viewer"));
    with["email"] = json!("eve@example.org");
    assert_eq!(app.post("/api/auth/register", "", &with).await.status, 403, "once");
    let second = app
        .post("/api/admin/invitations", &admin, &json!({ "role": "user" }))
        .await;
    let path = format!("/api/admin/invitations/{}", second.text("/data/id"));
    assert_eq!(app.call(Method::DELETE, &path, &admin, None).await.status, 200);
    with["invitation"] = json!(token(&second, "/invitation"));
    assert_eq!(
        app.post("/api/auth/register", "", &with).await.status,
        403,
        "taken back"
    );
    let target = format!("invitation/{}", second.text("/data/id"));
    assert_eq!(
        actions(&app, &admin, &target).await,
        ["invitation.create", "invitation.delete"]
    );

    let app = app.restart(setting("closed")).await;
    assert_eq!(app.post("/api/auth/register", "", &form).await.status, 403);
    let admin = app.admin().await;
    assert_eq!(
        app.post("/api/admin/invitations", &admin, &json!({ "role": "user" }))
            .await
            .status,
        409
    );
}

#[tokio::test]
async fn a_password_link_is_handed_on_and_used_once() {
    let app = spawn_app().await;
    let (email, admin) = (app.account(Role::User).await, app.admin().await);
    let program = app.login(&email).await;
    let path = format!("/api/admin/users/{}/password-link", id(&app, &admin, &email).await);
    let link = app.post(&path, &admin, &json!({})).await;
    assert_eq!(link.text("/data/expiresAt"), "2026-01-16T12:00:00.000Z", "after a day");
    let set = async |token: &str, password: &str| {
        let body = json!({ "token": token, "newPassword": password });
        app.post("/api/auth/password-link", "", &body).await.status
    };
    let token = token(&link, "/password");
    assert_eq!(set("garbage", "another horse battery staple").await, 403);
    assert_eq!(set(&token, "short").await, 400);
    assert_eq!(set(&token, "another horse battery staple").await, 200);
    assert_eq!(set(&token, "a third horse battery staple").await, 403, "once");
    assert_eq!(
        app.get("/api/auth/me", &program).await.status,
        401,
        "what was signed in is ended"
    );
    let form = json!({ "email": email, "password": "another horse battery staple" });
    assert_eq!(app.post("/api/auth/login", "", &form).await.status, 200);
}

#[tokio::test]
async fn people_rename_and_delete_their_own_account() {
    let app = spawn_app().await;
    let email = app.account(Role::User).await;
    let token = app.login(&email).await;
    let me = "/api/auth/me";
    let renamed = app
        .call(Method::PATCH, me, &token, Some(&json!({ "name": "Countess" })))
        .await;
    assert_eq!((renamed.status, renamed.text("/data/name").as_str()), (200, "Countess"));
    let role = app
        .call(
            Method::PATCH,
            me,
            &token,
            Some(&json!({ "name": "C", "role": "admin" })),
        )
        .await;
    assert_eq!(role.status, 400, "nobody gives themselves a role");
    let id = app.get(me, &token).await.text("/data/id");
    let wrong = json!({ "password": "not the password at all" });
    assert_eq!(app.call(Method::DELETE, me, &token, Some(&wrong)).await.status, 403);
    let right = json!({ "password": PASSWORD });
    assert_eq!(app.call(Method::DELETE, me, &token, Some(&right)).await.status, 200);
    assert_eq!(app.get(me, &token).await.status, 401);
    let admin = app.admin().await;
    assert_eq!(
        actions(&app, &admin, &format!("user/{id}")).await,
        ["user.create", "account.erase"]
    );
}
