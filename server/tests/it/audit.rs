//! The audit log: what every act of an admin leaves in it, and what becomes of it when somebody meddles.

mod forms;
mod own;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use server::http::{Policy, policies};
use simulator::Simulator;

use crate::keys::grouping::{proposals, spend_with_both, until, with_siblings};
use crate::support::{ADMIN, App, PASSWORD, Reply, spawn_app};
use crate::vault::Place;

/// Unsafe methods under `/api/admin` that change nothing: they ask the provider, or try a rule, and show what comes of it.
const CHANGE_NOTHING: &[&str] = &[
    "POST /api/admin/alerts/rules/{id}/preview",
    "POST /api/admin/doctor",
    "POST /api/admin/keys/test-all",
    "POST /api/admin/keys/{id}/test",
];
/// By which those who can write to the file get past the triggers.
const UNLOCK: &str = "DROP TRIGGER audit_entries_are_not_changed; DROP TRIGGER audit_entries_are_not_removed;";

struct Walk {
    app: App,
    admin: String,
    seen: BTreeSet<String>,
}

impl Walk {
    async fn new(app: App) -> Self {
        Self {
            admin: app.admin().await,
            app,
            seen: BTreeSet::new(),
        }
    }

    async fn newest(&self) -> Value {
        let page = self.app.get("/api/admin/audit?limit=1", &self.admin).await;
        page.body["data"]["items"][0].clone()
    }

    /// Acts and gives back the entry that this left.
    async fn act(&mut self, route: &str, id: &str, body: &Value, action: &str) -> (Value, Reply) {
        let before = self.newest().await["seq"].as_u64().unwrap_or(0);
        let (method, path) = route.split_once(' ').unwrap();
        let (id, token) = id.split_once(' ').unwrap_or((id, ""));
        let path = path.replace("{id}", id).replace("{token}", token);
        let method: Method = method.parse().unwrap();
        let reply = self.app.call(method, &path, &self.admin, Some(body)).await;
        assert!(reply.status < 300, "{route}: {} {}", reply.status, reply.body);
        let entry = self.newest().await;
        assert_eq!(entry["seq"], before + 1, "{route} leaves one entry: {entry}");
        assert_eq!(
            (&entry["action"], &entry["actor"], &entry["surface"]),
            (&json!(action), &json!(ADMIN), &json!("api")),
            "{route}"
        );
        assert_eq!(entry["address"], "127.0.0.1", "{route}");
        assert_eq!(
            entry["requestId"],
            reply.headers["x-request-id"].to_str().unwrap(),
            "{route}"
        );
        assert!(!entry["target"].as_str().unwrap().is_empty(), "{route}");
        for secret in [PASSWORD, "canary", "kp_"] {
            assert!(
                !entry.to_string().contains(secret),
                "{secret} is in the entry of {route}"
            );
        }
        self.seen.insert(route.to_owned());
        (entry, reply)
    }

    async fn keys(&mut self) {
        let new = json!({ "key": "AQ.canary-of-the-audit-log-0001", "label": "Mine" });
        let (entry, _) = self.act("POST /api/admin/keys", "", &new, "key.add").await;
        assert_eq!(
            (&entry["before"], &entry["after"]["label"]),
            (&Value::Null, &json!("Mine"))
        );
        let target = entry["target"].as_str().unwrap().to_owned();
        let id = target.strip_prefix("key/").unwrap();
        let patch = json!({ "priority": 7, "tags": ["a"] });
        let (entry, _) = self.act("PATCH /api/admin/keys/{id}", id, &patch, "key.update").await;
        assert_eq!(
            (&entry["before"]["priority"], &entry["after"]["priority"]),
            (&json!(0), &json!(7))
        );
        assert_eq!(entry["target"], target.as_str());
        for (route, action, enabled) in [
            ("POST /api/admin/keys/{id}/disable", "key.disable", false),
            ("POST /api/admin/keys/{id}/enable", "key.enable", true),
        ] {
            let (entry, _) = self.act(route, id, &json!({}), action).await;
            assert_eq!(
                (&entry["before"]["enabled"], &entry["after"]["enabled"]),
                (&json!(!enabled), &json!(enabled))
            );
        }
        self.act("POST /api/admin/keys/{id}/reset", id, &json!({}), "key.reset")
            .await;
        let (entry, _) = self
            .act("DELETE /api/admin/keys/{id}", id, &json!({}), "key.delete")
            .await;
        assert_eq!(
            (&entry["before"]["label"], &entry["after"]),
            (&json!("Mine"), &Value::Null)
        );
        let import = json!({ "text": "AQ.canary-of-the-audit-log-0002\nAQ.canary-of-the-audit-log-0003" });
        let (entry, _) = self.act("POST /api/admin/keys/import", "", &import, "key.import").await;
        assert_eq!(entry["after"]["keyNumbers"].as_array().unwrap().len(), 2);
        let one = json!({ "keyNumber": 1 });
        self.act("POST /api/admin/keys/reset-quota", "", &one, "quota.reset")
            .await;
        let (entry, _) = self.act("POST /api/admin/keys/switch", "", &one, "key.switch").await;
        assert_eq!(entry["after"]["KEYPOOL_STRATEGY"], "sticky");
        self.act("POST /api/admin/keys/rewrap", "", &json!({}), "vault.rewrap")
            .await;
    }

