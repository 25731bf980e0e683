//! Whatever is sent, the answer says what to do about it; never a panic, never a 500, and nothing reaches the provider.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, Reply, spawn_app};

const ANALYZE: &str = "/api/ai-analysis/analyze";

async fn check(app: &App, token: &str, what: &str, body: &Value, status: u16, code: &str, says: &str) {
    for path in [ANALYZE, "/api/ai-analysis/analyze/stream"] {
        let reply = app.post(path, token, body).await;
        assert_eq!(
            (reply.status, reply.text("/error").as_str()),
            (status, code),
            "{what} at {path}"
        );
        assert!(
            reply.text("/message").contains(says),
            "{what}: {:?} does not say {says:?}",
            reply.text("/message")
        );
        assert_eq!(
            reply.text("/requestId"),
            reply.headers["x-request-id"].to_str().unwrap()
        );
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table: one row a mistake")]
async fn a_body_with_a_mistake_gets_a_clear_refusal() {
    let app = spawn_app().await;
    let token = app.user().await;
    let image = |mime: &str, data: &str| json!({ "prompt": "x", "images": [{ "mimeType": mime, "data": data }] });
    let table = [
        ("no prompt", json!({}), 400, "BAD_REQUEST", "missing field `prompt`"),
        (
            "an empty prompt",
            json!({ "prompt": "  \n" }),
            400,
            "BAD_REQUEST",
            "write what should be analysed",
        ),
        (
            "a huge prompt",
            json!({ "prompt": "x".repeat(100_001) }),
            400,
            "BAD_REQUEST",
            "100001 characters",
        ),
        (
            "an unknown field",
            json!({ "prompt": "x", "temprature": 1 }),
            400,
            "BAD_REQUEST",
            "temprature",
        ),
        (
            "a wrong type",
            json!({ "prompt": 7 }),
            400,
            "BAD_REQUEST",
            "prompt: a value has the wrong type",
        ),
        (
            "a hot temperature",
            json!({ "prompt": "x", "temperature": 3.5 }),
            400,
            "BAD_REQUEST",
            "temperature",
        ),
        (
            "no output",
            json!({ "prompt": "x", "maxOutputTokens": 0 }),
            400,
            "BAD_REQUEST",
            "maxOutputTokens",
        ),
        (
            "many retries",
            json!({ "prompt": "x", "maxRetries": 99 }),
            400,
            "BAD_REQUEST",
            "maxRetries",
        ),
        (
            "a model that is a path",
            json!({ "prompt": "x", "model": "../../v1/files" }),
            400,
            "BAD_REQUEST",
            "model",
        ),
        (
            "a PDF",
            image("application/pdf", "JVBERi0="),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "use PNG",
        ),
        (
            "text that says it is a PNG",
            image("image/png", "aGVsbG8gd29ybGQ="),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "no image of a known type",
        ),
        (
            "a JPEG that says it is a PNG",
            image("image/png", "/9j/4AAQSkZJRg=="),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "image/jpeg",
        ),
        ("no base64", image("image/png", "***"), 400, "BAD_REQUEST", "base64"),
    ];
    for (what, body, status, code, says) in table {
        check(&app, &token, what, &body, status, code, says).await;
    }
    let most = json!({ "prompt": "ä".repeat(100_000) });
    assert_eq!(
        app.post(ANALYZE, &token, &most).await.status,
        200,
        "100,000 characters are taken, however many bytes they are"
    );
    assert_eq!(app.sim.calls().len(), 1);
}

/// What it is, its type, its bytes, and the status that refuses it.
fn no_requests() -> [(&'static str, &'static str, Vec<u8>, u16); 13] {
    let multipart = "multipart/form-data; boundary=x";
    let part = b"--x\r\nContent-Disposition: form-data; name=\"prompt\"\r\n";
    [
        ("nothing", "application/json", Vec::new(), 400),
        ("half a JSON", "application/json", b"{\"prompt\":".to_vec(), 400),
        (
            "no UTF-8 in JSON",
            "application/json",
            b"{\"prompt\":\"\xff\xfe\"}".to_vec(),
            400,
        ),
        (
            "deep JSON",
            "application/json",
            [vec![b'['; 100_000], vec![b']'; 100_000]].concat(),
            400,
        ),
        ("no type that is known", "text/plain", b"hello".to_vec(), 415),
        (
            "a form without end",
            multipart,
            b"--x\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nhello".to_vec(),
            400,
        ),
        (
            "no UTF-8 in a form",
            multipart,
            b"--x\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n\xff\xfe\r\n--x--\r\n".to_vec(),
            400,
        ),
        (
            "a form of a thousand parts",
            multipart,
            [
                [part, &b"\r\nhello\r\n"[..]].concat().repeat(1_000),
                b"--x--\r\n".to_vec(),
            ]
            .concat(),
            400,
        ),
        (
            "a part of a thousand headers",
            multipart,
            [part, &b"A: b\r\n".repeat(1_000)[..], b"\r\nhello\r\n--x--\r\n"].concat(),
            400,
        ),
        (
            "a part whose head does not end",
            multipart,
            [part, &b"a".repeat(1_000_000)[..]].concat(),
            400,
        ),
        (
            "JSON of 65 levels where one is wanted",
            "application/json",
            format!("{{\"prompt\":{}{}}}", "[".repeat(64), "]".repeat(64)).into_bytes(),
            400,
        ),
        ("a form without boundary", "multipart/form-data", b"--x--".to_vec(), 400),
        (
            "a form with a stranger",
            multipart,
            b"--x\r\nContent-Disposition: form-data; name=\"nonsense\"\r\n\r\n1\r\n--x--\r\n".to_vec(),
            400,
        ),
    ]
}

#[tokio::test]
async fn bytes_that_are_no_request_get_a_clear_refusal() {
    let app = spawn_app().await;
    let token = app.user().await;
    for (what, content_type, body, status) in no_requests() {
        let request = app
            .request(Method::POST, ANALYZE)
            .bearer_auth(&token)
            .header("content-type", content_type)
            .body(body);
        let reply = Reply::of(request.send().await.unwrap()).await;
        assert_eq!(reply.status, status, "{what}: {}", reply.body);
        assert_eq!(reply.body["success"], false, "{what}");
    }
    assert!(app.sim.calls().is_empty());
}

#[tokio::test]
async fn a_body_of_21_mb_is_refused_and_the_caller_gets_to_read_why() {
    let app = spawn_app().await;
    let token = app.user().await;
    let body = vec![b' '; 21_000_000];
    let request = app
        .request(Method::POST, ANALYZE)
        .bearer_auth(&token)
        .header("content-type", "application/json")
        .body(body);
    let reply = Reply::of(request.send().await.unwrap()).await;
    assert_eq!(
        (reply.status, reply.text("/error").as_str()),
        (413, "PAYLOAD_TOO_LARGE")
    );
    assert!(reply.text("/message").contains("20 MB"));
    let login = app
        .request(Method::POST, "/api/auth/login")
        .header("content-type", "application/json")
        .body(vec![b' '; 2_000_000]);
    assert_eq!(login.send().await.unwrap().status(), 413, "elsewhere 1 MB is the bound");
}

#[tokio::test]
async fn credentials_that_are_none_are_refused_before_the_body_is_read() {
    let app = spawn_app().await;
    for header in [
        "Bearer",
        "Bearer ",
        "Bearer a.b.c",
        "Basic YTpi",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
    ] {
        let request = app
            .request(Method::POST, ANALYZE)
            .header("authorization", header)
            .body("{");
        let reply = Reply::of(request.send().await.unwrap()).await;
        assert_eq!(
            (reply.status, reply.text("/error").as_str()),
            (401, "UNAUTHENTICATED"),
            "{header:?}"
        );
    }
}

#[tokio::test]
async fn a_password_in_a_refused_body_is_not_repeated() {
    let app = spawn_app().await;
    let bodies = [
        "{\"email\":\"a@example.org\",\"password\":\"canary-password\",\"x\":1}",
        "{\"email\":\"a@example.org\",\"password\":[\"canary-password\"]}",
        "{\"email\":\"a@example.org\",\"password\":\"canary-password\"",
        "{\"email\":\"not an address\",\"password\":\"canary-password\",\"name\":\"A\"}",
        "{\"email\":\"a@example.org\",\"password\":\"canary\",\"name\":\"A\"}",
    ];
    for body in bodies {
        for path in ["/api/auth/login", "/api/auth/register"] {
            let request = app
                .request(Method::POST, path)
                .header("content-type", "application/json")
                .body(body);
            let reply = Reply::of(request.send().await.unwrap()).await;
            assert!((400..500).contains(&reply.status), "{body} at {path}");
            assert!(
                !reply.body.to_string().contains("canary"),
                "{body} at {path}: {}",
                reply.body
            );
        }
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_read_is_refused_like_everything_else() {
    let app = spawn_app().await;
    let token = app.user().await;
    let list = "/api/ai-analysis/analyses";
    let table = [
        (format!("{list}?cursor=a&cursor=b"), 400, "BAD_REQUEST"),
        (format!("{list}?limit=1&limit=2"), 400, "BAD_REQUEST"),
        (format!("{list}?limit=%ff"), 400, "BAD_REQUEST"),
        (format!("{list}?cursor=%ff"), 400, "BAD_REQUEST"),
        (format!("{list}?limit=-1"), 400, "BAD_REQUEST"),
        (format!("{list}/%ff"), 404, "NOT_FOUND"),
        (format!("{list}/%00"), 404, "NOT_FOUND"),
        ("/history/%ff/answer".to_owned(), 404, "NOT_FOUND"),
    ];
    for (path, status, code) in table {
        let reply = app.get(&path, &token).await;
        assert_eq!(
            (reply.status, reply.body["error"].as_str()),
            (status, Some(code)),
            "{path}: {}",
            reply.body
        );
        assert_eq!(
            reply.text("/requestId"),
            reply.headers["x-request-id"].to_str().unwrap(),
            "{path}"
        );
    }
    for (method, path) in [
        (Method::GET, "/history/%ff"),
        (Method::GET, "/history/%00"),
        (Method::POST, "/history/%ff/delete"),
    ] {
        let page = app
            .request(method.clone(), path)
            .bearer_auth(&token)
            .send()
            .await
            .unwrap();
        assert_eq!(page.status(), 404, "{method} {path}");
        assert!(
            page.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );
    }
}

#[tokio::test]
async fn addresses_and_methods_that_do_not_exist_are_said_not_to() {
    let app = spawn_app().await;
    let nothing = Reply::of(app.request(Method::GET, "/api/nothing").send().await.unwrap()).await;
    assert_eq!((nothing.status, nothing.text("/error").as_str()), (404, "NOT_FOUND"));
    let method = Reply::of(app.request(Method::PUT, "/api/auth/login").send().await.unwrap()).await;
    assert_eq!(
        (method.status, method.headers["allow"].to_str().unwrap()),
        (405, "POST")
    );
    let outside = Reply::of(app.request(Method::GET, "/..%2f..%2fetc/passwd").send().await.unwrap()).await;
    assert_eq!(outside.status, 404);
}
