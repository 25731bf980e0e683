//! Every route is walked with every right there is. One that is not in the table fails.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Client, Method, RequestBuilder, Response};
use server::http::{Policy, policies};

use crate::support::{App, spawn_app};

/// Path, methods, and who may: as the contract says it, not as the code does.
const TABLE: &[(&str, &str, Policy)] = &[
    ("/", "GET POST", Policy::User),
    ("/admin/doctor", "GET POST", Policy::Admin),
    ("/admin/doctor/siblings", "POST", Policy::Admin),
    ("/api/admin/cache", "DELETE GET", Policy::Admin),
    ("/api/admin/doctor", "GET POST", Policy::Admin),
    ("/api/admin/keys", "GET POST", Policy::Admin),
    ("/api/admin/keys/import", "POST", Policy::Admin),
    ("/api/admin/keys/reset-quota", "POST", Policy::Admin),
    ("/api/admin/keys/siblings", "GET", Policy::Admin),
    ("/api/admin/keys/siblings/{id}/confirm", "POST", Policy::Admin),
    ("/api/admin/keys/siblings/{id}/dismiss", "POST", Policy::Admin),
    ("/api/admin/keys/switch", "POST", Policy::Admin),
    ("/api/admin/keys/test-all", "POST", Policy::Admin),
    ("/api/admin/keys/{id}", "DELETE PATCH", Policy::Admin),
    ("/api/admin/keys/{id}/disable", "POST", Policy::Admin),
    ("/api/admin/keys/{id}/enable", "POST", Policy::Admin),
    ("/api/admin/keys/{id}/reset", "POST", Policy::Admin),
    ("/api/admin/keys/{id}/test", "POST", Policy::Admin),
    ("/api/admin/notifications", "GET", Policy::Admin),
    ("/api/admin/notifications/test", "POST", Policy::Admin),
    ("/api/admin/settings", "GET PATCH", Policy::Admin),
    ("/api/admin/performance", "GET", Policy::Admin),
    ("/api/admin/performance/reset", "POST", Policy::Admin),
    ("/api/ai-analysis/analyses", "GET", Policy::User),
    ("/api/ai-analysis/analyses/{id}", "DELETE GET", Policy::User),
    ("/api/ai-analysis/analyze", "POST", Policy::User),
    ("/api/ai-analysis/analyze/stream", "POST", Policy::User),
    ("/api/ai-analysis/service-status", "GET", Policy::User),
    ("/api/ai-analysis/service-status/stream", "GET", Policy::User),
    ("/api/auth/login", "POST", Policy::Anyone),
    ("/api/auth/logout", "POST", Policy::Anyone),
    ("/api/auth/me", "GET", Policy::User),
    ("/api/auth/refresh", "POST", Policy::Anyone),
    ("/api/auth/register", "POST", Policy::Anyone),
    ("/api/status.json", "GET", Policy::Anyone),
    ("/healthz", "GET", Policy::Anyone),
    ("/history", "GET", Policy::User),
    ("/history/answer", "POST", Policy::User),
    ("/history/{id}", "GET", Policy::User),
    ("/history/recent", "GET", Policy::User),
    ("/history/{id}/answer", "GET", Policy::User),
    ("/history/{id}/delete", "POST", Policy::User),
    ("/readyz", "GET", Policy::Anyone),
    ("/register", "GET POST", Policy::Anyone),
    ("/set-up", "GET POST", Policy::Anyone),
    ("/set-up/key", "GET POST", Policy::Admin),
    ("/sign-in", "GET POST", Policy::Anyone),
    ("/sign-out", "POST", Policy::Anyone),
    ("/status", "GET", Policy::Anyone),
    ("/theme", "POST", Policy::Anyone),
];

fn request(client: &Client, app: &App, method: &Method, path: &str) -> RequestBuilder {
    let path = path.replace("{id}", "0197a1b2-0000-7000-8000-000000000000");
    client.request(method.clone(), format!("{}{path}", app.base))
}

/// What the server says it takes at a path, asked with a method that no route has.
async fn methods(client: &Client, app: &App, path: &str) -> BTreeSet<Method> {
    let no_route_has = Method::from_bytes(b"PURGE").unwrap();
    let refused = request(client, app, &no_route_has, path).send().await.unwrap();
    assert_eq!(refused.status(), 405, "PURGE {path}");
    let allow = refused.headers()["allow"].to_str().unwrap();
    let methods = allow.split(',').map(|name| name.trim().parse::<Method>().unwrap());
    methods.filter(|method| *method != Method::HEAD).collect()
}

/// The guard turned the caller away: to the sign-in page, or with 401 or 403.
fn turned_away(response: &Response) -> Option<u16> {
    let to_sign_in = response
        .headers()
        .get("location")
        .is_some_and(|place| place.to_str().unwrap().starts_with("/sign-in?next="));
    match response.status().as_u16() {
        status @ (401 | 403) => Some(status),
        303 if to_sign_in => Some(303),
        _ => None,
    }
}

#[tokio::test]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let app = spawn_app().await;
    let (user, admin) = (app.user().await, app.admin().await);
    let client = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let mut served: BTreeMap<String, Vec<Policy>> = BTreeMap::new();
    for (policy, path) in policies() {
        served.entry(path).or_default().push(policy);
    }
    let table: BTreeMap<&str, (&str, Policy)> = TABLE
        .iter()
        .map(|(path, methods, who)| (*path, (*methods, *who)))
        .collect();
    for path in table.keys() {
        assert!(served.contains_key(*path), "{path} is in the table but not served");
    }
    for (path, declared) in &served {
        let (expected, who) = table
            .get(path.as_str())
            .unwrap_or_else(|| panic!("{path} is served: say in the table who may use it"));
        assert!(
            declared.iter().all(|policy| policy == who),
            "{path} is declared {declared:?}"
        );
        let expected: BTreeSet<Method> = expected.split(' ').map(|name| name.parse().unwrap()).collect();
        assert_eq!(methods(&client, &app, path).await, expected, "{path}");
        for method in &expected {
            walk(&client, &app, method, path, *who, (&user, &admin)).await;
        }
    }
}

async fn walk(client: &Client, app: &App, method: &Method, path: &str, who: Policy, (user, admin): (&str, &str)) {
    let what = format!("{method} {path}");
    let is_for_programs = path.starts_with("/api/") || path.ends_with("/answer") || path == "/history/recent";
    let nobody = request(client, app, method, path).send().await.unwrap();
    let refusal = match who {
        Policy::Anyone => None,
        _ if is_for_programs => Some(401),
        _ => Some(303),
    };
    assert_eq!(turned_away(&nobody), refusal, "{what} as nobody: {}", nobody.status());
    let as_user = request(client, app, method, path)
        .bearer_auth(user)
        .send()
        .await
        .unwrap();
    let refusal = matches!(who, Policy::Viewer | Policy::Admin).then_some(403);
    assert_eq!(turned_away(&as_user), refusal, "{what} as a user: {}", as_user.status());
    let as_admin = request(client, app, method, path)
        .bearer_auth(admin)
        .send()
        .await
        .unwrap();
    assert_eq!(
        turned_away(&as_admin),
        None,
        "{what} as an admin: {}",
        as_admin.status()
    );
    for response in [nobody, as_user, as_admin] {
        assert!(response.status().as_u16() < 500, "{what}: {}", response.status());
    }
}
