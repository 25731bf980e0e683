//! What every answer says to browsers, and which pages of other origins get through.

mod other_origins;
mod safe_methods;

use std::collections::BTreeSet;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, Response};
use server::http::policies;

use crate::support::{App, Setup, spawn, spawn_app};

pub(crate) fn client() -> Client {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// On every answer, whatever it is.
fn check_common(headers: &HeaderMap, what: &str) {
    for (name, expected) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(text(headers, name), expected, "{name} of {what}");
    }
    assert!(text(headers, "permissions-policy").contains("camera=()"), "{what}");
    let policy = text(headers, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; "), "{what}: {policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
    for unsafe_source in [
        "unsafe-inline",
        "'unsafe-eval'",
        "unsafe-hashes",
        "http:",
        "https:",
        "*",
    ] {
        assert!(!policy.contains(unsafe_source), "{what}: {policy}");
    }
    assert!(text(headers, "x-request-id").len() >= 32, "{what}");
    assert_eq!(headers.get_all("x-request-id").iter().count(), 1, "{what}");
}

fn check(response: &Response, what: &str) {
    let headers = response.headers();
    let what = format!("{what}: {}", response.status());
    check_common(headers, &what);
    assert_eq!(text(headers, "cache-control"), "no-store", "{what}");
    assert!(!headers.contains_key("strict-transport-security"), "no TLS: {what}");
}

#[tokio::test]
async fn every_route_sends_them_whatever_the_answer() {
    let app = spawn_app().await;
    let (user, admin) = (app.user().await, app.admin().await);
    let client = client();
    let mut statuses = BTreeSet::new();
    let paths: BTreeSet<String> = policies().into_iter().map(|(_, path)| path).collect();
    let no_route_has = Method::from_bytes(b"PURGE").unwrap();
    for path in paths {
        let address = format!(
            "{}{}",
            app.base,
            path.replace("{id}", "0197a1b2-0000-7000-8000-000000000000")
        );
        for (method, token) in [
            (Method::GET, Some(&admin)),
            (Method::HEAD, Some(&admin)),
            (Method::GET, Some(&user)),
            (Method::GET, None),
            (Method::POST, None),
            (no_route_has.clone(), None),
        ] {
            let mut request = client.request(method.clone(), &address);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let response = request.send().await.unwrap();
            check(&response, &format!("{method} {path}"));
            statuses.insert(response.status().as_u16());
        }
    }
    for expected in [200, 303, 401, 403, 404, 405, 415] {
        assert!(statuses.contains(&expected), "no {expected} among {statuses:?}");
    }
}

#[tokio::test]
async fn answers_outside_the_routes_send_them_too() {
    let app = spawn_app().await;
    let client = client();
    let ask = |method: Method, path: &str| client.request(method, format!("{}{path}", app.base));
    let expect = async |request: RequestBuilder, status: u16, what: &str| {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{what}");
        check(&response, what);
    };
    expect(ask(Method::GET, "/api/nothing"), 404, "a program's 404").await;
    expect(ask(Method::GET, "/nothing"), 404, "a person's 404").await;
    expect(ask(Method::POST, "/nothing"), 404, "a form's 404").await;
    expect(
        ask(Method::DELETE, "/api/auth/login"),
        405,
        "a method that is not taken",
    )
    .await;
    expect(ask(Method::OPTIONS, "/api/auth/login"), 405, "options").await;
    let large = ask(Method::POST, "/api/auth/login")
        .header("content-type", "application/json")
        .body(vec![b' '; 2 << 20]);
    expect(large, 413, "too large").await;
    let problem = ask(Method::GET, "/api/auth/me").header("accept", "application/problem+json");
    expect(problem, 401, "problem+json").await;
    let foreign = ask(Method::POST, "/sign-in").header("origin", "https://evil.example");
    expect(foreign, 403, "another site's form").await;
}

#[tokio::test]
async fn files_may_be_kept_and_send_the_rest() {
    let app = spawn_app().await;
    let file = client()
        .get(format!("{}/manifest.json", app.base))
        .send()
        .await
        .unwrap();
    assert_eq!(file.status(), 200);
    check_common(file.headers(), "a file");
    assert_eq!(text(file.headers(), "cache-control"), "public, max-age=3600");
}

#[tokio::test]
async fn scripts_and_styles_of_a_page_need_its_nonce_which_is_new_each_time() {
    let app = spawn_app().await;
    let mut nonces = BTreeSet::new();
    for path in ["/sign-in", "/sign-in", "/register", "/status", "/nothing-here"] {
        let page = client().get(format!("{}{path}", app.base)).send().await.unwrap();
        let policy = text(page.headers(), "content-security-policy").to_owned();
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .and_then(|rest| rest.split('\'').next())
            .unwrap()
            .to_owned();
        assert!(nonce.len() >= 16, "{path}: {policy}");
        assert_eq!(
            policy,
            format!(
                "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self' \
                 'nonce-{nonce}'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; form-action 'self'; \
                 base-uri 'none'; frame-ancestors 'none'"
            )
        );
        let html = page.text().await.unwrap();
        for tag in html.split("<script").skip(1).chain(html.split("<style").skip(1)) {
            let opening = tag.split('>').next().unwrap();
            assert!(opening.contains(&format!("nonce=\"{nonce}\"")), "{path}: {opening}");
        }
        assert!(
            !html.contains(" style=\"") && !html.contains(" onclick=\""),
            "{path}: the policy forbids these"
        );
        assert!(nonces.insert(nonce), "{path}: a nonce is used once");
    }
}

async fn strict_transport(app: &App, scheme: Option<&str>) -> String {
    let mut request = client().get(format!("{}/healthz", app.base));
    if let Some(scheme) = scheme {
        request = request.header("x-forwarded-proto", scheme);
    }
    let response = request.send().await.unwrap();
    text(response.headers(), "strict-transport-security").to_owned()
}

#[tokio::test]
async fn browsers_are_told_to_stay_on_tls_where_it_is_known_to_be_there() {
    const YEAR: &str = "max-age=31536000; includeSubDomains";
    for (environment, scheme, expected) in [
        (&[][..], None, ""),
        (&[], Some("https"), ""),
        (&[("TRUSTED_PROXIES", "127.0.0.1")], None, ""),
        (&[("TRUSTED_PROXIES", "127.0.0.1")], Some("http"), ""),
        (&[("TRUSTED_PROXIES", "127.0.0.1")], Some("https"), YEAR),
        (&[("NODE_ENV", "production")], None, YEAR),
        (&[("NODE_ENV", "production")], Some("http"), YEAR),
        (
            &[("NODE_ENV", "production"), ("TRUSTED_PROXIES", "127.0.0.1")],
            Some("http"),
            "",
        ),
        (
            &[("NODE_ENV", "production"), ("TRUSTED_PROXIES", "127.0.0.1")],
            Some("https"),
            YEAR,
        ),
    ] {
        let app = spawn(Setup {
            environment: environment
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            ..Setup::default()
        })
        .await;
        assert_eq!(
            strict_transport(&app, scheme).await,
            expected,
            "{environment:?} {scheme:?}"
        );
    }
}
