//! Errors in the provider's shape, `google.rpc.Status` as JSON.

use serde_json::{Value, json};

use crate::quota::{Exceeded, Window};

/// A refusal: the HTTP status and the body.
#[derive(Debug)]
pub(crate) struct GoogleError {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl GoogleError {
    fn new(code: u16, status: &str, message: &str) -> Self {
        Self {
            status: code,
            body: json!({ "error": { "code": code, "message": message, "status": status } }),
        }
    }

    fn with_details(mut self, details: Value) -> Self {
        if let Some(error) = self.body.get_mut("error").and_then(Value::as_object_mut) {
            error.insert("details".to_owned(), details);
        }
        self
    }

    /// 400: the caller's mistake.
    pub(crate) fn invalid_argument(message: &str) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    /// 404: no such model, method or path.
    pub(crate) fn not_found(message: &str) -> Self {
        Self::new(404, "NOT_FOUND", message)
    }

    /// 403: no key was sent.
    pub(crate) fn without_key() -> Self {
        Self::new(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API identity to call this API.",
        )
    }

    /// 400 `API_KEY_INVALID`: a key that does not exist.
    pub(crate) fn unknown_key() -> Self {
        const MESSAGE: &str = "API key not valid. Please pass a valid API key.";
        Self::invalid_argument(MESSAGE).with_details(json!([
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": { "service": "generativelanguage.googleapis.com" }
            },
            { "@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": MESSAGE }
        ]))
    }

    /// 429: a quota of the project is used up.
    pub(crate) fn quota(model: &str, exceeded: &Exceeded) -> Self {
        let mut message = "You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.".to_owned();
        for &(window, limit) in &exceeded.violations {
            message += &format!(
                "\n* Quota exceeded for metric: {}, limit: {limit}, model: {model}",
                metric(window)
            );
        }
        message += &format!("\nPlease retry in {}.", duration_text(exceeded.retry_ms));
        let violations: Vec<Value> = exceeded
            .violations
            .iter()
            .map(|&(window, limit)| violation(model, window, limit))
            .collect();
        Self::new(429, "RESOURCE_EXHAUSTED", &message).with_details(json!([
            { "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations },
            {
                "@type": "type.googleapis.com/google.rpc.Help",
                "links": [{ "description": "Learn more about Gemini API quotas", "url": "https://ai.google.dev/gemini-api/docs/rate-limits" }]
            },
            // The provider cuts the fraction off here, so this is up to a second too early.
            { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{}s", exceeded.retry_ms / 1000) }
        ]))
    }
}

fn violation(model: &str, window: Window, limit: u64) -> Value {
    let mut violation = json!({
        "quotaMetric": metric(window),
        "quotaId": quota_id(window),
        "quotaDimensions": { "location": "global", "model": model },
    });
    // A limit of zero comes without a value.
    if let (true, Some(fields)) = (limit > 0, violation.as_object_mut()) {
        fields.insert("quotaValue".to_owned(), limit.to_string().into());
    }
    violation
}

fn metric(window: Window) -> &'static str {
    match window {
        Window::RequestsPerMinute | Window::RequestsPerDay => {
            "generativelanguage.googleapis.com/generate_content_free_tier_requests"
        }
        Window::InputTokensPerMinute => {
            "generativelanguage.googleapis.com/generate_content_free_tier_input_token_count"
        }
    }
}

fn quota_id(window: Window) -> &'static str {
    match window {
        Window::RequestsPerMinute => "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
        Window::InputTokensPerMinute => "GenerateContentInputTokensPerModelPerMinute-FreeTier",
        Window::RequestsPerDay => "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
    }
}

/// As the provider writes it: `21.4s`, `965ms`.
fn duration_text(ms: u64) -> String {
    if ms < 1000 {
        return format!("{ms}ms");
    }
    let text = format!("{}.{:03}", ms / 1000, ms % 1000);
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}
