mod access;
mod telling;

use std::fmt;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

use super::layers::{Layers, Source};
use super::names::{hint, is_known, is_misspelt};
use super::settings::{KEY_PREFIX, SETTINGS};
use super::{
    CacheBounds, Config, FirstAdmin, LogFormat, ModelLimits, QueueBounds, amounts, effective, later, log_filter,
};
use crate::accounts::Password;
use crate::email::Email;
use crate::keyring::ProviderKey;
use crate::provider::is_base_url;
use crate::store::MongoAddress;

/// One thing that is wrong, without the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The name of a setting, or the path of a file.
    pub about: String,
    pub what: String,
}

impl Mistake {
    pub(super) fn new(about: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self {
            about: about.to_string(),
            what: what.to_string(),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, self.what)
    }
}

/// Everything wrong with the settings, a line each, no value in any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// Whether the setting, or the file that its value should come from, is at fault.
    pub fn name(&self, setting: &str) -> bool {
        self.0
            .iter()
            .any(|mistake| mistake.about.strip_suffix("_FILE").unwrap_or(&mistake.about) == setting)
    }
}

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
        mongo: checker.mongo(),
        site_dir: PathBuf::from(checker.text("SITE_DIR")),
        jwt_secret: checker.jwt_secret("JWT_SECRET"),
        jwt_secret_previous: checker.jwt_secret("JWT_SECRET_PREVIOUS"),
        master_key: checker.master_key("KEYPOOL_MASTER_KEY"),
        master_key_previous: checker.previous_master_key(),
        environment_keys: checker.environment_keys(),
        gemini_base_url: checker.base_url(),
        text_model: checker.model("GEMINI_MODEL"),
        vision_model: checker.model("GEMINI_VISION_MODEL"),
        first_admin: checker.first_admin(),
        registration: checker.registration(),
        history: checker.history(),
        rate_limit: checker.rate_limit(),
        connections: checker.connections(),
        trusted_proxies: checker.networks("TRUSTED_PROXIES"),
        cors_origins: checker.cors_origins(),
        endpoint_networks: checker.networks("ENDPOINT_ALLOWED_NETWORKS"),
        strategy: checker.choice(
            "KEYPOOL_STRATEGY",
            &pool::Strategy::ALL.map(|strategy| (strategy.name(), strategy)),
        ),
        limits: checker.limits(),
        pace: checker.pace(),
        queue: QueueBounds {
            waiting_max: usize::try_from(checker.whole("QUEUE_MAX")).unwrap_or(usize::MAX),
            wait_max: checker.duration("QUEUE_WAIT_MAX"),
        },
        cache: CacheBounds {
            entries_max: checker.whole("CACHE_MAX_ENTRIES"),
            ttl: checker.duration("CACHE_TTL"),
        },
        fallback_models: checker.fallback_models(),
        webhook: checker.webhook(),
        mail: checker.mail(),
        chat: checker.chat(),
        log_filter: checker.log_filter(),
        log_format: checker.log_format(),
        analytics: checker.analytics(),
        production: checker.given("NODE_ENV").is_some_and(|value| value == "production"),
        unused: checker.later(),
        effective: effective(layers),
    };
    if checker.mistakes.is_empty() {
        Ok(config)
    } else {
        Err(Mistakes(checker.mistakes))
    }
}

struct Checker<'a> {
    layers: &'a Layers,
    mistakes: Vec<Mistake>,
}

