//! Every setting as it is in effect, with where it came from and without the values of secrets.

use super::layers::{Layers, Source};
use super::settings::{KEY_PREFIX, SETTINGS};

/// One setting in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    pub name: String,
    /// Absent when it is not set, has no default, or is a secret.
    pub value: Option<String>,
    /// Absent when it is not set and has no default.
    pub source: Option<Source>,
    pub secret: bool,
    pub meaning: &'static str,
}

impl Effective {
    /// Whether somebody gave it a value.
    pub fn is_set(&self) -> bool {
        self.source.is_some_and(|source| source != Source::Default)
    }
}

/// All of [`SETTINGS`], then the numbered keys. Without any key the first one is there, not set.
pub fn effective(layers: &Layers) -> Vec<Effective> {
    let settings = SETTINGS
        .iter()
        .map(|setting| read(layers, setting.name.to_owned(), setting.secret, setting.meaning));
    let mut numbers = layers.key_numbers();
    if numbers.is_empty() {
        numbers.push(1);
    }
    let keys = numbers
        .into_iter()
        .map(|number| read(layers, format!("{KEY_PREFIX}{number}"), true, "a provider key"));
    settings.chain(keys).collect()
}

/// The value in effect, whatever is wrong with it, of a setting that is no secret.
pub fn plain_value(effective: &[Effective], name: &str) -> Option<String> {
    let found = effective.iter().find(|setting| setting.name == name);
    found.and_then(|setting| setting.value.clone())
}

fn read(layers: &Layers, name: String, secret: bool, meaning: &'static str) -> Effective {
    let found = layers.find(&name);
    let source = found.as_ref().map(|(_, source)| *source);
    let value = found.map(|(value, _)| value).filter(|_| !secret);
    Effective {
        name,
        value,
        source,
        secret,
        meaning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(environment: &[(&str, &str)]) -> Layers {
        let pairs = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Layers {
            environment: pairs.collect(),
            ..Layers::default()
        }
    }

    fn check(environment: &[(&str, &str)], name: &str, value: Option<&str>, source: Option<Source>) {
        let all = effective(&layers(environment));
        let found = all.iter().find(|setting| setting.name == name);
        let found = found.unwrap_or_else(|| panic!("{name} is not among the settings"));
        assert_eq!((found.value.as_deref(), found.source), (value, source), "{name}");
    }

    #[test]
    fn a_setting_has_its_value_and_a_secret_only_its_source() {
        check(&[("PORT", "8080")], "PORT", Some("8080"), Some(Source::Environment));
        check(&[], "PORT", Some("5000"), Some(Source::Default));
        check(&[], "GEMINI_FALLBACK_MODELS", None, None);
        check(
            &[("JWT_SECRET", "canary")],
            "JWT_SECRET",
            None,
            Some(Source::Environment),
        );
        check(
            &[("GOOGLE_AI_API_KEY_4", "canary")],
            "GOOGLE_AI_API_KEY_4",
            None,
            Some(Source::Environment),
        );
    }

    #[test]
    fn without_a_key_the_first_one_is_missing() {
        check(&[], "GOOGLE_AI_API_KEY_1", None, None);
        let all = effective(&layers(&[("GOOGLE_AI_API_KEY_4", "canary")]));
        assert!(!all.iter().any(|setting| setting.name == "GOOGLE_AI_API_KEY_1"));
    }
}
