//! Use case: one analysis. A bounded loop {acquire → call → outcome → report *before anything else can fail* → record}
//! that asks another key only while nothing was sent on.
//!
//! It is driven by its reader: every `next` does the work up to the next event. Dropping it closes the call to the
//! provider, gives the lease back and records that the caller left.

mod finish;
mod progress;
mod refusal;
mod words;

use std::sync::Arc;
use std::time::Duration;

use app::error::AppError;
use app::types::{AnalysisResult, AnalyzeRequest, Attempt, StreamEvent, TokenUsage};
use futures::{Stream, StreamExt, stream};
use pool::{Exhausted, Journey, LeaseFacts, ModelId, Next, Outcome, Timestamp};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::keyring::Keyring;
use crate::provider::{Answer, Call, Chunk, Content, Failure, Mode, Provider};
use crate::shared_pool::{LeaseGuard, SharedPool};
use crate::store::Store;
use crate::usage::Recorder;

pub use words::warning;

/// Written in a few seconds by any model.
const SHORT_ANSWER_TOKENS: u32 = 1024;

/// What an analysis works with.
pub struct Deps {
    pub pool: SharedPool,
    pub keyring: Arc<Keyring>,
    pub provider: Arc<dyn Provider>,
    pub store: Arc<dyn Store>,
    pub recorder: Recorder,
    pub clock: Clock,
    pub text_model: String,
    pub vision_model: String,
    /// Everything together, whatever is retried.
    pub deadline: Duration,
}

/// Who asks, for the records.
#[derive(Debug, Clone)]
pub struct Caller {
    pub user_id: String,
    pub request_id: String,
    /// `web` or `api`.
    pub surface: &'static str,
    pub user_agent: Option<String>,
}

/// The events of one analysis, ending with `Done` or `Error`.
pub fn run(
    deps: Arc<Deps>,
    request: AnalyzeRequest,
    caller: Caller,
    mode: Mode,
) -> impl Stream<Item = StreamEvent> + Send + use<> {
    stream::unfold(Analysis::new(deps, request, caller, mode), |mut analysis| async move {
        let event = analysis.next().await?;
        Some((event, analysis))
    })
}

/// The same for callers that want the whole answer at once.
///
/// # Errors
/// What `Error` carries.
pub async fn run_whole(deps: Arc<Deps>, request: AnalyzeRequest, caller: Caller) -> Result<AnalysisResult, AppError> {
    let mode = mode_for(&request);
    let mut events = std::pin::pin!(run(deps, request, caller, mode));
    while let Some(event) = events.next().await {
        match event {
            StreamEvent::Done(result) => return Ok(*result),
            StreamEvent::Error(error) => return Err(*error),
            StreamEvent::Status(_) | StreamEvent::Delta { .. } => {}
        }
    }
    Err(AppError::internal())
}

/// A short answer is asked for whole: one small body. A long one is streamed even when its reader wants it whole, because
/// only a stream shows within seconds that the provider is at work.
fn mode_for(request: &AnalyzeRequest) -> Mode {
    if request
        .max_output_tokens
        .is_some_and(|tokens| tokens <= SHORT_ANSWER_TOKENS)
    {
        Mode::Whole
    } else {
        Mode::Streamed
    }
}

struct Analysis {
    deps: Arc<Deps>,
    caller: Caller,
    request: AnalyzeRequest,
    content: Arc<Content>,
    mode: Mode,
    id: String,
    model: String,
    started: Instant,
    started_at: Timestamp,
    deadline: Instant,
    journey: Journey,
    attempts: Vec<Attempt>,
    text: String,
    first_text_ms: Option<u64>,
    /// Why the last call did not do.
    last_failure: Option<Failure>,
    /// The pool's state changed in a way that a crash must not forget.
    must_settle: bool,
    /// The call under way, kept apart so that it is known when the analysis is dropped in the middle of it.
    calling: Option<(LeaseFacts, Instant)>,
    ended: bool,
    state: State,
}

