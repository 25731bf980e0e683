//! The pages under *Analytics*.

pub const REQUESTS: &str = "Requests";
pub const OK: &str = "OK";
pub const FAILED: &str = "Failed";
pub const RATE: &str = "Success";
pub const MEAN: &str = "Average";
pub const P50: &str = "p50";
pub const P95: &str = "p95";
pub const P99: &str = "p99";
pub const TOKENS: &str = "Tokens";
pub const QUOTA_ERRORS: &str = "Quota errors";
pub const BY_KEY: &str = "By key";
pub const BY_KEY_HINT: &str = "Calls to the provider. A request that moved on to another key is counted with each.";
pub const BY_KEY_CHART: &str = "Calls by key";
pub const BY_KEY_FAILED: &str = "The calls by key cannot be read just now";
pub const BY_MODEL: &str = "By model";
pub const BY_MODEL_HINT: &str = "Requests of callers, answers from the cache among them.";
pub const BY_MODEL_CHART: &str = "Requests by model";
pub const BY_MODEL_FAILED: &str = "The requests by model cannot be read just now";
pub const CACHED: &str = "From cache";
pub const EMPTY_TITLE: &str = "Nothing in this time";
pub const EMPTY: &str =
    "No call was made in the chosen range with the chosen key and model. Choose a longer range, or all of them.";
pub const EMPTY_ACTION: &str = "Show the last 30 days";

pub const HOURLY_DATE: &str = "Day";
pub const HOURLY_CAPTION: &str = "Calls by hour and key";
pub const HOURLY_CHART: &str = "Calls by hour";
pub const HOURLY_FAILED: &str = "This day cannot be read just now";
pub const HOURLY_EMPTY_TITLE: &str = "No calls on this day";
pub const HOURLY_EMPTY: &str = "No key was asked on the chosen day. Choose another.";
pub const DAY_BEFORE: &str = "Day before";
pub const DAY_AFTER: &str = "Day after";
pub const DAYS: &str = "Days";
pub const OTHER_KEYS: &str = "Other keys";

pub const ERRORS_CHART: &str = "Failed calls by error type";
pub const ERRORS_TABLE: &str = "What failed, where, and what to do";
pub const ERRORS_FAILED: &str = "The errors cannot be read just now";
pub const ERRORS_EMPTY_TITLE: &str = "No call failed";
pub const ERROR_TYPE: &str = "Error";
pub const ERROR_COUNT: &str = "Calls";
pub const ERROR_KEYS: &str = "Keys";
pub const FIRST_SEEN: &str = "First seen";
pub const LAST_SEEN: &str = "Last seen";
pub const WHAT_TO_DO: &str = "What to do";
pub const ERRORS_HINT: &str = "Failed calls to the provider. A request that another key then answered did not fail.";

pub const LATENCY_CHART: &str = "Time to the whole answer";
pub const FIRST_TOKEN_CHART: &str = "Time to the first token";
pub const LATENCY_TABLE: &str = "By model";
pub const LATENCY_FAILED: &str = "The times cannot be read just now";
pub const LATENCY_HINT: &str =
    "From a request to the end of its answer, waiting and other keys included. Percentiles are exact to 2 percent.";
pub const FIRST_TOKEN_P50: &str = "First token p50";
pub const FIRST_TOKEN_P95: &str = "First token p95";

pub const FORECAST_FAILED: &str = "The forecast cannot be read just now";
pub const FORECAST_HINT: &str = "Day quotas as the provider counts them, until its next midnight (00:00 Pacific). What is expected is the average of the \
    same hours of earlier days.";
pub const FORECAST_EMPTY_TITLE: &str = "Nothing to forecast yet";
pub const FORECAST_EMPTY: &str = "A key and a model appear here with the first call of the day.";
pub const FORECAST_TABLE: &str = "Day quotas by project and model";
pub const KEYS: &str = "Keys";
pub const MODEL: &str = "Model";
pub const USED: &str = "Used today";
pub const EXPECTED: &str = "Expected per hour";
pub const DRY: &str = "Runs dry";
pub const RESETS: &str = "Resets";
pub const IS_DRY: &str = "Used up";
pub const LASTS: &str = "Lasts until the reset";
pub const NO_LIMIT: &str = "No limit known";
pub const SET_LIMIT: &str = "Some limits are not known, so there is no forecast for them. A limit becomes known when the provider names it in an answer, or \
    when an administrator sets it: KEYPOOL_LIMITS, such as \"gemini-2.5-flash free rpd=250\", or PATCH /api/admin/settings with the same text as limits.";

pub fn no_failures(calls: u64) -> String {
    match calls {
        0 => "No call was made in the chosen range.".to_owned(),
        1 => "The 1 call in the chosen range was answered.".to_owned(),
        calls => format!(
            "All {} calls in the chosen range were answered.",
            crate::text::count(calls)
        ),
    }
}

