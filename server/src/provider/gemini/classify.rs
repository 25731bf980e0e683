//! What a refusal means: the table of outcomes, as a pure function.
//!
//! Messages may repeat what the caller sent (a file's name, a bad value). So words are looked for only where the caller
//! cannot put them, or at the very start: otherwise a prompt could disable a key.

use app::types::TokenUsage;
use pool::Outcome;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error_body::{self, ErrorBody};
use super::{delay, quota};
use crate::provider::{Evidence, Failure};

/// Judges a body that came with a status other than success. `retry_after` is the header's text.
pub(super) fn classify(http_status: u16, retry_after: Option<&str>, body: &[u8]) -> Failure {
    judge(http_status, retry_after, error_body::parse(body), body)
}

/// Judges an error inside a successful answer: the code is the error's own.
pub(super) fn classify_inside(http_status: u16, error: ErrorBody, frame: &[u8]) -> Failure {
    judge(error.code.unwrap_or(http_status), None, Some(error), frame)
}

/// Whether a successful `models.get` is one: a captive portal or a proxy says 200 to anything.
pub(super) fn check_model(http_status: u16, body: &[u8]) -> Result<(), Failure> {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) if value.get("name").is_some() => Ok(()),
        Ok(value) => match error_body::find(&value) {
            Some(error) => Err(classify_inside(http_status, error, body)),
            None => Err(no_content(http_status, true)),
        },
        Err(_) => Err(no_content(http_status, true)),
    }
}

/// A success that brought nothing.
pub(super) fn no_content(http_status: u16, garbled: bool) -> Failure {
    Failure::with_evidence(
        Outcome::Empty,
        Evidence {
            http_status: Some(http_status),
            garbled,
            ..Evidence::default()
        },
    )
}

/// An answer that consists of the reason why there is none.
pub(super) fn blocked(http_status: u16, reason: &str, usage: TokenUsage) -> Failure {
    let evidence = Evidence {
        http_status: Some(http_status),
        block_reason: Some(word(reason)),
        ..Evidence::default()
    };
    Failure::with_evidence(
        Outcome::Blocked {
            tokens: usage.prompt_tokens,
        },
        evidence,
    )
}

/// The provider's enum values are safe to show; anything else that stands in their place is not.
pub(super) fn word(text: &str) -> String {
    let plain = (1..=64).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if plain { text.to_owned() } else { "OTHER".to_owned() }
}

fn judge(status: u16, retry_after: Option<&str>, error: Option<ErrorBody>, body: &[u8]) -> Failure {
    let garbled = error.is_none();
    let error = error.unwrap_or_default();
    let outcome = outcome(status, retry_after, &error);
    let body_hash = (outcome == Outcome::Unknown).then(|| hash(body));
    let ErrorBody { project, help_url, .. } = error;
    let evidence = Evidence {
        http_status: Some(status),
        project,
        help_url,
        body_hash,
        garbled,
        ..Evidence::default()
    };
    Failure::with_evidence(outcome, evidence)
}

fn outcome(status: u16, retry_after: Option<&str>, error: &ErrorBody) -> Outcome {
    if status == 402 || error.has_reason("BILLING_DISABLED") {
        return Outcome::Billing;
    }
    if status == 429 {
        return quota::outcome(error, retry_after.and_then(delay::header));
    }
    if (400..500).contains(&status)
        && let Some(outcome) = by_reason(error)
    {
        return outcome;
    }
    match status {
        401 => Outcome::InvalidKey,
        403 | 404 if is_about_a_file(error) => Outcome::FileForeign,
        400 => bad_request(error),
        403 => forbidden(error),
        404 if error.mentions(&["model"]) => Outcome::ModelGone,
        404 | 413 | 422 => Outcome::CallerFault,
        503 => Outcome::Overload,
        // A code of a class that one does not know is like the first of its class: RFC 9110, section 15.
        500..=599 => Outcome::Server,
        _ => Outcome::Unknown,
    }
}

/// `ErrorInfo.reason`, which no caller can put there:
/// <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>.
fn by_reason(error: &ErrorBody) -> Option<Outcome> {
    error.reasons.iter().find_map(|reason| match reason.as_str() {
        "API_KEY_INVALID" => Some(Outcome::InvalidKey),
        "CONSUMER_SUSPENDED" => Some(Outcome::Revoked {
            whole_project: error.consumer_is_project,
        }),
        "SERVICE_DISABLED" | "CONSUMER_INVALID" | "USER_PROJECT_DENIED" => {
            Some(Outcome::KeyConfig { whole_project: true })
        }
        _ if reason.starts_with("API_KEY_") && reason.ends_with("_BLOCKED") => {
            Some(Outcome::KeyConfig { whole_project: false })
        }
        _ => None,
    })
}

fn bad_request(error: &ErrorBody) -> Outcome {
    if ["api key not valid", "api key expired", "api key not found"]
        .iter()
        .any(|start| error.text.starts_with(start))
    {
        return Outcome::InvalidKey;
    }
    let elsewhere = error.mentions(&["location", "country", "region"]) && !is_about_a_file(error);
    if error.status == "FAILED_PRECONDITION" && elsewhere {
        Outcome::Region
    } else {
        Outcome::CallerFault
    }
}

/// Comes after files: a file's name is the caller's and may contain any of these words.
fn forbidden(error: &ErrorBody) -> Outcome {
    if error.mentions(&["denied access"]) {
        return Outcome::Revoked {
            whole_project: error.mentions(&["project"]),
        };
    }
    if error.mentions(&["leaked", "suspended"]) {
        return Outcome::Revoked {
            whole_project: error.consumer_is_project,
        };
    }
    if error.mentions(&["has not been used in project", "or it is disabled"]) {
        return Outcome::KeyConfig { whole_project: true };
    }
    let restricted = error.text.starts_with("requests ") && error.text.ends_with(" are blocked.");
    if restricted || error.mentions(&["ip address restriction"]) {
        return Outcome::KeyConfig { whole_project: false };
    }
    Outcome::Unknown
}

/// Files and cached contents belong to the project that made them.
fn is_about_a_file(error: &ErrorBody) -> bool {
    error.mentions(&["the file ", "files/", "cachedcontent"]) && !error.text.starts_with("models/")
}

/// First 16 hex digits of SHA-256: enough to recognise a body again, too little to tell it.
fn hash(body: &[u8]) -> String {
    Sha256::digest(body)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests;
