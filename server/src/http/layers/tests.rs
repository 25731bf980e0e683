use std::collections::BTreeMap;

use axum::Router;
use axum::routing::get;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::config::{self, Layers};
use crate::startup::{self, Options};

/// Stands for a bug in a handler.
pub(in crate::http) async fn panic() -> Response {
    panic!("a message that may hold anything: the secret")
}

#[tokio::test]
async fn a_panic_is_a_500_with_every_header_and_without_its_message() {
    let data = tempfile::TempDir::new().unwrap();
    std::fs::write(data.path().join("manifest.json"), r#"{"pkgDir":"pkg-test"}"#).unwrap();
    let folder = data.path().display().to_string();
    let environment = [
        ("PORT", "0"),
        ("DATA_DIR", &folder),
        ("SITE_DIR", &folder),
        ("CORS_ALLOWED_ORIGINS", "https://app.example.org"),
    ];
    let environment: BTreeMap<String, String> = environment
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let config = config::check(&Layers {
        environment,
        ..Layers::default()
    })
    .unwrap();
    let server = startup::build(Options::new(config)).await.unwrap();
    let address = format!("http://{}/api/test/panic", server.address);
    let stop = CancellationToken::new();
    let asked = async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.get(address).header("origin", "https://app.example.org");
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.text().await.unwrap();
        stop.cancel();
        (status, headers, body)
    };
    let ((), (status, headers, body)) = tokio::join!(server.run(stop.clone().cancelled_owned()), asked);
    assert_eq!(status, 500);
    for (name, expected) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", PERMISSIONS),
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("access-control-allow-origin", "https://app.example.org"),
    ] {
        assert_eq!(headers.get(name).unwrap(), expected, "{name}");
    }
    assert!(body.contains(headers[REQUEST_ID].to_str().unwrap()), "{body}");
    assert!(body.contains("INTERNAL") && !body.contains("anything"), "{body}");
}

#[tokio::test]
async fn credentials_do_not_show_where_headers_are_written_down() {
    let router: Router = Router::new()
        .route("/", get(async |headers: HeaderMap| format!("{headers:?}")))
        .layer(hide_credentials());
    let names = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-goog-api-key",
        "x-api-key",
    ];
    let request = names.iter().fold(Request::builder().uri("/"), |request, name| {
        request.header(*name, "Bearer the-secret")
    });
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
    assert!(!text.contains("the-secret"), "{text}");
}
