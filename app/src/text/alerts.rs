//! Alerts: their rules, what they say, and the pages about them.

use crate::types::{AlertSeverity, IncidentState};

/// The seed's words.
pub const NO_KEY: &str = "No API keys available - service degraded";

/// The seed's words.
pub fn quota_exceeded(keys: usize) -> String {
    format!("{keys} API key(s) have exceeded quota")
}

/// The seed's words. `rate`: percent, with at most two decimals.
pub fn low_success_rate(key_number: u32, rate: f64) -> String {
    format!("API Key {key_number} has low success rate: {rate}%")
}

/// A rule's name, what it looks for, and what to do when it found it.
pub struct RuleWords {
    pub title: &'static str,
    pub description: &'static str,
    pub advice: &'static str,
}

/// By the rule's id; a rule of another version has no words here.
pub fn rule(id: &str) -> RuleWords {
    let (title, description, advice) = match id {
        "quota_exceeded" => (
            "Quota used up",
            "This many keys or more have used up their day quota. Critical when all have.",
            "They come back at 00:00 Pacific. To serve more before that, add a key of another project.",
        ),
        "low_success_rate" => (
            "Low success rate of a key",
            "Fewer than this share of a key's calls in the window succeeded. What callers got wrong does not count.",
            "The page Errors shows why calls with this key failed, and what to do about each cause.",
        ),
        "no_key_available" => (
            "No key available",
            "No key can serve, and nothing can be answered. A pool without keys is not reported.",
            "The page Doctor shows what each key needs.",
        ),
        "error_rate_jump" => (
            "More failures than usual",
            "The share of failed requests in the window is this many percentage points above that of the same time before, \
             and at least 10%. What callers got wrong does not count. Critical when half of all requests fail.",
            "The page Errors shows which errors grew, and since when.",
        ),
        "latency_jump" => (
            "Slower than usual",
            "The 95th percentile of response times in the window is this many times that of the same time before, and at \
             least half a second more.",
            "The page Latency shows whether it began with a model or a key. The provider's status page may say more.",
        ),
        "forecast_dry" => (
            "Quota will run out",
            "At today's pace, the day quota of a project and model lasts for less than this many hours.",
            "Add a key of another project, or send less urgent work after the reset.",
        ),
        "key_needs_person" => (
            "A key needs a person",
            "A key is invalid, revoked, not set up, or without credit. Critical when it is revoked.",
            "The page Doctor shows what each key needs.",
        ),
        "store_trouble" => (
            "Data store in trouble",
            "The data store does not answer, or does not take what is recorded.",
            "See to the disk of DATA_DIR: is it full, is it there? Requests are served meanwhile, but not recorded.",
        ),
        "events_dropped" => (
            "Usage not recorded",
            "This many usage events or more were lost in the window because the data store did not take them in time.",
            "Figures of this time are too low. See whether the disk of DATA_DIR is slow or full.",
        ),
        _ => ("Alert", "", ""),
    };
    RuleWords {
        title,
        description,
        advice,
    }
}

pub fn severity(severity: AlertSeverity) -> &'static str {
    match severity {
        AlertSeverity::Low => "Low",
        AlertSeverity::Medium => "Medium",
        AlertSeverity::Critical => "Critical",
    }
}

pub fn state(state: IncidentState) -> &'static str {
    match state {
        IncidentState::Open => "Open",
        IncidentState::Acknowledged => "Acknowledged",
        IncidentState::Silenced => "Silenced",
        IncidentState::Resolved => "Resolved",
    }
}

pub const TITLE: &str = "Alerts";
pub const FAILED: &str = "The alerts cannot be read just now";
pub const REFUSED: &str = "That was not done";
pub const ACTIVE: &str = "Active";
pub const ACTIVE_EMPTY: &str = "No rule finds anything wrong.";
pub const ALL: &str = "All alerts";
pub const RECENT: &str = "Recent alerts";
pub const RECENT_EMPTY: &str = "No rule has found anything wrong.";
pub const RECENT_FAILED: &str = "Recent alerts could not be read";
pub const LOOKED: &str = "Last looked";
pub const NOT_LOOKED: &str = "The rules have not looked yet.";
pub const SINCE: &str = "since";
pub const RULE: &str = "Rule";
pub const ACKNOWLEDGED_BY: &str = "acknowledged by";
pub const ACKNOWLEDGED_AT: &str = "acknowledged";
pub const SILENCED_UNTIL: &str = "silenced until";
pub const ACKNOWLEDGE: &str = "Acknowledge";
pub const SILENCE: &str = "Silence";
pub const SILENCE_FOR: &str = "Silence for";
pub const UNSILENCE: &str = "End the silence";
pub const SILENCE_MISTYPED: &str = "Choose one of the times.";
pub const RESOLVE: &str = "End";
pub const RESOLVE_HINT: &str = "An alert ends by itself when its cause is gone. One that you end opens again when the cause \
    holds on for 10 minutes.";

