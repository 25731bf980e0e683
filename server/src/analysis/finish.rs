//! How an analysis ends: what is stored, recorded and said.

use app::error::{AppError, ErrorCode};
use app::types::{AnalysisResult, AnalysisState, AnalysisSummary, Attempt, Kind, StreamEvent, TokenUsage};
use pool::{LeaseFacts, Outcome};
use tracing::{info, warn};

use super::{Analysis, Running, millis, words};
use crate::cache::Cached;
use crate::clock::rfc3339;
use crate::provider::Failure;
use crate::store::{EventKey, EventKind, StoredAnalysis, UsageEvent, Word};
use crate::usage::Entry;

/// The provider's word for an answer that ended by itself.
const COMPLETE: &str = "STOP";

/// Stands in usage for models that the pool has no room for.
const OTHER_MODEL: &str = "(other)";

/// Characters of the prompt's first line that the history shows.
const TITLE_CHARS_MAX: usize = 120;

impl Analysis {
    pub(super) async fn succeed(&mut self, running: Running, finish_reason: String, usage: TokenUsage) -> StreamEvent {
        let facts = running.lease.facts();
        let outcome = Outcome::Success {
            tokens: usage.prompt_tokens,
        };
        let (ms, first_text_ms, model) = (running.ms(), running.first_text_ms, running.model);
        self.must_settle |= running.lease.report(&outcome);
        self.record_attempt(facts, &outcome, usage, ms, first_text_ms);
        self.ended = true;
        self.record_request(true, outcome.name(), None, usage, false);
        let (_, counts) = self.deps.pool.verdict(model);
        let warning = words::warnings(&counts, &self.wanted, &self.model);
        self.fill_cache(&finish_reason, usage);
        let result = AnalysisResult {
            id: self.id.clone(),
            text: self.text.clone(),
            model: self.model.clone(),
            finish_reason: finish_reason.clone(),
            usage,
            cached: false,
            degraded: warning.is_some(),
            warning,
            attempts: self.attempts.clone(),
            response_time_ms: millis(self.started.elapsed()),
        };
        let stored = self.stored(AnalysisState::Complete, Some(finish_reason), usage, None);
        self.keep_in_history(stored).await;
        self.settle().await;
        StreamEvent::Done(Box::new(result))
    }

    /// Only whole answers, and only of the model that was asked for: the next caller may find it back.
    fn fill_cache(&mut self, finish_reason: &str, usage: TokenUsage) {
        let Some(lead) = self.lead.take() else { return };
        if finish_reason == COMPLETE && self.model == self.wanted {
            lead.fill(Cached {
                text: self.text.clone(),
                finish_reason: finish_reason.to_owned(),
                usage,
                model: self.model.clone(),
            });
        }
    }

    /// The page asks for the stored answer as soon as it has the last event.
    pub(super) async fn keep_in_history(&mut self, stored: StoredAnalysis) {
        if !self.caller.is_nobody() {
            self.deps.history.keep(stored, &self.caller).await;
        }
    }

    /// The same for one that its caller does not wait for.
    fn keep_in_history_later(&self, stored: StoredAnalysis) {
        if !self.caller.is_nobody() && self.deps.history.is_kept() {
            self.deps.recorder.record(Entry::Analysis(Box::new(stored)));
        }
    }

    pub(super) async fn fail(&mut self, mut error: AppError) -> StreamEvent {
        self.ended = true;
        error.request_id = Some(self.caller.request_id.clone());
        let outcome = self
            .last_failure
            .as_ref()
            .map_or("no_key", |failure| failure.outcome.name());
        let error_type = self
            .last_failure
            .as_ref()
            .and_then(|failure| error_type(&failure.outcome, failure.evidence.timed_out));
        // Identical requests need not wait for a history that is stored.
        self.lead = None;
        let error_type = error_type.unwrap_or_else(|| refusal_type(error.code));
        self.record_request(false, outcome, Some(error_type), TokenUsage::default(), false);
        let state = if self.text.is_empty() {
            AnalysisState::Failed
        } else {
            AnalysisState::Interrupted
        };
        let stored = self.stored(state, None, TokenUsage::default(), Some(error.clone()));
        self.keep_in_history_later(stored);
        self.settle().await;
        StreamEvent::Error(Box::new(error))
    }

    pub(super) async fn settle(&mut self) {
        if self.must_settle {
            self.deps.pool.settled().await;
        }
        self.deps.recorder.settled().await;
    }

    pub(super) fn record_attempt(
        &mut self,
        facts: LeaseFacts,
        outcome: &Outcome,
        usage: TokenUsage,
        ms: u64,
        first_text_ms: Option<u64>,
    ) {
        self.calling = None;
        self.attempts.push(Attempt {
            key_number: facts.number,
            outcome: outcome.name().to_owned(),
            ms,
        });
        let mut event = self.event(
            EventKind::Attempt,
            outcome.is_answer(),
            outcome.name(),
            error_type(outcome, false),
            usage,
        );
        event.attempts = 1;
        event.key = Some(EventKey {
            id: facts.key.0,
            number: facts.number,
            project: Some(facts.project.to_string()),
        });
        self.last_key.clone_from(&event.key);
        event.response_time_ms = ms;
        event.first_token_ms = first_text_ms;
        self.deps.recorder.record(Entry::Usage(Box::new(event)));
        self.deps
            .performance
            .record_attempt(facts.number, ms, outcome.is_answer());
    }

