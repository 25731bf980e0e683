//! Everything the pages say, in one place: plain words, cause, effect and next step. Ready to be translated.

pub mod account;
pub mod alerts;
pub mod audit;
pub mod charts;
pub mod compose;
pub mod doctor;
pub mod done;
pub mod history_actions;
pub mod live;
pub mod outage;
pub mod refusal;
pub mod tokens;
pub mod usage;
pub mod users;

use crate::types::{AnalysisState, CellState, Kind, Level, Role};

pub const PRODUCT: &str = "Keypool";
pub const SKIP_TO_CONTENT: &str = "Skip to content";
pub const NOTICE: &str = "Notice";
pub const SIMULATED: &str = "Simulated answers: a simulator stands in for the provider, no text comes from a real model. Usage of the days before is made up.";
pub const NEVER: &str = "—";

/// Prompts to start from; `/?example=n` puts the n-th into the composer.
pub const EXAMPLES: [&str; 3] = [
    "Summarise this text in five bullet points and name what it leaves open:\n\n",
    "Find the three strongest and the three weakest arguments in this text. Quote the sentence for each:\n\n",
    "List every date, amount and name in this text as a table with the columns kind, value, context:\n\n",
];

/// What the example is called on its button.
pub const EXAMPLE_NAMES: [&str; 3] = ["Summarise a text", "Weigh its arguments", "Pull out the facts"];

pub mod nav {
    pub const LABEL: &str = "Main";
    pub const USE: &str = "Use";
    pub const ANALYZE: &str = "Analyze";
    pub const HISTORY: &str = "History";
    pub const STATUS: &str = "Status";
    pub const OPERATE: &str = "Operate";
    pub const MORE: &str = "More";
    pub const OVERVIEW: &str = "Overview";
    pub const ANALYTICS: &str = "Analytics";
    pub const REQUESTS: &str = "Requests";
    pub const USERS: &str = "Users";
    pub const ALERTS: &str = "Alerts";
    pub const AUDIT: &str = "Audit";
    pub const DOCTOR: &str = "Doctor";
    pub const ACCOUNT: &str = "Account";
    pub const YOUR_ACCOUNT: &str = "Your account";
    pub const TOKENS: &str = "API tokens";
    pub const SIGN_OUT: &str = "Sign out";
    pub const SIGN_IN: &str = "Sign in";
    pub const THEME: &str = "Theme";
    pub const THEME_SYSTEM: &str = "System";
    pub const THEME_LIGHT: &str = "Light";
    pub const THEME_DARK: &str = "Dark";
}

pub mod sign_in {
    pub const TITLE: &str = "Sign in";
    pub const EMAIL: &str = "E-mail";
    pub const PASSWORD: &str = "Password";
    pub const SUBMIT: &str = "Sign in";
    pub const NO_ACCOUNT: &str = "No account yet?";
    pub const REGISTER: &str = "Create one";
    pub const REFUSED: &str = "You are not signed in";
    pub const DEMO_TITLE: &str = "Demo accounts";
    pub const DEMO_HINT: &str = "This is a demo: anyone may use these accounts. Nothing you enter here is private.";

    pub fn demo_button(role: &str) -> String {
        format!("Sign in as {role}")
    }
}

pub mod register {
    pub const TITLE: &str = "Create an account";
    pub const NAME: &str = "Name";
    pub const SUBMIT: &str = "Create account";
    pub const HAVE_ACCOUNT: &str = "Already have an account?";
    pub const REFUSED: &str = "The account was not created";
    pub const PASSWORD_HINT: &str =
        "At least 12 characters. A few unrelated words are easy to remember and hard to guess.";
    pub const INVITED_TITLE: &str = "An invitation is needed";
    pub const INVITED: &str =
        "Accounts on this server are made by invitation. Ask an administrator for one, then open the link you get.";
    pub const CLOSED_TITLE: &str = "Registration is closed";
    pub const CLOSED: &str = "Accounts on this server are made by its administrator. Ask there for yours.";
}