/// Where it stands. A state that has a call holds its lease, so leaving it in any way reports it.
enum State {
    Choosing {
        after: Duration,
    },
    Calling(Running),
    Reading(Running, Answer),
    /// The first text came with the news that text is coming.
    Holding(Running, Answer, String),
    Finished,
}

/// A call under way.
struct Running {
    lease: LeaseGuard,
    model: ModelId,
    started: Instant,
    /// Until the first text.
    first_text_ms: Option<u64>,
}

impl Running {
    fn ms(&self) -> u64 {
        millis(self.started.elapsed())
    }
}

impl Analysis {
    fn new(deps: Arc<Deps>, request: AnalyzeRequest, caller: Caller, mode: Mode) -> Self {
        let default_model = if request.images.is_empty() {
            &deps.text_model
        } else {
            &deps.vision_model
        };
        let content = Content {
            prompt: request.prompt.clone(),
            system: request.system.clone(),
            images: request.images.clone(),
            temperature: request.temperature,
            max_output_tokens: request.max_output_tokens,
        };
        let started = Instant::now();
        Self {
            model: request.model.clone().unwrap_or_else(|| default_model.clone()),
            content: Arc::new(content),
            mode,
            id: uuid::Uuid::now_v7().to_string(),
            started,
            started_at: deps.clock.now(),
            deadline: started + deps.deadline,
            journey: deps.pool.journey(),
            attempts: Vec::new(),
            text: String::new(),
            first_text_ms: None,
            last_failure: None,
            must_settle: false,
            calling: None,
            ended: false,
            state: State::Choosing { after: Duration::ZERO },
            deps,
            caller,
            request,
        }
    }

    /// Works up to the next event; `None` after `Done` or `Error`.
    async fn next(&mut self) -> Option<StreamEvent> {
        loop {
            // Each step leaves the state it goes on with. A drop in the middle of one drops its lease, which reports itself.
            let event = match std::mem::replace(&mut self.state, State::Finished) {
                State::Choosing { after } => self.choose(after).await,
                State::Calling(running) => self.call(running).await,
                State::Reading(running, answer) => self.read(running, answer).await,
                State::Holding(running, answer, text) => {
                    self.text.push_str(&text);
                    self.state = State::Reading(running, answer);
                    Some(StreamEvent::Delta { text })
                }
                State::Finished => return None,
            };
            if event.is_some() {
                return event;
            }
        }
    }

    async fn choose(&mut self, after: Duration) -> Option<StreamEvent> {
        // The same key again waits; another key does not.
        if !after.is_zero() {
            tokio::time::sleep_until((Instant::now() + after).min(self.deadline)).await;
        }
        let Ok(model) = self.deps.pool.model(&self.model) else {
            return Some(self.fail(refusal::too_many_models()).await);
        };
        match self
            .deps
            .pool
            .acquire(model, self.estimated_tokens(), &self.journey, rand::random())
        {
            Ok(lease) => {
                let progress = self.asking(&lease);
                let started = Instant::now();
                self.calling = Some((lease.facts(), started));
                self.state = State::Calling(Running {
                    lease,
                    model,
                    started,
                    first_text_ms: None,
                });
                Some(StreamEvent::Status(progress))
            }
            Err(mut exhausted) => {
                // Of a journey that has tried everything the pool cannot say when; of a new request it can.
                exhausted.retry_at = exhausted.retry_at.or_else(|| self.deps.pool.retry_at(model));
                if let Some(wait) = self.worth_waiting(&exhausted) {
                    self.journey.waited();
                    self.state = State::Choosing { after: wait };
                    return Some(StreamEvent::Status(self.queued(wait)));
                }
                let error = refusal::exhausted(&exhausted, self.last_failure.as_ref(), self.deps.clock.now());
                Some(self.fail(error).await)
            }
        }
    }

