//! What an admin's token or session cannot take over, and what ends what.

use app::types::Role;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::browser::Browser;
use crate::support::{ADMIN, App, PASSWORD, Reply, Setup, spawn, spawn_app};

const NEW: &str = "another horse battery staple";
const STATUS: &str = "/api/ai-analysis/service-status";

async fn id(app: &App, email: &str) -> String {
    let token = app.login(email).await;
    app.get("/api/auth/me", &token).await.text("/data/id")
}

async fn admin_token(app: &App, owner: &str) -> String {
    let new = json!({ "name": "ops", "scopes": ["admin"], "password": PASSWORD });
    let made = app.post("/api/tokens", owner, &new).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.text("/data/token")
}

async fn entries(app: &App, query: &str) -> Vec<Value> {
    let admin = app.admin().await;
    let page = app.get(&format!("/api/admin/audit?{query}"), &admin).await;
    page.body["data"]["items"].as_array().unwrap().clone()
}

/// Requests for a way to sign in as this account, or one to its rights.
fn ways_in(id: &str) -> Vec<(Method, String, Value)> {
    let user = format!("/api/admin/users/{id}");
    vec![
        (Method::POST, format!("{user}/two-factor/reset"), json!({})),
        (Method::POST, format!("{user}/password"), json!({ "password": NEW })),
        (Method::POST, format!("{user}/password-link"), json!({})),
        (Method::DELETE, user, json!({})),
    ]
}

#[tokio::test]
async fn an_api_token_gives_and_takes_no_way_to_sign_in() {
    let app = spawn_app().await;
    let (ada, other) = (app.account(Role::User).await, app.account(Role::Admin).await);
    let (ada, other, own) = (id(&app, &ada).await, id(&app, &other).await, id(&app, ADMIN).await);
    let admin = app.admin().await;
    let token = admin_token(&app, &admin).await;
    let mut requests: Vec<_> = [&ada, &other, &own].iter().flat_map(|id| ways_in(id)).collect();
    requests.extend([
        (
            Method::PATCH,
            format!("/api/admin/users/{ada}"),
            json!({ "role": "admin" }),
        ),
        (
            Method::POST,
            "/api/admin/invitations".to_owned(),
            json!({ "role": "admin" }),
        ),
        (
            Method::POST,
            "/api/admin/users".to_owned(),
            json!({ "email": "eve@example.org", "password": PASSWORD, "name": "Eve", "role": "admin" }),
        ),
    ]);
    for (method, path, body) in &requests {
        let refused = app.call(method.clone(), path, &token, Some(body)).await;
        assert_eq!(
            (refused.status, refused.text("/error").as_str()),
            (403, "FORBIDDEN"),
            "{method} {path}: {}",
            refused.body
        );
        assert!(
            refused.text("/message").starts_with("API tokens are not taken"),
            "{path}"
        );
    }
    let client = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    for form in ["two-factor", "password-link"] {
        let sent = client
            .post(format!("{}/admin/users/{ada}/{form}", app.base))
            .bearer_auth(&token);
        assert_eq!(sent.send().await.unwrap().status(), 403, "the form {form}");
    }
    for (path, body) in [
        (
            format!("/api/admin/users/{ada}"),
            json!({ "role": "viewer", "name": "Countess" }),
        ),
        (format!("/api/admin/users/{ada}"), json!({ "disabled": true })),
    ] {
        let changed = app.call(Method::PATCH, &path, &token, Some(&body)).await;
        assert_eq!(changed.status, 200, "other acts go on: {}", changed.body);
    }
    let invited = app
        .post("/api/admin/invitations", &token, &json!({ "role": "user" }))
        .await;
    assert_eq!(invited.status, 201, "{}", invited.body);
}

