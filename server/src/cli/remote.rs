//! The server that runs on this data, asked over HTTP: the SQLite file has one user at a time.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::{Method, Response};
use serde_json::Value;
use server::accounts::TokenSigner;
use server::clock::Clock;
use server::config::Config;
use server::startup;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
const FIND_TIME_MAX: Duration = Duration::from_secs(5);
/// A thousand keys are tested within it.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(900);

/// Of a file as large as all data.
const DOWNLOAD_TIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// A running server that knows this machine's operator.
pub(super) struct Remote {
    client: reqwest::Client,
    base: String,
    signer: TokenSigner,
    clock: Clock,
}

impl Remote {
    /// The server at `HOST` and `PORT`, when one runs there on the data of `DATA_DIR`. Another program, a demo, or a server
    /// with other data is none.
    pub(super) async fn find(config: &Config) -> Option<Self> {
        let signer = startup::operator_signer(config).ok().flatten()?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIME_MAX)
            .timeout(REQUEST_TIME_MAX)
            .build()
            .ok()?;
        let remote = Self {
            client,
            base: base_url(config.host, config.port),
            signer,
            clock: Clock::system(),
        };
        let is_ours = async {
            // The token is shown to nobody who does not speak as a Keypool does.
            remote.is_keypool().await && remote.get("/api/admin/keys").await.is_ok()
        };
        let found = tokio::time::timeout(FIND_TIME_MAX, is_ours).await;
        found.unwrap_or(false).then_some(remote)
    }

    /// Where it was found, such as `http://127.0.0.1:5000`.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// What the answer's envelope holds in `data`.
    ///
    /// # Errors
    /// The server's own words when it refuses; that it does not answer, when it does not.
    pub(super) async fn get(&self, path: &str) -> Result<Value, anyhow::Error> {
        self.send(Method::GET, path, None).await
    }

    /// As [`Remote::get`].
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, anyhow::Error> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// As [`Remote::get`].
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Value, anyhow::Error> {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// As [`Remote::get`].
    pub(super) async fn delete(&self, path: &str) -> Result<Value, anyhow::Error> {
        self.send(Method::DELETE, path, None).await
    }

    /// Writes the body of the answer to a `POST`, which is a file and no envelope.
    ///
    /// # Errors
    /// As [`Remote::get`]; also when the answer breaks off before its end.
    pub(super) async fn download(&self, path: &str, to: &mut impl Write) -> Result<(), anyhow::Error> {
        let token = self.signer.sign_operator(self.clock.now())?;
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .timeout(DOWNLOAD_TIME_MAX)
            .bearer_auth(token);
        let answered = request.send().await;
        let mut response = answered.map_err(|_| anyhow!("the server at {} does not answer any more", self.base))?;
        if !response.status().is_success() {
            return Self::opened(response).await.map(|_| ());
        }
        loop {
            let chunk = response.chunk().await;
            match chunk.map_err(|_| anyhow!("the server at {} broke off", self.base))? {
                Some(chunk) => to.write_all(&chunk)?,
                None => return Ok(()),
            }
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, anyhow::Error> {
        let token = self.signer.sign_operator(self.clock.now())?;
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answered = request.send().await;
        let response = answered.map_err(|_| anyhow!("the server at {} does not answer any more", self.base))?;
        Self::opened(response).await
    }

    async fn opened(response: Response) -> Result<Value, anyhow::Error> {
        let status = response.status().as_u16();
        let mut envelope: Value = response
            .json()
            .await
            .with_context(|| format!("the server's answer ({status}) cannot be read"))?;
        if envelope["success"] == true {
            return Ok(envelope["data"].take());
        }
        match envelope["message"].as_str() {
            Some(message) => bail!("{message}"),
            None => bail!("the server refused with status {status}"),
        }
    }

    async fn is_keypool(&self) -> bool {
        let Ok(response) = self.client.get(format!("{}/readyz", self.base)).send().await else {
            return false;
        };
        let body: Value = response.json().await.unwrap_or_default();
        body["status"].is_string() && body["store"].is_boolean()
    }
}

/// As reached from this machine: an address for all of its networks includes loopback.
pub(super) fn base_url(host: IpAddr, port: u16) -> String {
    match host {
        host if host.is_unspecified() => format!("http://127.0.0.1:{port}"),
        IpAddr::V6(host) => format!("http://[{host}]:{port}"),
        IpAddr::V4(host) => format!("http://{host}:{port}"),
    }
}
