//! The provider's error: a `google.rpc.Status` as JSON, see <https://google.aip.dev/193>.

use std::time::Duration;

use reqwest::Url;
use serde_json::Value;

use super::delay;

/// What an error says, as far as outcomes need it. Has no `Debug`: messages repeat keys and prompts.
#[derive(Default)]
pub(super) struct ErrorBody {
    /// Its own status code; inside a stream the only one.
    pub(super) code: Option<u16>,
    /// The canonical name, such as `RESOURCE_EXHAUSTED`.
    pub(super) status: String,
    /// The message in small letters.
    pub(super) text: String,
    /// `ErrorInfo.reason`, such as `API_KEY_INVALID`.
    pub(super) reasons: Vec<String>,
    pub(super) violations: Vec<Violation>,
    /// `RetryInfo.retryDelay`; the longest if there are several.
    pub(super) retry_delay: Option<Duration>,
    /// `ErrorInfo.metadata.consumer` names a project, not a key.
    pub(super) consumer_is_project: bool,
    /// The project's number or id.
    pub(super) project: Option<String>,
    /// The first link to a host of the provider.
    pub(super) help_url: Option<String>,
}

/// A window whose quota is used up.
pub(super) struct Violation {
    /// Such as `GenerateRequestsPerDayPerProjectPerModel-FreeTier`, in small letters.
    pub(super) quota_id: String,
    /// `None` also when the provider left it out, which it does for zero.
    pub(super) value: Option<u64>,
}

/// The error in a body of the shape `{error}` or `[{error}]`; `None` when it has another shape.
pub(super) fn parse(body: &[u8]) -> Option<ErrorBody> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    find(&serde_json::from_slice(body).ok()?)
}

/// The same in parsed JSON, such as a frame of a stream.
pub(super) fn find(value: &Value) -> Option<ErrorBody> {
    if let Value::Array(items) = value {
        return items.iter().find_map(|item| item.get("error")).and_then(read);
    }
    value.get("error").and_then(read)
}

fn read(error: &Value) -> Option<ErrorBody> {
    error.as_object()?;
    let status = text_of(error, "status");
    let code = error
        .get("code")
        .and_then(Value::as_u64)
        .and_then(|code| u16::try_from(code).ok());
    let mut body = ErrorBody {
        code: code.or_else(|| http_status(&status)),
        status,
        text: text_of(error, "message").to_lowercase(),
        ..ErrorBody::default()
    };
    for detail in items_of(error, "details") {
        body.add_detail(detail);
    }
    Some(body)
}

impl ErrorBody {
    pub(super) fn has_reason(&self, reason: &str) -> bool {
        self.reasons.iter().any(|known| known == reason)
    }

    pub(super) fn mentions(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.text.contains(word))
    }

    fn add_detail(&mut self, detail: &Value) {
        let kind = text_of(detail, "@type");
        match kind.rsplit('.').next() {
            Some("ErrorInfo") => self.add_info(detail),
            Some("QuotaFailure") => self
                .violations
                .extend(items_of(detail, "violations").filter_map(violation)),
            Some("RetryInfo") => self.retry_delay = self.retry_delay.max(delay::parse(&text_of(detail, "retryDelay"))),
            Some("Help") => {
                let link = items_of(detail, "links").find_map(|link| provider_link(&text_of(link, "url")));
                self.help_url = self.help_url.take().or(link);
            }
            _ => {}
        }
    }

    fn add_info(&mut self, info: &Value) {
        self.reasons.push(text_of(info, "reason"));
        let Some(metadata) = info.get("metadata") else { return };
        if let Some(id) = text_of(metadata, "consumer").strip_prefix("projects/") {
            self.consumer_is_project = true;
            self.project = self.project.take().or_else(|| project_id(id));
        }
        let activation = provider_link(&text_of(metadata, "activationUrl"));
        self.help_url = self.help_url.take().or(activation);
        // Older answers put the one violated quota here.
        let quota_id = text_of(metadata, "quota_limit").to_lowercase();
        if !quota_id.is_empty() {
            self.violations.push(Violation {
                quota_id,
                value: number(metadata.get("quota_limit_value")),
            });
        }
    }
}

