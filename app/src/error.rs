//! The only error that crosses the wire.

use serde::{Deserialize, Serialize};

/// The closed list of codes under `/api`; `http_status` says with which status each goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    QuotaExceeded,
    PartialQuota,
    InvalidKeys,
    NoKeys,
    RateLimited,
    NoCapacity,
    UpstreamUnavailable,
    UpstreamTimeout,
    UpstreamBadResponse,
    Blocked,
    BadRequest,
    RequestTimeout,
    PayloadTooLarge,
    UnsupportedMediaType,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    Internal,
}

impl ErrorCode {
    pub fn http_status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::Conflict => 409,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Blocked => 422,
            Self::QuotaExceeded | Self::RateLimited => 429,
            Self::Internal => 500,
            Self::UpstreamUnavailable | Self::UpstreamBadResponse => 502,
            Self::PartialQuota | Self::InvalidKeys | Self::NoKeys | Self::NoCapacity => 503,
            Self::UpstreamTimeout => 504,
        }
    }

    /// As on the wire, such as `QUOTA_EXCEEDED`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::PartialQuota => "PARTIAL_QUOTA",
            Self::InvalidKeys => "INVALID_KEYS",
            Self::NoKeys => "NO_KEYS",
            Self::RateLimited => "RATE_LIMITED",
            Self::NoCapacity => "NO_CAPACITY",
            Self::UpstreamUnavailable => "UPSTREAM_UNAVAILABLE",
            Self::UpstreamTimeout => "UPSTREAM_TIMEOUT",
            Self::UpstreamBadResponse => "UPSTREAM_BAD_RESPONSE",
            Self::Blocked => "BLOCKED",
            Self::BadRequest => "BAD_REQUEST",
            Self::RequestTimeout => "REQUEST_TIMEOUT",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::Conflict => "CONFLICT",
            Self::Internal => "INTERNAL",
        }
    }
}

/// A failure as callers see it: never provider text, never a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct AppError {
    #[serde(rename = "error")]
    pub code: ErrorCode,
    /// What happened and what to do, for people.
    pub message: String,
    #[serde(default)]
    pub details: Option<String>,
    /// Which field of a form or body is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_at: Option<String>,
}

impl AppError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: None,
            field: None,
            request_id: None,
            retry_after_seconds: None,
            reset_at: None,
        }
    }

    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// For what is our own fault; the cause belongs in the log, not here.
    pub fn internal() -> Self {
        Self::new(
            ErrorCode::Internal,
            "Something went wrong on our side. Try again; if it stays, report the request id.",
        )
    }
}
