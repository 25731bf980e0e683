//! Every route is walked with every right there is. One that is not in the table fails.

use std::collections::{BTreeMap, BTreeSet};

use app::types::{Role, TokenScope};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::json;
use server::accounts::TokenSigner;
use server::http::Policy::{Admin, Anyone, User, Viewer};
use server::http::Scope::{Analytics, Analyze, History, Person, Status};
use server::http::{Policy, policies};

use crate::support::{ADMIN, App, PASSWORD, Reply, spawn_app};

/// Path, methods, and who may: as the contract says it, not as the code does.
const TABLE: &[(&str, &str, Policy)] = &[
    ("/", "GET POST", User(Person)),
    ("/account", "GET", User(Person)),
    ("/account/delete", "POST", User(Person)),
    ("/account/erase", "POST", User(Person)),
    ("/account/export", "GET", User(Person)),
    ("/account/name", "POST", User(Person)),
    ("/account/password", "POST", User(Person)),
    ("/account/sessions/end", "POST", User(Person)),
    ("/account/sessions/{id}/end", "POST", User(Person)),
    ("/account/tokens", "GET POST", User(Person)),
    ("/account/tokens/{id}/revoke", "POST", User(Person)),
    ("/account/two-factor", "GET POST", User(Person)),
    ("/account/two-factor/confirm", "POST", User(Person)),
    ("/account/two-factor/off", "POST", User(Person)),
    ("/account/two-factor/recovery-codes", "POST", User(Person)),
    ("/admin/alerts", "GET", Admin),
    ("/admin/alerts/rules/{id}", "POST", Admin),
    ("/admin/alerts/rules/{id}/preview", "POST", Admin),
    ("/admin/alerts/rules/{id}/reset", "POST", Admin),
    ("/admin/alerts/test", "POST", Admin),
    ("/admin/alerts/{id}/acknowledge", "POST", Admin),
    ("/admin/alerts/{id}/resolve", "POST", Admin),
    ("/admin/alerts/{id}/silence", "POST", Admin),
    ("/admin/audit", "GET", Admin),
    ("/admin/doctor", "GET POST", Admin),
    ("/admin/doctor/siblings", "POST", Admin),
    ("/admin/invitations", "POST", Admin),
    ("/admin/invitations/{id}/delete", "POST", Admin),
    ("/admin/users", "GET", Admin),
    ("/admin/users/{id}", "GET", Admin),
    ("/admin/users/{id}/delete", "POST", Admin),
    ("/admin/users/{id}/disable", "POST", Admin),
    ("/admin/users/{id}/enable", "POST", Admin),
    ("/admin/users/{id}/password-link", "POST", Admin),
    ("/admin/users/{id}/role", "POST", Admin),
    ("/admin/users/{id}/sign-out", "POST", Admin),
    ("/admin/users/{id}/two-factor", "POST", Admin),
    ("/analytics/errors", "GET", Viewer(Person)),
    ("/analytics/forecast", "GET", Viewer(Person)),
    ("/analytics/hourly-pattern", "GET", Viewer(Person)),
    ("/analytics/latency", "GET", Viewer(Person)),
    ("/analytics/usage", "GET", Viewer(Person)),
    ("/api/admin/alerts", "GET", Admin),
    ("/api/admin/alerts/history", "GET", Admin),
    ("/api/admin/alerts/rules/{id}", "PUT", Admin),
    ("/api/admin/alerts/rules/{id}/preview", "POST", Admin),
    ("/api/admin/alerts/{id}/acknowledge", "POST", Admin),
    ("/api/admin/alerts/{id}/resolve", "POST", Admin),
    ("/api/admin/alerts/{id}/silence", "POST", Admin),
    ("/api/admin/audit", "GET", Admin),
    ("/api/admin/audit/verify", "GET", Admin),
    ("/api/admin/backup", "POST", Admin),
    ("/api/admin/cache", "DELETE GET", Admin),
    ("/api/admin/doctor", "GET POST", Admin),
    ("/api/admin/incidents", "GET", Admin),
    ("/api/admin/invitations", "GET POST", Admin),
    ("/api/admin/invitations/{id}", "DELETE", Admin),
    ("/api/admin/keys", "GET POST", Admin),
    ("/api/admin/keys/import", "POST", Admin),
    ("/api/admin/keys/reset-quota", "POST", Admin),
    ("/api/admin/keys/rewrap", "GET POST", Admin),
    ("/api/admin/keys/siblings", "GET", Admin),
    ("/api/admin/keys/siblings/{id}/confirm", "POST", Admin),
    ("/api/admin/keys/siblings/{id}/dismiss", "POST", Admin),
    ("/api/admin/keys/switch", "POST", Admin),
    ("/api/admin/keys/test-all", "POST", Admin),
    ("/api/admin/keys/{id}", "DELETE PATCH", Admin),
    ("/api/admin/keys/{id}/disable", "POST", Admin),
    ("/api/admin/keys/{id}/enable", "POST", Admin),
    ("/api/admin/keys/{id}/reset", "POST", Admin),
    ("/api/admin/keys/{id}/test", "POST", Admin),
    ("/api/admin/notifications", "GET", Admin),
    ("/api/admin/notifications/test", "POST", Admin),
    ("/api/admin/performance", "GET", Admin),
    ("/api/admin/performance/reset", "POST", Admin),
    ("/api/admin/settings", "GET PATCH", Admin),
    ("/api/admin/users", "GET POST", Admin),
    ("/api/admin/users/{id}", "DELETE PATCH", Admin),
    ("/api/admin/users/{id}/password", "POST", Admin),
    ("/api/admin/users/{id}/password-link", "POST", Admin),
    ("/api/admin/users/{id}/sign-out", "POST", Admin),
    ("/api/admin/users/{id}/tokens", "GET", Admin),
    ("/api/admin/users/{id}/tokens/{token}", "DELETE", Admin),
    ("/api/admin/users/{id}/two-factor/reset", "POST", Admin),
    ("/api/ai-analysis/analyses", "DELETE GET", User(History)),
    ("/api/ai-analysis/analyses/{id}", "DELETE GET", User(History)),
    ("/api/ai-analysis/analyze", "POST", User(Analyze)),
    ("/api/ai-analysis/analyze/stream", "POST", User(Analyze)),
    ("/api/ai-analysis/service-status", "GET", User(Status)),
    ("/api/ai-analysis/service-status/stream", "GET", User(Status)),
    ("/api/analytics/api-usage", "GET", Viewer(Analytics)),
    ("/api/analytics/charts/{file}", "GET", Viewer(Analytics)),
    ("/api/analytics/errors", "GET", Viewer(Analytics)),
    ("/api/analytics/export.csv", "GET", Viewer(Analytics)),
    ("/api/analytics/export.json", "GET", Viewer(Analytics)),
    ("/api/analytics/forecast", "GET", Viewer(Analytics)),
    ("/api/analytics/hourly-pattern", "GET", Viewer(Analytics)),
    ("/api/analytics/overview", "GET", Viewer(Analytics)),
    ("/api/analytics/real-time-metrics", "GET", Viewer(Analytics)),
    ("/api/analytics/requests", "GET", Viewer(Analytics)),
    ("/api/analytics/requests/{id}", "GET", Viewer(Analytics)),
    ("/api/analytics/stream", "GET", Viewer(Analytics)),
    ("/api/analytics/timeseries", "GET", Viewer(Analytics)),
    ("/api/auth/login", "POST", Anyone),
    ("/api/auth/logout", "POST", Anyone),
    ("/api/auth/me", "DELETE GET PATCH", User(Person)),
    ("/api/auth/password", "POST", User(Person)),
    ("/api/auth/password-link", "POST", Anyone),
    ("/api/auth/refresh", "POST", Anyone),
    ("/api/auth/register", "POST", Anyone),
    ("/api/auth/sessions", "DELETE GET", User(Person)),
    ("/api/auth/sessions/{id}", "DELETE", User(Person)),
    ("/api/auth/two-factor", "DELETE GET POST", User(Person)),
    ("/api/auth/two-factor/confirm", "POST", User(Person)),
    ("/api/auth/two-factor/recovery-codes", "POST", User(Person)),
    ("/api/status.json", "GET", Anyone),
    ("/api/tokens", "GET POST", User(Person)),
    ("/api/tokens/{id}", "DELETE", User(Person)),
    ("/healthz", "GET", Anyone),
    ("/history", "GET", User(Person)),
    ("/history/answer", "POST", User(Person)),
    ("/history/recent", "GET", User(Person)),
    ("/history/{id}", "GET", User(Person)),
    ("/history/{id}/answer", "GET", User(Person)),
    ("/history/{id}/delete", "POST", User(Person)),
    ("/invitation", "GET POST", Anyone),
    ("/overview", "GET", Viewer(Person)),
    ("/overview/live", "GET", Viewer(Person)),
    ("/password", "GET POST", Anyone),
    ("/readyz", "GET", Anyone),
    ("/register", "GET POST", Anyone),
    ("/requests", "GET", Viewer(Person)),
    ("/requests/live", "GET", Viewer(Person)),
    ("/requests/{id}", "GET", Viewer(Person)),
    ("/set-up", "GET POST", Anyone),
    ("/set-up/key", "GET POST", Admin),
    ("/sign-in", "GET POST", Anyone),
    ("/sign-in/code", "GET POST", Anyone),
    ("/sign-out", "POST", Anyone),
    ("/status", "GET", Anyone),
    ("/theme", "POST", Anyone),
];