fn violation(violation: &Value) -> Option<Violation> {
    let quota_id = text_of(violation, "quotaId").to_lowercase();
    (!quota_id.is_empty()).then(|| Violation {
        quota_id,
        value: number(violation.get("quotaValue")),
    })
}

/// 64-bit numbers are strings in the JSON of protocol buffers.
fn number(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}

fn text_of(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn items_of<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// Numbers and ids are of small letters, digits and hyphens; keys are not, so none can pass for a project.
fn project_id(id: &str) -> Option<String> {
    let plain = (1..=64).contains(&id.len())
        && id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    plain.then(|| id.to_owned())
}

/// An https link to a host of the provider, without any query but the project's number.
fn provider_link(text: &str) -> Option<String> {
    const HOSTS: [&str; 5] = ["google.com", "google.dev", "googleapis.com", "ai.dev", "ai.studio"];
    let mut url = Url::parse(text).ok().filter(|_| text.len() <= 512)?;
    let host = url.host_str()?;
    let ours = HOSTS.iter().any(|known| {
        host.strip_suffix(known)
            .is_some_and(|sub| sub.is_empty() || sub.ends_with('.'))
    });
    let plain =
        url.scheme() == "https" && url.port().is_none() && url.username().is_empty() && url.password().is_none();
    if !ours || !plain {
        return None;
    }
    let project = url
        .query_pairs()
        .find(|(name, _)| name == "project")
        .and_then(|(_, id)| project_id(&id));
    url.set_query(project.map(|id| format!("project={id}")).as_deref());
    url.set_fragment(None);
    Some(url.into())
}

/// The status code of a canonical name, for errors that carry only the name.
fn http_status(name: &str) -> Option<u16> {
    match name {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => Some(400),
        "UNAUTHENTICATED" => Some(401),
        "PERMISSION_DENIED" => Some(403),
        "NOT_FOUND" => Some(404),
        "RESOURCE_EXHAUSTED" => Some(429),
        "INTERNAL" | "UNKNOWN" | "DATA_LOSS" => Some(500),
        "UNAVAILABLE" => Some(503),
        "DEADLINE_EXCEEDED" => Some(504),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_the_provider_survive_and_only_with_a_project() {
        let console = "https://console.developers.google.com/apis/api/x/overview?project=123456789012";
        for (text, kept) in [
            (console, Some(console)),
            (
                "https://ai.google.dev/gemini-api/docs#top",
                Some("https://ai.google.dev/gemini-api/docs"),
            ),
            ("https://ai.studio/spend", Some("https://ai.studio/spend")),
            (
                "https://google.com/?key=AIzaSyX&project=12",
                Some("https://google.com/?project=12"),
            ),
            ("https://google.com/?project=AIzaSyX", Some("https://google.com/")),
            ("http://google.com/", None),
            ("https://google.com.evil.example/", None),
            ("https://evilgoogle.com/", None),
            ("https://user:word@google.com/", None),
            ("https://google.com:8443/", None),
            ("javascript:alert(1)", None),
            ("", None),
        ] {
            assert_eq!(provider_link(text).as_deref(), kept, "{text}");
        }
    }

    #[test]
    fn both_shapes_of_an_error_are_found_and_nothing_else() {
        for body in [
            r#"{"error":{"code":429}}"#,
            r#"[{"error":{"code":429}}]"#,
            "\u{feff}{\"error\":{\"code\":429}}",
        ] {
            assert_eq!(parse(body.as_bytes()).and_then(|error| error.code), Some(429), "{body}");
        }
        for body in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"error":"x"}"#,
            r#"{"error":null}"#,
            "<html>",
            r#"{"error":{"code":4"#,
        ] {
            assert!(parse(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn an_error_with_a_name_only_gets_the_code_of_the_name() {
        let error = parse(br#"{"error":{"status":"UNAVAILABLE"}}"#).unwrap();
        assert_eq!(error.code, Some(503));
    }

    #[test]
    fn a_key_is_never_taken_for_a_project() {
        for consumer in ["api_key:AIzaSyEXAMPLE", "projects/AIzaSyEXAMPLE", "AIzaSyEXAMPLE"] {
            let body = format!(
                r#"{{"error":{{"details":[{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","metadata":{{"consumer":"{consumer}"}}}}]}}}}"#
            );
            assert_eq!(parse(body.as_bytes()).unwrap().project, None, "{consumer}");
        }
    }
}
