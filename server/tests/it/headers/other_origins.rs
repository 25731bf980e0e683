//! Pages of other origins: those that are allowed call the API without the browser's cookie, the others not at all.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::json;

use crate::headers::{client, text};
use crate::support::{ADMIN, App, PASSWORD, Reply, Setup, spawn, spawn_app};

const ALLOWED: &str = "https://app.example.org";
const EVIL: &str = "https://evil.example";

async fn app() -> App {
    spawn(Setup {
        environment: vec![("CORS_ALLOWED_ORIGINS", ALLOWED.to_owned())],
        ..Setup::default()
    })
    .await
}

/// As far as the browser says where the request comes from.
fn sent(
    client: &Client,
    app: &App,
    method: Method,
    path: &str,
    (site, origin): (Option<&str>, Option<&str>),
) -> RequestBuilder {
    let mut request = client.request(method, format!("{}{path}", app.base));
    if let Some(site) = site {
        request = request.header("sec-fetch-site", site);
    }
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    request
}

/// 201 for a POST that came through, 404 for a DELETE, 200 for a GET; else the refusal.
async fn status(
    client: &Client,
    app: &App,
    method: &Method,
    from: (Option<&str>, Option<&str>),
    token: Option<&str>,
) -> u16 {
    let path = if *method == Method::DELETE {
        "/api/tokens/none"
    } else {
        "/api/tokens"
    };
    let mut request = sent(client, app, method.clone(), path, from);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if *method == Method::POST {
        request = request.json(&json!({ "name": "script", "scopes": ["status"] }));
    }
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn what_changes_something_comes_from_our_pages_or_with_a_credential_of_its_own() {
    let app = app().await;
    // The cookie is in the app's client from here on.
    let token = app.admin().await;
    let with_cookie = &app.client;
    let login = json!({ "email": ADMIN, "password": PASSWORD });
    let signed_in = with_cookie.post(format!("{}/api/auth/login", app.base)).json(&login);
    assert_eq!(signed_in.send().await.unwrap().status(), 200);
    let own = app.base.clone();
    // Where from (`Sec-Fetch-Site`, `Origin`); how it ends with the cookie; and with a bearer token.
    let (through, refused, no_cookie) = (None, Some(403), Some(401));
    let table = [
        // No browser says neither of a request that another site's page sends with a cookie: the cookie is SameSite=Lax.
        ((None, None), through, through),
        ((Some("same-origin"), Some(own.as_str())), through, through),
        ((Some("same-origin"), None), through, through),
        // Our own forms: no-referrer makes their origin opaque.
        ((Some("same-origin"), Some("null")), through, through),
        ((Some("none"), None), through, through),
        ((None, Some(own.as_str())), through, through),
        ((Some("cross-site"), Some(EVIL)), refused, refused),
        ((Some("cross-site"), None), refused, refused),
        ((Some("cross-site"), Some("null")), refused, refused),
        ((Some("cross-site"), Some(own.as_str())), refused, refused),
        ((Some("same-site"), Some("https://other.example.org")), refused, refused),
        ((Some("same-site"), None), refused, refused),
        ((Some("anything"), None), refused, refused),
        ((None, Some(EVIL)), refused, refused),
        ((None, Some("null")), refused, refused),
        ((None, Some("not an origin")), refused, refused),
        ((Some("cross-site"), Some(ALLOWED)), no_cookie, through),
        ((Some("same-site"), Some(ALLOWED)), no_cookie, through),
        ((None, Some(ALLOWED)), no_cookie, through),
        // A proxy in front may pass on another Host.
        ((Some("same-origin"), Some(ALLOWED)), through, through),
        ((Some("cross-site"), Some("http://app.example.org")), refused, refused),
        (
            (Some("cross-site"), Some("https://app.example.org:8443")),
            refused,
            refused,
        ),
        (
            (Some("cross-site"), Some("https://app.example.org.evil.example")),
            refused,
            refused,
        ),
        ((None, Some("https://APP.example.org")), refused, refused),
    ];
    for (from, by_cookie, by_token) in table {
        for (method, success) in [(Method::POST, 201), (Method::DELETE, 404)] {
            let what = format!("{method} {from:?}");
            let found = status(with_cookie, &app, &method, from, None).await;
            assert_eq!(found, by_cookie.unwrap_or(success), "{what} with the cookie");
            let found = status(&client(), &app, &method, from, Some(&token)).await;
            assert_eq!(found, by_token.unwrap_or(success), "{what} with a token");
        }
        // Reading changes nothing, and the answer is not shown to other origins.
        let expected = if by_cookie == no_cookie { 401 } else { 200 };
        let found = status(with_cookie, &app, &Method::GET, from, None).await;
        assert_eq!(found, expected, "GET {from:?} with the cookie");
    }
}

#[tokio::test]
async fn forms_are_for_our_own_pages_also_where_the_api_is_open() {
    let app = app().await;
    for origin in [ALLOWED, EVIL] {
        for path in ["/theme", "/sign-in", "/sign-out"] {
            let request = sent(&client(), &app, Method::POST, path, (Some("cross-site"), Some(origin)));
            assert_eq!(request.send().await.unwrap().status(), 403, "{path} from {origin}");
        }
    }
}

fn preflight(app: &App, path: &str, origin: &str) -> RequestBuilder {
    sent(
        &client(),
        app,
        Method::OPTIONS,
        path,
        (Some("cross-site"), Some(origin)),
    )
    .header("access-control-request-method", "POST")
    .header(
        "access-control-request-headers",
        "authorization, content-type, idempotency-key",
    )
}

#[tokio::test]
async fn an_allowed_origin_is_told_what_it_may_send_before_any_sign_in() {
    let app = app().await;
    let answer = preflight(&app, "/api/ai-analysis/analyze", ALLOWED)
        .send()
        .await
        .unwrap();
    let headers = answer.headers();
    assert_eq!(answer.status(), 200);
    assert_eq!(text(headers, "access-control-allow-origin"), ALLOWED);
    assert_eq!(
        text(headers, "access-control-allow-methods"),
        "GET,POST,PATCH,PUT,DELETE"
    );
    assert_eq!(
        text(headers, "access-control-allow-headers"),
        "authorization,content-type,accept,idempotency-key,x-goog-api-key,x-api-key"
    );
    assert!(
        !headers.contains_key("access-control-allow-credentials"),
        "never with cookies"
    );
    assert!(text(headers, "vary").contains("origin"));
    for (path, origin) in [
        ("/api/ai-analysis/analyze", EVIL),
        ("/api/ai-analysis/analyze", "null"),
        ("/api/ai-analysis/analyze", "https://app.example.org.evil.example"),
        ("/sign-in", ALLOWED),
        ("/", ALLOWED),
    ] {
        let answer = preflight(&app, path, origin).send().await.unwrap();
        assert!(
            !answer.headers().contains_key("access-control-allow-origin"),
            "{path} {origin}"
        );
    }
}

#[tokio::test]
async fn nobody_else_is_told_anything_where_no_origin_is_allowed() {
    let app = spawn_app().await;
    let answer = preflight(&app, "/api/ai-analysis/analyze", ALLOWED)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 405);
    let names = answer.headers().keys();
    assert!(
        !names
            .into_iter()
            .any(|name| name.as_str().starts_with("access-control"))
    );
}

