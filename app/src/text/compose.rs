//! Words of the composer and of the answer below it.

use std::fmt::Write as _;

use super::{count as count_of, remaining, took};
use crate::error::ErrorCode;
use crate::types::{AnalysisResult, Phase, Progress};

pub const FORM: &str = "New analysis";
pub const KIND: &str = "Kind of analysis";
pub const TAB_TEXT: &str = "Text";
pub const TAB_IMAGE: &str = "Image";
pub const PROMPT: &str = "Prompt";
pub const PROMPT_PLACEHOLDER: &str = "What should be analysed? Paste a text, or ask about an image.";
pub const ANALYZE: &str = "Analyze";
pub const STOP: &str = "Stop";
pub const DROP_HINT: &str = "Drop images here, paste them, or choose files.";
pub const CHOOSE: &str = "Choose files";
pub const IMAGE_LIMITS: &str = "PNG, JPEG, WebP, HEIC or HEIF; at most 16 images, 20 MB together.";
pub const CHOSEN: &str = "Chosen images";
pub const OPTIONS: &str = "Model and options";
pub const MODEL: &str = "Model";
pub const MODEL_DEFAULT: &str = "Default";
pub const TEMPERATURE_LABEL: &str = "Temperature";
pub const TEMPERATURE_HINT: &str = "0 is matter-of-fact, 2 is free. Empty: the model's own.";
pub const TOKENS_LABEL: &str = "Longest answer";
pub const TOKENS_HINT: &str = "In tokens, from 1 to 65,536. Empty: the model's own.";
pub const SYSTEM: &str = "System text";
pub const SYSTEM_HINT: &str = "How the model should answer, such as a role or a language.";
pub const ANSWER: &str = "Answer";
pub const EMPTY: &str =
    "The answer appears here while it is written. Start with an example, or with a text of your own.";
pub const EXAMPLES: &str = "Examples";
pub const JUMP: &str = "Jump to latest";
pub const COPY: &str = "Copy";
pub const COPY_ID: &str = "Copy id";
pub const DOWNLOAD: &str = "Download .md";
pub const DOWNLOAD_JSON: &str = "Download .json";
pub const RETRY: &str = "Retry";
pub const TRY_AGAIN: &str = "Try again";
pub const RETRY_NOW: &str = "You can try again now.";
pub const STOPPED_WAITING: &str = "Stopped while waiting for a key";
pub const QUEUED_HINT: &str =
    "Every key is busy or resting. The request is sent by itself when one is free; Stop takes it out of the line.";
pub const EDIT: &str = "Edit";
pub const STORED: &str = "Open in history";
pub const CACHED: &str = "The same was asked before; this is the answer it got. No call was made.";
pub const FRESH: &str = "Run fresh";
pub const CUT: &str = "The answer ends early: it reached its longest length. Raise \"Longest answer\" for more.";
pub const INTERRUPTED: &str = "Interrupted";
pub const REQUEST_ID: &str = "Request id";
pub const SIGN_IN: &str = "Sign in";
pub const SENDING: &str = "Sending…";
pub const NOT_ANSWERED: &str = "Not answered";
pub const NOT_REACHED: &str = "Keypool could not be reached";
pub const UNREACHABLE: &str = "Keypool could not be reached. Check the network and try again.";
pub const SESSION_ENDED: &str = "The session has ended.";
pub const SIGNED_OUT: &str = "Your session has ended";
pub const SIGNED_OUT_HINT: &str = "Sign in again to go on. Your text is kept in this tab.";
pub const CONNECTION_HINT: &str =
    "The connection to Keypool broke. Check the network and try again. Your text is kept in this tab.";
pub const CHOOSE_AN_IMAGE: &str = "Choose an image first, or use the Text tab.";
pub const UNREADABLE: &str = "The file could not be read. Choose it again.";
pub const COPIED: &str = "Copied";
pub const NOT_COPIED: &str = "The browser did not allow copying.";
pub const TEMPERATURE: &str = "The temperature must be a number from 0 to 2.";
pub const OUTPUT_TOKENS: &str = "The longest answer must be a whole number of tokens from 1 to 65536.";