    async fn call(&mut self, running: Running) -> Option<StreamEvent> {
        let Some(secret) = self.deps.keyring.secret(running.lease.facts().key) else {
            // The key was removed a moment ago: to the pool it is a call that never was.
            return self.judge(running, Failure::not_called()).await;
        };
        let call = Call {
            secret,
            model: self.model.clone(),
            content: Arc::clone(&self.content),
            mode: self.mode,
        };
        let called = tokio::time::timeout_at(self.deadline, self.deps.provider.generate(call)).await;
        match called.unwrap_or_else(|_| Err(Failure::out_of_time(false))) {
            Ok(answer) => {
                self.state = State::Reading(running, answer);
                None
            }
            Err(failure) => self.judge(running, failure).await,
        }
    }

    async fn read(&mut self, mut running: Running, mut answer: Answer) -> Option<StreamEvent> {
        let chunk = tokio::time::timeout_at(self.deadline, answer.next()).await;
        let sent_on = !self.text.is_empty();
        match chunk {
            Ok(Some(Ok(Chunk::Text(text)))) => {
                let first = self.text.is_empty();
                if first {
                    running.first_text_ms = Some(running.ms());
                    self.first_text_ms = Some(millis(self.started.elapsed()));
                    let progress = self.writing(&running.lease);
                    self.state = State::Holding(running, answer, text);
                    return Some(StreamEvent::Status(progress));
                }
                self.text.push_str(&text);
                self.state = State::Reading(running, answer);
                Some(StreamEvent::Delta { text })
            }
            Ok(Some(Ok(Chunk::Finished { finish_reason, usage }))) => {
                Some(self.succeed(running, finish_reason, usage).await)
            }
            Ok(Some(Err(failure))) => self.judge(running, failure).await,
            Ok(None) => self.judge(running, Failure::ended_early(sent_on)).await,
            Err(_) => self.judge(running, Failure::out_of_time(sent_on)).await,
        }
    }

    /// Reports a failed call, then asks another key or ends.
    async fn judge(&mut self, running: Running, failure: Failure) -> Option<StreamEvent> {
        let facts = running.lease.facts();
        let sent_on = !self.text.is_empty();
        let (ms, first_text_ms, model) = (running.ms(), running.first_text_ms, running.model);
        self.must_settle |= running.lease.report(&failure.outcome);
        self.record_attempt(facts, &failure.outcome, TokenUsage::default(), ms, first_text_ms);
        finish::log_failure(&self.caller.request_id, facts.number, &failure);
        let next = self.journey.after(&facts, &failure.outcome, sent_on, rand::random());
        let spent = self.retries_spent() || Instant::now() >= self.deadline;
        match next {
            Next::Again { after, .. } if !spent => {
                self.last_failure = Some(failure);
                self.state = State::Choosing { after };
                None
            }
            Next::Again { .. } | Next::FallbackModel | Next::Stop => {
                let pool = &self.deps.pool;
                let (verdict, retry_at) = (pool.verdict(model), pool.retry_at(model));
                let error = refusal::failed(&failure, &verdict, retry_at, self.deps.clock.now(), sent_on);
                self.last_failure = Some(failure);
                Some(self.fail(error).await)
            }
        }
    }

    /// The only key met its minute limit: when that ends within the deadline, the same key serves after it.
    fn worth_waiting(&self, exhausted: &Exhausted) -> Option<Duration> {
        let minute = matches!(self.last_failure.as_ref()?.outcome, Outcome::MinuteQuota { .. });
        if !minute || exhausted.counts.total != 1 || self.retries_spent() {
            return None;
        }
        let wait = exhausted.retry_at?.since(self.deps.clock.now());
        (Instant::now() + wait < self.deadline).then_some(wait)
    }

    fn retries_spent(&self) -> bool {
        self.request
            .max_retries
            .is_some_and(|retries| self.attempts.len() > retries as usize)
    }

    /// Text at four characters a token, images at the provider's flat rate; settled from its own count afterwards.
    fn estimated_tokens(&self) -> u64 {
        let text = self.request.prompt.len() + self.request.system.as_ref().map_or(0, String::len);
        text as u64 / 4 + 258 * self.request.images.len() as u64 + 1
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
