//! A whole server on a free port, with a hand-moved clock and the simulator as its provider.

use std::collections::BTreeMap;
use std::time::Duration;

use pool::Timestamp;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use server::clock::Clock;
use server::config::{self, Config, Layers};
use server::startup::{self, Options};
use simulator::{Behaviour, Simulator};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub(crate) const ADMIN: &str = "admin@example.org";
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// Thursday 15 January 2026, 12:00 UTC: 04:00 in Los Angeles.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_768_478_400_000);

pub(crate) struct App {
    pub(crate) sim: Simulator,
    pub(crate) clock: Clock,
    pub(crate) base: String,
    pub(crate) client: Client,
    pub(crate) pool: server::shared_pool::SharedPool,
    pub(crate) set_up_token: Option<secrecy::SecretString>,
    data: Option<TempDir>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

/// How a server differs from the usual one.
pub(crate) struct Setup {
    pub(crate) keys: u32,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) limits: server::provider::gemini::Limits,
    pub(crate) deadline: Duration,
    pub(crate) with_admin: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            keys: 3,
            environment: Vec::new(),
            limits: server::provider::gemini::Limits::default(),
            deadline: Duration::from_secs(60),
            with_admin: true,
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

async fn spawn_on(setup: Setup, sim: Simulator, data: TempDir, clock: Clock) -> App {
    let config = settings(&setup, &sim, &data);
    let options = Options {
        config,
        clock: clock.clone(),
        limits: setup.limits,
        deadline: setup.deadline,
        demo: None,
    };
    let server = startup::build(options).await.unwrap();
    let (base, pool) = (format!("http://{}", server.address), server.pool.clone());
    let set_up_token = server.set_up_token.clone();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    #[expect(clippy::disallowed_methods, reason = "joined by App::stop")]
    let running = tokio::spawn(async move { server.run(stopped.cancelled_owned()).await.unwrap() });
    let client = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .cookie_store(true)
        .build()
        .unwrap();
    App {
        sim,
        clock,
        base,
        client,
        pool,
        set_up_token,
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
        Reply::of(
            self.request(Method::POST, path)
                .bearer_auth(token)
                .json(body)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        Reply::of(self.request(Method::GET, path).bearer_auth(token).send().await.unwrap()).await
    }

    /// An access token of a new account.
    pub(crate) async fn user(&self) -> String {
        let email = format!("{}@example.org", uuid::Uuid::new_v4().simple());
        let form = json!({ "email": email, "password": PASSWORD, "name": "Ada" });
        let made = self
            .request(Method::POST, "/api/auth/register")
            .json(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(made.status(), 201);
        self.login(&email).await
    }

    pub(crate) async fn admin(&self) -> String {
        self.login(ADMIN).await
    }

    async fn login(&self, email: &str) -> String {
        let form = json!({ "email": email, "password": PASSWORD });
        let reply = Reply::of(
            self.request(Method::POST, "/api/auth/login")
                .json(&form)
                .send()
                .await
                .unwrap(),
        )
        .await;
        reply.text("/data/accessToken")
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
        events(&response.text().await.unwrap())
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
