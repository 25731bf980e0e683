//! A whole server on a free port, with a hand-moved clock and the simulator as its provider.

pub(crate) mod mongod;

use std::collections::BTreeMap;
use std::time::Duration;

use app::types::Role;
use pool::Timestamp;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use server::clock::Clock;
use server::config::{self, Config, Layers};
use server::http::ServeLimits;
use server::startup::{self, Options};
use simulator::{Behaviour, Simulator};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::canary::{self, Watched};

pub(crate) const ADMIN: &str = "admin@example.org";
/// On the list of secrets that are looked for, as [`key`] is.
pub(crate) const PASSWORD: &str = "canary horse battery staple";
/// Thursday 15 January 2026, 12:00 UTC: 04:00 in Los Angeles.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_768_478_400_000);

pub(crate) struct App {
    pub(crate) sim: Simulator,
    pub(crate) clock: Clock,
    pub(crate) base: String,
    /// Keeps cookies, as a browser does.
    pub(crate) client: Client,
    /// Keeps none, as a program does.
    programs: Client,
    pub(crate) pool: server::shared_pool::SharedPool,
    pub(crate) analytics: server::analytics::Analytics,
    pub(crate) set_up_token: Option<secrecy::SecretString>,
    // Before the folder itself, which goes when it is dropped.
    _watched: Watched,
    data: Option<TempDir>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

/// How a server differs from the usual one.
pub(crate) struct Setup {
    pub(crate) keys: u32,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) limits: server::provider::gemini::Limits,
    pub(crate) serving: ServeLimits,
    pub(crate) deadline: Duration,
    pub(crate) with_admin: bool,
    /// With a history that is made up, and nothing counted on from it.
    pub(crate) demo: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            keys: 3,
            environment: Vec::new(),
            limits: server::provider::gemini::Limits::default(),
            serving: ServeLimits {
                // Long enough for what is on its way over loopback.
                lame_duck: Duration::from_millis(50),
                ..ServeLimits::default()
            },
            deadline: Duration::from_secs(60),
            with_admin: true,
            demo: false,
        }
    }
}

pub(crate) fn key(number: u32) -> String {
    format!("AQ.canary-provider-key-{number:04}")
}

pub(crate) async fn spawn_app() -> App {
    spawn(Setup::default()).await
}

pub(crate) async fn spawn(setup: Setup) -> App {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    spawn_on(setup, sim, TempDir::new().unwrap(), Clock::by_hand(START)).await
}

pub(crate) async fn spawn_on(setup: Setup, sim: Simulator, data: TempDir, clock: Clock) -> App {
    canary::log_everything();
    let config = settings(&setup, &sim, &data);
    let options = Options {
        config,
        clock: clock.clone(),
        limits: setup.limits,
        serving: setup.serving,
        deadline: setup.deadline,
        demo: setup.demo.then(Vec::new),
    };
    let server = startup::build(options).await.unwrap();
    let (base, pool) = (format!("http://{}", server.address), server.pool.clone());
    let analytics = server.analytics.clone();
    let set_up_token = server.set_up_token.clone();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    #[expect(clippy::disallowed_methods, reason = "joined by App::stop")]
    let running = tokio::spawn(async move { server.run(stopped.cancelled_owned()).await });
    let client = |keeps_cookies| {
        let builder = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        builder.cookie_store(keeps_cookies).build().unwrap()
    };
    App {
        sim,
        clock,
        base,
        client: client(true),
        programs: client(false),
        pool,
        analytics,
        set_up_token,
        _watched: Watched::new(data.path()),
        data: Some(data),
        stop,
        running,
    }
}

fn settings(setup: &Setup, sim: &Simulator, data: &TempDir) -> Config {
    let site = data.path().join("site");
    std::fs::create_dir_all(&site).unwrap();
    std::fs::write(site.join("manifest.json"), r#"{"pkgDir":"pkg-test"}"#).unwrap();
    let mut environment = BTreeMap::from([
        ("PORT".to_owned(), "0".to_owned()),
        ("DATA_DIR".to_owned(), data.path().join("data").display().to_string()),
        ("SITE_DIR".to_owned(), site.display().to_string()),
        ("GOOGLE_AI_BASE_URL".to_owned(), sim.base_url()),
        // Off where a test does not ask for it: the clock stands still, and a question is asked more than once.
        ("UPSTREAM_RPS".to_owned(), "0".to_owned()),
        ("QUEUE_WAIT_MAX".to_owned(), "0s".to_owned()),
        ("CACHE_MAX_ENTRIES".to_owned(), "0".to_owned()),
        ("RATE_LIMIT_REQUESTS".to_owned(), "0".to_owned()),
        ("ENDPOINT_ALLOWED_NETWORKS".to_owned(), "127.0.0.0/8".to_owned()),
    ]);
    if setup.with_admin {
        environment.insert("KEYPOOL_ADMIN_EMAIL".to_owned(), ADMIN.to_owned());
        environment.insert("KEYPOOL_ADMIN_PASSWORD".to_owned(), PASSWORD.to_owned());
    }
    for number in 1..=setup.keys {
        environment.insert(format!("GOOGLE_AI_API_KEY_{number}"), key(number));
    }
    environment.extend(
        setup
            .environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone())),
    );
    config::check(&Layers {
        environment,
        ..Layers::default()
    })
    .unwrap()
}

