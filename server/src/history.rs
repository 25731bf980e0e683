//! Use case: a user's own analyses. Another user's do not exist here.
//!
//! With `KEYPOOL_HISTORY=off` nothing of a prompt or an answer is stored. What the pages ask for right after an analysis is
//! then held in memory for some minutes, for its owner alone.

mod recent;

use std::sync::Arc;

use app::error::{AppError, ErrorCode};
use app::types::{Analysis, AnalysisPage};
use tracing::warn;

use crate::analysis::Caller;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::idempotency::Records;
use crate::store::{Cursor, Store, StoreError, StoredAnalysis};
use recent::Recent;

pub const PAGE_SIZE: u32 = 20;
pub const PAGE_SIZE_MAX: u32 = 100;

/// Cheap to clone.
#[derive(Clone)]
pub struct History {
    store: Arc<dyn Store>,
    cache: Arc<Cache>,
    records: Records,
    /// `None` while the history is kept.
    recent: Option<Recent>,
}

impl History {
    /// `keep`: whether analyses are stored. `cache` and `records` hold answers too: erasing reaches them.
    pub fn new(store: Arc<dyn Store>, keep: bool, cache: Arc<Cache>, records: Records, clock: Clock) -> Self {
        Self {
            store,
            cache,
            records,
            recent: (!keep).then(|| Recent::new(clock)),
        }
    }

    /// Whether analyses are stored. Those of earlier days can be read and erased in any case.
    pub fn is_kept(&self) -> bool {
        self.recent.is_none()
    }

    /// Where the answers to marked requests are held.
    pub(crate) fn records(&self) -> Records {
        self.records.clone()
    }

    /// Keeps an analysis, or holds it for the page that has just asked. Failures are logged: the answer is given all the same.
    pub async fn keep(&self, stored: StoredAnalysis, caller: &Caller) {
        match &self.recent {
            None => {
                if let Err(error) = insert(self.store.as_ref(), stored).await {
                    warn!(request_id = %caller.request_id, %error, "an analysis was answered but could not be kept in its owner's history");
                }
            }
            Some(recent) if caller.surface == "web" => recent.hold(stored),
            Some(_) => {}
        }
    }

    /// A page, newest first.
    ///
    /// # Errors
    /// `BAD_REQUEST` for a cursor that is none of ours.
    pub async fn page(&self, user_id: &str, cursor: Option<&str>, limit: u32) -> Result<AnalysisPage, AppError> {
        let parse = |text| {
            Cursor::parse(text).ok_or_else(|| {
                AppError::new(
                    ErrorCode::BadRequest,
                    "cursor is not one that a page of the history gave.",
                )
            })
        };
        let cursor = cursor.map(parse).transpose()?;
        Ok(self.store.analyses(user_id, cursor.as_ref(), limit).await?)
    }

    /// One analysis, whole.
    ///
    /// # Errors
    /// `NOT_FOUND`, also when it is another user's.
    pub async fn load(&self, user_id: &str, id: &str) -> Result<Analysis, AppError> {
        if let Some(analysis) = self.recent.as_ref().and_then(|recent| recent.get(user_id, id)) {
            return Ok(analysis);
        }
        self.store.analysis(user_id, id).await?.ok_or_else(not_found)
    }

    /// Removes one analysis. Its answer is not given again from anywhere.
    ///
    /// # Errors
    /// `NOT_FOUND`, also when it is another user's.
    pub async fn delete(&self, user_id: &str, id: &str) -> Result<(), AppError> {
        let was_shown = self.recent.as_ref().is_some_and(|recent| recent.remove(user_id, id));
        let was_held = self.records.forget_analysis(user_id, id);
        let was_stored = self.store.delete_analysis(user_id, id).await?;
        if !was_shown && !was_held && !was_stored {
            return Err(not_found());
        }
        // The cache does not know which of its answers it was.
        self.cache.forget(user_id);
        Ok(())
    }

    /// Erases all that is kept of a user's prompts and answers; returns how many analyses that were in the store. One that is
    /// under way ends after it and is kept.
    ///
    /// # Errors
    /// Of the store: then nothing is erased there.
    pub async fn erase(&self, user_id: &str) -> Result<u64, AppError> {
        let erased = self.store.delete_analyses_of(user_id).await;
        self.forget(user_id);
        Ok(erased?)
    }

    /// Drops what is held of a user in memory. The store of a deleted account is emptied with the account.
    pub fn forget(&self, user_id: &str) {
        if let Some(recent) = &self.recent {
            recent.forget(user_id);
        }
        self.cache.forget(user_id);
        self.records.forget(user_id);
    }
}

/// Stores an analysis for as long as its owner exists.
pub(crate) async fn insert(store: &dyn Store, stored: StoredAnalysis) -> Result<(), StoreError> {
    let user_id = stored.user_id.clone();
    store.insert_analysis(stored).await?;
    // Only afterwards: an account that is deleted from here on takes the analysis with it.
    if store.user(&user_id).await?.is_none() {
        store.delete_analyses_of(&user_id).await?;
    }
    Ok(())
}

fn not_found() -> AppError {
    AppError::new(ErrorCode::NotFound, "There is no such analysis in your history.")
}
