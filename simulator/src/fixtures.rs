//! The corpus: bodies of the Gemini API as the provider sends them, each with the outcome it must get.

use std::sync::LazyLock;

use serde::Deserialize;

/// One body of the corpus.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// The file's name without its ending, such as `day-quota-paid`.
    pub name: &'static str,
    /// The file's name.
    pub file: &'static str,
    /// The body, byte for byte.
    pub body: &'static str,
    /// The status it came with.
    pub http_status: u16,
    /// The outcome it must get, in the words of the pool's specification: `DayQuota`, `InvalidKey`, …
    pub outcome: String,
    /// Whether the body is a stream of Server-Sent Events.
    pub stream: bool,
    /// The delay of its `RetryInfo` where it is to be believed.
    pub retry_after_seconds: Option<u64>,
    /// The `quotaValue` of the limit it reports.
    pub limit: Option<u64>,
    /// Whom the outcome blames where it is not the usual one: `project`.
    pub scope: Option<String>,
    /// The project number it reveals.
    pub project: Option<String>,
    /// The finish reason of an answer that is flagged.
    pub finish_reason: Option<String>,
    /// What is special about it.
    pub note: Option<String>,
}

impl Fixture {
    /// The content type the provider sends it with.
    pub fn content_type(&self) -> &'static str {
        if self.stream {
            "text/event-stream"
        } else if self.body.starts_with('<') {
            "text/html; charset=UTF-8"
        } else {
            "application/json; charset=UTF-8"
        }
    }

    /// Whether it says that the key itself is at fault, so that every call of the key gets it.
    pub(crate) fn blames_key(&self) -> bool {
        matches!(self.outcome.as_str(), "InvalidKey" | "Revoked" | "KeyConfig")
    }
}

/// All bodies, in the order of `cases.json`.
pub fn all() -> &'static [Fixture] {
    &ALL
}

/// The body with this name, such as `"day-quota-paid"`.
pub fn get(name: &str) -> Option<&'static Fixture> {
    all().iter().find(|fixture| fixture.name == name)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    file: String,
    http_status: u16,
    outcome: String,
    #[serde(default)]
    stream: bool,
    retry_after_seconds: Option<u64>,
    limit: Option<u64>,
    scope: Option<String>,
    project: Option<String>,
    finish_reason: Option<String>,
    note: Option<String>,
}

static ALL: LazyLock<Vec<Fixture>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../fixtures/gemini/cases.json")).expect("cases.json is not valid");
    cases.into_iter().filter_map(fixture).collect()
});

/// Joins a case with its body; a case without a file drops out, and a test counts them.
fn fixture(case: Case) -> Option<Fixture> {
    let (file, body) = FILES.iter().copied().find(|(file, _)| *file == case.file)?;
    Some(Fixture {
        name: file.rsplit_once('.').map_or(file, |(name, _)| name),
        file,
        body,
        http_status: case.http_status,
        outcome: case.outcome,
        stream: case.stream,
        retry_after_seconds: case.retry_after_seconds,
        limit: case.limit,
        scope: case.scope,
        project: case.project,
        finish_reason: case.finish_reason,
        note: case.note,
    })
}

macro_rules! files {
    ($($file:literal),* $(,)?) => { &[$(($file, include_str!(concat!("../fixtures/gemini/", $file)))),*] };
}

const FILES: &[(&str, &str)] = files![
    "answer-safety.json",
    "api-disabled.json",
    "bad-argument.json",
    "bare-429.json",
    "context-too-long.json",
    "day-quota-paid.json",
    "day-quota-retry-short.json",
    "day-quota-retry-zero.json",
    "day-tokens.json",
    "deadline.json",
    "empty-candidates.json",
    "file-foreign.json",
    "high-demand.json",
    "html-502.txt",
    "internal.json",
    "key-expired.json",
    "key-leaked.json",
    "key-not-found.json",
    "key-not-valid.json",
    "key-suspended.json",
    "malformed-call.json",
    "method-blocked.json",
    "minute-and-day.json",
    "minute-as-array.json",
    "minute-requests.json",
    "minute-tokens.json",
    "model-not-found.json",
    "ok-max-tokens.json",
    "ok.json",
    "overloaded.json",
    "payment-required.json",
    "prepayment-depleted.json",
    "project-denied.json",
    "prompt-blocked.json",
    "referrer-blocked.json",
    "region.json",
    "spend-rate.json",
    "stream-error-first.txt",
    "stream-error-frame.txt",
    "stream-no-finish.txt",
    "stream-ok.txt",
    "stream-raw-tail.txt",
    "token-type-unsupported.json",
    "unknown-finish.json",
    "zero-limit.json",
];