/// The server's own words where it sends them, ours where it does not.
pub fn progress(progress: &Progress) -> String {
    if !progress.message.is_empty() {
        return progress.message.clone();
    }
    match progress.phase {
        Phase::Queued => "Waiting for a key…".to_owned(),
        Phase::Trying => "Asking…".to_owned(),
        Phase::Switched => format!("Switched key, {} of {}", progress.attempt, progress.keys),
        Phase::Writing => "Writing…".to_owned(),
    }
}

/// Such as "Waiting for a key: 3rd in line, about 12 s". `passed_ms`: since the server said so; its estimate counts down.
pub fn queued(progress: &Progress, passed_ms: u64) -> String {
    let place = progress.position.map(|position| match position {
        0 | 1 => "next in line".to_owned(),
        position => format!("{} in line", ordinal(position)),
    });
    let wait = progress
        .estimate_ms
        .map(|estimate_ms| match estimate_ms.saturating_sub(passed_ms) {
            0 => "any moment now".to_owned(),
            left_ms => format!("about {}", remaining(left_ms)),
        });
    match (place, wait) {
        (None, None) => self::progress(progress),
        (Some(only), None) | (None, Some(only)) => format!("Waiting for a key: {only}"),
        (Some(place), Some(wait)) => format!("Waiting for a key: {place}, {wait}"),
    }
}

/// 1st, 2nd, 3rd, 11th, 22nd.
fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// Such as "Done in 4.1 s, 312 words, key 2".
pub fn done(result: &AnalysisResult) -> String {
    let mut line = if result.cached {
        match result.response_time_ms {
            0..100 => "From cache, under 0.1 s".to_owned(),
            ms => format!("From cache, {}", took(ms)),
        }
    } else {
        format!("Done in {}", took(result.response_time_ms))
    };
    let _ = write!(line, ", {}", count_words(result.text.split_whitespace().count()));
    if let (false, Some(last)) = (result.cached, result.attempts.last()) {
        let _ = write!(line, ", key {}", last.key_number);
    }
    line
}

pub fn stopped(words_so_far: usize) -> String {
    match words_so_far {
        0 => "Stopped".to_owned(),
        _ => format!("Stopped: the {} that came are kept", count_words(words_so_far)),
    }
}

pub fn interrupted(words_so_far: usize) -> String {
    format!("Interrupted: the {} that came are kept", count_words(words_so_far))
}

fn count_words(count: usize) -> String {
    if count == 1 {
        "1 word".to_owned()
    } else {
        format!("{} words", count_of(count as u64))
    }
}

/// Such as "1,234 of 100,000 characters".
pub fn character_count(chars: usize, max: usize) -> String {
    format!("{} of {} characters", count_of(chars as u64), count_of(max as u64))
}

/// Such as "12 KB" or "3.4 MB", in steps of 1024 as the limit is.
pub fn file_size(bytes: u64) -> String {
    const MB: u64 = 1024 * 1024;
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..MB => format!("{} KB", bytes.div_ceil(1024)),
        _ => format!("{}.{} MB", bytes / MB, bytes % MB * 10 / MB),
    }
}

pub fn file_empty(name: &str) -> String {
    format!("{name} is empty: choose another file.")
}

pub fn file_not_an_image(name: &str) -> String {
    format!("{name} is not an image that can be analysed: use PNG, JPEG, WebP, HEIC or HEIF.")
}

pub fn too_many_images(max: usize) -> String {
    format!("At most {max} images are taken at once.")
}

pub fn images_too_large(name: &str, together: u64) -> String {
    format!(
        "With {name} the images are {} together; at most 20 MB are taken. Send fewer or smaller ones.",
        file_size(together)
    )
}

/// Shown where an analysis with images is run again.
pub fn images_lost(count: u32) -> String {
    let (what, them) = if count == 1 {
        ("an image".to_owned(), "it")
    } else {
        (format!("{count} images"), "them")
    };
    format!("This analysis had {what}. Images are not kept: choose {them} again.")
}