/// Such as "120 of 4,812 calls failed (2.5 %)".
pub fn failures(failed: u64, calls: u64) -> String {
    let rate = if calls == 0 {
        0.0
    } else {
        failed as f64 * 100.0 / calls as f64
    };
    let [failed, calls] = [failed, calls].map(crate::text::count);
    format!("{failed} of {calls} calls failed ({rate:.1} %)")
}

/// A day whose clock was changed. `hours` as it went through them.
pub fn odd_day(hours: &[u8], zone: &str) -> Option<String> {
    let zone = super::zone(zone);
    match hours.len() {
        24 => None,
        25.. => {
            let twice = hours.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
            let which = twice.map_or_else(
                || "One hour came twice and is one row.".to_owned(),
                |hour| format!("The hour from {hour:02}:00 came twice and is one row."),
            );
            Some(format!(
                "This day has {} hours in the zone {zone}. {which}",
                hours.len()
            ))
        }
        _ => {
            let left_out = (0..24).find(|hour| !hours.contains(hour));
            let which = left_out.map_or_else(String::new, |hour| format!(" There was no hour from {hour:02}:00."));
            Some(format!("This day has {} hours in the zone {zone}.{which}", hours.len()))
        }
    }
}

/// "at 15:40 Pacific", or with its day.
pub fn at_pacific(time: &str) -> String {
    format!("{time} Pacific")
}

/// An average that is small still says so.
pub fn per_hour(rate: f64) -> String {
    if rate <= 0.0 {
        "0".to_owned()
    } else if rate < 10.0 {
        format!("{rate:.1}")
    } else {
        crate::text::count(rate.round() as u64)
    }
}

/// What a person can do about an error type.
pub fn what_to_do(error_type: &str) -> &'static str {
    match error_type {
        "quota" => {
            "The key's day quota is used up; other keys take over and it returns at 00:00 Pacific. If it happens every day, add a key of another project, or use a paid one."
        }
        "rate_limit" => {
            "Too many calls in one minute. The key rests and returns by itself. If it happens often, add a key of another project or set its limits, so that it is not asked too often."
        }
        "invalid_key" => "The provider does not know this key. Make a new one in AI Studio and replace it.",
        "permission" => {
            "The key may not do this: it was revoked or suspended, its restrictions forbid it, or the API is off for its project. See the key's state, then set it up in the Google Cloud console."
        }
        "billing" => {
            "The project has no credit, or billing is off. Settle it in the Google Cloud console; the key is asked again after that."
        }
        "model" => {
            "The provider has no model of this name, or this key may not use it. Change the model, or take it off the fallbacks."
        }
        "bad_request" => {
            "The provider refused what was asked; another key would not help. Look at one of the requests and mend its caller."
        }
        "blocked" => "The provider's safety rules stopped the prompt or the answer. Nothing is wrong with the key.",
        "overloaded" => {
            "The provider has too little capacity for the model just now. Calls are repeated with care; a fallback model helps."
        }
        "server_error" => {
            "A fault at the provider. Calls are repeated with care. If it stays, see the provider's status page."
        }
        "timeout" => {
            "No answer within the time allowed. If it happens often, allow more time for long answers, or ask for shorter ones."
        }
        "network" => {
            "The provider could not be reached. See the server's network, its name service and its proxy; the doctor checks them."
        }
        "truncated" => "The answer broke off on its way. What had come was kept as interrupted.",
        "cancelled" => "The caller left before the answer was there. Nothing is wrong with the key.",
        "capacity" => "No key was free in time. Add keys, or let requests wait longer in line.",
        _ => "Look at one of the requests to see more.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_23_or_25_hours_is_explained() {
        let whole: Vec<u8> = (0..24).collect();
        assert_eq!(odd_day(&whole, "UTC"), None);
        let mut long = whole.clone();
        long.insert(2, 2);
        assert_eq!(
            odd_day(&long, "Europe/Berlin").as_deref(),
            Some("This day has 25 hours in the zone Europe/Berlin. The hour from 02:00 came twice and is one row.")
        );
        let short: Vec<u8> = whole.into_iter().filter(|hour| *hour != 2).collect();
        assert_eq!(
            odd_day(&short, "America/Los_Angeles").as_deref(),
            Some("This day has 23 hours in the zone Pacific. There was no hour from 02:00.")
        );
    }

    #[test]
    fn every_error_type_says_what_to_do() {
        let types = [
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
        for name in types {
            assert_ne!(what_to_do(name), what_to_do("unheard of"), "{name}");
        }
    }

    #[test]
    fn small_rates_are_not_rounded_away() {
        assert_eq!(per_hour(0.0), "0");
        assert_eq!(per_hour(0.25), "0.2");
        assert_eq!(per_hour(1_234.5), "1,235");
    }
}
