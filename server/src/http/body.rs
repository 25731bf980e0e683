//! Reads bodies within their bounds and says what is wrong with them.

use std::time::Duration;

use app::error::{AppError, ErrorCode};
use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::{HeaderMap, header};
use futures::StreamExt;
use serde::de::DeserializeOwned;

use super::serving::{self, BodyFault};

/// Uploads: the body of an analysis.
pub(super) const UPLOAD_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Everything else.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Of a body that is too large, so much is read and thrown away, so that the caller gets to read the refusal.
const DRAIN_BYTES_MAX: usize = 64 * 1024 * 1024;
const UPLOAD_RETRY_SECONDS: u64 = 2;
/// Of a field's name, as it is repeated.
const FIELD_BYTES_MAX: usize = 80;
/// Deeper JSON is nobody's request.
const JSON_DEPTH_MAX: u32 = 64;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// The whole body.
///
/// # Errors
/// `PAYLOAD_TOO_LARGE` over the bound; `REQUEST_TIMEOUT` when it comes too slowly; `NO_CAPACITY` while the uploads of others fill
/// the memory for them; `BAD_REQUEST` when the caller breaks off.
pub(super) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, AppError> {
    serving::at_most(bytes_max);
    let declared = body.size_hint().lower();
    let mut stream = body.into_data_stream();
    if usize::try_from(declared).map_or(true, |declared| declared > bytes_max) {
        return Err(too_large(&mut stream, bytes_max).await);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| refused(&error))?;
        if bytes.len() + chunk.len() > bytes_max {
            drop((bytes, chunk));
            return Err(too_large(&mut stream, bytes_max).await);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

/// Nothing of it is kept.
async fn too_large(stream: &mut axum::body::BodyDataStream, bytes_max: usize) -> AppError {
    serving::discarded();
    drain(stream).await;
    let message = format!(
        "The body is too large: at most {} MB are taken here.",
        bytes_max / 1024 / 1024
    );
    AppError::new(ErrorCode::PayloadTooLarge, message)
}

fn refused(error: &axum::Error) -> AppError {
    let fault = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<BodyFault>());
    match fault {
        Some(BodyFault::TooSlow) => AppError::new(
            ErrorCode::RequestTimeout,
            "The body came too slowly. Send it again over a faster connection.",
        ),
        Some(BodyFault::NoRoom) => {
            let mut error = AppError::new(
                ErrorCode::NoCapacity,
                "Too many uploads are under way. Please try again in a few seconds.",
            );
            error.retry_after_seconds = Some(UPLOAD_RETRY_SECONDS);
            error
        }
        Some(BodyFault::BrokeOff) | None => AppError::new(ErrorCode::BadRequest, "The body broke off before its end."),
    }
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

/// Bodies are taken as they are: what a small one would unpack to is not bounded by its size.
///
/// # Errors
/// `UNSUPPORTED_MEDIA_TYPE` for a body with a `Content-Encoding`.
pub(super) fn check_not_encoded(headers: &HeaderMap) -> Result<(), AppError> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(AppError::new(
        ErrorCode::UnsupportedMediaType,
        "Send the body as it is, without Content-Encoding.",
    ))
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
    check_not_encoded(headers)?;
    from_json(&read(body, BODY_BYTES_MAX).await?)
}

/// As [`json`], where no body at all means the defaults.
pub(super) async fn optional_json<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T, AppError> {
    check_not_encoded(headers)?;
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
    check_not_encoded(headers)?;
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
    if is_deep(bytes) {
        return Err(AppError::new(
            ErrorCode::BadRequest,
            format!("The body cannot be read: it is nested deeper than {JSON_DEPTH_MAX} levels."),
        ));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        unreadable(error.inner(), Some(path).filter(|path| path != "."))
    })?;
    json.end().map_err(|error| unreadable(&error, None))?;
    Ok(read)
}

/// Only names of fields are repeated, never values: a body may hold a password.
fn unreadable(error: &serde_json::Error, path: Option<String>) -> AppError {
    let place = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    let is_of_field = error.is_data();
    let what = if text.starts_with("missing field") || text.starts_with("unknown field") {
        text.split(" at line ").next().unwrap_or_default().to_owned()
    } else if is_of_field {
        "a value has the wrong type or is out of its range".to_owned()
    } else {
        "it is not valid JSON".to_owned()
    };
    let field = path.filter(|path| is_of_field && path.len() <= FIELD_BYTES_MAX);
    let named = field.as_ref().map(|field| format!("{field}: ")).unwrap_or_default();
    let refused = AppError::new(
        ErrorCode::BadRequest,
        format!("The body cannot be read: {named}{what} ({place})."),
    );
    match field {
        Some(field) => refused.field(field),
        None => refused,
    }
}

/// Looks at brackets only; the parser finds every other mistake.
fn is_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                if depth > JSON_DEPTH_MAX {
                    return true;
                }
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_down_to_64_levels() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(from_json::<serde_json::Value>(nested(64).as_bytes()).is_ok());
        assert!(from_json::<serde_json::Value>(nested(65).as_bytes()).is_err());
        let wide = format!("[{}1]", "[],".repeat(1_000));
        assert!(from_json::<serde_json::Value>(wide.as_bytes()).is_ok());
        let text = format!("\"\\\"{}\"", "[{".repeat(1_000));
        assert!(
            from_json::<serde_json::Value>(text.as_bytes()).is_ok(),
            "brackets in a text nest nothing"
        );
    }

    #[test]
    fn a_wrong_value_is_told_by_its_field_and_not_repeated() {
        #[derive(Debug, serde::Deserialize)]
        struct Inner {
            #[serde(rename = "size")]
            _size: u8,
        }
        #[derive(Debug, serde::Deserialize)]
        struct Outer {
            #[serde(rename = "items")]
            _items: Vec<Inner>,
        }
        let refused = from_json::<Outer>(br#"{"items":[{"size":1},{"size":"canary"}]}"#).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("items[1].size"));
        assert!(
            refused.message.contains("items[1].size: a value has the wrong type"),
            "{refused}"
        );
        assert!(!refused.message.contains("canary"));
        assert!(from_json::<Outer>(br#"{"items":[]} x"#).is_err(), "nothing may follow");
    }
}