#[tokio::test]
async fn an_admin_acts_on_the_own_account_on_its_page_only() {
    let app = spawn_app().await;
    let other = app.account(Role::Admin).await;
    let own = id(&app, ADMIN).await;
    let browser = Browser::signed_in(&app, ADMIN, "Laptop/2").await;
    let admin = app.admin().await;
    for (method, path, body) in ways_in(&own) {
        let by_cookie = browser.call(method.clone(), &path, body.clone()).await;
        let by_token = app.call(method.clone(), &path, &admin, Some(&body)).await;
        for refused in [by_cookie, by_token] {
            assert_eq!(refused.status, 409, "{method} {path}: {}", refused.body);
            assert!(
                refused.text("/message").contains("do it on your account page"),
                "{path}"
            );
        }
    }
    assert!(browser.is_in().await);
    let other = id(&app, &other).await;
    for (method, path, body) in ways_in(&other) {
        let done = browser.call(method.clone(), &path, body).await;
        assert_eq!(done.status, 200, "{method} {path}: {}", done.body);
    }
}

fn invitation(reply: &Reply) -> String {
    let url = reply.text("/data/url");
    url.split_once("?token=").unwrap().1.to_owned()
}

#[tokio::test]
async fn who_lost_the_right_to_invite_does_not_come_back_by_an_invitation() {
    let app = spawn_app().await;
    for (patch, back) in [
        (json!({ "role": "user" }), json!({ "role": "admin" })),
        (json!({ "disabled": true }), json!({ "disabled": false })),
    ] {
        let email = app.account(Role::Admin).await;
        let (bad, own) = (app.login(&email).await, id(&app, &email).await);
        let invited = app
            .post("/api/admin/invitations", &bad, &json!({ "role": "admin" }))
            .await;
        let victim = id(&app, &app.account(Role::User).await).await;
        let link = app
            .post(&format!("/api/admin/users/{victim}/password-link"), &bad, &json!({}))
            .await;
        let admin = app.admin().await;
        let path = format!("/api/admin/users/{own}");
        for patch in [&patch, &back] {
            assert_eq!(app.call(Method::PATCH, &path, &admin, Some(patch)).await.status, 200);
        }
        let form = json!({ "email": "back@example.org", "password": PASSWORD, "name": "Back", "invitation": invitation(&invited) });
        assert_eq!(app.post("/api/auth/register", "", &form).await.status, 403, "{patch}");
        let set = json!({ "token": invitation(&link), "newPassword": NEW });
        assert_eq!(
            app.post("/api/auth/password-link", "", &set).await.status,
            403,
            "{patch}"
        );
        assert_eq!(app.get("/api/admin/invitations", &admin).await.body["data"], json!([]));
    }
}

async fn token_of(app: &App, email: &str) -> String {
    let program = app.login(email).await;
    let new = json!({ "name": "script", "scopes": ["status"] });
    app.post("/api/tokens", &program, &new).await.text("/data/token")
}

#[tokio::test]
async fn what_ends_a_thief_ends_the_api_tokens_too() {
    let app = spawn_app().await;
    for way in ["sign-out", "password", "link", "own"] {
        let email = app.account(Role::User).await;
        let (user, token) = (
            format!("/api/admin/users/{}", id(&app, &email).await),
            token_of(&app, &email).await,
        );
        let admin = app.admin().await;
        let done = match way {
            "sign-out" => app.post(&format!("{user}/sign-out"), &admin, &json!({})).await,
            "password" => {
                app.post(&format!("{user}/password"), &admin, &json!({ "password": NEW }))
                    .await
            }
            "link" => {
                let link = app.post(&format!("{user}/password-link"), &admin, &json!({})).await;
                assert_eq!(app.get(STATUS, &token).await.status, 200, "a link alone ends nothing");
                let set = json!({ "token": invitation(&link), "newPassword": NEW });
                app.post("/api/auth/password-link", "", &set).await
            }
            _ => {
                let mut change = json!({ "currentPassword": PASSWORD, "newPassword": NEW });
                let own = app.login(&email).await;
                assert_eq!(app.post("/api/auth/password", &own, &change).await.status, 200);
                assert_eq!(app.get(STATUS, &token).await.status, 200, "not asked for");
                let form = json!({ "email": email, "password": NEW });
                let own = app.post("/api/auth/login", "", &form).await.text("/data/accessToken");
                change = json!({ "currentPassword": NEW, "newPassword": PASSWORD, "endTokens": true });
                app.post("/api/auth/password", &own, &change).await
            }
        };
        assert_eq!(done.status, 200, "{way}: {}", done.body);
        assert_eq!(app.get(STATUS, &token).await.status, 401, "{way}");
    }
}

