//! Parts of an address. The framework's own refusals are plain text; these are failures like all others.

use app::error::{AppError, ErrorCode};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::answer::Failed;

/// The query, or `BAD_REQUEST`.
pub(super) struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let read = axum::extract::Query::from_request_parts(parts, state).await;
        read.map(|axum::extract::Query(query)| Self(query)).map_err(|_| {
            let message = "The query cannot be read: give each parameter once, percent-encoded UTF-8.";
            AppError::new(ErrorCode::BadRequest, message).into()
        })
    }
}

/// The variable parts of the path, or `NOT_FOUND`: nothing is at an address that cannot be read.
pub(super) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(path)| Self(path))
            .map_err(|_| AppError::new(ErrorCode::NotFound, "There is nothing at this address.").into())
    }
}
