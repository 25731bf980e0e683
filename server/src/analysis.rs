//! Use case: one analysis. A bounded loop {acquire → call → outcome → report *before anything else can fail* → record}
//! that asks another key only while nothing was sent on.
//!
//! It is driven by its reader: every `next` does the work up to the next event. Dropping it closes the call to the
//! provider, gives the lease back and records that the caller left.

mod cached;
mod calling;
mod choosing;
mod finish;
mod progress;
mod refusal;
mod words;

use std::sync::Arc;
use std::time::Duration;

use app::error::AppError;
use app::types::{AnalysisResult, AnalyzeRequest, Attempt, StreamEvent};
use futures::{Stream, StreamExt, stream};
use pool::{Journey, LeaseFacts, ModelId, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cache::{Cache, Cached, Follow, Lead};
use crate::clock::Clock;
use crate::grouping::Grouping;
use crate::history::History;
use crate::keyring::Keyring;
use crate::performance::Performance;
use crate::provider::{Answer, Content, Failure, Mode, Provider};
use crate::shared_pool::{LeaseGuard, SharedPool};
use crate::store::{EventKey, Store};
use crate::usage::Recorder;
use crate::waiting::{Ticket, WaitingRoom};

/// Written in a few seconds by any model.
const SHORT_ANSWER_TOKENS: u32 = 1024;

/// Of an answer that is whole when the server cannot wait any longer.
const STORING_TIME_MAX: Duration = Duration::from_millis(500);

/// What an analysis works with.
pub struct Deps {
    pub pool: SharedPool,
    pub keyring: Arc<Keyring>,
    pub provider: Arc<dyn Provider>,
    pub store: Arc<dyn Store>,
    pub history: History,
    pub recorder: Recorder,
    pub waiting: WaitingRoom,
    pub cache: Arc<Cache>,
    pub performance: Arc<Performance>,
    pub grouping: Grouping,
    pub clock: Clock,
    pub text_model: String,
    pub vision_model: String,
    /// Asked in this order when the wanted model cannot answer.
    pub fallback_models: Vec<String>,
    /// Everything together, whatever is retried.
    pub deadline: Duration,
    /// Cancelled when the server cannot wait for answers any longer: what is under way ends where it is.
    pub cut: CancellationToken,
}

/// Who asks, for the records.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Empty: nobody's, and no history keeps it.
    pub user_id: String,
    pub request_id: String,
    /// `web`, `api` or `doctor`.
    pub surface: &'static str,
    pub user_agent: Option<String>,
    /// Of the API token, when one was used.
    pub token_id: Option<String>,
}

impl Caller {
    fn is_nobody(&self) -> bool {
        self.user_id.is_empty()
    }
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
    whole(run(deps, request, caller, mode)).await
}

/// What an analysis ends with.
///
/// # Errors
/// What `Error` carries.
pub(crate) async fn whole(events: impl Stream<Item = StreamEvent>) -> Result<AnalysisResult, AppError> {
    let mut events = std::pin::pin!(events);
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
pub(crate) fn mode_for(request: &AnalyzeRequest) -> Mode {
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
    /// The one asked for.
    wanted: String,
    /// The one that is asked now, or answered.
    model: String,
    /// Models not asked yet.
    fallbacks: Vec<String>,
    started: Instant,
    started_at: Timestamp,
    deadline: Instant,
    /// Since it joined the line for the first time.
    waits_until: Option<Instant>,
    journey: Journey,
    attempts: Vec<Attempt>,
    text: String,
    first_text_ms: Option<u64>,
    /// Why the last call did not do.
    last_failure: Option<Failure>,
    /// The pool has the model among its own.
    is_known: bool,
    /// The key that was asked last.
    last_key: Option<EventKey>,
    /// The pool's state changed in a way that a crash must not forget.
    must_settle: bool,
    /// Identical requests wait for this one's answer.
    lead: Option<Lead>,
    /// It has waited for an identical request in vain.
    followed: bool,
    /// The call under way, kept apart so that it is known when the analysis is dropped in the middle of it.
    calling: Option<(LeaseFacts, Instant)>,
    ended: bool,
    state: State,
}

/// Where it stands. A state that has a call holds its lease, so leaving it in any way reports it.
enum State {
    /// The answer may be there already.
    Looking,
    /// An identical request is asking.
    Following(Follow),
    Choosing {
        after: Duration,
    },
    /// In the line.
    Waiting(Ticket),
    Calling(Running),
    Reading(Running, Answer),
    /// The first text came with the news that text is coming.
    Holding(Running, Answer, String),
    /// The answer was there; its text is sent on.
    Serving(Arc<Cached>),
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
        let wanted = request.model.clone().unwrap_or_else(|| default_model.clone());
        let fallbacks = deps.fallback_models.iter().filter(|model| **model != wanted);
        Self {
            fallbacks: fallbacks.cloned().collect(),
            model: wanted.clone(),
            wanted,
            content: Arc::new(content),
            mode,
            id: uuid::Uuid::now_v7().to_string(),
            started,
            started_at: deps.clock.now(),
            deadline: started + deps.deadline,
            waits_until: None,
            journey: deps.pool.journey(),
            attempts: Vec::new(),
            text: String::new(),
            first_text_ms: None,
            last_failure: None,
            is_known: false,
            last_key: None,
            must_settle: false,
            lead: None,
            followed: false,
            calling: None,
            ended: false,
            state: State::Looking,
            deps,
            caller,
            request,
        }
    }

    /// Works up to the next event; `None` after `Done` or `Error`.
    async fn next(&mut self) -> Option<StreamEvent> {
        let cut = self.deps.cut.clone();
        if !cut.is_cancelled() || self.ended {
            let mut working = std::pin::pin!(self.work());
            tokio::select! {
                biased;
                event = &mut working => return event,
                () = cut.cancelled() => {}
            }
            // An answer that is only being stored yet is whole.
            if let Ok(event) = tokio::time::timeout(STORING_TIME_MAX, working).await {
                return event;
            }
        }
        if self.ended {
            return None;
        }
        self.state = State::Finished;
        Some(self.fail(refusal::server_stops(!self.text.is_empty())).await)
    }

    async fn work(&mut self) -> Option<StreamEvent> {
        loop {
            // Each step leaves the state it goes on with. A drop in the middle of one drops its lease, which reports itself.
            let event = match std::mem::replace(&mut self.state, State::Finished) {
                State::Looking => self.look(),
                State::Following(follow) => self.follow(follow).await,
                State::Serving(answer) => Some(self.serve(answer).await),
                State::Choosing { after } => self.choose(after).await,
                State::Waiting(ticket) => self.wait(ticket).await,
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
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
