//! The audit log.

pub const TITLE: &str = "Audit log";
pub const HINT: &str = "What administrators did, and what was done to accounts. Entries are never changed or removed; each carries a fingerprint of the one before.";
pub const FAILED: &str = "The audit log cannot be read just now";
pub const EMPTY_TITLE: &str = "Nothing recorded yet";
pub const EMPTY: &str = "Every change of keys, settings and accounts will be written down here.";
pub const NO_MATCH_TITLE: &str = "No entry matches";
pub const NO_MATCH: &str = "Nothing was recorded that fits these filters.";
pub const ALL: &str = "Show all entries";
pub const FILTER: &str = "Filter the audit log";
pub const ACTOR: &str = "Who";
pub const ACTION: &str = "Action";
pub const ACTION_HINT: &str = "Such as key. or user.delete";
pub const TARGET: &str = "On what";
pub const APPLY: &str = "Show";
pub const TIME: &str = "Time (UTC)";
pub const FROM: &str = "From";
pub const CHANGE: &str = "Change";
pub const BEFORE: &str = "Before";
pub const AFTER: &str = "After";
pub const SHOW_CHANGE: &str = "Show";
pub const NEXT: &str = "Older";
pub const FIRST: &str = "Newest";
pub const PAGES: &str = "Pages of the audit log";
pub const CHECK: &str = "Check the log";
pub const WHOLE_TITLE: &str = "The log is whole";
pub const BROKEN_TITLE: &str = "The log was changed from outside";
pub const BROKEN_NEXT: &str =
    "Compare it with a backup and with the server's own log lines, which name each entry's fingerprint.";

pub const HEAD: &str = "Fingerprint of the last entry:";

pub fn fault(seq: u64, message: &str) -> String {
    format!("Entry {seq}: {message}")
}

pub fn whole(entries: u64) -> String {
    match entries {
        0 => "There is no entry yet.".to_owned(),
        1 => "The 1 entry carries the right fingerprint.".to_owned(),
        _ => format!("All {entries} entries carry the right fingerprint, without a gap."),
    }
}

pub fn surface(name: &str) -> &str {
    match name {
        "web" => "Browser",
        "api" => "API",
        "cli" => "Command line",
        "server" => "Server",
        other => other,
    }
}