impl Checker<'_> {
    fn given(&self, name: &str) -> Option<String> {
        self.layers.find(name).map(|(value, _)| value)
    }

    fn text(&self, name: &str) -> String {
        self.given(name).unwrap_or_default()
    }

    fn mistake(&mut self, name: &str, what: impl fmt::Display) {
        self.mistakes.push(Mistake::new(name, what));
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

    fn whole(&mut self, name: &str) -> u64 {
        amounts::whole(&self.text(name)).unwrap_or_else(|| {
            self.mistake(name, "must be a whole number");
            0
        })
    }

    fn duration(&mut self, name: &str) -> Duration {
        amounts::duration(&self.text(name)).unwrap_or_else(|| {
            self.mistake(name, "must be a duration such as 500ms, 30s, 15m, 1h or 90d");
            Duration::ZERO
        })
    }

    fn pace(&mut self) -> Option<pool::Pace> {
        amounts::pace(&self.text("UPSTREAM_RPS")).unwrap_or_else(|| {
            self.mistake("UPSTREAM_RPS", "must be a number from 0 to 10000");
            None
        })
    }

    fn limits(&mut self) -> Vec<ModelLimits> {
        amounts::limits(&self.text("KEYPOOL_LIMITS")).unwrap_or_else(|fault| {
            self.mistake(
                "KEYPOOL_LIMITS",
                format_args!(
                    "must be entries such as `gemini-2.5-flash free rpm=10 tpm=250000 rpd=250`, separated by `;`: {fault}"
                ),
            );
            Vec::new()
        })
    }

    fn fallback_models(&mut self) -> Vec<String> {
        let models = self.list("GEMINI_FALLBACK_MODELS");
        if models.iter().any(|model| !app::types::is_model_name(model)) {
            self.mistake(
                "GEMINI_FALLBACK_MODELS",
                "must be names of models such as gemini-2.5-flash-lite, separated by commas",
            );
        }
        models
    }

    /// Separated by commas; empty ones are left out.
    fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name);
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(ToOwned::to_owned).collect()
    }

    /// A name that is nearly one of ours is a mistake that would otherwise be silent.
    fn unknown_names(&mut self) {
        let ours = self.layers.file.keys().chain(self.layers.flags.keys());
        let unknown = ours.filter(|name| !is_known(name));
        let misspelt = self.layers.environment.keys().filter(|name| is_misspelt(name));
        for name in unknown.chain(misspelt) {
            self.mistakes
                .push(Mistake::new(name, format_args!("is no setting{}", hint(name))));
        }
    }

    fn secret_files(&mut self) {
        for layer in [&self.layers.flags, &self.layers.environment, &self.layers.file] {
            for (name, path) in layer
                .iter()
                .filter(|(name, _)| name.ends_with("_FILE") && is_known(name))
            {
                if !path.trim().is_empty() && std::fs::read_to_string(path.trim()).is_err() {
                    self.mistakes
                        .push(Mistake::new(name, "names a file that cannot be read"));
                }
            }
        }
    }

    fn mongo(&mut self) -> Option<MongoAddress> {
        match MongoAddress::parse(&self.given("MONGO_URI")?) {
            Ok(address) => Some(address),
            Err(must) => {
                self.mistake("MONGO_URI", must);
                None
            }
        }
    }

    /// Checks the settings of later versions and returns those that somebody set.
    fn later(&mut self) -> Vec<&'static str> {
        let mut unused = Vec::new();
        for setting in SETTINGS.iter().filter(|setting| setting.later) {
            let Some((value, source)) = self.layers.find(setting.name) else {
                continue;
            };
            if let Some(fault) = later::fault(setting.name, &value) {
                self.mistake(setting.name, fault);
            }
            if source != Source::Default {
                unused.push(setting.name);
            }
        }
        unused
    }

    fn environment_keys(&mut self) -> Vec<(u32, SecretString)> {
        let mut keys: Vec<(u32, String)> = Vec::new();
        for number in self.layers.key_numbers() {
            let name = format!("{KEY_PREFIX}{number}");
            let Some(value) = self.given(&name) else { continue };
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
        if !is_base_url(&value) {
            self.mistake(
                "GOOGLE_AI_BASE_URL",
                "must be an http or https address without user name, password, query and fragment",
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

    fn log_filter(&mut self) -> String {
        log_filter::directives(&self.text("LOG_LEVEL")).unwrap_or_else(|| {
            self.mistake(
                "LOG_LEVEL",
                "must be error, warn, info, debug or trace, or a list such as info,keypool=debug",
            );
            String::new()
        })
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

#[cfg(test)]
mod tests;
