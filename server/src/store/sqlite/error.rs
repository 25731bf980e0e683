//! What SQLite's errors mean for the port.

use rusqlite::{Error, ErrorCode, ffi};

use crate::store::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::SqliteFailure(failure, message) => {
                let text = message.unwrap_or_else(|| failure.to_string());
                match failure.code {
                    ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt(text),
                    // The text names the column, not the value.
                    ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => Self::Refused(text),
                    code => Self::Unavailable(format!("{text} ({code:?}, code {})", failure.extended_code)),
                }
            }
            // The inner errors may quote what they could not read.
            Error::FromSqlConversionFailure(column, ..)
            | Error::IntegralValueOutOfRange(column, _)
            | Error::InvalidColumnType(column, ..)
            | Error::Utf8Error(column, _) => unreadable(column),
            // Ours: of functions that read what is stored.
            Error::UserFunctionError(cause) => Self::Corrupt(cause.to_string()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// A stored value that is not as it was written.
pub(super) fn unreadable(column: usize) -> StoreError {
    StoreError::Corrupt(format!("column {column} of a row is not as it was written"))
}

/// `Conflict` for a row whose key exists; everything else as usual.
pub(super) fn conflict(what: &'static str) -> impl Fn(Error) -> StoreError {
    move |error| match &error {
        Error::SqliteFailure(failure, _)
            if matches!(
                failure.extended_code,
                ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            ) =>
        {
            StoreError::Conflict { what }
        }
        _ => error.into(),
    }
}
