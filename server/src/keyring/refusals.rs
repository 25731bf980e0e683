//! What people are told when a key cannot be added or changed.

use app::error::{AppError, ErrorCode};

use super::facts::KeyFacts;

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

pub(super) fn no_such_key() -> AppError {
    AppError::new(ErrorCode::NotFound, "There is no such key.")
}

pub(super) fn from_environment(facts: &KeyFacts) -> AppError {
    let message = format!(
        "Key {} comes from the environment: change {} there and restart.",
        facts.number, facts.label
    );
    AppError::new(ErrorCode::Conflict, message)
}