impl App {
    /// Ends the server as SIGTERM does and starts another on the same data, with the same provider and clock.
    pub(crate) async fn restart(self, setup: Setup) -> Self {
        let clock = self.clock.clone();
        let (data, sim) = self.stop().await;
        spawn_on(setup, sim, data, clock).await
    }

    /// Where the server keeps its store and its secrets.
    pub(crate) fn data_dir(&self) -> std::path::PathBuf {
        self.data.as_ref().unwrap().path().join("data")
    }

    /// As SIGTERM does, without waiting for the end.
    pub(crate) fn begin_to_stop(&self) {
        self.stop.cancel();
    }

    /// Ends the server as SIGTERM does and gives back the folder with its data.
    pub(crate) async fn stop(mut self) -> (TempDir, Simulator) {
        let data = self.data.take().unwrap();
        self.stop.cancel();
        self.running.await.unwrap();
        (data, self.sim)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.call(Method::POST, path, token, Some(body)).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        self.call(Method::GET, path, token, None).await
    }

    /// As a program with a token, without any cookie.
    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> Reply {
        let mut request = self.programs.request(method, format!("{}{path}", self.base));
        request = if token.is_empty() {
            request
        } else {
            request.bearer_auth(token)
        };
        request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        Reply::of(request.send().await.unwrap()).await
    }

    /// An access token of a new account.
    pub(crate) async fn user(&self) -> String {
        let email = self.account(Role::User).await;
        self.login(&email).await
    }

    /// The e-mail of a new account.
    pub(crate) async fn account(&self, role: Role) -> String {
        let email = format!("{}@example.org", uuid::Uuid::new_v4().simple());
        let form = json!({ "email": email, "password": PASSWORD, "name": "Ada" });
        let made = self.post("/api/auth/register", "", &form).await;
        assert_eq!(made.status, 201, "{}", made.body);
        if role != Role::User {
            let path = format!("/api/admin/users/{}", made.text("/data/id"));
            let admin = self.admin().await;
            let changed = self
                .call(Method::PATCH, &path, &admin, Some(&json!({ "role": role })))
                .await;
            assert_eq!(changed.status, 200, "{}", changed.body);
        }
        email
    }

    pub(crate) async fn admin(&self) -> String {
        self.login(ADMIN).await
    }

    /// Signs [`App::client`] in, as a browser is: by its cookie.
    pub(crate) async fn browser(&self, email: &str) {
        let form = json!({ "email": email, "password": PASSWORD });
        let signed_in = self
            .request(Method::POST, "/api/auth/login")
            .json(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(signed_in.status(), 200);
    }

    pub(crate) async fn login(&self, email: &str) -> String {
        let form = json!({ "email": email, "password": PASSWORD });
        self.post("/api/auth/login", "", &form).await.text("/data/accessToken")
    }

    pub(crate) async fn analyze(&self, token: &str) -> Reply {
        self.post(
            "/api/ai-analysis/analyze",
            token,
            &json!({ "prompt": "Why do rivers meander?" }),
        )
        .await
    }

    pub(crate) async fn stream(&self, token: &str, prompt: &str) -> Vec<Event> {
        let request = self
            .request(Method::POST, "/api/ai-analysis/analyze/stream")
            .bearer_auth(token)
            .json(&json!({ "prompt": prompt }));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let text = response.text().await.unwrap();
        canary::check("a stream", text.as_bytes());
        events(&text)
    }

    pub(crate) async fn status(&self, token: &str) -> Value {
        self.get("/api/ai-analysis/service-status", token).await.body["data"].clone()
    }

    /// From now on every call of the key gets this.
    pub(crate) fn always(&self, key_number: u32, fixture: &str) {
        self.sim.always(&key(key_number), "*", Behaviour::fixture(fixture));
    }

    pub(crate) fn calls(&self, key_number: u32) -> usize {
        self.sim.call_count(&key(key_number))
    }
}

/// Waits until it is so; time stands still meanwhile.
pub(crate) async fn eventually(wanted: impl AsyncFn() -> bool) {
    let seen = async { while !wanted().await {} };
    let in_time = tokio::time::timeout(Duration::from_secs(10), seen).await;
    assert!(in_time.is_ok(), "it did not come to be so");
}

/// An answer with a JSON body.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        canary::check("an answer", text.as_bytes());
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self { status, headers, body }
    }

    /// The text at a JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.body
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no text at {pointer} in {}", self.body))
            .to_owned()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: Value,
}

pub(crate) fn events(text: &str) -> Vec<Event> {
    let field = |block: &str, name: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let blocks = text.split("\n\n").filter(|block| block.contains("event:"));
    blocks
        .map(|block| Event {
            name: field(block, "event:"),
            data: serde_json::from_str(&field(block, "data:")).unwrap(),
        })
        .collect()
}

pub(crate) fn text_of(events: &[Event]) -> String {
    events
        .iter()
        .filter(|event| event.name == "delta")
        .map(|event| event.data["text"].as_str().unwrap())
        .collect()
}
