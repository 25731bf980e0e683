//! API tokens: made, used in every place, limited, ended.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, Reply, Setup, spawn, spawn_app};

const STATUS: &str = "/api/ai-analysis/service-status";

async fn make(app: &App, owner: &str, new: &Value) -> Reply {
    app.post("/api/tokens", owner, new).await
}

async fn token(app: &App, owner: &str) -> String {
    let reply = make(app, owner, &json!({ "name": "script", "scopes": ["status"] })).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    reply.text("/data/token")
}

#[tokio::test]
async fn a_token_is_shown_once_and_listed_without_its_secret() {
    let app = spawn_app().await;
    let ada = app.user().await;
    let new = json!({ "name": " nightly ", "scopes": ["status", "analyze", "status"], "expiresInDays": 7, "requestsPerMinute": 60 });
    let made = make(&app, &ada, &new).await;
    let secret = made.text("/data/token");
    assert!(
        secret.starts_with("kp_") && secret.len() == 51,
        "a prefix, 256 bits and a checksum"
    );
    assert_eq!(made.headers["cache-control"], "no-store");
    let listed = app.get("/api/tokens", &ada).await;
    let row = &listed.body["data"][0];
    assert_eq!(row["name"], "nightly");
    assert_eq!(row["scopes"], json!(["analyze", "status"]));
    assert_eq!(row["mask"], format!("kp_…{}", &secret[47..]));
    assert_eq!(row["expiresAt"], "2026-01-22T12:00:00.000Z");
    assert_eq!((&row["expired"], &row["lastUsedAt"]), (&json!(false), &json!(null)));
    assert!(!listed.body.to_string().contains(&secret));
    assert_eq!(app.get(STATUS, &secret).await.status, 200);
    let listed = app.get("/api/tokens", &ada).await;
    assert_eq!(listed.body["data"][0]["lastUsedAt"], "2026-01-15T12:00:00.000Z");
}

#[tokio::test]
async fn what_cannot_be_a_token_is_refused_with_the_field_at_fault() {
    let app = spawn_app().await;
    let ada = app.user().await;
    for (new, status, field) in [
        (json!({ "name": "", "scopes": ["status"] }), 400, "name"),
        (json!({ "name": "a\nb", "scopes": ["status"] }), 400, "name"),
        (json!({ "name": "x".repeat(101), "scopes": ["status"] }), 400, "name"),
        (json!({ "name": "a", "scopes": [] }), 400, "scopes"),
        (json!({ "name": "a", "scopes": ["admin"] }), 403, "scopes"),
        (json!({ "name": "a", "scopes": ["analytics"] }), 403, "scopes"),
        (
            json!({ "name": "a", "scopes": ["status"], "expiresInDays": 0 }),
            400,
            "expiresInDays",
        ),
        (
            json!({ "name": "a", "scopes": ["status"], "requestsPerMinute": 0 }),
            400,
            "requestsPerMinute",
        ),
    ] {
        let refused = make(&app, &ada, &new).await;
        assert_eq!(
            (refused.status, &refused.body["field"]),
            (status, &json!(field)),
            "{new}"
        );
    }
    for new in [
        json!({ "name": "a", "scopes": ["everything"] }),
        json!({ "name": "a", "scopes": ["status"], "userId": "eve" }),
    ] {
        assert_eq!(make(&app, &ada, &new).await.status, 400, "{new}");
    }
}

#[tokio::test]
async fn a_token_ends_when_it_is_revoked_and_when_its_time_is_over() {
    let app = spawn_app().await;
    let ada = app.user().await;
    let new = json!({ "name": "a", "scopes": ["status"], "expiresInDays": 1 });
    let made = make(&app, &ada, &new).await;
    let (short, lasting) = (made.text("/data/token"), token(&app, &ada).await);
    app.clock.advance(Duration::from_secs(86_399));
    assert_eq!(app.get(STATUS, &short).await.status, 200);
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(app.get(STATUS, &short).await.status, 401);
    assert_eq!(app.get(STATUS, &lasting).await.status, 200);
}