    pub(super) fn record_request(
        &self,
        success: bool,
        outcome: &'static str,
        error_type: Option<&'static str>,
        usage: TokenUsage,
        cached: bool,
    ) {
        let mut event = self.event(EventKind::Request, success, outcome, error_type, usage);
        // A name that the pool did not take in is the caller's own word, and there is no end to those.
        if !cached && !self.is_known {
            event.model = OTHER_MODEL.to_owned();
        }
        event.cached = cached;
        event.key.clone_from(&self.last_key);
        event.attempts = self.attempts.len() as u32;
        self.deps
            .performance
            .record_request(event.response_time_ms, cached, error_type.filter(|_| !success));
        self.deps.recorder.record(Entry::Usage(Box::new(event)));
    }

    fn event(
        &self,
        kind: EventKind,
        success: bool,
        outcome: &'static str,
        error_type: Option<&'static str>,
        usage: TokenUsage,
    ) -> UsageEvent {
        UsageEvent {
            id: uuid::Uuid::now_v7().to_string(),
            kind,
            at: self.deps.clock.now(),
            request_id: self.caller.request_id.clone(),
            key: None,
            attempts: 0,
            model: self.model.clone(),
            operation: Word::Borrowed(match self.request.kind() {
                Kind::Text => "generateContentText",
                Kind::Image => "generateContentVision",
            }),
            surface: Word::Borrowed(self.caller.surface),
            success,
            outcome: Word::Borrowed(outcome),
            error_type: error_type.filter(|_| !success).map(Word::Borrowed),
            response_time_ms: millis(self.started.elapsed()),
            first_token_ms: self.first_text_ms,
            prompt_tokens: usage.prompt_tokens,
            output_tokens: usage.output_tokens,
            cached_tokens: 0,
            thought_tokens: 0,
            total_tokens: usage.total_tokens,
            cached: false,
            user_id: Some(self.caller.user_id.clone()).filter(|_| !self.caller.is_nobody()),
            token_id: self.caller.token_id.clone(),
            user_agent: self.caller.user_agent.clone(),
        }
    }

    pub(super) fn stored(
        &self,
        state: AnalysisState,
        finish_reason: Option<String>,
        usage: TokenUsage,
        error: Option<AppError>,
    ) -> StoredAnalysis {
        let summary = AnalysisSummary {
            id: self.id.clone(),
            created_at: rfc3339(self.started_at),
            kind: self.request.kind(),
            title: title(&self.request.prompt),
            state,
            model: self.model.clone(),
            response_time_ms: millis(self.started.elapsed()),
        };
        let analysis = app::types::Analysis {
            summary,
            prompt: self.request.prompt.clone(),
            system: self.request.system.clone(),
            image_count: self.request.images.len() as u32,
            text: self.text.clone(),
            finish_reason,
            usage,
            attempts: self.attempts.clone(),
            error,
        };
        StoredAnalysis {
            user_id: self.caller.user_id.clone(),
            created_at: self.started_at,
            analysis,
        }
    }
}

/// The caller left before the end. A lease in the state reports itself when it is dropped.
impl Drop for Analysis {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if let Some((facts, started)) = self.calling.take() {
            self.record_attempt(
                facts,
                &Outcome::Cancelled,
                TokenUsage::default(),
                millis(started.elapsed()),
                self.first_text_ms,
            );
        }
        self.record_request(
            false,
            Outcome::Cancelled.name(),
            Some("cancelled"),
            TokenUsage::default(),
            false,
        );
        let stored = self.stored(AnalysisState::Stopped, None, TokenUsage::default(), None);
        self.keep_in_history_later(stored);
    }
}

fn title(prompt: &str) -> String {
    let line = prompt
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    line.chars().take(TITLE_CHARS_MAX).collect()
}

pub(super) fn log_failure(request_id: &str, key_number: u32, failure: &Failure) {
    let (outcome, evidence) = (failure.outcome.name(), &failure.evidence);
    let status = evidence.http_status;
    let project = evidence.project.as_deref();
    if failure.outcome == Outcome::Unknown {
        let body_hash = evidence.body_hash.as_deref();
        warn!(%request_id, key_number, outcome, status, body_hash, "the provider answered in a way nobody knows");
    } else if let (Outcome::KeyConfig { .. }, Some(help_url)) = (&failure.outcome, evidence.help_url.as_deref()) {
        warn!(%request_id, key_number, outcome, status, project, help_url, "key {key_number} needs set-up by a person: {help_url}");
    } else {
        info!(%request_id, key_number, outcome, status, project, "key {key_number} could not serve a request: {outcome}");
    }
}

/// The analytics' word for a request that no key was asked for.
fn refusal_type(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::QuotaExceeded | ErrorCode::PartialQuota => "quota",
        ErrorCode::InvalidKeys | ErrorCode::NoKeys => "invalid_key",
        ErrorCode::BadRequest | ErrorCode::NotFound => "bad_request",
        _ => "capacity",
    }
}

/// The analytics' word for an outcome; `None` for an answer.
fn error_type(outcome: &Outcome, timed_out: bool) -> Option<&'static str> {
    Some(match outcome {
        Outcome::Success { .. } => return None,
        Outcome::Blocked { .. } => "blocked",
        Outcome::DayQuota { .. } | Outcome::ZeroLimit => "quota",
        Outcome::MinuteQuota { .. } | Outcome::Bare429 | Outcome::Spend => "rate_limit",
        Outcome::InvalidKey => "invalid_key",
        Outcome::Revoked { .. } | Outcome::KeyConfig { .. } | Outcome::Region => "permission",
        Outcome::Billing => "billing",
        Outcome::ModelGone => "model",
        Outcome::CallerFault | Outcome::FileForeign => "bad_request",
        Outcome::Overload => "overloaded",
        Outcome::Server | Outcome::Empty | Outcome::Unknown => "server_error",
        Outcome::Transport if timed_out => "timeout",
        Outcome::Transport => "network",
        Outcome::Truncated => "truncated",
        Outcome::Cancelled => "cancelled",
    })
}