#[tokio::test]
async fn admins_see_and_end_the_tokens_of_others() {
    let app = spawn_app().await;
    let email = app.account(Role::User).await;
    let token = token_of(&app, &email).await;
    let path = format!("/api/admin/users/{}/tokens", id(&app, &email).await);
    let admin = app.admin().await;
    let listed = app.get(&path, &admin).await;
    assert_eq!(listed.body["data"][0]["name"], "script");
    assert!(!listed.body.to_string().contains(&token));
    let other = format!(
        "/api/admin/users/{}/tokens/{}",
        id(&app, ADMIN).await,
        listed.text("/data/0/id")
    );
    assert_eq!(
        app.call(Method::DELETE, &other, &admin, None).await.status,
        404,
        "not theirs"
    );
    let one = format!("{path}/{}", listed.text("/data/0/id"));
    assert_eq!(app.call(Method::DELETE, &one, &admin, None).await.status, 200);
    assert_eq!(app.get(STATUS, &token).await.status, 401);
    assert_eq!(app.call(Method::DELETE, &one, &admin, None).await.status, 404);
    assert_eq!(app.get("/api/admin/users/nobody/tokens", &admin).await.status, 404);
    assert_eq!(entries(&app, "action=token.delete").await[0]["actor"], ADMIN);
}

#[tokio::test]
async fn a_token_for_admins_takes_the_password_and_ends() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    let make = async |extra: Value| {
        let mut new = json!({ "name": "ops", "scopes": ["admin"] });
        new.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        app.post("/api/tokens", &admin, &new).await
    };
    for (extra, status, field) in [
        (json!({}), 400, "password"),
        (json!({ "password": "" }), 400, "password"),
        (json!({ "password": "not the password at all" }), 403, "password"),
        (
            json!({ "password": PASSWORD, "expiresInDays": 366 }),
            400,
            "expiresInDays",
        ),
    ] {
        let refused = make(extra.clone()).await;
        assert_eq!(
            (refused.status, refused.text("/field").as_str()),
            (status, field),
            "{extra}"
        );
    }
    let usual = make(json!({ "password": PASSWORD })).await;
    assert_eq!(
        usual.text("/data/expiresAt"),
        "2026-04-15T12:00:00.000Z",
        "after 90 days"
    );
    let year = make(json!({ "password": PASSWORD, "expiresInDays": 365 })).await;
    assert_eq!(year.text("/data/expiresAt"), "2027-01-15T12:00:00.000Z");
    let form = [("name", "by form"), ("scopes", "admin"), ("expiresInDays", "")];
    let browser = Browser::signed_in(&app, ADMIN, "Laptop/2").await;
    assert_eq!(browser.form("/account/tokens", &form).await.status(), 400);
    let with = [form[0], form[1], form[2], ("password", PASSWORD)];
    assert_eq!(browser.form("/account/tokens", &with).await.status(), 200);
    for _ in 0..30 {
        make(json!({ "password": "not the password at all" })).await;
    }
    let tired = make(json!({ "password": PASSWORD })).await;
    assert_eq!(tired.status, 429, "guesses are counted: {}", tired.body);
}

