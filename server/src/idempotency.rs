//! Use case: requests that may be sent again. Of all requests of one caller with one `Idempotency-Key`, one asks the provider
//! and all get its answer: those that come while it is under way, and for 24 hours those that come later, over a restart too.
//!
//! - A failure reaches all who wait for it and is not kept: whoever sends the request again has it done anew.
//! - When the one that began leaves, the call goes on for those who wait. When the last has left it is closed, as it is for
//!   any caller that leaves, and the key is free.
//! - The provider is read as fast as the one that began reads. When others wait too and it stops reading, it is told so and
//!   they are not held up.
//! - What is kept follows the history: an answer that its owner deletes is not given again. Where no history is kept, answers
//!   are held in memory only.
//!
//! After the draft of the IETF: <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>, but for who comes
//! while the first is under way: it waits instead of being refused.

mod flight;
mod records;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app::error::{AppError, ErrorCode};
use app::types::{AnalysisResult, AnalyzeRequest, StreamEvent};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::analysis::{self, Caller, Deps};
use crate::cache::CacheKey;
use crate::clock::Clock;
use crate::provider::{Content, Mode};
use crate::store::Digest;
use flight::{Flight, News};

pub use records::Records;

/// The longest key taken, in characters.
const KEY_CHARS_MAX: usize = 255;

/// What a caller marks a request with so that sending it again does no harm.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// # Errors
    /// `BAD_REQUEST` unless it is 1 to 255 visible ASCII characters.
    pub fn parse(value: &[u8]) -> Result<Self, AppError> {
        let is_good = (1..=KEY_CHARS_MAX).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
        let text = std::str::from_utf8(value).ok().filter(|_| is_good).ok_or_else(|| {
            let message = "The header Idempotency-Key must have 1 to 255 visible ASCII characters, such as a UUID.";
            AppError::new(ErrorCode::BadRequest, message).field("Idempotency-Key")
        })?;
        Ok(Self(text.to_owned()))
    }
}

/// Whose key it is: keys of different callers have nothing to do with each other.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Scope {
    caller: String,
    key: String,
}

/// What is to be done, once.
struct Work {
    deps: Arc<Deps>,
    request: AnalyzeRequest,
    caller: Caller,
    mode: Mode,
}

/// The events of an analysis, of this request or of another one with the same key.
pub struct Answering {
    /// It was another request's: `status` events, then `Done` or `Error`, without `Delta`.
    pub is_replayed: bool,
    pub events: BoxStream<'static, StreamEvent>,
}

impl Answering {
    /// # Errors
    /// What `Error` carries.
    pub async fn whole(self) -> Result<AnalysisResult, AppError> {
        analysis::whole(self.events).await
    }
}

/// One for all requests.
pub struct Idempotency {
    records: Records,
    clock: Clock,
    /// The lock is held for a look-up, never while anybody waits.
    flights: Mutex<HashMap<Scope, Arc<Flight>>>,
    tasks: TaskTracker,
    finish: CancellationToken,
}

impl Idempotency {
    /// `tasks`: where calls run that several wait for. `finish`: cancelled when nobody can wait any more.
    pub fn new(records: Records, clock: Clock, tasks: TaskTracker, finish: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            records,
            clock,
            flights: Mutex::default(),
            tasks,
            finish,
        })
    }

    /// Has an analysis done, or finds it done. Without a key it is always done.
    ///
    /// # Errors
    /// `CONFLICT` when the key was used with another request, or its answer was erased; of the store, without which nobody
    /// knows whether it was done before.
    pub async fn answer(
        self: &Arc<Self>,
        deps: &Arc<Deps>,
        key: Option<IdempotencyKey>,
        request: AnalyzeRequest,
        caller: Caller,
        mode: Mode,
    ) -> Result<Answering, AppError> {
        let deps = Arc::clone(deps);
        let Some(IdempotencyKey(key)) = key else {
            return Ok(Answering {
                is_replayed: false,
                events: analysis::run(deps, request, caller, mode).boxed(),
            });
        };
        let scope = Scope {
            caller: caller.user_id.clone(),
            key,
        };
        let digest = digest(&caller, &request);
        let request_id = caller.request_id.clone();
        let work = Work {
            deps,
            request,
            caller,
            mode,
        };
        self.enter(scope, digest, request_id, work).await
    }

    async fn enter(
        self: &Arc<Self>,
        scope: Scope,
        request: Digest,
        request_id: String,
        work: Work,
    ) -> Result<Answering, AppError> {
        let (mut news, own) = self.board(scope, request, work)?;
        let begun = news.wait_for(News::has_begun).await;
        let was_kept = begun.map_err(|_| AppError::internal())?.begun(&request_id)?;
        let (is_replayed, events) = match own {
            Some(events) => (was_kept, flight::lead(events, news, request_id).boxed()),
            None => (true, flight::follow(news, request_id).boxed()),
        };
        Ok(Answering { is_replayed, events })
    }

    /// A seat in the flight under this key, and its events where it begins with this request.
    fn board(
        self: &Arc<Self>,
        scope: Scope,
        request: Digest,
        work: Work,
    ) -> Result<(watch::Receiver<News>, Option<mpsc::Receiver<StreamEvent>>), AppError> {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(&scope) {
            return if flight.request == request {
                Ok((flight.news.subscribe(), None))
            } else {
                Err(other_request())
            };
        }
        let (flight, news) = Flight::new(request);
        flights.insert(scope.clone(), Arc::clone(&flight));
        drop(flights);
        // Holds one event: the provider is read as fast as this request is, as it is without a key.
        let (sender, events) = mpsc::channel(1);
        self.tasks.spawn(Arc::clone(self).fly(scope, flight, sender, work));
        Ok((news, Some(events)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Scope, Arc<Flight>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of what is asked. How often it may be tried and whether it may come from the cache is no part of that, and neither is a
/// default model, which may be another one after a restart.
fn digest(caller: &Caller, request: &AnalyzeRequest) -> Digest {
    let content = Content {
        prompt: request.prompt.clone(),
        system: request.system.clone(),
        images: request.images.clone(),
        temperature: request.temperature,
        max_output_tokens: request.max_output_tokens,
    };
    CacheKey::new(&caller.user_id, request.model.as_deref().unwrap_or_default(), &content).request()
}

fn other_request() -> AppError {
    AppError::new(
        ErrorCode::Conflict,
        "This Idempotency-Key was used with another request. Send a new key, or the request that it was made for.",
    )
    .field("Idempotency-Key")
}

#[cfg(test)]
mod tests;