    async fn service(&mut self) {
        self.act("DELETE /api/admin/cache", "", &json!({}), "cache.clear").await;
        self.act("POST /api/admin/performance/reset", "", &json!({}), "performance.reset")
            .await;
        self.act(
            "POST /api/admin/notifications/test",
            "",
            &json!({}),
            "notification.test",
        )
        .await;
        let change = json!({ "strategy": "round_robin" });
        let (entry, _) = self
            .act("PATCH /api/admin/settings", "", &change, "settings.change")
            .await;
        assert_eq!(entry["before"]["KEYPOOL_STRATEGY"]["value"], "sticky");
        assert_eq!(entry["after"]["KEYPOOL_STRATEGY"]["value"], "round_robin");
        self.act("POST /api/admin/backup", "", &json!({}), "backup.create")
            .await;
    }

    async fn alerts(&mut self) {
        let id = crate::alerts::lose_a_key(&self.app, &self.admin, 2).await;
        let route = |act: &str| format!("POST /api/admin/alerts/{{id}}/{act}");
        let (entry, _) = self
            .act(&route("acknowledge"), &id, &json!({}), "alert.acknowledge")
            .await;
        assert_eq!(
            (&entry["before"]["state"], &entry["after"]["state"], &entry["target"]),
            (&json!("open"), &json!("acknowledged"), &json!(format!("alert/{id}")))
        );
        let minutes = json!({ "minutes": 5 });
        self.act(&route("silence"), &id, &minutes, "alert.silence").await;
        self.act(&route("resolve"), &id, &json!({}), "alert.resolve").await;
        let patch = json!({ "threshold": 90 });
        let rule = "PUT /api/admin/alerts/rules/{id}";
        let (entry, _) = self.act(rule, "low_success_rate", &patch, "alert.rule").await;
        assert_eq!(
            (
                &entry["before"]["threshold"],
                &entry["after"]["threshold"],
                &entry["target"]
            ),
            (&json!(80.0), &json!(90.0), &json!("alert-rule/low_success_rate"))
        );
    }

    async fn accounts(&mut self) {
        let new = json!({ "email": "eve@example.org", "password": PASSWORD, "name": "Eve", "role": "user" });
        let (_, made) = self.act("POST /api/admin/users", "", &new, "user.create").await;
        let id = made.text("/data/id");
        let role = json!({ "role": "viewer" });
        let (entry, _) = self.act("PATCH /api/admin/users/{id}", &id, &role, "user.role").await;
        assert_eq!(
            (&entry["before"]["role"], &entry["after"]["role"]),
            (&json!("user"), &json!("viewer"))
        );
        let eve = self.app.login("eve@example.org").await;
        let new = json!({ "name": "script", "scopes": ["status"] });
        let token = self.app.post("/api/tokens", &eve, &new).await.text("/data/id");
        let both = format!("{id} {token}");
        self.act(
            "DELETE /api/admin/users/{id}/tokens/{token}",
            &both,
            &json!({}),
            "token.delete",
        )
        .await;
        let password = json!({ "password": "another horse battery staple" });
        let (entry, _) = self
            .act("POST /api/admin/users/{id}/password", &id, &password, "user.password")
            .await;
        assert!(!entry.to_string().contains("another horse"));
        self.act(
            "POST /api/admin/users/{id}/password-link",
            &id,
            &json!({}),
            "user.password_link",
        )
        .await;
        self.act("POST /api/admin/users/{id}/sign-out", &id, &json!({}), "user.sign_out")
            .await;
        self.act(
            "POST /api/admin/users/{id}/two-factor/reset",
            &id,
            &json!({}),
            "user.two_factor_reset",
        )
        .await;
        self.act("DELETE /api/admin/users/{id}", &id, &json!({}), "user.delete")
            .await;
        let invitation = json!({ "role": "user" });
        self.act("POST /api/admin/invitations", "", &invitation, "invitation.create")
            .await;
        let open = self
            .app
            .get("/api/admin/invitations", &self.admin)
            .await
            .text("/data/0/id");
        self.act(
            "DELETE /api/admin/invitations/{id}",
            &open,
            &json!({}),
            "invitation.delete",
        )
        .await;
    }
}

