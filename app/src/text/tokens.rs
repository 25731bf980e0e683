//! API tokens.

use crate::types::TokenScope;

pub const CREATE: &str = "New token";
pub const CREATE_HINT: &str =
    "A token lets a program use this server in your name, for what you choose here and nothing else.";
pub const NAME: &str = "Name";
pub const NAME_HINT: &str = "What will use it, such as the program and where it runs.";
pub const SCOPES: &str = "What it may be used for";
pub const EXPIRES: &str = "Ends";
pub const NEVER_ENDS: &str = "Never by itself";
pub const LIMIT: &str = "Requests per minute (optional)";
pub const LIMIT_HINT: &str = "Beside the limit for every caller. Left empty, that one alone holds.";
pub const LIMIT_MISTYPED: &str = "Give a whole number, or leave it empty.";
pub const PASSWORD: &str = "Your password (optional)";
pub const PASSWORD_HINT: &str = "Needed for Administration only. Such a token ends after one year at most, and after 90 days when no end is chosen.";
pub const SUBMIT: &str = "Create token";
pub const REFUSED: &str = "The token was not created";
pub const CREATED: &str = "Token created";
pub const CREATED_ONCE: &str =
    "It is shown once, now. Copy it to where your program keeps its secrets; here only its last characters stay.";
pub const TOKEN: &str = "The token";
pub const COPY: &str = "Copy token";
pub const FIRST_CALL: &str = "First call";
pub const COPY_CALL: &str = "Copy call";
pub const CREATED_DONE: &str = "I have kept it";
pub const LIST: &str = "Your tokens";
pub const EMPTY: &str = "You have no token yet.";
pub const TOKEN_MASK: &str = "Token";
pub const USED_FOR: &str = "Used for";
pub const LAST_USED: &str = "Last used (UTC)";
pub const UNUSED: &str = "Never";
pub const ENDS: &str = "Ends (UTC)";
pub const ENDED: &str = "Ended";
pub const ACTIONS: &str = "Actions";
pub const REVOKE: &str = "Revoke";
pub const REVOKE_EFFECT: &str = "Programs that use this token are refused at once. This cannot be undone.";
pub const REVOKE_SUBMIT: &str = "Revoke token";

/// Days a token may be made for, shortest first.
pub const EXPIRY_DAYS: [u32; 4] = [7, 30, 90, 365];
/// Chosen at first.
pub const EXPIRY_DAYS_USUAL: u32 = 90;

pub fn days(days: u32) -> String {
    match days {
        365 => "After one year".to_owned(),
        days => format!("After {days} days"),
    }
}

pub fn per_minute(requests: u32) -> String {
    format!("{requests} per minute")
}

pub fn scope(scope: TokenScope) -> (&'static str, &'static str) {
    match scope {
        TokenScope::Analyze => ("Analyze", "Ask for analyses."),
        TokenScope::History => ("History", "Read and delete your history."),
        TokenScope::Status => ("Status", "Read how the service is doing."),
        TokenScope::Analytics => ("Analytics", "Read what was used."),
        TokenScope::Admin => ("Administration", "Everything under /api/admin."),
    }
}

/// A first call that works with one of these scopes.
pub fn first_call(scopes: &[TokenScope], token: &str) -> String {
    let call = |path: &str| format!("curl -s \"$KEYPOOL_URL{path}\" \\\n  -H \"Authorization: Bearer {token}\"");
    let first = scopes.first().copied().unwrap_or(TokenScope::Analyze);
    match first {
        TokenScope::Analyze => format!(
            "{} \\\n  -H \"Content-Type: application/json\" \\\n  -d '{{\"prompt\":\"Say hello in three languages.\"}}'",
            call("/api/ai-analysis/analyze")
        ),
        TokenScope::History => call("/api/ai-analysis/analyses"),
        TokenScope::Status => call("/api/ai-analysis/service-status"),
        TokenScope::Analytics | TokenScope::Admin => call("/api/admin/performance"),
    }
}

pub const CALL_HINT: &str = "KEYPOOL_URL is this server's address.";