/// What a caller can be known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Cookie,
    AccessToken,
    Bearer,
    Google,
    Anthropic,
    Query,
    /// An API token made for something that no route is for.
    OtherScope,
}

const PLACES: [Place; 7] = [
    Place::Cookie,
    Place::AccessToken,
    Place::Bearer,
    Place::Google,
    Place::Anthropic,
    Place::Query,
    Place::OtherScope,
];

/// One account with a credential of each kind.
struct Caller {
    role: Role,
    email: String,
    cookie: String,
    access_token: String,
    /// With every scope that the role may give.
    api_token: String,
    scopes: Vec<TokenScope>,
    /// With the scope `analytics`, or `status` for a user.
    other: (TokenScope, String),
}

fn request(client: &Client, app: &App, method: &Method, path: &str) -> RequestBuilder {
    let path = path
        .replace("{id}", "0197a1b2-0000-7000-8000-000000000000")
        .replace("{token}", "1");
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

impl Caller {
    async fn new(app: &App, client: &Client, role: Role) -> Self {
        let email = match role {
            Role::Admin => ADMIN.to_owned(),
            Role::User | Role::Viewer => app.account(role).await,
        };
        let mut caller = Self {
            role,
            email,
            cookie: String::new(),
            access_token: String::new(),
            api_token: String::new(),
            scopes: TokenScope::ALL
                .into_iter()
                .filter(|scope| scope.least_role() <= role)
                .collect(),
            other: (TokenScope::Status, String::new()),
        };
        if role != Role::User {
            caller.other.0 = TokenScope::Analytics;
        }
        caller.sign_in(app, client).await;
        caller.api_token = caller.token(app, &caller.scopes).await;
        caller.other.1 = caller.token(app, &[caller.other.0]).await;
        caller
    }

    async fn sign_in(&mut self, app: &App, client: &Client) {
        let form = json!({ "email": self.email, "password": PASSWORD });
        let request = client.post(format!("{}/api/auth/login", app.base)).json(&form);
        let reply = Reply::of(request.send().await.unwrap()).await;
        let cookie = reply.headers["set-cookie"].to_str().unwrap();
        self.cookie = cookie.split(';').next().unwrap().to_owned();
        self.access_token = reply.text("/data/accessToken");
    }

    async fn token(&self, app: &App, scopes: &[TokenScope]) -> String {
        let new = json!({ "name": "walk", "scopes": scopes, "password": PASSWORD });
        let reply = app.post("/api/tokens", &self.access_token, &new).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.text("/data/token")
    }

    fn put(&self, request: RequestBuilder, place: Place) -> RequestBuilder {
        match place {
            Place::Cookie => request.header("cookie", &self.cookie),
            Place::AccessToken => request.bearer_auth(&self.access_token),
            Place::Bearer => request.bearer_auth(&self.api_token),
            Place::Google => request.header("x-goog-api-key", &self.api_token),
            Place::Anthropic => request.header("x-api-key", &self.api_token),
            Place::Query => request.query(&[("key", &self.api_token)]),
            Place::OtherScope => request.bearer_auth(&self.other.1),
        }
    }

    /// What the guard must answer; `None` lets the caller in.
    fn refusal(&self, who: Policy, place: Place, path: &str) -> Option<u16> {
        if who == Anyone {
            return None;
        }
        // Pages and admins' routes take no credential from their address: nobody is there.
        if place == Place::Query && (!path.starts_with("/api/") || path.starts_with("/api/admin/")) {
            return Some(nobody(path));
        }
        let (least, scope) = match who {
            Anyone => unreachable!("said above"),
            User(scope) => (Role::User, of_tokens(scope)),
            Viewer(scope) => (Role::Viewer, of_tokens(scope)),
            Admin => (Role::Admin, Some(TokenScope::Admin)),
        };
        let is_in_scope = match place {
            Place::Cookie | Place::AccessToken => true,
            Place::OtherScope => scope == Some(self.other.0),
            _ => scope.is_some_and(|scope| self.scopes.contains(&scope)),
        };
        (self.role < least || !is_in_scope).then_some(403)
    }
}

fn of_tokens(scope: server::http::Scope) -> Option<TokenScope> {
    match scope {
        Person => None,
        Analyze => Some(TokenScope::Analyze),
        History => Some(TokenScope::History),
        Status => Some(TokenScope::Status),
        Analytics => Some(TokenScope::Analytics),
    }
}

fn is_api_token(place: Place) -> bool {
    !matches!(place, Place::Cookie | Place::AccessToken)
}

/// Of the routes that give or take a way to sign in, those that ask for nothing more than who is meant.
fn gives_a_way_in(method: &Method, path: &str) -> bool {
    let about_users = path.starts_with("/api/admin/users/") || path.starts_with("/admin/users/");
    let is_one = ["/password-link", "/two-factor", "/two-factor/reset"]
        .iter()
        .any(|end| path.ends_with(end));
    *method != Method::GET && about_users && (is_one || (*method == Method::DELETE && path == "/api/admin/users/{id}"))
}

/// What somebody without a credential gets.
fn nobody(path: &str) -> u16 {
    let is_for_programs =
        path.starts_with("/api/") || path.ends_with("/answer") || path.ends_with("/live") || path == "/history/recent";
    if is_for_programs { 401 } else { 303 }
}

#[tokio::test]
async fn every_route_lets_in_whom_it_should_and_nobody_else_wherever_the_credential_stands() {
    let app = spawn_app().await;
    let client = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let mut callers = Vec::new();
    for role in [Role::User, Role::Viewer, Role::Admin] {
        callers.push(Caller::new(&app, &client, role).await);
    }
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
            walk(&client, &app, method, path, *who, &mut callers).await;
        }
    }
}