#[tokio::test]
async fn only_its_owner_revokes_a_token() {
    let app = spawn_app().await;
    let (ada, eve) = (app.user().await, app.user().await);
    let made = make(&app, &ada, &json!({ "name": "a", "scopes": ["status"] })).await;
    let path = format!("/api/tokens/{}", made.text("/data/id"));
    assert_eq!(app.call(Method::DELETE, &path, &eve, None).await.status, 404);
    assert_eq!(app.get(STATUS, &made.text("/data/token")).await.status, 200);
    assert_eq!(app.call(Method::DELETE, &path, &ada, None).await.status, 200);
    assert_eq!(app.get(STATUS, &made.text("/data/token")).await.status, 401);
    assert_eq!(app.call(Method::DELETE, &path, &ada, None).await.status, 404);
    assert_eq!(app.get("/api/tokens", &ada).await.body["data"], json!([]));
}

#[tokio::test]
async fn a_token_makes_no_token_and_changes_no_account() {
    let app = spawn_app().await;
    let ada = app.user().await;
    let token = token(&app, &ada).await;
    assert_eq!(
        make(&app, &token, &json!({ "name": "b", "scopes": ["status"] }))
            .await
            .status,
        403
    );
    let rename = json!({ "name": "Eve" });
    assert_eq!(
        app.call(Method::PATCH, "/api/auth/me", &token, Some(&rename))
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn text_that_would_be_a_query_elsewhere_is_only_text() {
    let app = spawn_app().await;
    let ada = app.user().await;
    let name = "'); DROP TABLE api_tokens; --";
    let secret = make(&app, &ada, &json!({ "name": name, "scopes": ["status"] }))
        .await
        .text("/data/token");
    for attempt in ["kp_' OR '1'='1", "kp_%", "' OR ''='", "kp_", &secret[..50]] {
        let refused = app.get(STATUS, attempt).await;
        assert_eq!(refused.status, 401, "{attempt}");
        assert_eq!(refused.headers["www-authenticate"], "Bearer realm=\"keypool\"");
    }
    assert_eq!(app.get(STATUS, &secret).await.status, 200);
    assert_eq!(app.get("/api/tokens", &ada).await.body["data"][0]["name"], name);
}

#[tokio::test]
async fn the_store_holds_no_token_that_could_be_used() {
    let app = spawn_app().await;
    let ada = app.user().await;
    let secret = token(&app, &ada).await;
    let digest = {
        use sha2::Digest as _;
        sha2::Sha256::digest(secret.as_bytes()).to_vec()
    };
    let (data, _sim) = app.stop().await;
    let folder = data.path().join("data");
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let holds = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
        assert!(!holds(secret.as_bytes()), "the token is on the disk");
        assert!(
            !holds(&digest),
            "a hash without a key can be looked up by anyone who has the store"
        );
    }
}

#[tokio::test]
async fn a_token_has_a_limit_of_its_own() {
    let app = spawn(Setup::default()).await;
    let ada = app.user().await;
    let new = json!({ "name": "a", "scopes": ["status"], "requestsPerMinute": 3 });
    let (limited, other) = (
        make(&app, &ada, &new).await.text("/data/token"),
        token(&app, &ada).await,
    );
    for _ in 0..3 {
        let served = app.get(STATUS, &limited).await;
        assert_eq!(served.status, 200);
        assert!(served.headers.contains_key("ratelimit"), "{:?}", served.headers);
    }
    let refused = app.get(STATUS, &limited).await;
    assert_eq!((refused.status, &refused.body["error"]), (429, &json!("RATE_LIMITED")));
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(
        app.get(STATUS, &other).await.status,
        200,
        "the owner's other tokens go on"
    );
    app.clock.advance(Duration::from_secs(60));
    assert_eq!(app.get(STATUS, &limited).await.status, 200);
}
