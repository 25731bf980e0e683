//! The pages without any script: forms, redirects, what is kept.

use reqwest::Method;
use secrecy::ExposeSecret;

use crate::support::{ADMIN, App, PASSWORD, Setup, spawn, spawn_app};

struct Page {
    status: u16,
    location: Option<String>,
    html: String,
    csp: String,
}

async fn open(app: &App, method: Method, path: &str, form: &[(&str, &str)]) -> Page {
    let mut request = app.request(method.clone(), path);
    if method == Method::POST {
        request = request.form(form);
    }
    let response = request.send().await.unwrap();
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let (location, csp) = (
        header("location"),
        header("content-security-policy").unwrap_or_default(),
    );
    Page {
        status: response.status().as_u16(),
        location,
        csp,
        html: response.text().await.unwrap(),
    }
}

async fn sign_in(app: &App) {
    let page = open(
        app,
        Method::POST,
        "/sign-in",
        &[("email", ADMIN), ("password", PASSWORD), ("next", "/history")],
    )
    .await;
    assert_eq!((page.status, page.location.as_deref()), (303, Some("/history")));
}

#[tokio::test]
async fn a_page_for_signed_in_people_leads_to_sign_in_and_back() {
    let app = spawn_app().await;
    let page = open(&app, Method::GET, "/history?cursor=abc", &[]).await;
    assert_eq!(
        (page.status, page.location.as_deref()),
        (303, Some("/sign-in?next=%2Fhistory%3Fcursor%3Dabc"))
    );
    let page = open(&app, Method::GET, "/sign-in?next=%2Fhistory", &[]).await;
    assert_eq!(page.status, 200);
    assert!(page.html.contains("name=\"password\""));
}

#[tokio::test]
async fn a_refused_sign_in_keeps_the_address_and_never_the_password() {
    let app = spawn_app().await;
    let page = open(
        &app,
        Method::POST,
        "/sign-in",
        &[("email", "ada@example.org"), ("password", "canary-password-1")],
    )
    .await;
    assert_eq!(page.status, 401);
    assert!(page.html.contains("value=\"ada@example.org\""));
    assert!(!page.html.contains("canary-password-1"));
}

#[tokio::test]
async fn an_analysis_sent_without_script_is_read_in_the_history() {
    let app = spawn_app().await;
    sign_in(&app).await;
    let form = reqwest::multipart::Form::new()
        .text("prompt", "Why do rivers meander?")
        .text("model", "")
        .text("temperature", "");
    let sent = app.request(Method::POST, "/").multipart(form).send().await.unwrap();
    assert_eq!(sent.status(), 303);
    let location = sent.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with("/history/"));
    let page = open(&app, Method::GET, &location, &[]).await;
    assert_eq!(page.status, 200);
    assert!(page.html.contains("Why do rivers meander?") && page.html.contains("Key terms"));
    let deleted = open(&app, Method::POST, &format!("{location}/delete"), &[]).await;
    assert_eq!((deleted.status, deleted.location.as_deref()), (303, Some("/history")));
    assert_eq!(open(&app, Method::GET, &location, &[]).await.status, 404);
}

#[tokio::test]
async fn what_came_of_an_answer_is_rendered_for_people_who_are_signed_in() {
    let app = spawn_app().await;
    let render = |text: String| app.request(Method::POST, "/history/answer").body(text).send();
    assert_eq!(render("# A".to_owned()).await.unwrap().status(), 401);
    sign_in(&app).await;
    let rendered = render("# Half\n\nan **answer** <script>alert(1)</script>".to_owned())
        .await
        .unwrap();
    assert_eq!(rendered.status(), 200);
    let html = rendered.text().await.unwrap();
    assert!(
        html.contains("<h3>Half</h3>") && html.contains("<strong>answer</strong>"),
        "{html}"
    );
    assert!(!html.contains("<script"), "{html}");
    assert_eq!(render("x".repeat(1024 * 1024 + 1)).await.unwrap().status(), 413);
}