async fn walk(client: &Client, app: &App, method: &Method, path: &str, who: Policy, callers: &mut [Caller]) {
    let alone = request(client, app, method, path).send().await.unwrap();
    let refusal = (who != Anyone).then(|| nobody(path));
    check(&format!("{method} {path} as nobody"), &alone, refusal);
    let forged = request(client, app, method, path)
        .bearer_auth("kp_nothing")
        .send()
        .await
        .unwrap();
    let refusal = (who != Anyone).then_some(401);
    check(&format!("{method} {path} with a forged token"), &forged, refusal);
    for caller in callers {
        for place in PLACES {
            let asked = caller.put(request(client, app, method, path), place);
            let takes_a_person = || is_api_token(place) && gives_a_way_in(method, path);
            let refusal = caller
                .refusal(who, place, path)
                .or_else(|| takes_a_person().then_some(403));
            let response = asked.send().await.unwrap();
            check(
                &format!("{method} {path} as {:?} by {place:?}", caller.role),
                &response,
                refusal,
            );
            let ends_sign_ins = ["logout", "sign-out", "sessions"]
                .iter()
                .any(|word| path.contains(word));
            if ends_sign_ins && refusal.is_none() && *method != Method::GET {
                caller.sign_in(app, client).await;
            }
        }
    }
}

