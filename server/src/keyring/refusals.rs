//! What people are told when a key cannot be added.

use app::error::{AppError, ErrorCode};

pub(crate) fn duplicate(number: u32) -> AppError {
    AppError::new(
        ErrorCode::Conflict,
        format!("This key is in the pool already, as key {number}."),
    )
    .field("key")
}