/// `METHOD path` of every unsafe route that is wanted.
async fn unsafe_routes(app: &App, admin: &str, wanted: impl Fn(&Policy, &str) -> bool) -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    for (policy, path) in policies() {
        if !wanted(&policy, &path) {
            continue;
        }
        // No route has this method, so the answer names those it has.
        let nothing = Method::from_bytes(b"PURGE").unwrap();
        let refused = app.call(nothing, &path.replace("{id}", "1"), admin, None).await;
        assert_eq!(refused.status, 405, "{path}");
        let allow = refused.headers["allow"].to_str().unwrap().to_owned();
        let methods = allow
            .split(',')
            .map(str::trim)
            .filter(|method| !matches!(*method, "GET" | "HEAD"));
        routes.extend(methods.map(|method| format!("{method} {path}")));
    }
    routes
}

#[tokio::test]
async fn every_act_of_an_admin_is_in_the_log_with_who_did_it_and_without_a_secret() {
    let mut walk = Walk::new(spawn_app().await).await;
    walk.keys().await;
    walk.service().await;
    walk.accounts().await;
    walk.alerts().await;
    let verdict = walk.app.get("/api/admin/audit/verify", &walk.admin).await;
    assert_eq!((&verdict.body["data"]["intact"], verdict.status), (&json!(true), 200));
    let is_api = |policy: &Policy, path: &str| *policy == Policy::Admin && path.starts_with("/api/admin/");
    let expected = unsafe_routes(&walk.app, &walk.admin, is_api).await;
    let mut seen = std::mem::take(&mut walk.seen);
    for answer in ["confirm", "dismiss"] {
        let mut walk = Walk::new(with_siblings(4).await).await;
        let user = walk.app.user().await;
        spend_with_both(&walk.app, &walk.admin, &user, 10).await;
        until(async || !proposals(&walk.app, &walk.admin).await.is_empty()).await;
        let id = proposals(&walk.app, &walk.admin).await[0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let route = format!("POST /api/admin/keys/siblings/{{id}}/{answer}");
        let (entry, _) = walk.act(&route, &id, &json!({}), &format!("siblings.{answer}")).await;
        assert_eq!(entry["before"]["keyNumbers"], json!([1, 2]));
        seen.append(&mut walk.seen);
    }
    seen.extend(CHANGE_NOTHING.iter().map(|route| (*route).to_owned()));
    assert_eq!(
        seen, expected,
        "a route that changes something records it: add it to the walk"
    );
}

#[tokio::test]
async fn what_was_refused_is_no_act() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    let newest = async || app.get("/api/admin/audit?limit=1", &admin).await.body["data"]["items"][0]["seq"].clone();
    let before = newest().await;
    for (method, path, body) in [
        (Method::DELETE, "/api/admin/keys/99", json!({})),
        (Method::PATCH, "/api/admin/settings", json!({ "strategy": "no such" })),
        (Method::POST, "/api/admin/keys", json!({ "key": "" })),
        (Method::POST, "/api/admin/keys/switch", json!({ "keyNumber": 99 })),
    ] {
        let refused = app.call(method, path, &admin, Some(&body)).await;
        assert!(refused.status >= 400, "{path}");
    }
    assert_eq!(newest().await, before);
}

