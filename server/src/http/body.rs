//! Reads bodies within their bounds and says what is wrong with them.

use std::time::Duration;

use app::error::{AppError, ErrorCode};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use futures::StreamExt;
use serde::de::DeserializeOwned;

/// Uploads: the body of an analysis.
pub(super) const UPLOAD_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Everything else.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Of a body that is too large, so much is read and thrown away, so that the caller gets to read the refusal.
const DRAIN_BYTES_MAX: usize = 64 * 1024 * 1024;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// The whole body.
///
/// # Errors
/// `PAYLOAD_TOO_LARGE` over the bound; `BAD_REQUEST` when the caller breaks off.
pub(super) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, AppError> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| AppError::new(ErrorCode::BadRequest, "The body broke off before its end."))?;
        if bytes.len() + chunk.len() > bytes_max {
            drain(&mut stream).await;
            let message = format!(
                "The body is too large: at most {} MB are taken here.",
                bytes_max / 1024 / 1024
            );
            return Err(AppError::new(ErrorCode::PayloadTooLarge, message));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

async fn drain(stream: &mut axum::body::BodyDataStream) {
    let mut left = DRAIN_BYTES_MAX;
    let read_on = async {
        while let Some(Ok(chunk)) = stream.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                return;
            }
        }
    };
    // Too slow or too large: then the connection ends with the refusal unread.
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, read_on).await;
}

/// A JSON body.
///
/// # Errors
/// `UNSUPPORTED_MEDIA_TYPE` for another type; `BAD_REQUEST` with the place of the mistake; as [`read`].
pub(super) async fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, AppError> {
    if !is_type(headers, "application/json") {
        return Err(AppError::new(
            ErrorCode::UnsupportedMediaType,
            "Send the body as JSON, with Content-Type: application/json.",
        ));
    }
    from_json(&read(body, BODY_BYTES_MAX).await?)
}

/// As [`json`], where no body at all means the defaults.
pub(super) async fn optional_json<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T, AppError> {
    let bytes = read(body, BODY_BYTES_MAX).await?;
    if bytes.is_empty() {
        Ok(T::default())
    } else if is_type(headers, "application/json") {
        from_json(&bytes)
    } else {
        Err(AppError::new(
            ErrorCode::UnsupportedMediaType,
            "Send the body as JSON, with Content-Type: application/json.",
        ))
    }
}

/// A form of our pages.
pub(super) async fn form<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, AppError> {
    if !is_type(headers, "application/x-www-form-urlencoded") {
        return Err(AppError::new(
            ErrorCode::UnsupportedMediaType,
            "Send the form as application/x-www-form-urlencoded.",
        ));
    }
    let bytes = read(body, BODY_BYTES_MAX).await?;
    serde_urlencoded::from_bytes(&bytes).map_err(|_| AppError::new(ErrorCode::BadRequest, "The form is not complete."))
}

pub(super) fn is_type(headers: &HeaderMap, essence: &str) -> bool {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    given
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case(essence)
}

pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, AppError> {
    if bytes.is_empty() {
        return Err(AppError::new(
            ErrorCode::BadRequest,
            "The body is empty: send a JSON object.",
        ));
    }
    if std::str::from_utf8(bytes).is_err() {
        return Err(AppError::new(
            ErrorCode::BadRequest,
            "The body is not UTF-8 text. Send the JSON in UTF-8.",
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        let text = error.to_string();
        // Only names of fields are repeated, never values: a body may hold a password.
        let what = if text.starts_with("missing field") || text.starts_with("unknown field") {
            text.split(" at line ").next().unwrap_or_default().to_owned()
        } else if error.is_data() {
            "a value has the wrong type or is out of its range".to_owned()
        } else {
            "it is not valid JSON".to_owned()
        };
        AppError::new(
            ErrorCode::BadRequest,
            format!("The body cannot be read: {what} ({place})."),
        )
    })
}
