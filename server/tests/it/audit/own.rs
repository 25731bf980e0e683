//! What people do to the security of their own accounts, by programs and by forms.

use std::collections::BTreeSet;

use app::types::Role;
use reqwest::Method;
use serde_json::{Value, json};
use server::http::Policy;
use totp_rs::{Builder, Secret};

use super::forms::newest;
use super::unsafe_routes;
use crate::support::{App, PASSWORD, spawn_app};

const NEW_PASSWORD: &str = "another canary battery staple";
/// What changes nothing, or nothing that matters to the security of an account: names, the ends of one's own sessions, the
/// history of single answers, and what is analysed. Nothing is switched on before it is confirmed.
const LEAVE_NONE: &[&str] = &[
    "DELETE /api/ai-analysis/analyses/{id}",
    "DELETE /api/auth/sessions",
    "DELETE /api/auth/sessions/{id}",
    "PATCH /api/auth/me",
    "POST /",
    "POST /account/name",
    "POST /account/sessions/end",
    "POST /account/sessions/{id}/end",
    "POST /account/two-factor",
    "POST /api/ai-analysis/analyze",
    "POST /api/ai-analysis/analyze/stream",
    "POST /api/auth/two-factor",
    "POST /history/answer",
    "POST /history/{id}/delete",
];

/// Somebody with a browser and a program, and the admin who reads the log.
struct Person<'a> {
    app: &'a App,
    email: String,
    password: &'static str,
    admin: String,
    seen: BTreeSet<String>,
}

impl<'a> Person<'a> {
    async fn new(app: &'a App) -> Self {
        let email = app.account(Role::User).await;
        app.browser(&email).await;
        Self {
            admin: app.admin().await,
            app,
            email,
            password: PASSWORD,
            seen: BTreeSet::new(),
        }
    }

    /// Does it in the browser, as a script or as a form, and sees that it left one entry.
    async fn act(&mut self, route: &str, id: &str, fields: &Value, action: &str) -> Value {
        let before = newest(self.app, &self.admin).await["seq"].as_u64().unwrap();
        let (method, path) = route.split_once(' ').unwrap();
        let request = self.app.request(method.parse().unwrap(), &path.replace("{id}", id));
        let request = if path.starts_with("/api/") {
            request.json(fields)
        } else {
            request.form(fields)
        };
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!(status < 400, "{route}: {status} {body}");
        let entry = newest(self.app, &self.admin).await;
        assert_eq!(entry["seq"], before + 1, "{route} leaves one entry: {entry}");
        assert_eq!(
            (&entry["action"], &entry["actor"]),
            (&json!(action), &json!(self.email)),
            "{route}"
        );
        for secret in [PASSWORD, NEW_PASSWORD, "kp_"] {
            assert!(
                !entry.to_string().contains(secret),
                "{secret} is in the entry of {route}"
            );
        }
        self.seen.insert(route.to_owned());
        serde_json::from_str(&body).unwrap_or_default()
    }

    async fn passwords(&mut self) {
        for route in ["POST /api/auth/password", "POST /account/password"] {
            let new = if self.password == PASSWORD {
                NEW_PASSWORD
            } else {
                PASSWORD
            };
            let change = json!({ "currentPassword": self.password, "newPassword": new });
            self.act(route, "", &change, "password.change").await;
            self.password = new;
        }
    }

    async fn tokens(&mut self) {
        let new = json!({ "name": "nightly", "scopes": ["status"] });
        let made = self.act("POST /api/tokens", "", &new, "token.create").await;
        let id = made["data"]["id"].as_str().unwrap();
        self.act("DELETE /api/tokens/{id}", id, &json!({}), "token.delete")
            .await;
        let form = json!({ "name": "nightly", "scopes": "status", "expiresInDays": "", "requestsPerMinute": "" });
        self.act("POST /account/tokens", "", &form, "token.create").await;
        let id = self.list("/api/tokens").await[0]["id"].as_str().unwrap().to_owned();
        self.act("POST /account/tokens/{id}/revoke", &id, &json!({}), "token.delete")
            .await;
    }

    async fn list(&self, path: &str) -> Value {
        let answer = self.app.request(Method::GET, path).send().await.unwrap();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        body["data"].clone()
    }

    async fn second_factor(&mut self, [confirm, renew, off]: [&str; 3]) {
        let begin = self.app.request(Method::POST, "/api/auth/two-factor");
        let begun = begin.json(&json!({ "password": self.password })).send().await.unwrap();
        let begun: Value = serde_json::from_str(&begun.text().await.unwrap()).unwrap();
        let secret = begun["data"]["secret"].as_str().unwrap();
        let code = |app: &App| {
            app.clock.advance(std::time::Duration::from_secs(30));
            let phone = Builder::new().with_secret(Secret::try_from_base32(secret).unwrap());
            let now = app.clock.now().as_millis() / 1000;
            phone.build().unwrap().generate(now).to_string()
        };
        let only = json!({ "code": code(self.app) });
        self.act(confirm, "", &only, "two_factor.enable").await;
        for (route, action) in [(renew, "two_factor.recovery_codes"), (off, "two_factor.disable")] {
            let both = json!({ "password": self.password, "code": code(self.app) });
            self.act(route, "", &both, action).await;
        }
    }

    async fn history(&mut self) {
        self.act("DELETE /api/ai-analysis/analyses", "", &json!({}), "history.erase")
            .await;
        let word = json!({ "word": app::text::account::ERASE_WORD });
        self.act("POST /account/erase", "", &word, "history.erase").await;
    }
}

#[tokio::test]
async fn every_act_on_the_security_of_ones_own_account_leaves_its_entry() {
    let app = spawn_app().await;
    let mut person = Person::new(&app).await;
    person.passwords().await;
    person.tokens().await;
    person.history().await;
    let programs = [
        "POST /api/auth/two-factor/confirm",
        "POST /api/auth/two-factor/recovery-codes",
        "DELETE /api/auth/two-factor",
    ];
    person.second_factor(programs).await;
    let forms = [
        "POST /account/two-factor/confirm",
        "POST /account/two-factor/recovery-codes",
        "POST /account/two-factor/off",
    ];
    person.second_factor(forms).await;
    let password = json!({ "password": person.password });
    person.act("DELETE /api/auth/me", "", &password, "account.erase").await;
    let mut seen = std::mem::take(&mut person.seen);
    let mut person = Person::new(&app).await;
    let both = json!({ "email": person.email, "password": PASSWORD });
    person.act("POST /account/delete", "", &both, "account.erase").await;
    seen.append(&mut person.seen);
    seen.extend(LEAVE_NONE.iter().map(|route| (*route).to_owned()));

    let is_own = |policy: &Policy, _: &str| matches!(policy, Policy::User(_) | Policy::Viewer(_));
    let expected = unsafe_routes(&app, &app.admin().await, is_own).await;
    assert_eq!(
        seen, expected,
        "an act on an account's security leaves an entry: add it to the walk"
    );
}