/// Effect and next step beside an error, where its own sentence, made for programs, leaves them out.
pub fn what_next(code: ErrorCode, has_text: bool) -> Option<&'static str> {
    Some(match code {
        ErrorCode::QuotaExceeded => "No analysis is possible until then. Your text is kept in this tab.",
        ErrorCode::PartialQuota | ErrorCode::NoCapacity => {
            "Nothing was answered. Your text is kept: try again when a key is free."
        }
        ErrorCode::RateLimited => {
            "Nothing was sent to the provider. Your text is kept: try again when the time has passed."
        }
        ErrorCode::InvalidKeys | ErrorCode::NoKeys => {
            "No analysis is possible until an administrator has seen to the keys. Your text is kept in this tab."
        }
        ErrorCode::UpstreamUnavailable | ErrorCode::UpstreamBadResponse if !has_text => {
            "Neither your text nor a key is at fault. Your text is kept."
        }
        ErrorCode::UpstreamTimeout if !has_text => {
            "Your text is kept. A shorter text, or a lower \"Longest answer\", is answered sooner."
        }
        ErrorCode::Blocked => "The same text would be declined again. It is kept, ready to be changed.",
        _ => return None,
    })
}

/// For an answer without a reason of its own.
pub fn unexplained(status: u16) -> String {
    format!("The server answered with status {status}. Try again; if it stays, tell its administrator.")
}

/// Some of the API's texts begin with a sign; here an icon stands before them.
pub fn plain(warning: &str) -> String {
    let mut words = warning
        .trim_start_matches(|sign: char| !sign.is_ascii_alphanumeric())
        .to_owned();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

pub fn remove(name: &str) -> String {
    format!("Remove {name}")
}

/// `instant` is RFC 3339 in UTC.
pub fn reset_at(instant: &str) -> String {
    format!("The quota comes back on {}.", super::date_and_time(instant))
}

/// What is said beside an error that time heals. `left_ms` counts down.
pub fn retry_in(left_ms: u64) -> String {
    match left_ms {
        0 => RETRY_NOW.to_owned(),
        _ => format!("Possible in {}.", remaining(left_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::{character_count, file_size, queued};
    use crate::types::{Phase, Progress};

    #[track_caller]
    fn check_queued(position: Option<u32>, estimate_ms: Option<u64>, passed_ms: u64, line: &str) {
        let progress = Progress {
            phase: Phase::Queued,
            message: String::new(),
            attempt: 0,
            keys: 3,
            position,
            estimate_ms,
        };
        assert_eq!(queued(&progress, passed_ms), line);
    }

    #[test]
    fn a_place_in_the_queue_is_said_with_what_is_known() {
        check_queued(Some(3), Some(12_000), 0, "Waiting for a key: 3rd in line, about 12 s");
        check_queued(
            Some(3),
            Some(12_000),
            11_500,
            "Waiting for a key: 3rd in line, about 1 s",
        );
        check_queued(
            Some(1),
            Some(12_000),
            12_000,
            "Waiting for a key: next in line, any moment now",
        );
        check_queued(Some(2), None, 500, "Waiting for a key: 2nd in line");
        check_queued(None, Some(95_000), 0, "Waiting for a key: about 1 min");
        check_queued(None, None, 0, "Waiting for a key…");
        for (position, word) in [
            (11, "11th"),
            (12, "12th"),
            (13, "13th"),
            (21, "21st"),
            (102, "102nd"),
            (113, "113th"),
        ] {
            check_queued(Some(position), None, 0, &format!("Waiting for a key: {word} in line"));
        }
    }

    #[test]
    fn a_warning_loses_only_its_sign() {
        assert_eq!(
            super::plain("answered by gemini-2.5-flash-lite"),
            "Answered by gemini-2.5-flash-lite"
        );
        assert_eq!(
            super::plain("\u{26a0}\u{fe0f} PARTIAL QUOTA EXCEEDED: 1 of 3"),
            "PARTIAL QUOTA EXCEEDED: 1 of 3"
        );
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(character_count(1_234, 100_000), "1,234 of 100,000 characters");
        assert_eq!(character_count(0, 100_000), "0 of 100,000 characters");
        assert_eq!(file_size(900), "900 bytes");
        assert_eq!(file_size(1_025), "2 KB");
        assert_eq!(file_size(20 * 1024 * 1024), "20.0 MB");
    }
}