/// Minutes an alert may be silenced for, shortest first.
pub const SILENCES: [u32; 4] = [60, 4 * 60, 24 * 60, 7 * 24 * 60];

pub fn minutes(minutes: u32) -> String {
    match minutes {
        60 => "1 hour".to_owned(),
        61..1440 => format!("{} hours", minutes / 60),
        1440 => "1 day".to_owned(),
        _ => format!("{} days", minutes / 1440),
    }
}

pub const RULES: &str = "Rules";
pub const RULES_HINT: &str = "Something must be wrong for the time named before an alert opens, and well as long before it \
    ends. The preview tries a rule as it is typed and changes nothing.";
pub const ON: &str = "On";
pub const OFF: &str = "Off";
pub const CHANGED: &str = "Changed";
pub const ENABLED: &str = "Look for this";
pub const SEVERITY: &str = "Severity";
pub const SEVERITY_MISTYPED: &str = "The severity must be low, medium or critical.";
pub const THRESHOLD: &str = "Threshold";
pub const WINDOW: &str = "Window, in minutes";
pub const SAMPLES: &str = "Least number of samples";
pub const NUMBER_MISTYPED: &str = "This must be a number. Leave it empty for what the rule comes with.";
pub const SAVE: &str = "Save";
pub const PREVIEW: &str = "Preview";
pub const RESET: &str = "As it comes";
pub const RULE_REFUSED: &str = "The rule was not changed";

/// What a threshold counts.
pub fn unit(unit: &str) -> &str {
    match unit {
        "percent" => "percent",
        "points" => "percentage points",
        "times" => "times as much",
        other => other,
    }
}

/// How long a rule waits, and by what people hear of it.
pub fn hold(seconds: u64, told_as: &str) -> String {
    let waits = match seconds {
        0 => "It opens and ends at once.".to_owned(),
        seconds => format!("It opens and ends after {seconds} s."),
    };
    match told_as {
        "alert" => waits,
        other => format!("{waits} People are told by notifications {other}.…, which need no rule."),
    }
}

pub const PREVIEWED: &str = "Preview";
pub const PREVIEW_OF_USAGE: &str = "Over the usage of the last 24 hours, minute by minute, as it is typed below.";
pub const PREVIEW_OF_NOW: &str =
    "On what is so now, as it is typed below: what this rule looks at is not recorded over time.";

pub fn previewed(count: usize) -> String {
    match count {
        0 => "It would have opened no alert.".to_owned(),
        1 => "It would have opened 1 alert:".to_owned(),
        count => format!("It would have opened {count} alerts:"),
    }
}

/// Previewed alerts that are listed.
pub const PREVIEWED_MAX: usize = 20;

pub fn previewed_more(count: usize) -> String {
    format!("and {count} more.")
}

pub const UNTIL: &str = "until";
pub const STILL_OPEN: &str = "still open";
pub const CHANNELS: &str = "Channels";
pub const CHANNELS_HINT: &str = "Where people are told, beside the log. They are set up in the settings of the server.";
pub const CHANNELS_EMPTY: &str = "No channel is set up: alerts stand here and in the server's log only.";
pub const TEST: &str = "Send a test";
pub const TESTED: &str = "Test sent";
pub const DELIVERED: &str = "Delivered";
pub const NOT_DELIVERED: &str = "Not delivered";
pub const NOTHING_SENT: &str = "Nothing was sent of late.";

pub fn channel(name: &str) -> &str {
    match name {
        "webhook" => "Webhook",
        "mail" => "E-mail",
        "chat" => "Chat",
        "log" => "Log",
        other => other,
    }
}

pub fn delivery(state: &str) -> &str {
    match state {
        "delivered" => DELIVERED,
        "pending" => "Will be sent again",
        _ => "Given up",
    }
}

pub const HISTORY: &str = "History";
pub const HISTORY_EMPTY: &str = "There was no alert yet.";
pub const WHAT: &str = "Alert";
pub const STATE: &str = "State";
pub const OPENED: &str = "Opened (UTC)";
pub const ENDED: &str = "Ended (UTC)";
pub const OLDER: &str = "Older";
pub const NEWEST: &str = "Newest";
pub const PAGES: &str = "Pages of the history";