pub mod set_up {
    pub const TITLE: &str = "Set up Keypool";
    pub const STEPS: [&str; 3] = ["Administrator", "First key", "Done"];
    pub const STEP_DONE: &str = " (done)";
    pub const FAILED: &str = "The set-up cannot be read just now";
    pub const STEPS_LABEL: &str = "Steps of the set-up";
    pub const ADMIN_TITLE: &str = "Create the administrator";
    pub const ADMIN_HINT: &str = "This account manages keys and people. The link that brought you here works once.";
    pub const ADMIN_SUBMIT: &str = "Create administrator";
    pub const ADMIN_REFUSED: &str = "The administrator was not created";
    pub const NO_TOKEN_TITLE: &str = "A set-up link is needed";
    pub const NO_TOKEN: &str = "The server prints a one-time link when it starts without an administrator. Open that link here. \
        It is valid for 30 minutes; restart the server for a new one.";
    pub const OLD_LINK_TITLE: &str = "This set-up link does not work any more";
    pub const OLD_LINK: &str =
        "It was used, is older than 30 minutes, or is not complete. Restart the server for a new one.";
    pub const HAS_ADMIN_TITLE: &str = "Already set up";
    pub const HAS_ADMIN: &str = "This server has an administrator. Sign in to go on.";
    pub const KEY_TITLE: &str = "Add the first key";
    pub const KEY_HINT: &str = "A Google AI API key from AI Studio. It is tested with one small call before it is saved, and stored encrypted.";
    pub const KEY: &str = "API key";
    pub const KEY_FORMAT: &str =
        "Keys begin with AQ. or, older ones, with AIza. Any other is taken too if the provider accepts it.";
    pub const KEY_LABEL: &str = "Name (optional)";
    pub const KEY_LABEL_HINT: &str = "How you will know it again, such as the project it belongs to.";
    pub const KEY_SUBMIT: &str = "Test and save";
    pub const KEY_REFUSED: &str = "The key was not saved";
    pub const DONE_TITLE: &str = "Ready";
    pub const DONE: &str = "Keypool has a key and can answer. Try it here, or call it from your own program:";
    pub const DONE_LINK: &str = "Analyze something";
    pub const COPY_CALL: &str = "Copy call";
    pub const CALL: &str = "curl -s \"$KEYPOOL_URL/api/ai-analysis/analyze\" \\\n  -H \"Authorization: Bearer $KEYPOOL_TOKEN\" \\\n  \
        -H \"Content-Type: application/json\" \\\n  -d '{\"prompt\":\"Say hello in three languages.\"}'";
    pub const CALL_LABEL: &str = "Call with curl";
    pub const CALL_HINT: &str =
        "KEYPOOL_URL is this server's address, KEYPOOL_TOKEN the accessToken that POST /api/auth/login answers.";
}

pub mod analyze {
    pub const TITLE: &str = "Analyze";
    pub const RECENT: &str = "Recent analyses";
    pub const RECENT_ALL: &str = "All analyses";
    pub const RECENT_EMPTY: &str = "What you analyse is kept here.";
    pub const RECENT_FAILED: &str = "Your recent analyses cannot be read just now. Analysing still works.";
    pub const NOT_SET_UP_TITLE: &str = "Not set up yet";
    pub const NOT_SET_UP_USER: &str = "No provider key is configured, so nothing can be analysed yet. An administrator has to add one; this page then works at once.";
    pub const NOT_SET_UP_ADMIN: &str =
        "No provider key is configured, so nothing can be analysed yet. Add the first one to start.";
    pub const NOT_SET_UP_ACTION: &str = "Add the first key";
    pub const AGAIN_GONE: &str = "The analysis to run again was not found. You can start a new one here.";
}

