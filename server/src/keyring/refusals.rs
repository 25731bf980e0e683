//! What people are told when a key cannot be added.

use app::error::{AppError, ErrorCode};

/// Longest label, in characters.
const LABEL_CHARS_MAX: usize = 60;

pub(super) fn check_label(text: &str) -> Result<String, AppError> {
    let label = text.trim();
    if label.chars().count() > LABEL_CHARS_MAX || label.chars().any(char::is_control) {
        let message = format!("A label has at most {LABEL_CHARS_MAX} characters on one line.");
        return Err(AppError::new(ErrorCode::BadRequest, message).field("label"));
    }
    Ok(label.to_owned())
}

pub(super) fn duplicate(number: u32) -> AppError {
    AppError::new(
        ErrorCode::Conflict,
        format!("This key is in the pool already, as key {number}."),
    )
    .field("key")
}
