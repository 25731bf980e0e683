//! Google's Gemini API over REST: <https://ai.google.dev/api/generate-content>.
//!
//! `request` writes what is asked, `client` sends it, `stream` reads answers, `classify` judges refusals. Only this file
//! and `client` do anything; the rest is pure.

mod classify;
mod client;
mod delay;
mod error_body;
#[doc(hidden)]
pub mod fuzzing;
mod judge;
mod quota;
mod request;
mod sse;
mod stream;

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use pool::Outcome;
use reqwest::header::RETRY_AFTER;
use secrecy::SecretString;

use self::client::{Answered, Client, NoAnswer};
use self::request::Address;
use self::stream::Reader;
use super::{Answer, Call, Failure, Mode, Provider};

/// Whether requests can be sent below this address: http or https, without user name, password, query and fragment.
pub fn is_base_url(text: &str) -> bool {
    Address::parse(text).is_some()
}

/// Bounds of one call, so that no answer holds a task or the memory for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Name lookup, TCP and TLS together.
    pub connect_timeout: Duration,
    /// From the first byte sent to the status line.
    pub headers_timeout: Duration,
    /// Between two pieces of an answer.
    pub idle_timeout: Duration,
    /// From the first byte sent to the last one read.
    pub total_timeout: Duration,
    /// For the body of a refusal. Its status alone is judged when the body takes longer.
    pub refusal_timeout: Duration,
    /// How long a connection is kept that nobody uses.
    pub pool_idle_timeout: Duration,
    /// An answer, as it comes over the wire.
    pub body_bytes_max: usize,
    /// One line of a stream.
    pub line_bytes_max: usize,
    /// The body of a refusal; what is longer is judged by its beginning.
    pub refusal_bytes_max: usize,
    /// Speaks HTTP/2 also without TLS, where nobody can agree on it; for tests and benches.
    pub http2_prior_knowledge: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            headers_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60),
            total_timeout: Duration::from_secs(300),
            refusal_timeout: Duration::from_secs(3),
            // Shorter than the idle time of the load balancers on the way, so that we seldom write into a closed connection.
            pool_idle_timeout: Duration::from_secs(15),
            body_bytes_max: 32 * 1024 * 1024,
            line_bytes_max: 1024 * 1024,
            refusal_bytes_max: 1024 * 1024,
            http2_prior_knowledge: false,
        }
    }
}

/// Why no adapter could be made. Does not repeat the address: people put credentials into addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error("the provider's address must be an http or https URL without user, query and fragment")]
    Address,
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// The adapter. Cloning it is cheap and shares the connections.
#[derive(Debug, Clone)]
pub struct Gemini {
    client: Client,
    address: Address,
    limits: Limits,
}

impl Gemini {
    /// `base_url` is scheme, host and, behind a proxy, a path, such as `https://generativelanguage.googleapis.com`.
    ///
    /// # Errors
    /// When `base_url` is no plain http or https address, or TLS cannot be set up.
    pub fn new(base_url: &str, limits: Limits) -> Result<Self, SetupError> {
        let address = Address::parse(base_url).ok_or(SetupError::Address)?;
        let client = Client::new(&limits).map_err(SetupError::Client)?;
        Ok(Self {
            client,
            address,
            limits,
        })
    }

    /// What a refusal means. Its body is read within bounds and reaches nobody.
    async fn judge_refusal(&self, answered: Answered) -> Failure {
        let status = answered.response.status().as_u16();
        let retry_after = answered
            .response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let body = self.read_small(answered).await;
        classify::classify(status, retry_after.as_deref(), &body)
    }

    /// The body, or as much of it as came within the bounds of a refusal.
    async fn read_small(&self, answered: Answered) -> Vec<u8> {
        let bytes_max = self.limits.refusal_bytes_max;
        let mut pieces = std::pin::pin!(answered.into_body());
        let mut body = Vec::new();
        let reading = async {
            while let Some(Ok(piece)) = pieces.next().await {
                let room = bytes_max - body.len();
                body.extend_from_slice(&piece[..piece.len().min(room)]);
                if body.len() == bytes_max {
                    break;
                }
            }
        };
        // A stalled body still leaves the status line and whatever came of it.
        let _ = tokio::time::timeout(self.limits.refusal_timeout, reading).await;
        body
    }
}

#[async_trait]
impl Provider for Gemini {
    async fn generate(&self, call: Call) -> Result<Answer, Failure> {
        let total = tokio::time::sleep(self.limits.total_timeout);
        let request = request::generate(&self.address, &call).ok_or_else(unusable_key)?;
        let answered = self
            .client
            .send(request, self.limits.headers_timeout)
            .await
            .map_err(no_answer)?;
        let status = answered.response.status();
        if !status.is_success() {
            return Err(self.judge_refusal(answered).await);
        }
        let line_bytes_max = match call.mode {
            Mode::Streamed => self.limits.line_bytes_max,
            // The provider breaks JSON into lines as it likes.
            Mode::Whole => self.limits.body_bytes_max,
        };
        let reader = Reader::new(status.as_u16(), line_bytes_max, self.limits.body_bytes_max);
        Ok(stream::answer(answered.into_body(), reader, self.limits.idle_timeout, total).boxed())
    }

    async fn probe(&self, secret: &SecretString, model: &str) -> Result<(), Failure> {
        let request = request::probe(&self.address, secret, model).ok_or_else(unusable_key)?;
        let answered = self
            .client
            .send(request, self.limits.headers_timeout)
            .await
            .map_err(no_answer)?;
        let status = answered.response.status();
        if !status.is_success() {
            return Err(self.judge_refusal(answered).await);
        }
        let body = self.read_small(answered).await;
        classify::check_model(status.as_u16(), &body)
    }
}

/// A secret that cannot be written into a header cannot be a key.
fn unusable_key() -> Failure {
    Failure::new(Outcome::InvalidKey)
}

fn no_answer(reason: NoAnswer) -> Failure {
    match reason {
        NoAnswer::TimedOut => Failure::out_of_time(false),
        NoAnswer::Lost => Failure::new(Outcome::Transport),
    }
}
