//! What the program says to the person at the terminal. A closed pipe is no reason to stop.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use serde_json::json;
use server::config::{Layers, Mistakes, SETTINGS};

pub(super) fn say(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

pub(super) fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Every effective value with its source; secrets as `set`.
pub(super) fn settings(layers: &Layers, mistakes: Option<Mistakes>, as_json: bool) -> ExitCode {
    let keys = layers
        .key_numbers()
        .into_iter()
        .map(|number| (format!("GOOGLE_AI_API_KEY_{number}"), true, "a provider key"));
    let all = SETTINGS
        .iter()
        .map(|setting| (setting.name.to_owned(), setting.secret, setting.meaning))
        .chain(keys);
    let rows: Vec<(String, String, String, &str)> = all
        .map(|(name, secret, meaning)| match layers.find(&name) {
            Some((_, source)) if secret => (name, "set".to_owned(), source.to_string(), meaning),
            Some((value, source)) => (name, value, source.to_string(), meaning),
            None => (name, "-".to_owned(), "not set".to_owned(), meaning),
        })
        .collect();
    let mistakes = mistakes.map(|mistakes| mistakes.0).unwrap_or_default();
    if as_json {
        let rows: Vec<_> = rows.iter().map(|(name, value, source, meaning)| json!({ "name": name, "value": value, "source": source, "meaning": meaning })).collect();
        say(json!({ "settings": rows, "mistakes": mistakes }));
    } else {
        for (name, value, source, meaning) in &rows {
            say(format_args!("{name:<28} {value:<44} {source:<13} {meaning}"));
        }
    }
    if mistakes.is_empty() {
        return ExitCode::SUCCESS;
    }
    complain(Mistakes(mistakes));
    ExitCode::from(super::EXIT_CONFIG)
}