#[tokio::test]
async fn a_refused_analysis_keeps_what_was_typed() {
    let app = spawn_app().await;
    sign_in(&app).await;
    let form = reqwest::multipart::Form::new()
        .text("prompt", "A prompt worth keeping")
        .text("temperature", "9");
    let sent = app.request(Method::POST, "/").multipart(form).send().await.unwrap();
    assert_eq!(sent.status(), 400);
    let html = sent.text().await.unwrap();
    assert!(html.contains("A prompt worth keeping") && html.contains("temperature must be"));
}

#[tokio::test]
async fn pages_run_only_what_carries_their_nonce() {
    let app = spawn_app().await;
    let page = open(&app, Method::GET, "/sign-in", &[]).await;
    let nonce = page
        .csp
        .split("'nonce-")
        .nth(1)
        .and_then(|rest| rest.split('\'').next())
        .unwrap()
        .to_owned();
    assert!(nonce.len() >= 16);
    assert!(page.html.contains(&format!("nonce=\"{nonce}\"")));
    assert!(!page.html.contains("style=\""), "inline styles would be refused");
    let again = open(&app, Method::GET, "/sign-in", &[]).await;
    assert!(!again.csp.contains(&nonce), "a nonce is used once");
}

#[tokio::test]
async fn the_first_admin_is_made_by_the_link_once() {
    let app = spawn(Setup {
        with_admin: false,
        keys: 0,
        ..Setup::default()
    })
    .await;
    let page = open(&app, Method::GET, "/", &[]).await;
    assert_eq!(
        (page.status, page.location.as_deref()),
        (303, Some("/set-up")),
        "a new server opens on its set-up"
    );
    let token = app.set_up_token.as_ref().unwrap().expose_secret().to_owned();
    assert_eq!(
        open(&app, Method::GET, &format!("/set-up?token={token}"), &[])
            .await
            .status,
        200
    );
    let form = [
        ("token", token.as_str()),
        ("name", "Ada"),
        ("email", "ada@example.org"),
        ("password", PASSWORD),
    ];
    let page = open(&app, Method::POST, "/set-up", &form).await;
    assert_eq!(
        (page.status, page.location.as_deref()),
        (303, Some("/set-up/key")),
        "signed in, and on to the first key"
    );
    let page = open(
        &app,
        Method::POST,
        "/set-up/key",
        &[("key", "AQ.the-first-key-0001"), ("label", "")],
    )
    .await;
    assert_eq!((page.status, page.location.as_deref()), (303, Some("/set-up/key")));
    let done = open(&app, Method::GET, "/set-up/key", &[]).await;
    assert!(done.html.contains("curl"), "the last step is a first call to copy");
    let form = [
        ("token", token.as_str()),
        ("name", "Eve"),
        ("email", "eve@example.org"),
        ("password", PASSWORD),
    ];
    assert_eq!(
        open(&app, Method::POST, "/set-up", &form).await.status,
        409,
        "there is an admin: the link is worth nothing"
    );
}

#[tokio::test]
async fn an_address_without_page_is_a_page_that_says_so() {
    let app = spawn_app().await;
    let page = open(&app, Method::GET, "/nothing-here", &[]).await;
    assert_eq!(page.status, 404);
    assert!(page.html.contains("<h1"));
}

#[tokio::test]
async fn the_theme_is_kept_in_a_cookie_and_written_by_the_server() {
    let app = spawn_app().await;
    let page = open(&app, Method::POST, "/theme", &[("theme", "dark"), ("next", "/sign-in")]).await;
    assert_eq!((page.status, page.location.as_deref()), (303, Some("/sign-in")));
    assert!(
        open(&app, Method::GET, "/sign-in", &[])
            .await
            .html
            .contains("data-theme=\"dark\"")
    );
}