fn check(what: &str, response: &Response, refusal: Option<u16>) {
    assert_eq!(turned_away(response), refusal, "{what}: {}", response.status());
    assert!(response.status().as_u16() < 500, "{what}: {}", response.status());
}

#[tokio::test]
async fn two_different_credentials_at_once_are_refused_wherever_they_stand() {
    let app = spawn_app().await;
    let client = Client::builder().no_proxy().build().unwrap();
    let (ada, eve) = (
        Caller::new(&app, &client, Role::User).await,
        Caller::new(&app, &client, Role::User).await,
    );
    let places = [
        Place::Cookie,
        Place::Bearer,
        Place::Google,
        Place::Anthropic,
        Place::Query,
    ];
    for (place, other) in places
        .iter()
        .flat_map(|place| places.iter().map(move |other| (*place, *other)))
    {
        let status = || request(&client, &app, &Method::GET, "/api/ai-analysis/service-status");
        let same = ada.put(ada.put(status(), place), other).send().await.unwrap();
        assert_eq!(same.status(), 200, "one person's {place:?} and {other:?}");
        if place != other {
            let two = eve.put(ada.put(status(), place), other).send().await.unwrap();
            assert_eq!(two.status(), 401, "{place:?} of one person and {other:?} of another");
        }
    }
}

