//! Use case: a user's own analyses. Another user's do not exist here.

use std::sync::Arc;

use app::error::{AppError, ErrorCode};
use app::types::{Analysis, AnalysisPage};

use crate::store::{Cursor, Store};

pub const PAGE_SIZE: u32 = 20;
pub const PAGE_SIZE_MAX: u32 = 100;

/// Cheap to clone.
#[derive(Clone)]
pub struct History {
    store: Arc<dyn Store>,
}

impl History {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
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
        self.store.analysis(user_id, id).await?.ok_or_else(not_found)
    }

    /// # Errors
    /// `NOT_FOUND`, also when it is another user's.
    pub async fn delete(&self, user_id: &str, id: &str) -> Result<(), AppError> {
        if self.store.delete_analysis(user_id, id).await? {
            Ok(())
        } else {
            Err(not_found())
        }
    }
}

fn not_found() -> AppError {
    AppError::new(ErrorCode::NotFound, "There is no such analysis in your history.")
}
