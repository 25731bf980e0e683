//! What strangers and former users may not do.

mod browser;
mod command_line;
mod managing;
mod second_factor;
mod sessions;
mod taking_over;
mod tokens;

use futures::StreamExt;
use futures::future::join_all;
use reqwest::{Client, Method};
use serde_json::json;

use crate::support::{ADMIN, PASSWORD, Reply, Setup, spawn, spawn_app};

#[tokio::test]
async fn a_burst_of_registrations_is_refused_and_people_still_sign_in() {
    let app = spawn_app().await;
    let register = |number: usize| {
        let form = json!({ "email": format!("user{number}@example.org"), "password": PASSWORD, "name": "Ada" });
        let request = app.request(Method::POST, "/api/auth/register").json(&form);
        async move { Reply::of(request.send().await.unwrap()).await }
    };
    let sign_in = async {
        let form = json!({ "email": ADMIN, "password": PASSWORD });
        let request = app.request(Method::POST, "/api/auth/login").json(&form);
        request.send().await.unwrap().status()
    };
    let (burst, signed_in) = tokio::join!(join_all((0..80).map(register)), sign_in);
    assert_eq!(signed_in, 200, "an account that exists is let in meanwhile");
    let made = burst.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(made, 30, "as many as one address may make");
    for refused in burst.iter().filter(|reply| reply.status != 201) {
        assert_eq!(
            (refused.status, refused.text("/error").as_str()),
            (429, "RATE_LIMITED"),
            "{}",
            refused.body
        );
        assert_eq!(refused.headers["retry-after"], "900");
    }
    app.clock.advance(std::time::Duration::from_secs(900));
    assert_eq!(register(80).await.status, 201, "later there is room again");
}

#[tokio::test]
async fn the_status_stream_ends_when_its_viewer_signs_out() {
    let app = spawn_app().await;
    let other = app.user().await;
    let viewer = Client::builder().no_proxy().cookie_store(true).build().unwrap();
    let post = |path: &str| viewer.post(format!("{}{path}", app.base));
    let form = json!({ "email": ADMIN, "password": PASSWORD });
    assert_eq!(post("/api/auth/login").json(&form).send().await.unwrap().status(), 200);
    let stream = viewer.get(format!("{}/api/ai-analysis/service-status/stream", app.base));
    let mut events = stream.send().await.unwrap().bytes_stream();
    let first = events.next().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: status"), "{first:?}");

    app.clock.advance(std::time::Duration::from_secs(5));
    app.always(1, "day-quota-paid");
    app.always(2, "day-quota-paid");
    app.always(3, "day-quota-paid");
    app.analyze(&other).await;
    let news = events.next().await.unwrap().unwrap();
    assert!(
        news.starts_with(b"event: status"),
        "signed in, the viewer sees changes: {news:?}"
    );

    assert_eq!(post("/api/auth/logout").send().await.unwrap().status(), 200);
    app.clock.advance(std::time::Duration::from_secs(5));
    let admin = app.admin().await;
    app.post("/api/admin/keys/reset-quota", &admin, &json!({})).await;
    let rest = tokio::time::timeout(std::time::Duration::from_secs(10), events.collect::<Vec<_>>());
    let rest = rest.await.expect("the stream ends");
    assert!(
        rest.iter()
            .all(|part| !part.as_ref().unwrap().starts_with(b"event: status")),
        "signed out, the viewer sees no more: {rest:?}"
    );
}

#[tokio::test]
async fn a_set_up_link_that_is_too_old_says_so_before_the_form_is_filled_in() {
    use secrecy::ExposeSecret;
    let app = spawn(Setup {
        with_admin: false,
        ..Setup::default()
    })
    .await;
    let token = app.set_up_token.as_ref().unwrap().expose_secret().to_owned();
    let open = async |token: &str| {
        let page = app.request(Method::GET, &format!("/set-up?token={token}"));
        page.send().await.unwrap().text().await.unwrap()
    };
    assert!(open(&token).await.contains("Create the administrator"));
    assert!(open("unknown").await.contains("does not work any more"));
    app.clock.advance(std::time::Duration::from_secs(31 * 60));
    let old = open(&token).await;
    assert!(
        old.contains("does not work any more") && !old.contains("name=\"password\""),
        "{old}"
    );
}
