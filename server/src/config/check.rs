use std::fmt;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::SecretString;

use super::layers::Layers;
use super::settings::{self, KEY_PREFIX, SETTINGS};
use super::{Config, FirstAdmin, LogFormat};
use crate::accounts::{Email, Password, TokenSigner};
use crate::keyring::{MasterKey, ProviderKey};

/// No settings, but names that our documents, pages and browser tests use.
const NEIGHBOURS: [&str; 3] = ["KEYPOOL_URL", "KEYPOOL_TOKEN", "KEYPOOL_CHROMIUM"];

/// Everything wrong with the settings, a line each, no value in any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The settings have {} mistake(s):", self.0.len())?;
        self.0.iter().try_for_each(|mistake| writeln!(f, "  - {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

/// Checks all settings and returns them, or all that is wrong with them.
///
/// # Errors
/// [`Mistakes`], complete.
pub fn check(layers: &Layers) -> Result<Config, Mistakes> {
    let mut checker = Checker {
        layers,
        mistakes: layers.mistakes.clone(),
    };
    checker.unknown_names();
    checker.secret_files();
    let config = Config {
        host: checker
            .parse("HOST", "must be an IP address such as 127.0.0.1")
            .unwrap_or(std::net::Ipv4Addr::LOCALHOST.into()),
        port: checker
            .parse("PORT", "must be a port from 0 to 65535")
            .unwrap_or_default(),
        data_dir: PathBuf::from(checker.text("DATA_DIR")),
        site_dir: PathBuf::from(checker.text("SITE_DIR")),
        jwt_secret: checker.jwt_secret(),
        master_key: checker.master_key(),
        environment_keys: checker.environment_keys(),
        gemini_base_url: checker.base_url(),
        text_model: checker.model("GEMINI_MODEL"),
        vision_model: checker.model("GEMINI_VISION_MODEL"),
        first_admin: checker.first_admin(),
        registration_open: checker.choice("KEYPOOL_REGISTRATION", &[("open", true), ("closed", false)]),
        strategy: checker.choice(
            "KEYPOOL_STRATEGY",
            &[
                ("headroom", pool::Strategy::Headroom),
                ("sticky", pool::Strategy::Sticky),
            ],
        ),
        log_level: checker.log_level(),
        log_format: checker.log_format(),
        analytics: checker.choice("ENABLE_ANALYTICS", &[("true", true), ("false", false)]),
        production: checker.given("NODE_ENV").is_some_and(|value| value == "production"),
        unused: SETTINGS
            .iter()
            .filter(|s| s.later && layers.find(s.name).is_some())
            .map(|s| s.name)
            .collect(),
    };
    if checker.mistakes.is_empty() {
        Ok(config)
    } else {
        Err(Mistakes(checker.mistakes))
    }
}

struct Checker<'a> {
    layers: &'a Layers,
    mistakes: Vec<String>,
}

impl Checker<'_> {
    fn given(&self, name: &str) -> Option<String> {
        self.layers.find(name).map(|(value, _)| value)
    }

    fn text(&self, name: &str) -> String {
        self.given(name).unwrap_or_default()
    }

    fn mistake(&mut self, name: &str, what: impl fmt::Display) {
        self.mistakes.push(format!("{name}: {what}"));
    }

    fn parse<T: FromStr>(&mut self, name: &str, must: &str) -> Option<T> {
        let parsed = self.text(name).parse().ok();
        if parsed.is_none() {
            self.mistake(name, must);
        }
        parsed
    }

    fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> T {
        let given = self.text(name).to_ascii_lowercase();
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == given) {
            return *value;
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.mistake(name, format!("must be {}", words.join(" or ")));
        choices[0].1
    }

    /// A name that is nearly one of ours is a mistake that would otherwise be silent.
    fn unknown_names(&mut self) {
        let mut unknown = Vec::new();
        for name in self.layers.file.keys().chain(self.layers.flags.keys()) {
            if !is_known(name) {
                unknown.push(format!("{name}: is no setting{}", hint(name)));
            }
        }
        let foreign = |name: &&String| !is_known(name) && !NEIGHBOURS.contains(&name.as_str());
        for name in self.layers.environment.keys().filter(foreign) {
            let ours = name.starts_with("KEYPOOL_") || name.starts_with("GOOGLE_AI_");
            let near = nearest(name);
            if ours || near.is_some() {
                unknown.push(format!("{name}: is no setting{}", hint(name)));
            }
        }
        self.mistakes.extend(unknown);
    }

    fn secret_files(&mut self) {
        let mut unreadable = Vec::new();
        for layer in [&self.layers.flags, &self.layers.environment, &self.layers.file] {
            for (name, path) in layer
                .iter()
                .filter(|(name, _)| name.ends_with("_FILE") && is_known(name))
            {
                if !path.trim().is_empty() && std::fs::read_to_string(path.trim()).is_err() {
                    unreadable.push(format!("{name}: names a file that cannot be read"));
                }
            }
        }
        self.mistakes.extend(unreadable);
    }

    fn jwt_secret(&mut self) -> Option<SecretString> {
        let value = self.given("JWT_SECRET")?;
        let value = SecretString::from(value);
        if let Err(weak) = TokenSigner::new(&value) {
            self.mistakes.push(weak.to_string());
        }
        Some(value)
    }

    fn master_key(&mut self) -> Option<SecretString> {
        let value = SecretString::from(self.given("KEYPOOL_MASTER_KEY")?);
        if let Err(error) = MasterKey::parse(&value) {
            self.mistake("KEYPOOL_MASTER_KEY", error);
        }
        Some(value)
    }

    fn environment_keys(&mut self) -> Vec<(u32, SecretString)> {
        let mut keys: Vec<(u32, String)> = Vec::new();
        for number in self.layers.key_numbers() {
            let name = format!("{KEY_PREFIX}{number}");
            let Some(value) = self.given(&name) else { continue };
            if number == 0 {
                self.mistake(&name, "keys are numbered from 1");
                continue;
            }
            if value.starts_with(['"', '\'']) || value.ends_with(['"', '\'']) {
                self.mistake(&name, "has quotation marks around it: remove them");
                continue;
            }
            if let Err(reason) = ProviderKey::parse(&value) {
                self.mistake(&name, reason);
                continue;
            }
            if let Some((other, _)) = keys.iter().find(|(_, known)| *known == value) {
                let other = *other;
                self.mistake(&name, format!("is the same key as {KEY_PREFIX}{other}: remove one"));
                continue;
            }
            keys.push((number, value));
        }
        keys.into_iter().map(|(number, value)| (number, value.into())).collect()
    }

    fn base_url(&mut self) -> String {
        let value = self.text("GOOGLE_AI_BASE_URL").trim_end_matches('/').to_owned();
        let parsed = reqwest::Url::parse(&value);
        if !parsed.is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host().is_some()
                && url.query().is_none()
                && url.username().is_empty()
        }) {
            self.mistake(
                "GOOGLE_AI_BASE_URL",
                "must be an http or https address without user name and query",
            );
        }
        value
    }

    fn model(&mut self, name: &str) -> String {
        let value = self.text(name);
        if !app::types::is_model_name(&value) {
            self.mistake(name, "must be a model's name such as gemini-2.5-flash");
        }
        value
    }

    fn first_admin(&mut self) -> Option<FirstAdmin> {
        match (self.given("KEYPOOL_ADMIN_EMAIL"), self.given("KEYPOOL_ADMIN_PASSWORD")) {
            (Some(email), Some(password)) => {
                match Email::parse(&email) {
                    Err(error) => self.mistake("KEYPOOL_ADMIN_EMAIL", error.message),
                    Ok(parsed) => {
                        if let Err(error) = Password::parse(&password, &parsed) {
                            self.mistake("KEYPOOL_ADMIN_PASSWORD", error.message);
                        }
                    }
                }
                Some(FirstAdmin {
                    email,
                    password: password.into(),
                })
            }
            (None, None) => None,
            (Some(_), None) => {
                self.mistake("KEYPOOL_ADMIN_PASSWORD", "is missing beside KEYPOOL_ADMIN_EMAIL");
                None
            }
            (None, Some(_)) => {
                self.mistake("KEYPOOL_ADMIN_EMAIL", "is missing beside KEYPOOL_ADMIN_PASSWORD");
                None
            }
        }
    }

    fn log_level(&mut self) -> String {
        let value = self.text("LOG_LEVEL");
        if tracing_subscriber::EnvFilter::builder().parse(&value).is_err() {
            self.mistake(
                "LOG_LEVEL",
                "must be error, warn, info, debug, trace or a filter such as keypool=debug",
            );
        }
        value
    }

    fn log_format(&mut self) -> LogFormat {
        match self.given("LOG_FORMAT") {
            None if std::io::stderr().is_terminal() => LogFormat::Pretty,
            None => LogFormat::Json,
            Some(_) => self.choice(
                "LOG_FORMAT",
                &[("pretty", LogFormat::Pretty), ("json", LogFormat::Json)],
            ),
        }
    }
}

fn is_known(name: &str) -> bool {
    let base = name.strip_suffix("_FILE").unwrap_or(name);
    settings::find(name).is_some()
        || settings::find(base).is_some_and(|setting| setting.secret)
        || base.strip_prefix(KEY_PREFIX).is_some_and(|n| n.parse::<u32>().is_ok())
}

fn hint(name: &str) -> String {
    if name.starts_with("GOOGLE_AI_API_KEY") {
        return format!("; keys are {KEY_PREFIX}1, {KEY_PREFIX}2 and so on");
    }
    nearest(name)
        .map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default()
}

/// The setting that differs by one or two typed characters; short names must be nearer.
fn nearest(name: &str) -> Option<&'static str> {
    let near = |setting: &&super::Setting| {
        let allowed = if setting.name.len() >= 9 {
            2
        } else {
            usize::from(setting.name.len() >= 6)
        };
        distance(name, setting.name) <= allowed
    };
    SETTINGS.iter().find(near).map(|setting| setting.name)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let above = *cell;
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
