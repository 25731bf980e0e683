//! Port to a provider of generated content. Adapters turn its answers into [`pool::Outcome`]s; nobody else does.

pub mod gemini;

#[doc(hidden)]
pub use self::gemini::fuzzing;
pub use self::gemini::is_base_url;

use std::sync::Arc;

use app::types::{Image, TokenUsage};
use async_trait::async_trait;
use futures::stream::BoxStream;
use pool::Outcome;
use secrecy::SecretString;

/// What a caller wants generated, without a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    pub prompt: String,
    pub system: Option<String>,
    pub images: Vec<Image>,
    pub temperature: Option<f64>,
    pub max_output_tokens: Option<u32>,
}

/// One call with one key.
#[derive(Clone)]
pub struct Call {
    pub secret: SecretString,
    pub model: String,
    pub content: Arc<Content>,
    pub mode: Mode,
}

/// Whether text should arrive as it is written or at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Whole,
    Streamed,
}

/// Real content only: lifecycle frames are held back by the adapter.
#[derive(Debug, Clone, PartialEq)]
pub enum Chunk {
    /// Never empty.
    Text(String),
    /// The last one, and the proof that the answer is complete.
    Finished { finish_reason: String, usage: TokenUsage },
}

/// A call that did not give an answer, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub outcome: Outcome,
    /// Boxed, so that results which may hold a failure stay small.
    pub evidence: Box<Evidence>,
}

impl Failure {
    pub fn new(outcome: Outcome) -> Self {
        Self::with_evidence(outcome, Evidence::default())
    }

    pub fn with_evidence(outcome: Outcome, evidence: Evidence) -> Self {
        Self {
            outcome,
            evidence: Box::new(evidence),
        }
    }

    /// The caller's time is up. `sent_on`: some of the answer has reached the caller.
    pub fn out_of_time(sent_on: bool) -> Self {
        let outcome = if sent_on {
            Outcome::Truncated
        } else {
            Outcome::Transport
        };
        Self::with_evidence(
            outcome,
            Evidence {
                timed_out: true,
                ..Evidence::default()
            },
        )
    }

    /// An answer that ended without saying so.
    pub fn ended_early(sent_on: bool) -> Self {
        Self::new(if sent_on { Outcome::Truncated } else { Outcome::Empty })
    }

    /// No call was made: nobody is to blame.
    pub fn not_called() -> Self {
        Self::new(Outcome::Cancelled)
    }
}

/// What else the provider's answer tells. Safe to log: no provider text, no secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    pub http_status: Option<u16>,
    /// The provider's own project, such as `123456789012` from `consumer: projects/123456789012`.
    pub project: Option<String>,
    /// Where a person can mend it: only https links to the provider's own hosts.
    pub help_url: Option<String>,
    /// Why content was blocked, such as `PROHIBITED_CONTENT` or `SAFETY`.
    pub block_reason: Option<String>,
    /// First 16 hex digits of the body's SHA-256, for outcomes nobody knows yet.
    pub body_hash: Option<String>,
    /// The call did not end within its time.
    pub timed_out: bool,
    /// The body was no answer of this API: HTML, garbage, cut JSON.
    pub garbled: bool,
}

/// Chunks as they come. Dropping it closes the connection to the provider.
pub type Answer = BoxStream<'static, Result<Chunk, Failure>>;

#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Starts a call and returns once the provider's status line is judged.
    ///
    /// The stream ends with exactly one `Ok(Chunk::Finished)` or one `Err`. An `Err` after text has the outcome
    /// `Truncated`; before any text it has the outcome of its cause, so that another key can be asked.
    async fn generate(&self, call: Call) -> Result<Answer, Failure>;

    /// Asks whether the key is accepted, with a call that costs no quota (`models.get`).
    async fn probe(&self, secret: &SecretString, model: &str) -> Result<(), Failure>;
}
