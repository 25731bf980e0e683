//! A whole server on a free port, with the simulator as its provider.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pool::{KeyId, Timestamp};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use server::clock::Clock;
use server::config::{self, Layers};
use server::shared_pool::SharedPool;
use server::startup::{self, Options};
use simulator::Simulator;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const ADMIN: &str = "admin@example.org";
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// Thursday 15 January 2026, 12:00 UTC: 04:00 in Los Angeles.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_768_478_400_000);

pub(crate) struct App {
    pub(crate) sim: Simulator,
    pub(crate) clock: Clock,
    pub(crate) pool: SharedPool,
    setup: Setup,
    base: String,
    client: Client,
    data: TempDir,
    stop: CancellationToken,
    running: JoinSet<()>,
}

#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) keys: u32,
    pub(crate) clock: Clock,
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Calls that the simulator remembers.
    pub(crate) calls_kept_max: usize,
}

impl Setup {
    /// On the system's clock, as it is set out of the box but for the cache and the pace.
    pub(crate) fn of_keys(keys: u32) -> Self {
        Self {
            keys,
            clock: Clock::system(),
            environment: Vec::new(),
            calls_kept_max: 20_000,
        }
    }

    pub(crate) fn by_hand(mut self) -> Self {
        self.clock = Clock::by_hand(START);
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }
}

pub(crate) fn key(number: u32) -> String {
    format!("AQ.benchmark-provider-key-{number:04}")
}

/// A prompt that was never sent before.
pub(crate) fn question() -> String {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    format!("Why do rivers meander? ({})", ASKED.fetch_add(1, Ordering::Relaxed))
}

/// What a caller got.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Reply {
    async fn of(response: Response) -> Result<Self> {
        let status = response.status().as_u16();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Self { status, body })
    }

    /// Key and outcome of each call, in order.
    pub(crate) fn attempts(&self) -> Vec<(u64, &str)> {
        let attempts = self.body["data"]["attempts"].as_array();
        let attempts = attempts.into_iter().flatten();
        attempts
            .map(|attempt| {
                (
                    attempt["keyNumber"].as_u64().unwrap_or_default(),
                    attempt["outcome"].as_str().unwrap_or_default(),
                )
            })
            .collect()
    }
}

impl App {
    pub(crate) async fn start(setup: Setup) -> Result<Self> {
        let options = simulator::Options {
            calls_kept_max: setup.calls_kept_max,
            ..simulator::Options::default()
        };
        let sim = Simulator::start(options).await?;
        Self::start_on(setup, sim, TempDir::new()?).await
    }

    async fn start_on(setup: Setup, sim: Simulator, data: TempDir) -> Result<Self> {
        let site = data.path().join("site");
        std::fs::create_dir_all(&site)?;
        std::fs::write(site.join("manifest.json"), r#"{"pkgDir":"pkg-bench"}"#)?;
        let mut environment: BTreeMap<String, String> = [
            ("PORT", "0".to_owned()),
            ("DATA_DIR", data.path().join("data").display().to_string()),
            ("SITE_DIR", site.display().to_string()),
            ("GOOGLE_AI_BASE_URL", sim.base_url()),
            ("UPSTREAM_RPS", "0".to_owned()),
            ("CACHE_MAX_ENTRIES", "0".to_owned()),
            ("RATE_LIMIT_REQUESTS", "0".to_owned()),
            ("KEYPOOL_ADMIN_EMAIL", ADMIN.to_owned()),
            ("KEYPOOL_ADMIN_PASSWORD", PASSWORD.to_owned()),
        ]
        .into_iter()
        .chain(setup.environment.iter().cloned())
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        environment.extend((1..=setup.keys).map(|number| (format!("GOOGLE_AI_API_KEY_{number}"), key(number))));
        let config = config::check(&Layers {
            environment,
            ..Layers::default()
        })?;
        let options = Options {
            clock: setup.clock.clone(),
            ..Options::new(config)
        };
        let server = startup::build(options).await?;
        let (base, pool) = (format!("http://{}", server.address), server.pool.clone());
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(server.run(stop.clone().cancelled_owned()));
        Ok(Self {
            sim,
            clock: setup.clock.clone(),
            pool,
            setup,
            base,
            client: Client::builder().no_proxy().build()?,
            data,
            stop,
            running,
        })
    }

    /// Ends the server as SIGTERM does, does something with its data, and starts another with the same provider. Also gives
    /// back how long the new one took to say that it is ready.
    pub(crate) async fn restart<T>(
        mut self,
        meanwhile: impl AsyncFnOnce(PathBuf) -> Result<T>,
    ) -> Result<(Self, T, Duration)> {
        self.stop.cancel();
        while let Some(ended) = self.running.join_next().await {
            ended?;
        }
        let done = meanwhile(self.data.path().join("data")).await?;
        let started = Instant::now();
        let app = Self::start_on(self.setup, self.sim, self.data).await?;
        while app.request(Method::GET, "/readyz").send().await?.status() != 200 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok((app, done, started.elapsed()))
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn send(&self, method: Method, path: &str, token: &str, body: &Value) -> Result<Reply> {
        let request = self.request(method, path).bearer_auth(token).json(body);
        Reply::of(request.send().await?).await
    }

    /// An access token of the admin, good for a quarter of an hour.
    pub(crate) async fn token(&self) -> Result<String> {
        let form = json!({ "email": ADMIN, "password": PASSWORD });
        let signed_in = self.request(Method::POST, "/api/auth/login").json(&form).send().await?;
        let reply = Reply::of(signed_in).await?;
        let token = reply.body["data"]["accessToken"].as_str();
        Ok(token
            .with_context(|| format!("signing in failed: {}", reply.body))?
            .to_owned())
    }

    pub(crate) async fn ask(&self, token: &str, model: &str) -> Result<Reply> {
        let body = json!({ "prompt": question(), "model": model });
        self.send(Method::POST, "/api/ai-analysis/analyze", token, &body).await
    }

    /// A stream whose events are still to come.
    pub(crate) async fn open_stream(&self, token: &str, prompt: &str) -> Result<Response> {
        let request = self.request(Method::POST, "/api/ai-analysis/analyze/stream");
        let response = request
            .bearer_auth(token)
            .json(&json!({ "prompt": prompt }))
            .send()
            .await?;
        ensure!(
            response.status() == 200,
            "a stream was refused with {}",
            response.status()
        );
        Ok(response)
    }

    /// The pool's names of the keys, by number.
    pub(crate) fn key_ids(&self) -> BTreeMap<u32, KeyId> {
        let keys = self.pool.snapshot().keys;
        keys.iter().map(|view| (view.key.number, view.key.id)).collect()
    }

    /// Calls that were made, those included that reached nobody.
    pub(crate) fn leases(&self) -> u64 {
        self.pool.snapshot().keys.iter().map(|key| key.requests).sum()
    }

    /// Calls that the pool believes to be under way.
    pub(crate) fn in_flight(&self) -> u32 {
        let keys = self.pool.snapshot().keys;
        keys.iter().flat_map(|key| &key.cells).map(|cell| cell.in_flight).sum()
    }
}