#[tokio::test]
async fn every_new_account_is_in_the_log_with_how_it_came_to_be() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    let first = &entries(&app, "action=user.create").await[0];
    assert_eq!(
        (
            &first["after"]["email"],
            &first["after"]["role"],
            &first["after"]["by"],
            &first["surface"]
        ),
        (&json!(ADMIN), &json!("admin"), &json!("settings"), &json!("cli"))
    );
    app.account(Role::User).await;
    let own = &entries(&app, "action=user.create").await[0];
    assert_eq!(
        (&own["after"]["by"], &own["surface"]),
        (&json!("registration"), &json!("api"))
    );
    assert_eq!(own["target"], format!("user/{}", own["actorId"].as_str().unwrap()));
    let invited = app
        .post("/api/admin/invitations", &admin, &json!({ "role": "admin" }))
        .await;
    let token = invitation(&invited);
    let form = [
        ("token", token.as_str()),
        ("name", "Eve"),
        ("email", "eve@example.org"),
        ("password", PASSWORD),
    ];
    let browser = Browser::new(&app, "Phone/1");
    assert_eq!(browser.form("/invitation", &form).await.status(), 303);
    let made = &entries(&app, "action=user.create").await[0];
    assert_eq!(
        (&made["after"]["by"], &made["after"]["role"]),
        (&json!("invitation"), &json!("admin"))
    );
    assert_eq!(
        (&made["actor"], &made["surface"]),
        (&json!("eve@example.org"), &json!("web"))
    );
    let used = &entries(&app, "action=invitation.use").await[0];
    assert_eq!(used["target"], format!("invitation/{}", invited.text("/data/id")));
    assert_eq!(used["after"]["user"], made["target"]);
    assert!(used["requestId"].is_string() && !used.to_string().contains(&token));
    let began = &entries(&app, "action=session.start&actor=eve").await[0];
    assert_eq!(
        (&began["surface"], &began["address"]),
        (&json!("web"), &json!("127.0.0.1"))
    );
    assert!(began["requestId"].is_string());
    assert_eq!(
        entries(&app, "action=session.start&actor=admin").await[0]["surface"],
        "api"
    );
}

#[tokio::test]
async fn the_first_admin_by_the_set_up_link_is_in_the_log() {
    use secrecy::ExposeSecret;
    let app = spawn(Setup {
        with_admin: false,
        ..Setup::default()
    })
    .await;
    let token = app.set_up_token.as_ref().unwrap().expose_secret().to_owned();
    let form = [
        ("token", token.as_str()),
        ("name", "Root"),
        ("email", ADMIN),
        ("password", PASSWORD),
    ];
    assert_eq!(Browser::new(&app, "Phone/1").form("/set-up", &form).await.status(), 303);
    let made = &entries(&app, "action=user.create").await[0];
    assert_eq!(
        (&made["after"]["by"], &made["surface"]),
        (&json!("set-up link"), &json!("web"))
    );
    assert_eq!(made["actor"], ADMIN);
}

#[tokio::test]
async fn links_name_the_host_over_http2_and_the_scheme_of_a_trusted_proxy() {
    let proxied = Setup {
        environment: vec![("TRUSTED_PROXIES", "127.0.0.1".to_owned())],
        ..Setup::default()
    };
    let app = spawn(proxied).await;
    let admin = app.admin().await;
    let host = app.base.strip_prefix("http://").unwrap();
    for (http2, proto, scheme) in [
        (false, None, "http"),
        (true, None, "http"),
        (false, Some("https"), "https"),
        (true, Some("https"), "https"),
    ] {
        let builder = Client::builder().no_proxy();
        let client = if http2 {
            builder.http2_prior_knowledge()
        } else {
            builder
        }
        .build()
        .unwrap();
        let mut request = client
            .post(format!("{}/api/admin/invitations", app.base))
            .bearer_auth(&admin);
        if let Some(proto) = proto {
            request = request.header("x-forwarded-proto", proto);
        }
        let made = Reply::of(request.json(&json!({ "role": "user" })).send().await.unwrap()).await;
        let url = made.text("/data/url");
        assert!(
            url.starts_with(&format!("{scheme}://{host}/invitation?token=")),
            "{url} {http2} {proto:?}"
        );
    }
}