#[tokio::test]
async fn the_log_is_read_in_pages_and_by_actor_action_and_target() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    for _ in 0..3 {
        app.call(Method::DELETE, "/api/admin/cache", &admin, None).await;
    }
    app.post("/api/admin/performance/reset", &admin, &json!({})).await;
    let read = async |query: &str| app.get(&format!("/api/admin/audit?{query}"), &admin).await;
    let actions = |page: &Reply| -> Vec<String> {
        let items = page.body["data"]["items"].as_array().unwrap();
        items
            .iter()
            .map(|entry| entry["action"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = read("limit=2&actor=admin%40&action=&target=").await;
    assert_eq!(actions(&first), ["performance.reset", "cache.clear"]);
    let cursor = first.text("/data/nextCursor");
    assert_eq!(
        actions(&read(&format!("limit=2&cursor={cursor}")).await),
        ["cache.clear", "cache.clear"]
    );
    assert_eq!(actions(&read("action=cache.").await).len(), 3);
    assert_eq!(actions(&read("target=performance").await), ["performance.reset"]);
    assert!(actions(&read("actor=nobody").await).is_empty());
    assert!(
        actions(&read("action=%25").await).is_empty(),
        "a per cent sign is no joker"
    );
    for query in ["limit=0", "limit=201", "limit=x", "cursor=x"] {
        assert_eq!(read(query).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn two_admins_at_once_do_not_break_the_chain() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    let acts = (0..40).map(|_| app.call(Method::DELETE, "/api/admin/cache", &admin, None));
    let done = futures::future::join_all(acts).await;
    assert!(done.iter().all(|reply| reply.status == 200));
    let verdict = app.get("/api/admin/audit/verify", &admin).await.body["data"].clone();
    assert_eq!(verdict["intact"], true, "{verdict}");
    assert!(verdict["entries"].as_u64().unwrap() >= 40);
}

/// On the file of a server that is not running, as whoever can write to it would.
fn tamper(data: &Path, sql: &str) {
    let connection = Connection::open(data.join("keypool.db")).unwrap();
    connection.execute_batch(UNLOCK).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[tokio::test]
async fn the_command_line_says_whether_the_log_is_intact_and_names_the_first_entry_that_is_not() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    for (meddling, first) in [
        (None, None),
        (Some("UPDATE audit_entries SET target = 'key/9' WHERE seq = 2"), Some(2)),
        (Some("DELETE FROM audit_entries WHERE seq >= 3"), Some(3)),
        (Some("DELETE FROM audit_entries; DELETE FROM audit_head"), Some(1)),
        (
            Some(
                "UPDATE audit_entries SET seq = 99 WHERE seq = 2; UPDATE audit_entries SET seq = 2 WHERE seq = 3; \
                 UPDATE audit_entries SET seq = 3 WHERE seq = 99",
            ),
            Some(2),
        ),
    ] {
        let place = Place::new(&sim);
        for number in 1..=4 {
            let key = format!("AQ.canary-of-the-audit-log-100{number}\n");
            place.run_with(&["keys", "add", "--no-test"], &key, 0);
        }
        if let Some(sql) = meddling {
            tamper(&place.data(), sql);
        }
        let code = i32::from(first.is_some());
        let said = place.run(&["audit", "verify"], code);
        match first {
            None => assert!(said.contains("intact: 5 entries, head "), "{said}"),
            Some(1) => assert!(said.contains("all of it was removed"), "{said}"),
            Some(first) => assert!(said.contains(&format!("Entry {first} ")), "{meddling:?}: {said}"),
        }
        let output = place.output(&["audit", "verify", "--json"], "");
        assert_eq!(output.status.code(), Some(code));
        let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&verdict["intact"], &verdict["fault"]["seq"]),
            (&json!(first.is_none()), &json!(first))
        );
    }
}

#[tokio::test]
async fn acts_of_the_command_line_are_in_the_log_too() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let mut place = Place::new(&sim);
    place.run_with(&["keys", "add", "--no-test"], "AQ.canary-of-the-audit-log-2001\n", 0);
    place.run(&["keys", "disable", "1", "--force"], 0);
    let list = |place: &Place, arguments: &[&str]| -> Vec<Value> {
        let output = place.output(&[&["audit", "list", "--json"], arguments].concat(), "");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let entries = list(&place, &[]);
    let acts: Vec<_> = entries
        .iter()
        .map(|entry| (&entry["action"], &entry["actor"], &entry["surface"]))
        .collect();
    let expected = |action: &str| (json!(action), json!("Command line"), json!("cli"));
    let (newer, older) = (expected("key.disable"), expected("key.add"));
    let begin = (json!("log.begin"), json!("Keypool"), json!("server"));
    let wanted = [&newer, &older, &begin].map(|(action, actor, surface)| (action, actor, surface));
    assert_eq!(acts, wanted);
    assert!(
        place
            .run(&["audit", "list", "--action", "key.add"], 0)
            .contains("Command line")
    );
    // Through a server that runs on the data: its port is known to the place.
    let served = place.serve().await;
    let entries = list(&place, &["--target", "key/", "--limit", "1"]);
    assert_eq!((entries.len(), &entries[0]["action"]), (1, &json!("key.disable")));
    assert!(place.run(&["audit", "verify"], 0).contains("intact: "));
    drop(served);
}

#[tokio::test]
async fn a_thousand_entries_are_verified_in_no_time() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    for _ in 0..10 {
        let acts = (0..100).map(|_| app.call(Method::DELETE, "/api/admin/cache", &admin, None));
        futures::future::join_all(acts).await;
    }
    let verified = tokio::time::timeout(Duration::from_secs(2), app.get("/api/admin/audit/verify", &admin));
    let verdict = verified.await.expect("within two seconds").body["data"].clone();
    assert!(
        verdict["intact"] == true && verdict["entries"].as_u64().unwrap() >= 1000,
        "{verdict}"
    );
}