pub mod history {
    pub const TITLE: &str = "History";
    pub const EMPTY_TITLE: &str = "Nothing analysed yet";
    pub const EMPTY: &str = "Every analysis is kept here with its answer, until you delete it.";
    pub const EMPTY_ACTION: &str = "Analyze something";
    pub const OFF_TITLE: &str = "This server keeps no history";
    pub const OFF: &str =
        "Prompts and answers are not stored. For ten minutes an answer can be read again on the page that showed it.";
    pub const FAILED: &str = "The history cannot be read just now";
    pub const NEXT: &str = "Older";
    pub const FIRST: &str = "Newest";
    pub const PAGES: &str = "Pages of the history";
    pub const PROMPT: &str = "Prompt";
    pub const TIME: &str = "Time (UTC)";
    pub const STATE: &str = "State";
    pub const MODEL: &str = "Model";
    pub const DURATION: &str = "Took";
    pub const ACTIONS: &str = "Actions";
}

pub mod analysis {
    pub const TITLE: &str = "Analysis";
    pub const PROMPT: &str = "Prompt";
    pub const SYSTEM: &str = "System text";
    pub const ANSWER: &str = "Answer";
    pub const NO_ANSWER: &str = "No text came.";
    pub const ATTEMPTS: &str = "Calls to the provider";
    pub const ATTEMPTS_CACHED: &str = "No call was made: the same had been asked before, and its answer was kept.";
    pub const ATTEMPTS_NONE: &str = "No call was made: no key was free.";
    pub const CACHED: &str = "From cache";
    pub const FACTS: &str = "Facts";
    pub const RUN_AGAIN: &str = "Run again";
    pub const BACK: &str = "History";
    pub const COPY_ANSWER: &str = "Copy answer";
    pub const COPY_ID: &str = "Copy id";
    pub const FAILED: &str = "The analysis cannot be read just now";
    pub const MODEL: &str = "Model";
    pub const TOKENS: &str = "Tokens";
    pub const FINISH: &str = "Ended with";
    pub const ID: &str = "Id";
    pub const CALL: &str = "Call";
    pub const OUTCOME: &str = "Outcome";
    pub const TOOK: &str = "Took";
    pub const WHEN: &str = "Share of the whole time";

    pub fn call(number: usize, key_number: u32) -> String {
        format!("{number}. Key {key_number}")
    }

    pub fn tokens(prompt: u64, output: u64, total: u64) -> String {
        let [prompt, output, total] = [prompt, output, total].map(super::count);
        format!("{total} ({prompt} prompt, {output} output)")
    }

    pub fn images(count: u32) -> String {
        match count {
            1 => "1 image was sent. Images are not kept: to run this again, choose it again.".to_owned(),
            count => {
                format!("{count} images were sent. Images are not kept: to run this again, choose them again.")
            }
        }
    }

    pub fn words(text: &str) -> String {
        match text.split_whitespace().count() {
            1 => "1 word".to_owned(),
            count => format!("{count} words"),
        }
    }
}

pub mod status {
    pub const TITLE: &str = "Status";
}

pub mod error {
    pub const BACK: &str = "To the start page";
    pub const RETRY: &str = "Try again";
    pub const REQUEST_ID: &str = "Request id";

    pub fn wait(seconds: u64) -> String {
        format!(
            "You can try again in {}.",
            super::remaining(seconds.saturating_mul(1_000))
        )
    }

    /// Title and explanation of an error page.
    pub fn page(code: u16) -> (&'static str, &'static str) {
        match code {
            403 => (
                "Not allowed",
                "Your account may not open this page. An administrator can change that.",
            ),
            404 => (
                "Page not found",
                "There is nothing at this address. It may have been deleted, or the address has a typing error.",
            ),
            413 => (
                "Too large",
                "What was sent is larger than this server takes. Send less at once.",
            ),
            429 => ("Too many requests", "Wait a moment, then try again."),
            400..500 => (
                "That did not work",
                "The request could not be understood. Go back, load the page again and repeat it.",
            ),
            _ => (
                "Something went wrong",
                "The fault is on our side. Try again; if it stays, report the request id below.",
            ),
        }
    }
}

