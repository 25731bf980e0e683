//! What the program says to the person at the terminal. A closed pipe is no reason to stop.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use serde_json::json;
use server::config::{Layers, Mistakes, SETTINGS, Setting};

pub(super) fn say(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

pub(super) fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Without a line's end, on stderr: what is printed may be piped on.
pub(super) fn ask(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// Every effective value with its source. Secrets show as `set`, and values at fault as `invalid`: what should have been an
/// address may be a password.
pub(super) fn settings(layers: &Layers, mistakes: Option<Mistakes>, as_json: bool) -> ExitCode {
    let mistakes = mistakes.unwrap_or_else(|| Mistakes(Vec::new()));
    let keys = layers
        .key_numbers()
        .into_iter()
        .map(|number| (format!("GOOGLE_AI_API_KEY_{number}"), true, "a provider key".to_owned()));
    let all = SETTINGS
        .iter()
        .map(|setting| (setting.name.to_owned(), setting.secret, meaning(setting)))
        .chain(keys);
    let rows: Vec<(String, String, String, String)> = all
        .map(|(name, secret, meaning)| match layers.find(&name) {
            Some((_, source)) if mistakes.name(&name) => (name, "invalid".to_owned(), source.to_string(), meaning),
            Some((_, source)) if secret => (name, "set".to_owned(), source.to_string(), meaning),
            Some((value, source)) => (name, value, source.to_string(), meaning),
            None => (name, "-".to_owned(), "not set".to_owned(), meaning),
        })
        .collect();
    if as_json {
        let rows: Vec<_> = rows.iter().map(|(name, value, source, meaning)| json!({ "name": name, "value": value, "source": source, "meaning": meaning })).collect();
        let mistakes: Vec<String> = mistakes.0.iter().map(ToString::to_string).collect();
        say(json!({ "settings": rows, "mistakes": mistakes }));
    } else {
        for (name, value, source, meaning) in &rows {
            say(format_args!("{name:<28} {value:<44} {source:<13} {meaning}"));
        }
    }
    if mistakes.0.is_empty() {
        return ExitCode::SUCCESS;
    }
    complain(mistakes);
    ExitCode::from(super::EXIT_CONFIG)
}

fn meaning(setting: &Setting) -> String {
    if setting.later {
        format!("{} (no effect in this version)", setting.meaning)
    } else {
        setting.meaning.to_owned()
    }
}
