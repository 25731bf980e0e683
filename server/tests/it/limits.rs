//! How much a caller may ask, who counts as one caller, and what is said about it.

use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use server::http::policies;

use crate::support::{App, PASSWORD, Reply, Setup, spawn};

const STATUS: &str = "/api/ai-analysis/service-status";

async fn limited(requests: &str, more: &[(&'static str, &str)]) -> App {
    let limits = [("RATE_LIMIT_REQUESTS", requests), ("RATE_LIMIT_WINDOW", "60000")];
    let environment = limits.iter().chain(more);
    spawn(Setup {
        environment: environment.map(|(name, value)| (*name, (*value).to_owned())).collect(),
        ..Setup::default()
    })
    .await
}

fn no_cookies() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Asked by nobody, as a proxy passes it on.
async fn forwarded(app: &App, path: &str, lines: &[&str]) -> Reply {
    let mut request = no_cookies().get(format!("{}{path}", app.base));
    for line in lines {
        request = request.header("x-forwarded-for", *line);
    }
    Reply::of(request.send().await.unwrap()).await
}

async fn sign_in(app: &App, from: &str) -> Reply {
    let request = no_cookies()
        .post(format!("{}/api/auth/login", app.base))
        .header("x-forwarded-for", from)
        .json(&json!({ "email": "ada@example.org", "password": format!("not {PASSWORD}") }));
    Reply::of(request.send().await.unwrap()).await
}

fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
    reply.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_caller_over_the_limit_is_told_when_to_come_back() {
    let app = limited("5", &[]).await;
    let ada = app.user().await;
    for (remaining, reset) in [(4, 12), (3, 24), (2, 36), (1, 48), (0, 60)] {
        let reply = app.get("/api/auth/me", &ada).await;
        assert_eq!(reply.status, 200);
        assert_eq!(header(&reply, "ratelimit-policy"), "\"caller\";q=5;w=60");
        assert_eq!(
            header(&reply, "ratelimit"),
            format!("\"caller\";r={remaining};t={reset}")
        );
    }
    let refused = app.get("/api/auth/me", &ada).await;
    assert_eq!((refused.status, refused.text("/error").as_str()), (429, "RATE_LIMITED"));
    assert_eq!(header(&refused, "retry-after"), "12");
    assert_eq!(refused.body["retryAfterSeconds"], 12);
    assert_eq!(refused.body["resetAt"], "2026-01-15T12:00:12.000Z");
    assert_eq!(refused.body["requestId"], header(&refused, "x-request-id"));
    assert_eq!(header(&refused, "ratelimit-policy"), "\"caller\";q=5;w=60");
    assert_eq!(header(&refused, "ratelimit"), "\"caller\";r=0;t=60");
    app.clock.advance(Duration::from_secs(12));
    assert_eq!(app.get("/api/auth/me", &ada).await.status, 200);
    assert_eq!(app.get("/api/auth/me", &ada).await.status, 429);
}

#[tokio::test]
async fn a_refusal_comes_as_problem_json_and_as_a_page_too() {
    let app = limited("1", &[]).await;
    let nobody = no_cookies();
    let page = |path: &str, accept: &str| {
        let request = nobody.get(format!("{}{path}", app.base)).header("accept", accept);
        async move { Reply::of(request.send().await.unwrap()).await }
    };
    assert_eq!(page("/status", "text/html").await.status, 200);
    let refused = page("/status", "text/html").await;
    assert_eq!(refused.status, 429);
    assert!(header(&refused, "content-type").starts_with("text/html"));
    assert_eq!(
        (header(&refused, "retry-after"), header(&refused, "ratelimit")),
        ("60", "\"caller\";r=0;t=60")
    );
    let problem = page("/api/status.json", "application/problem+json").await;
    assert_eq!(
        (problem.status, header(&problem, "content-type")),
        (429, "application/problem+json")
    );
    assert_eq!(
        (&problem.body["status"], &problem.body["error"]),
        (&json!(429), &json!("RATE_LIMITED"))
    );
    assert_eq!(header(&problem, "ratelimit"), "\"caller\";r=0;t=60");
}

#[tokio::test]
async fn who_is_not_signed_in_counts_by_address() {
    let app = limited("6", &[]).await;
    // Two of this address: an account is made and signed in to.
    let ada = app.user().await;
    let status = |reply: Reply| reply.status;
    assert_eq!(status(app.get("/api/auth/me", "no.such.token").await), 401);
    assert_eq!(status(app.get("/api/auth/me", "kp_nothing").await), 401);
    assert_eq!(status(app.get("/api/no/such/route", "no.such.token").await), 404);
    assert_eq!(status(forwarded(&app, "/api/status.json", &[]).await), 200);
    assert_eq!(status(forwarded(&app, "/api/status.json", &[]).await), 429);
    assert_eq!(status(app.get("/api/auth/me", "no.such.token").await), 429);
    assert_eq!(
        status(app.get("/api/auth/me", &ada).await),
        200,
        "a credential that is good counts for itself"
    );
}

#[tokio::test]
async fn health_checks_and_files_are_not_limited() {
    let app = limited("1", &[]).await;
    for path in ["/healthz", "/readyz", "/manifest.json"] {
        for _ in 0..3 {
            let reply = forwarded(&app, path, &[]).await;
            assert_eq!((reply.status, header(&reply, "ratelimit")), (200, ""), "{path}");
        }
    }
    assert_eq!(
        forwarded(&app, "/api/status.json", &[]).await.status,
        200,
        "none of them was counted"
    );
}

#[tokio::test]
async fn every_other_route_says_where_the_limit_stands() {
    let app = limited("1000", &[]).await;
    let admin = app.admin().await;
    let client = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    for (_, path) in policies() {
        let unlimited = matches!(path.as_str(), "/healthz" | "/readyz");
        let address = format!("{}{}", app.base, path.replace("{id}", "none"));
        for credential in [Some(&admin), None] {
            let mut request = client.get(&address);
            if let Some(token) = credential {
                request = request.bearer_auth(token);
            }
            let response = request.send().await.unwrap();
            // A method that a route does not take never comes to its guard.
            let expected = !unlimited && response.status() != 405;
            for name in ["ratelimit", "ratelimit-policy"] {
                assert_eq!(response.headers().contains_key(name), expected, "{name} of {path}");
            }
        }
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_callers_count_apart() {
    let app = limited("2", &[("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let ask = |lines: &'static [&'static str]| {
        let app = &app;
        async move { forwarded(app, "/api/status.json", lines).await.status }
    };
    assert_eq!(ask(&["192.0.2.1"]).await, 200);
    assert_eq!(
        ask(&["203.0.113.7, 192.0.2.1"]).await,
        200,
        "what stands left of the caller is the caller's word"
    );
    assert_eq!(ask(&["203.0.113.8", "192.0.2.1:4711, 127.0.0.2"]).await, 429);
    assert_eq!(ask(&["192.0.2.2"]).await, 200);
    assert_eq!(ask(&["2001:db8::1"]).await, 200);
    assert_eq!(ask(&["[2001:db8::2]:80"]).await, 200);
    assert_eq!(ask(&["2001:db8::3"]).await, 429, "a /64 is one caller");
}

#[tokio::test]
async fn a_stranger_cannot_choose_an_address() {
    let app = limited("2", &[("TRUSTED_PROXIES", "192.0.2.0/24")]).await;
    for (line, expected) in [("198.51.100.1", 200), ("198.51.100.2", 200), ("198.51.100.3", 429)] {
        assert_eq!(forwarded(&app, "/api/status.json", &[line]).await.status, expected);
    }
}

#[tokio::test]
async fn tries_to_sign_in_count_for_the_address_behind_the_proxy() {
    let app = limited("0", &[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    for _ in 0..10 {
        assert_eq!(sign_in(&app, "192.0.2.1").await.status, 401);
    }
    assert_eq!(sign_in(&app, "192.0.2.1").await.status, 429);
    assert_eq!(
        sign_in(&app, "192.0.2.2").await.status,
        401,
        "others are not locked out"
    );
}

#[tokio::test]
async fn a_tokens_own_limit_applies_beside_its_owners() {
    let app = limited("10", &[]).await;
    let ada = app.user().await;
    let make = async |new: Value| {
        let made = app.post("/api/tokens", &ada, &new).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.text("/data/token")
    };
    let slow = make(json!({ "name": "slow", "scopes": ["status"], "requestsPerMinute": 2 })).await;
    let fast = make(json!({ "name": "fast", "scopes": ["status"] })).await;
    let first = app.get(STATUS, &slow).await;
    assert_eq!(first.status, 200);
    assert_eq!(
        header(&first, "ratelimit-policy"),
        "\"caller\";q=10;w=60, \"token\";q=2;w=60"
    );
    assert_eq!(header(&first, "ratelimit"), "\"token\";r=1;t=30");
    assert_eq!(app.get(STATUS, &slow).await.status, 200);
    let refused = app.get(STATUS, &slow).await;
    assert_eq!((refused.status, header(&refused, "retry-after")), (429, "30"));
    assert_eq!(header(&refused, "ratelimit"), "\"token\";r=0;t=60");
    // Two tokens made and two requests of the slow one: six are left, and all of the owner's tokens share them.
    for remaining in (0..6).rev() {
        let reply = app.get(STATUS, &fast).await;
        assert_eq!(
            header(&reply, "ratelimit").split(';').nth(1),
            Some(format!("r={remaining}").as_str())
        );
    }
    assert_eq!(app.get(STATUS, &fast).await.status, 429);
    assert_eq!(
        app.get("/api/auth/me", &ada).await.status,
        429,
        "signing in brings no more"
    );
}