/// The service's state in one word.
pub fn level(level: Level) -> &'static str {
    match level {
        Level::Operational => "Operational",
        Level::Degraded => "Degraded",
        Level::PartialOutage => "Partial outage",
        Level::MajorOutage => "Major outage",
    }
}

pub fn cell_state(state: CellState) -> &'static str {
    match state {
        CellState::Available => "Available",
        CellState::Trial => "Next call is a trial",
        CellState::Busy => "Busy for a moment",
        CellState::CoolingDown => "Cooling down",
        CellState::QuotaReached => "Quota reached",
        CellState::NotEntitled => "Not on this plan",
    }
}

pub fn analysis_state(state: AnalysisState) -> &'static str {
    match state {
        AnalysisState::Complete => "Complete",
        AnalysisState::Interrupted => "Interrupted",
        AnalysisState::Failed => "Failed",
        AnalysisState::Stopped => "Stopped",
    }
}

pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "Text",
        Kind::Image => "Image",
    }
}

pub fn role(role: Role) -> &'static str {
    match role {
        Role::User => "User",
        Role::Viewer => "Viewer",
        Role::Admin => "Administrator",
    }
}

/// "1 of 3 keys available".
pub fn capacity(healthy: u32, total: u32) -> String {
    match total {
        0 => "No key configured".to_owned(),
        1 => format!("{healthy} of 1 key available"),
        _ => format!("{healthy} of {total} keys available"),
    }
}

/// An outcome's name for people: `day_quota` becomes "Day quota".
pub fn outcome(name: &str) -> String {
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// 840 ms, 4.1 s, 2 min 5 s.
pub fn took(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// How long something still lasts, coarse enough to be read aloud: 46 s, 12 min, 4 h 12 min, 2 d 3 h.
pub fn remaining(ms: u64) -> String {
    let seconds = ms.div_ceil(1_000);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min"),
        3_600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// "24 Nov 2026 at 08:00 UTC" for "2026-11-24T08:00:12Z"; anything else is given back as it is.
pub fn date_and_time(instant: &str) -> String {
    day(instant).map_or_else(
        || instant.to_owned(),
        |day| format!("{day} at {}", live::clock(instant)),
    )
}

/// "24 Nov 2026" of an instant in RFC 3339.
pub fn day(instant: &str) -> Option<String> {
    let (date, _) = instant.split_once('T')?;
    let mut date = date.splitn(3, '-');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
    let day: u8 = day.parse().ok()?;
    Some(format!("{day} {month} {year}"))
}

/// Of which zone the times on a page are.
pub fn times_in(zone: &str) -> String {
    format!("Times in {zone}")
}

/// 18204 becomes 18,204.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_coarse_as_they_are_long() {
        assert_eq!(took(0), "0 ms");
        assert_eq!(took(999), "999 ms");
        assert_eq!(took(4_149), "4.1 s");
        assert_eq!(took(125_900), "2 min 5 s");
        assert_eq!(remaining(45_001), "46 s");
        assert_eq!(remaining(60_000), "1 min");
        assert_eq!(remaining(15_120_000), "4 h 12 min");
        assert_eq!(remaining(183_600_000), "2 d 3 h");
    }

    #[test]
    fn an_instant_is_said_in_words_with_its_zone() {
        assert_eq!(date_and_time("2026-11-04T08:00:12.5Z"), "4 Nov 2026 at 08:00 UTC");
        assert_eq!(date_and_time("tomorrow"), "tomorrow");
        assert_eq!(date_and_time("2026-13-04T08:00:12Z"), "2026-13-04T08:00:12Z");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(18_204), "18,204");
        assert_eq!(count(1_000_000), "1,000,000");
    }

    #[test]
    fn an_outcome_reads_as_words() {
        assert_eq!(outcome("day_quota"), "Day quota");
        assert_eq!(outcome(""), "");
        assert_eq!(outcome("überlastet"), "überlastet");
    }
}
