//! The JSON API as programs see it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ADMIN, App, PASSWORD, Reply, Setup, key, spawn, spawn_app, text_of};

#[tokio::test]
async fn an_account_is_made_signed_in_and_told_who_it_is() {
    let app = spawn_app().await;
    let form = json!({ "email": "Ada@Example.org", "password": PASSWORD, "name": "Ada" });
    let made = Reply::of(
        app.request(Method::POST, "/api/auth/register")
            .json(&form)
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!((made.status, &made.body["success"]), (201, &json!(true)));
    let fields: Vec<&String> = made.body["data"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["email", "id", "name", "role"]);
    let again = Reply::of(
        app.request(Method::POST, "/api/auth/register")
            .json(&form)
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!((again.status, again.text("/error").as_str()), (409, "CONFLICT"));
    let login = json!({ "email": "ada@example.org", "password": PASSWORD });
    let signed_in = Reply::of(
        app.request(Method::POST, "/api/auth/login")
            .json(&login)
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(signed_in.body["data"]["user"]["role"], "user");
    assert_eq!(signed_in.body["data"]["expiresIn"], 900);
    assert!(signed_in.headers["set-cookie"].to_str().unwrap().contains("HttpOnly"));
    let me = app.get("/api/auth/me", &signed_in.text("/data/accessToken")).await;
    assert_eq!(me.text("/data/email"), "ada@example.org");
    assert_eq!(me.body["data"], made.body["data"], "the same account in the same shape");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_get_the_same_answer() {
    let app = spawn_app().await;
    let mut answers = Vec::new();
    for email in [ADMIN, "nobody@example.org"] {
        let form = json!({ "email": email, "password": "not the password at all" });
        let reply = Reply::of(
            app.request(Method::POST, "/api/auth/login")
                .json(&form)
                .send()
                .await
                .unwrap(),
        )
        .await;
        assert_eq!(reply.status, 401);
        answers.push(reply.text("/message"));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn refresh_tokens_rotate_and_a_used_one_ends_its_family() {
    let app = spawn_app().await;
    let login = json!({ "email": ADMIN, "password": PASSWORD });
    let first = Reply::of(
        app.request(Method::POST, "/api/auth/login")
            .json(&login)
            .send()
            .await
            .unwrap(),
    )
    .await
    .text("/data/refreshToken");
    let refresh = async |token: &str| {
        Reply::of(
            app.request(Method::POST, "/api/auth/refresh")
                .json(&json!({ "refreshToken": token }))
                .send()
                .await
                .unwrap(),
        )
        .await
    };
    let second = refresh(&first).await.text("/data/refreshToken");
    assert_ne!(first, second);
    assert_eq!(refresh(&first).await.status, 401, "a spent token is refused");
    assert_eq!(refresh(&second).await.status, 401, "and takes its family with it");
}

#[tokio::test]
async fn the_browsers_cookie_opens_the_api_until_sign_out() {
    let app = spawn_app().await;
    let login = json!({ "email": ADMIN, "password": PASSWORD });
    app.request(Method::POST, "/api/auth/login")
        .json(&login)
        .send()
        .await
        .unwrap();
    assert_eq!(
        app.request(Method::GET, "/api/auth/me").send().await.unwrap().status(),
        200
    );
    assert_eq!(
        app.request(Method::POST, "/api/auth/logout")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(
        app.request(Method::GET, "/api/auth/me").send().await.unwrap().status(),
        401
    );
}

#[tokio::test]
async fn another_sites_page_cannot_use_the_cookie() {
    let app = spawn_app().await;
    let login = json!({ "email": ADMIN, "password": PASSWORD });
    app.request(Method::POST, "/api/auth/login")
        .json(&login)
        .send()
        .await
        .unwrap();
    let request = app
        .request(Method::POST, "/api/ai-analysis/analyze")
        .header("origin", "https://evil.example")
        .json(&json!({ "prompt": "x" }));
    assert_eq!(Reply::of(request.send().await.unwrap()).await.status, 403);
    assert!(app.sim.calls().is_empty());
}

#[tokio::test]
async fn every_route_of_the_api_asks_who_is_there() {
    let app = spawn_app().await;
    let user = app.user().await;
    let table = [
        (Method::GET, "/api/auth/me", 200),
        (Method::GET, "/api/ai-analysis/analyses", 200),
        (Method::GET, "/api/ai-analysis/service-status", 200),
        (Method::GET, "/api/admin/keys", 403),
        (Method::POST, "/api/admin/keys", 403),
        (Method::POST, "/api/admin/keys/reset-quota", 403),
        (Method::POST, "/api/admin/keys/switch", 403),
        (Method::POST, "/api/admin/keys/test-all", 403),
    ];
    let nobody = reqwest::Client::builder().no_proxy().build().unwrap();
    for (method, path, as_user) in table {
        let url = format!("{}{path}", app.base);
        let without = Reply::of(nobody.request(method.clone(), &url).send().await.unwrap()).await;
        assert_eq!(
            (without.status, without.text("/error").as_str()),
            (401, "UNAUTHENTICATED"),
            "{method} {path} without credentials"
        );
        let forged = nobody
            .request(method.clone(), &url)
            .bearer_auth(forge(&user))
            .send()
            .await
            .unwrap();
        assert_eq!(forged.status(), 401, "{method} {path} with a forged token");
        let with = nobody
            .request(method.clone(), &url)
            .bearer_auth(&user)
            .send()
            .await
            .unwrap();
        assert_eq!(with.status(), as_user, "{method} {path} as a user");
    }
}

/// The same token with another signature.
fn forge(token: &str) -> String {
    let (head, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{head}.{first}{}", &signature[1..])
}

#[tokio::test]
async fn an_access_token_ends_after_fifteen_minutes() {
    let app = spawn_app().await;
    let token = app.user().await;
    app.clock.advance(std::time::Duration::from_secs(16 * 60));
    let nobody = reqwest::Client::builder().no_proxy().build().unwrap();
    let reply = Reply::of(
        nobody
            .get(format!("{}/api/auth/me", app.base))
            .bearer_auth(token)
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!((reply.status, reply.text("/error").as_str()), (401, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn an_analysis_has_the_shape_of_the_contract_and_is_in_its_owners_history_only() {
    let app = spawn_app().await;
    let (owner, stranger) = (app.user().await, app.user().await);
    let reply = app.analyze(&owner).await;
    let data = &reply.body["data"];
    assert_eq!(data["finishReason"], "STOP");
    assert_eq!(
        (&data["cached"], &data["degraded"], &data["warning"]),
        (&json!(false), &json!(false), &Value::Null)
    );
    let usage = &data["usage"];
    assert_eq!(
        usage["totalTokens"].as_u64().unwrap(),
        usage["promptTokens"].as_u64().unwrap() + usage["outputTokens"].as_u64().unwrap()
    );
    assert_eq!(data["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(reply.headers["x-request-id"].len(), 36);

    let path = format!("/api/ai-analysis/analyses/{}", reply.text("/data/id"));
    let kept = app.get(&path, &owner).await;
    assert_eq!(kept.text("/data/text"), reply.text("/data/text"));
    assert_eq!(kept.text("/data/prompt"), "Why do rivers meander?");
    assert_eq!(app.get(&path, &stranger).await.status, 404);
    let delete = |token: &str| app.request(Method::DELETE, &path).bearer_auth(token).send();
    assert_eq!(delete(&stranger).await.unwrap().status(), 404);
    assert_eq!(delete(&owner).await.unwrap().status(), 200);
    assert_eq!(app.get(&path, &owner).await.status, 404);
}

#[tokio::test]
async fn the_history_comes_in_pages_newest_first() {
    let app = spawn_app().await;
    let token = app.user().await;
    for number in 0..5 {
        app.clock.advance(std::time::Duration::from_secs(1));
        app.post(
            "/api/ai-analysis/analyze",
            &token,
            &json!({ "prompt": format!("Prompt {number}") }),
        )
        .await;
    }
    let mut titles = Vec::new();
    let mut path = "/api/ai-analysis/analyses?limit=2".to_owned();
    loop {
        let page = app.get(&path, &token).await;
        titles.extend(
            page.body["data"]["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["title"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page.body["data"]["nextCursor"].as_str() else {
            break;
        };
        path = format!("/api/ai-analysis/analyses?limit=2&cursor={cursor}");
    }
    assert_eq!(titles, ["Prompt 4", "Prompt 3", "Prompt 2", "Prompt 1", "Prompt 0"]);
    assert_eq!(
        app.get("/api/ai-analysis/analyses?cursor=nonsense", &token)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_stream_tells_its_progress_its_text_and_its_end() {
    let app = spawn_app().await;
    let events = app.stream(&app.user().await, "Why do rivers meander?").await;
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names[..2], ["status", "status"]);
    assert_eq!(names.last(), Some(&"done"));
    assert!(names[2..names.len() - 1].iter().all(|name| *name == "delta"));
    assert_eq!(text_of(&events), events.last().unwrap().data["text"].as_str().unwrap());
}

/// The status of an image sent as a form.
async fn upload(app: &App, token: &str, image: Vec<u8>) -> u16 {
    let part = reqwest::multipart::Part::bytes(image)
        .file_name("image.png")
        .mime_str("image/png")
        .unwrap();
    let form = reqwest::multipart::Form::new()
        .text("prompt", "What is this?")
        .text("temperature", "0.5")
        .part("images", part);
    let request = app
        .request(Method::POST, "/api/ai-analysis/analyze")
        .bearer_auth(token)
        .multipart(form);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn images_are_taken_as_json_and_as_a_form() {
    use base64::Engine;
    let app = spawn_app().await;
    let token = app.user().await;
    let png = tiny_png();
    let data = base64::engine::general_purpose::STANDARD.encode(&png);
    let body = json!({ "prompt": "What is this?", "images": [{ "mimeType": "image/png", "data": data }] });
    let reply = app.post("/api/ai-analysis/analyze", &token, &body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(reply.text("/data/text").contains("image/png"));

    assert_eq!(upload(&app, &token, png).await, 200);
    // More than frameworks take by default, less than the contract's 20 MB.
    let mut large = tiny_png();
    large.resize(15_000_000, 0);
    assert_eq!(upload(&app, &token, large).await, 200);
    let calls = &app.sim.calls()[..2];
    let generated: Vec<_> = calls
        .iter()
        .filter(|call| call.body.pointer("/contents").is_some())
        .collect();
    assert_eq!(generated.len(), 2);
    for call in generated {
        assert_eq!(
            call.body
                .pointer("/contents/0/parts/1/inlineData/data")
                .and_then(Value::as_str),
            Some(data.as_str())
        );
        assert!(
            !call.path.contains("key"),
            "the key is in a header, not in {}",
            call.path
        );
    }
}

fn tiny_png() -> Vec<u8> {
    // 1 × 1 pixel, transparent.
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89".to_vec();
    png.extend_from_slice(b"\0\0\0\rIDATx\x9cc\xf8\xff\xff?\0\x05\xfe\x02\xfe\xa75\x81\x84\0\0\0\0IEND\xaeB`\x82");
    png
}

#[tokio::test]
async fn admins_list_test_reset_and_switch_keys_and_never_see_one() {
    let app = spawn(Setup {
        environment: vec![("KEYPOOL_STRATEGY", "sticky".to_owned())],
        ..Setup::default()
    })
    .await;
    let (admin, user) = (app.admin().await, app.user().await);
    let keys = app.get("/api/admin/keys", &admin).await;
    assert_eq!(keys.body["data"].as_array().unwrap().len(), 3);
    assert_eq!(keys.body["data"][0]["mask"], "••••0001");
    assert!((1..=3).all(|number| !keys.body.to_string().contains(&key(number))));

    app.always(1, "day-quota-paid");
    app.analyze(&user).await;
    assert_eq!(app.status(&user).await["availableKeys"][0]["quotaExceeded"], true);
    let reset = app.post("/api/admin/keys/reset-quota", &admin, &json!({})).await;
    assert_eq!(reset.body["data"]["availableKeys"][0]["quotaExceeded"], false);

    let switched = app
        .post("/api/admin/keys/switch", &admin, &json!({ "keyNumber": 3 }))
        .await;
    assert_eq!(switched.body["data"]["currentKeyIndex"], 2);
    app.analyze(&user).await;
    assert_eq!(app.calls(3), 1, "the next request goes to the key switched to");
    assert_eq!(
        app.post("/api/admin/keys/switch", &admin, &json!({ "keyNumber": 9 }))
            .await
            .status,
        404
    );

    let tests = app.post("/api/admin/keys/test-all", &admin, &json!({})).await;
    let results: Vec<&str> = tests.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| test["status"].as_str().unwrap())
        .collect();
    assert_eq!(results, ["success", "success", "success"]);
}

#[tokio::test]
async fn a_key_is_tested_before_it_is_kept() {
    let app = spawn(Setup {
        keys: 0,
        ..Setup::default()
    })
    .await;
    let (admin, user) = (app.admin().await, app.user().await);
    let none = app.analyze(&user).await;
    assert_eq!((none.status, none.text("/error").as_str()), (503, "NO_KEYS"));
    app.sim
        .always("AQ.a-leaked-key-0001", "*", simulator::Behaviour::fixture("key-leaked"));
    let refused = app
        .post("/api/admin/keys", &admin, &json!({ "key": "AQ.a-leaked-key-0001" }))
        .await;
    assert_eq!((refused.status, refused.text("/field").as_str()), (400, "key"));
    let added = app
        .post(
            "/api/admin/keys",
            &admin,
            &json!({ "key": " AQ.a-good-key-00002\n", "label": "First" }),
        )
        .await;
    assert_eq!(
        (added.status, added.text("/data/label").as_str()),
        (201, "First"),
        "{}",
        added.body
    );
    let twice = app
        .post("/api/admin/keys", &admin, &json!({ "key": "AQ.a-good-key-00002" }))
        .await;
    assert_eq!(twice.status, 409);
    assert_eq!(app.analyze(&user).await.status, 200);
}

#[tokio::test]
async fn the_status_is_followed_as_it_changes() {
    let app = spawn(Setup {
        keys: 1,
        ..Setup::default()
    })
    .await;
    let token = app.user().await;
    let mut stream = app
        .request(Method::GET, "/api/ai-analysis/service-status/stream")
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let first = stream.chunk().await.unwrap().unwrap();
    assert!(
        std::str::from_utf8(&first)
            .unwrap()
            .contains("\"level\":\"operational\"")
    );
    app.always(1, "day-quota-paid");
    app.analyze(&token).await;
    let mut seen = String::new();
    while !seen.contains("\"level\":\"major_outage\"") {
        seen.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn the_public_status_names_no_key() {
    let app = spawn_app().await;
    let reply = Reply::of(app.request(Method::GET, "/api/status.json").send().await.unwrap()).await;
    assert_eq!(
        (&reply.body["healthyKeys"], &reply.body["totalKeys"]),
        (&json!(3), &json!(3))
    );
    assert!(!reply.body.to_string().contains("keyNumber"));
}

#[tokio::test]
async fn operators_ask_whether_it_lives_and_whether_it_is_ready() {
    let app = spawn(Setup {
        keys: 1,
        ..Setup::default()
    })
    .await;
    app.always(1, "day-quota-paid");
    app.analyze(&app.user().await).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            app.request(Method::GET, path).send().await.unwrap().status(),
            200,
            "{path}: a spent pool is not an unready server"
        );
    }
}

#[tokio::test]
async fn errors_come_as_problem_json_to_those_who_ask_for_it() {
    let app = spawn_app().await;
    let request = app
        .request(Method::GET, "/api/auth/me")
        .header("accept", "application/problem+json");
    let reply = Reply::of(request.send().await.unwrap()).await;
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    assert_eq!(
        (&reply.body["status"], &reply.body["error"]),
        (&json!(401), &json!("UNAUTHENTICATED"))
    );
    assert_eq!(
        reply.text("/requestId"),
        reply.headers["x-request-id"].to_str().unwrap()
    );
}