#[tokio::test]
async fn a_right_taken_away_is_gone_at_once_for_tokens_too() {
    let app = spawn_app().await;
    let admin = app.admin().await;
    let email = app.account(Role::Viewer).await;
    let token = app.login(&email).await;
    let new = json!({ "name": "reader", "scopes": ["analytics"] });
    let api_token = app.post("/api/tokens", &token, &new).await.text("/data/token");
    let id = app.get("/api/auth/me", &token).await.text("/data/id");
    let asks_for_admin = json!({ "name": "more", "scopes": ["admin"] });
    assert_eq!(app.post("/api/tokens", &token, &asks_for_admin).await.status, 403);
    let status = app.get("/api/ai-analysis/service-status", &api_token).await;
    assert_eq!(status.status, 403, "not made for it");
    let change = app
        .request(Method::PATCH, &format!("/api/admin/users/{id}"))
        .bearer_auth(&admin);
    let changed = change.json(&json!({ "disabled": true })).send().await.unwrap();
    assert_eq!(changed.status(), 200);
    assert_eq!(app.get("/api/ai-analysis/service-status", &api_token).await.status, 401);
    assert_eq!(app.get("/api/auth/me", &token).await.status, 401);
}

#[tokio::test]
async fn the_command_lines_token_is_good_on_this_machine_and_not_through_a_proxy() {
    let app = spawn_app().await;
    let secret = std::fs::read_to_string(app.data_dir().join("jwt.secret")).unwrap();
    let signer = TokenSigner::new(&secret.trim().into()).unwrap();
    let token = signer.sign_operator(app.clock.now()).unwrap();
    let ask = |path| app.request(Method::GET, path).bearer_auth(&token);
    assert_eq!(ask("/api/admin/keys").send().await.unwrap().status(), 200);
    assert_eq!(
        ask("/api/auth/me").send().await.unwrap().status(),
        401,
        "for admin routes only"
    );
    for header in [
        "x-forwarded-for",
        "forwarded",
        "x-real-ip",
        "via",
        "x-forwarded-proto",
        "x-forwarded-host",
    ] {
        let passed_on = ask("/api/admin/keys").header(header, "192.0.2.7");
        assert_eq!(passed_on.send().await.unwrap().status(), 401, "{header}");
    }
    app.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(
        ask("/api/admin/keys").send().await.unwrap().status(),
        401,
        "for a minute only"
    );
}
