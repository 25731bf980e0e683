//! The page *Overview*.

use crate::text::count;

pub const TITLE: &str = "Overview";
pub const FIGURES: &str = "Figures";
pub const KEYS_AVAILABLE: &str = "Keys available";
pub const REQUESTS: &str = "Requests";
pub const SUCCESS_RATE: &str = "Success rate";
pub const LATENCY: &str = "Time p50 / p95";
pub const NO_FIGURE: &str = "The figures cannot be read just now.";
pub const BY_KEY: &str = "Requests by key";
pub const ERRORS: &str = "Errors by type";
pub const ERRORS_FAILED: &str = "The errors cannot be read just now";
pub const BY_KEY_FAILED: &str = "The requests by key cannot be read just now";
pub const NO_ERRORS: &str = "No request failed.";
pub const ERROR_LINKS: &str = "Failed requests by error type";
pub const KEYS: &str = "Keys";
pub const NO_KEYS: &str = "No key is configured.";
pub const STATE: &str = "State";
pub const RESETS: &str = "Quota resets";
pub const ALL_KEYS: &str = "All keys";
pub const EMPTY_TITLE: &str = "No requests yet";
pub const EMPTY: &str =
    "Figures appear here with the first request. Send one from the page Analyze, or from a program:";
pub const NONE_TITLE: &str = "No requests in this time";
pub const NONE: &str =
    "Nothing was asked in the chosen range with the chosen key and model. Choose a longer range, or all of them.";
pub const NONE_ACTION: &str = "Show the last 30 days";

pub fn of(available: u32, total: u32) -> (String, String) {
    (available.to_string(), format!(" of {total}"))
}

/// The stretch of time before, by the name of the range.
pub fn before(range: Option<&str>) -> &'static str {
    match range {
        Some("1h") => "the hour before",
        Some("24h") => "the 24 h before",
        Some("7d") => "the 7 days before",
        Some("30d") => "the 30 days before",
        _ => "the same time before",
    }
}

/// Which way a figure went, and the words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub way: Way,
    pub words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Up,
    Down,
    Same,
}

pub fn requests_changed(now: u64, then: u64, before: &str) -> Change {
    let change = |way, words| Change { way, words };
    match (now, then) {
        (0, 0) => change(Way::Same, format!("None in {before} either")),
        (_, 0) => change(Way::Up, format!("None in {before}")),
        _ => match percent_changed(now, then) {
            0 => change(Way::Same, format!("As many as in {before}")),
            percent if percent > 0 => change(
                Way::Up,
                format!("{} % more than in {before}", count(percent.unsigned_abs())),
            ),
            percent => change(
                Way::Down,
                format!("{} % fewer than in {before}", percent.unsigned_abs()),
            ),
        },
    }
}

pub fn rate_changed(now: Option<f64>, then: Option<f64>, before: &str) -> Option<Change> {
    let tenths = ((now? - then?) * 10.0).round();
    let points = format!("{:.1} points", (tenths / 10.0).abs());
    Some(if tenths > 0.0 {
        Change {
            way: Way::Up,
            words: format!("{points} higher than in {before}"),
        }
    } else if tenths < 0.0 {
        Change {
            way: Way::Down,
            words: format!("{points} lower than in {before}"),
        }
    } else {
        Change {
            way: Way::Same,
            words: format!("As in {before}"),
        }
    })
}

pub fn latency_changed(now: Option<u64>, then: Option<u64>, before: &str) -> Option<Change> {
    let (now, then) = (now?, then?);
    if then == 0 {
        return None;
    }
    let percent = percent_changed(now, then);
    let by = count(percent.unsigned_abs());
    Some(match percent {
        0 => Change {
            way: Way::Same,
            words: format!("p95 as in {before}"),
        },
        1.. => Change {
            way: Way::Up,
            words: format!("p95 {by} % slower than in {before}"),
        },
        _ => Change {
            way: Way::Down,
            words: format!("p95 {by} % faster than in {before}"),
        },
    })
}

fn percent_changed(now: u64, then: u64) -> i64 {
    let (now, then) = (now as f64, then as f64);
    ((now - then) / then * 100.0).round() as i64
}

pub fn more_keys(hidden: usize) -> String {
    format!("{hidden} more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_says_its_way_and_what_it_is_compared_with() {
        let before = before(Some("24h"));
        let words = |now, then| requests_changed(now, then, before).words;
        assert_eq!(words(112, 100), "12 % more than in the 24 h before");
        assert_eq!(words(88, 100), "12 % fewer than in the 24 h before");
        assert_eq!(words(100, 100), "As many as in the 24 h before");
        assert_eq!(words(5, 0), "None in the 24 h before");
        assert_eq!(words(0, 0), "None in the 24 h before either");
        assert_eq!(words(20_100, 100), "20,000 % more than in the 24 h before");
    }

    #[test]
    fn a_rate_changes_by_points_and_only_between_two_rates() {
        let words = |now, then| rate_changed(now, then, "the hour before").map(|change| change.words);
        assert_eq!(
            words(Some(97.8), Some(99.2)).as_deref(),
            Some("1.4 points lower than in the hour before")
        );
        assert_eq!(
            words(Some(99.2), Some(97.8)).as_deref(),
            Some("1.4 points higher than in the hour before")
        );
        assert_eq!(
            words(Some(97.81), Some(97.79)).as_deref(),
            Some("As in the hour before")
        );
        assert_eq!(words(None, Some(99.2)), None);
        assert_eq!(words(Some(99.2), None), None);
    }

    #[test]
    fn a_latency_is_slower_or_faster() {
        let words = |now, then| latency_changed(now, then, "the hour before").map(|change| change.words);
        assert_eq!(
            words(Some(1_500), Some(1_000)).as_deref(),
            Some("p95 50 % slower than in the hour before")
        );
        assert_eq!(
            words(Some(500), Some(1_000)).as_deref(),
            Some("p95 50 % faster than in the hour before")
        );
        assert_eq!(words(Some(500), Some(0)), None);
    }
}
