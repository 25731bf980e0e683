//! A browser: keeps its cookies, sends forms, follows no redirects by itself.

use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::support::{App, PASSWORD, Reply};

pub(super) struct Browser<'a> {
    app: &'a App,
    client: Client,
}

impl<'a> Browser<'a> {
    pub(super) fn new(app: &'a App, user_agent: &str) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .cookie_store(true)
            .user_agent(user_agent);
        Self {
            app,
            client: client.build().unwrap(),
        }
    }

    pub(super) async fn signed_in(app: &'a App, email: &str, user_agent: &str) -> Self {
        let browser = Self::new(app, user_agent);
        let response = browser
            .form("/sign-in", &[("email", email), ("password", PASSWORD)])
            .await;
        assert_eq!(response.status(), 303);
        browser
    }

    pub(super) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let request = self.client.post(format!("{}{path}", self.app.base)).form(fields);
        request.send().await.unwrap()
    }

    pub(super) async fn call(&self, method: Method, path: &str, body: Value) -> Reply {
        let request = self.client.request(method, format!("{}{path}", self.app.base));
        Reply::of(request.json(&body).send().await.unwrap()).await
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        Reply::of(
            self.client
                .get(format!("{}{path}", self.app.base))
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    /// Whether it is signed in.
    pub(super) async fn is_in(&self) -> bool {
        self.get("/api/auth/me").await.status == 200
    }

    pub(super) async fn change_password(&self, new: &str) -> Reply {
        let body = json!({ "currentPassword": PASSWORD, "newPassword": new });
        self.call(Method::POST, "/api/auth/password", body).await
    }
}

/// The session's cookie that an answer sets, as a client sends it back.
pub(super) fn cookie(headers: &reqwest::header::HeaderMap) -> Option<String> {
    let set = headers.get_all("set-cookie").iter();
    set.filter_map(|value| value.to_str().ok())
        .find(|value| value.contains("keypool"))
        .and_then(|value| value.split(';').next())
        .map(str::to_owned)
}

/// Whether a request with this cookie is signed in.
pub(super) async fn opens(app: &App, cookie: &str) -> bool {
    let client = Client::builder().no_proxy().build().unwrap();
    let request = client.get(format!("{}/api/auth/me", app.base)).header("cookie", cookie);
    request.send().await.unwrap().status() == 200
}
