//! The log of requests, and one of them.

use crate::text::{outcome, took};
use crate::types::AttemptRow;

pub const TITLE: &str = "Requests";
pub const FILTER: &str = "Filter";
pub const FILTER_LABEL: &str = "Filter the requests";
pub const CLEAR: &str = "Clear the filter";
pub const STATUS: &str = "Status";
pub const ANY: &str = "Any";
pub const STATUSES: [(&str, &str); 2] = [("ok", "OK"), ("failed", "Failed")];
pub const ERROR_TYPE: &str = "Error";
pub const ERROR_TYPES: [&str; 15] = [
    "quota",
    "rate_limit",
    "invalid_key",
    "permission",
    "billing",
    "model",
    "bad_request",
    "blocked",
    "overloaded",
    "server_error",
    "timeout",
    "network",
    "truncated",
    "cancelled",
    "capacity",
];
pub const OPERATION: &str = "Operation";
pub const OPERATIONS: [&str; 5] = [
    "generateContentText",
    "generateContentVision",
    "embed",
    "countTokens",
    "test",
];
pub const SURFACE: &str = "Came by";
pub const SURFACES: [&str; 4] = ["web", "api", "gemini", "openai"];
pub const USER: &str = "User";
pub const USER_HINT: &str = "E-mail or id";
pub const REQUEST_ID: &str = "Request id";
pub const WHO: &str = "User";
pub const MODEL: &str = "Model";
pub const KEY: &str = "Key";
pub const CALLS: &str = "Calls";
pub const TOOK: &str = "Took";
pub const TOKENS: &str = "Tokens";
pub const OK: &str = "OK";
pub const CACHED: &str = "From cache";
pub const TABLE: &str = "Requests, newest first";
pub const PAGES: &str = "Pages of the requests";
pub const OLDER: &str = "Older";
pub const NEWEST: &str = "Newest";
pub const SEARCH_ON: &str = "Search on";
pub const FAILED: &str = "The requests cannot be read just now";
pub const EMPTY_TITLE: &str = "No requests in this time";
pub const EMPTY: &str = "Every request will be listed here. Choose a longer range to see older ones.";
pub const NO_MATCH_TITLE: &str = "No request matches";
pub const NO_MATCH: &str = "Nothing in the chosen range fits these filters.";
pub const ALL: &str = "Show all requests";
pub const LAST_30_DAYS: &str = "Show the last 30 days";
pub const SOMEBODY_GONE: &str = "Account deleted";
pub const BY_TOKEN: &str = "by API token";

pub const ONE_TITLE: &str = "Request";
pub const BACK: &str = "Requests";
pub const FACTS: &str = "Facts";
pub const AT: &str = "Ended";
pub const CAME_BY: &str = "Came by";
pub const FIRST_TOKEN: &str = "First token";
pub const USER_AGENT: &str = "Program";
pub const TOKEN: &str = "API token";
pub const OUTCOME: &str = "Outcome";
pub const COPY_ID: &str = "Copy id";
pub const ONE_FAILED: &str = "The request cannot be read just now";
pub const NO_CALL_CACHED: &str = "No call was made: the same had been asked before, and its answer was kept.";
pub const NO_CALL: &str = "No call was made: no key was asked.";
pub const SAME_FAILED: &str = "Requests with this error";

pub fn filter(count: usize) -> String {
    match count {
        0 => FILTER.to_owned(),
        count => format!("{FILTER} ({count})"),
    }
}

pub fn operation(name: &str) -> &str {
    match name {
        "generateContentText" => "Text",
        "generateContentVision" => "Image",
        "embed" => "Embedding",
        "countTokens" => "Token count",
        "test" => "Test",
        other => other,
    }
}

pub fn surface(name: &str) -> &str {
    match name {
        "web" => "Browser",
        "api" => "API",
        "gemini" => "Gemini API",
        "openai" => "OpenAI API",
        other => other,
    }
}

/// The search stopped to stay quick.
pub fn searched_back_to(time: &str) -> String {
    format!("Searched back to {time}. There may be older requests that match.")
}

/// The way of a request through the keys in one line: "Key 1: day quota, 12 ms → Key 2: answered in 1.9 s".
pub fn path(attempts: &[AttemptRow]) -> String {
    let steps = attempts.iter().map(|attempt| {
        let key = attempt.key_number.map_or_else(|| attempt.model.clone(), super::key);
        if attempt.success {
            format!("{key}: answered in {}", took(attempt.ms))
        } else {
            format!(
                "{key}: {}, {}",
                outcome(&attempt.outcome).to_lowercase(),
                took(attempt.ms)
            )
        }
    });
    steps.collect::<Vec<_>>().join(" → ")
}

/// For one call in a waterfall.
pub fn call(number: usize, key_number: Option<u32>, model: Option<&str>) -> String {
    let key = key_number.map(super::key);
    let parts = [key.as_deref(), model].into_iter().flatten().collect::<Vec<_>>();
    format!("{number}. {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_through_the_keys_is_one_line() {
        let attempt = |key_number, outcome: &str, success, ms| AttemptRow {
            key_number: Some(key_number),
            project: None,
            model: "gemini-2.5-flash".to_owned(),
            success,
            outcome: outcome.to_owned(),
            error_type: None,
            started_ms: 0,
            ms,
            first_token_ms: None,
        };
        let attempts = [attempt(1, "day_quota", false, 12), attempt(2, "success", true, 1_900)];
        assert_eq!(path(&attempts), "Key 1: day quota, 12 ms → Key 2: answered in 1.9 s");
        assert_eq!(path(&[]), "");
    }
}
