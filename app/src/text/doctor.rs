//! The debug report in words, and as plain text for terminals and clipboards.

mod plain;

pub use plain::plain;

use crate::types::CheckLevel;

pub const TITLE: &str = "Doctor";
pub const MADE: &str = "Made";
pub const COPY: &str = "Copy as text";
pub const AGAIN: &str = "Look again";
pub const CHECKS: &str = "Checks";
pub const WHAT_TO_DO: &str = "What to do";
pub const TESTS: &str = "Tests";
pub const TESTS_HINT: &str =
    "Testing the keys costs no quota. A test request is a real one: it costs one request of a key's day.";
pub const TEST_KEYS: &str = "Test all keys";
pub const TEST_REQUEST: &str = "Run a test request";
pub const NOT_TESTED: &str = "Nothing was tested since the server started.";
pub const TESTED: &str = "Tested";
pub const KEY_TESTS: &str = "Keys";
pub const NO_KEYS: &str = "There is no key to test.";
pub const REQUEST_TEST: &str = "Test request";
pub const PASSED: &str = "Passed";
pub const FAILED: &str = "Failed";
pub const SIBLINGS: &str = "Keys that may share a project";
pub const SIBLINGS_HINT: &str = "These keys used up a model's day within seconds of each other. Keys of one project share \
    its quota: confirmed, they are counted together, and one refusal stands for both.";
pub const CONFIRM: &str = "They share a project";
pub const DISMISS: &str = "They do not";
pub const SERVICE: &str = "Service status";
pub const USAGE: &str = "Usage statistics";
pub const ENVIRONMENT: &str = "Environment configuration";
pub const ENVIRONMENT_HINT: &str = "Which settings are set, and where. Their values are not part of this report.";
pub const NOT_OPEN: &str = "Not known: the pool could not be opened. The checks say why.";
pub const NO_CALLS: &str = "No call to the provider was made since midnight in Los Angeles.";
pub const KEY: &str = "Key";
pub const STATE: &str = "State";
pub const TOOK: &str = "Took";
pub const CALLS: &str = "Calls today";
pub const ANSWERED: &str = "Answered";
pub const NOT_ANSWERED: &str = "Failed";
pub const TOKENS: &str = "Tokens";
pub const NAME: &str = "Setting";
pub const SOURCE: &str = "Source";
pub const MEANING: &str = "Meaning";
pub const REQUESTS: &str = "Requests";
pub const AVERAGE: &str = "Average time";
pub const FROM_CACHE: &str = "From the cache";
pub const CACHE: &str = "Cache";
pub const WAITING: &str = "Waiting for a key";
pub const COUNTED_SINCE: &str = "Counted since";

/// The whole report in one line.
pub fn headline(level: CheckLevel, warnings: usize, failures: usize) -> String {
    match (level, warnings, failures) {
        (CheckLevel::Failed, _, 1) => "1 check or test failed.".to_owned(),
        (CheckLevel::Failed, _, _) => format!("{failures} checks and tests failed."),
        (CheckLevel::Warning, 1, _) => "Nothing failed; 1 check has a warning.".to_owned(),
        (CheckLevel::Warning, _, _) => format!("Nothing failed; {warnings} checks have a warning."),
        (CheckLevel::Ok | CheckLevel::Skipped, _, _) => "Everything that was looked at is fine.".to_owned(),
    }
}

pub fn key(number: u32) -> String {
    format!("Key {number}")
}

pub fn answered_by(model: &str, key_number: Option<u32>) -> String {
    match key_number {
        Some(number) => format!("{model}, key {number}"),
        None => model.to_owned(),
    }
}

pub fn kept(size: u64, max: u64, hits: u64, misses: u64) -> String {
    match max {
        0 => "Switched off".to_owned(),
        _ => format!("{size} of {max} answers kept, {hits} hits, {misses} misses"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headline_counts_the_worst() {
        let check = |level, warnings, failures, text: &str| assert_eq!(headline(level, warnings, failures), text);
        check(CheckLevel::Ok, 0, 0, "Everything that was looked at is fine.");
        check(CheckLevel::Warning, 1, 0, "Nothing failed; 1 check has a warning.");
        check(CheckLevel::Warning, 3, 0, "Nothing failed; 3 checks have a warning.");
        check(CheckLevel::Failed, 3, 1, "1 check or test failed.");
        check(CheckLevel::Failed, 0, 2, "2 checks and tests failed.");
    }
}
