//! What is kept of requests that were marked with a key.

use std::sync::Arc;
use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::types::AnalysisResult;
use moka::policy::EvictionPolicy;
use pool::Timestamp;
use tracing::warn;

use super::{Scope, other_request};
use crate::store::{Begun, Digest, Store, StoredIdempotency};

/// How long an answer is given again.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// Of all answers in memory together, where no history is kept; those not asked for longest go first.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What an entry costs besides its text.
const ENTRY_BYTES: usize = 1024;

/// Cheap to clone.
#[derive(Clone)]
pub struct Records(Place);

#[derive(Clone)]
enum Place {
    /// Beside the history, which has the texts.
    Store(Arc<dyn Store>),
    /// Nothing of an answer is stored.
    Memory(moka::sync::Cache<Scope, Held>),
}

#[derive(Clone)]
struct Held {
    request: Digest,
    result: Arc<AnalysisResult>,
    since: Timestamp,
}

/// What is known of a request that begins.
pub(super) enum Found {
    Nothing,
    Answer(Box<AnalysisResult>),
}

impl Records {
    /// `keep`: whether the store may hold what leads to an answer.
    pub fn new(store: Arc<dyn Store>, keep: bool) -> Self {
        if keep {
            return Self(Place::Store(store));
        }
        let held = moka::sync::Cache::builder()
            .max_capacity(BYTES_MAX)
            .weigher(|_, held: &Held| u32::try_from(ENTRY_BYTES + held.result.text.len()).unwrap_or(u32::MAX))
            // The bound on memory; whether an answer may still be given is decided by our own clock.
            .time_to_live(KEPT_FOR)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self(Place::Memory(held))
    }

    /// One at a time for each scope: what is found unfinished is nobody's.
    pub(super) async fn begin(&self, scope: &Scope, request: Digest, now: Timestamp) -> Result<Found, AppError> {
        match &self.0 {
            Place::Store(store) => begin_stored(store.as_ref(), scope, request, now).await,
            Place::Memory(held) => match held.get(scope) {
                Some(kept) if now.since(kept.since) >= KEPT_FOR => Ok(Found::Nothing),
                Some(kept) if kept.request != request => Err(other_request()),
                Some(kept) => Ok(Found::Answer(Box::new(AnalysisResult::clone(&kept.result)))),
                None => Ok(Found::Nothing),
            },
        }
    }

    /// Failures are logged: the answer is given all the same, but not a second time.
    pub(super) async fn finish(&self, scope: &Scope, request: Digest, result: &AnalysisResult, now: Timestamp) {
        match &self.0 {
            Place::Store(store) => {
                // The text stays in the history alone: what is deleted there is gone.
                let about = AnalysisResult {
                    text: String::new(),
                    ..result.clone()
                };
                let id = Some(result.id.clone());
                let kept = store
                    .finish_idempotent(&scope.caller, &scope.key, id, serde_json::to_value(about).ok())
                    .await;
                if let Err(error) = kept {
                    warn!(%error, "an answer was given but cannot be given again under its Idempotency-Key");
                }
            }
            Place::Memory(held) => {
                let (result, since) = (Arc::new(result.clone()), now);
                held.insert(scope.clone(), Held { request, result, since });
            }
        }
    }

    /// The key is free again.
    pub(super) async fn abandon(&self, scope: &Scope) {
        if let Place::Store(store) = &self.0
            && let Err(error) = store.abandon_idempotent(&scope.caller, &scope.key).await
        {
            // Whoever comes next takes it over.
            warn!(%error, "a failed request could not be forgotten");
        }
    }

    /// Drops what is held of a caller in memory; the store's goes with the history.
    pub(crate) fn forget(&self, caller: &str) {
        self.forget_where(|scope, _| scope.caller == caller);
    }

    /// The same for one analysis. False when none of this caller is held.
    pub(crate) fn forget_analysis(&self, caller: &str, id: &str) -> bool {
        self.forget_where(|scope, held| scope.caller == caller && held.result.id == id)
    }

    fn forget_where(&self, goes: impl Fn(&Scope, &Held) -> bool) -> bool {
        let Place::Memory(entries) = &self.0 else { return false };
        let mut was_held = false;
        for (scope, _) in entries.iter().filter(|(scope, held)| goes(scope, held)) {
            was_held |= entries.remove(scope.as_ref()).is_some();
        }
        entries.run_pending_tasks();
        was_held
    }
}

async fn begin_stored(store: &dyn Store, scope: &Scope, request: Digest, now: Timestamp) -> Result<Found, AppError> {
    let record = StoredIdempotency {
        caller: scope.caller.clone(),
        key: scope.key.clone(),
        request,
        analysis_id: None,
        response: None,
        created_at: now,
        expires_at: now.plus(KEPT_FOR),
    };
    let Begun::Existing(existing) = store.begin_idempotent(record.clone()).await? else {
        return Ok(Found::Nothing);
    };
    let Some(id) = &existing.analysis_id else {
        // Its caller left, or its end could not be stored. It may have been another request: the record becomes this one's.
        store.abandon_idempotent(&scope.caller, &scope.key).await?;
        return match store.begin_idempotent(record).await? {
            Begun::New => Ok(Found::Nothing),
            Begun::Existing(_) => Err(AppError::internal()),
        };
    };
    if existing.request != request {
        return Err(other_request());
    }
    let about = existing
        .response
        .and_then(|response| serde_json::from_value::<AnalysisResult>(response).ok());
    match (about, store.analysis(&scope.caller, id).await?) {
        (Some(about), Some(analysis)) => Ok(Found::Answer(Box::new(AnalysisResult {
            text: analysis.text,
            ..about
        }))),
        _ => Err(gone()),
    }
}

fn gone() -> AppError {
    AppError::new(
        ErrorCode::Conflict,
        "The answer to this Idempotency-Key is not kept any more. Send a new key to ask again.",
    )
    .field("Idempotency-Key")
}