#[tokio::test]
async fn an_allowed_origin_reads_answers_errors_too_and_gets_no_cookie() {
    let app = app().await;
    let from = (Some("cross-site"), Some(ALLOWED));
    let client = client();
    let credentials = json!({ "email": ADMIN, "password": PASSWORD });
    let login = sent(&client, &app, Method::POST, "/api/auth/login", from).json(&credentials);
    let login = Reply::of(login.send().await.unwrap()).await;
    assert_eq!(login.status, 200);
    assert!(!login.headers.contains_key("set-cookie"));
    let token = login.text("/data/accessToken");
    for (path, token, expected) in [
        ("/api/auth/me", Some(&token), 200),
        ("/api/auth/me", None, 401),
        ("/api/nothing", None, 404),
        ("/api/auth/login", None, 405),
    ] {
        let mut request = sent(&client, &app, Method::GET, path, from);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), expected, "{path}");
        assert_eq!(text(answer.headers(), "access-control-allow-origin"), ALLOWED, "{path}");
        assert_eq!(
            text(answer.headers(), "access-control-expose-headers"),
            "x-request-id,ratelimit,ratelimit-policy,retry-after,idempotency-replayed"
        );
        assert!(
            !answer.headers().contains_key("access-control-allow-credentials"),
            "{path}"
        );
    }
    let other = sent(
        &client,
        &app,
        Method::GET,
        "/api/auth/me",
        (Some("cross-site"), Some(EVIL)),
    )
    .bearer_auth(&token);
    let other = other.send().await.unwrap();
    assert!(!other.headers().contains_key("access-control-allow-origin"));
}
