//! Admins' forms leave the entries that the same acts of programs leave.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use server::http::Policy;

use super::unsafe_routes;
use crate::keys::grouping::{proposals, spend_with_both, until, with_siblings};
use crate::support::{ADMIN, App, PASSWORD, spawn_app};

/// They ask the provider, or try a rule, and show what comes of it.
const CHANGE_NOTHING: &[&str] = &["POST /admin/alerts/rules/{id}/preview", "POST /admin/doctor"];

pub(super) async fn newest(app: &App, admin: &str) -> Value {
    let page = app.get("/api/admin/audit?limit=1", admin).await;
    page.body["data"]["items"][0].clone()
}

/// Forms of the browser that is signed in.
struct Forms<'a> {
    app: &'a App,
    admin: String,
    seen: BTreeSet<String>,
}

impl<'a> Forms<'a> {
    async fn new(app: &'a App) -> Self {
        app.browser(ADMIN).await;
        Self {
            admin: app.admin().await,
            app,
            seen: BTreeSet::new(),
        }
    }

    /// Sends a form and gives back the one entry that it left.
    async fn send(&mut self, path: &str, id: &str, fields: &[(&str, &str)], action: &str) -> Value {
        let before = newest(self.app, &self.admin).await["seq"].as_u64().unwrap();
        let request = self.app.request(Method::POST, &path.replace("{id}", id)).form(fields);
        let answer = request.send().await.unwrap();
        assert!(answer.status().as_u16() < 400, "{path}: {}", answer.status());
        let entry = newest(self.app, &self.admin).await;
        assert_eq!(entry["seq"], before + 1, "{path} leaves one entry: {entry}");
        assert_eq!(
            (&entry["action"], &entry["actor"], &entry["surface"]),
            (&json!(action), &json!(ADMIN), &json!("web")),
            "{path}"
        );
        for secret in [PASSWORD, "canary", "token="] {
            assert!(
                !entry.to_string().contains(secret),
                "{secret} is in the entry of {path}"
            );
        }
        self.seen.insert(format!("POST {path}"));
        entry
    }

    async fn alerts(&mut self) {
        let id = crate::alerts::lose_a_key(self.app, &self.admin, 2).await;
        for (path, fields, action) in [
            ("/admin/alerts/{id}/acknowledge", [].as_slice(), "alert.acknowledge"),
            ("/admin/alerts/{id}/silence", &[("minutes", "60")], "alert.silence"),
            ("/admin/alerts/{id}/resolve", &[], "alert.resolve"),
            ("/admin/alerts/test", &[], "notification.test"),
        ] {
            self.send(path, &id, fields, action).await;
        }
        let rule = [("enabled", "on"), ("severity", "low"), ("threshold", "70")];
        for (path, fields) in [
            ("/admin/alerts/rules/{id}", rule.as_slice()),
            ("/admin/alerts/rules/{id}/reset", &[]),
        ] {
            let entry = self.send(path, "low_success_rate", fields, "alert.rule").await;
            assert_ne!(entry["before"]["threshold"], entry["after"]["threshold"], "{path}");
        }
    }

    async fn users(&mut self) {
        let new = json!({ "email": "eve@example.org", "password": PASSWORD, "name": "Eve", "role": "user" });
        let eve = self
            .app
            .post("/api/admin/users", &self.admin, &new)
            .await
            .text("/data/id");
        let role = self
            .send("/admin/users/{id}/role", &eve, &[("role", "viewer")], "user.role")
            .await;
        assert_eq!(
            (&role["before"]["role"], &role["after"]["role"]),
            (&json!("user"), &json!("viewer"))
        );
        for (path, action) in [
            ("/admin/users/{id}/disable", "user.disable"),
            ("/admin/users/{id}/enable", "user.enable"),
            ("/admin/users/{id}/sign-out", "user.sign_out"),
            ("/admin/users/{id}/password-link", "user.password_link"),
            ("/admin/users/{id}/two-factor", "user.two_factor_reset"),
        ] {
            let entry = self.send(path, &eve, &[], action).await;
            assert_eq!(entry["target"], format!("user/{eve}"), "{path}");
        }
        let email = [("email", "eve@example.org")];
        self.send("/admin/users/{id}/delete", &eve, &email, "user.delete").await;
        let invitation = [("role", "user"), ("email", ""), ("hours", "24")];
        self.send("/admin/invitations", "", &invitation, "invitation.create")
            .await;
        let open = self
            .app
            .get("/api/admin/invitations", &self.admin)
            .await
            .text("/data/0/id");
        self.send("/admin/invitations/{id}/delete", &open, &[], "invitation.delete")
            .await;
    }
}

#[tokio::test]
async fn every_form_of_an_admin_leaves_its_entry() {
    let app = spawn_app().await;
    let mut forms = Forms::new(&app).await;
    let key = [("key", "AQ.canary-of-the-audit-log-3001"), ("label", "By form")];
    let entry = forms.send("/set-up/key", "", &key, "key.add").await;
    assert_eq!(entry["after"]["label"], "By form");
    forms.users().await;
    forms.alerts().await;
    let is_form = |policy: &Policy, path: &str| *policy == Policy::Admin && !path.starts_with("/api/");
    let expected = unsafe_routes(&app, &forms.admin, is_form).await;
    let mut seen = forms.seen;
    for answer in ["confirm", "dismiss"] {
        let app = with_siblings(4).await;
        let mut forms = Forms::new(&app).await;
        let (admin, user) = (forms.admin.clone(), app.user().await);
        spend_with_both(&app, &admin, &user, 10).await;
        until(async || !proposals(&app, &admin).await.is_empty()).await;
        let id = proposals(&app, &admin).await[0]["id"].as_str().unwrap().to_owned();
        let fields = [("id", id.as_str()), ("answer", answer)];
        let entry = forms
            .send("/admin/doctor/siblings", "", &fields, &format!("siblings.{answer}"))
            .await;
        assert_eq!(entry["before"]["keyNumbers"], json!([1, 2]));
        seen.append(&mut forms.seen);
    }
    seen.extend(CHANGE_NOTHING.iter().map(|route| (*route).to_owned()));
    assert_eq!(
        seen, expected,
        "a form that changes something records it: add it to the walk"
    );
}
