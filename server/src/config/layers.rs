use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use super::check::Mistake;
use super::names::{is_known, key_number};
use super::settings::SETTINGS;

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Default,
    File,
    Environment,
    /// The file that `NAME_FILE` names.
    SecretFile,
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::File => "keypool.toml",
            Self::Environment => "environment",
            Self::SecretFile => "secret file",
            Self::Flag => "flag",
        })
    }
}

/// Raw values, before any check. No `Debug`: they hold secrets.
#[derive(Clone, Default)]
pub struct Layers {
    pub file: BTreeMap<String, String>,
    pub environment: BTreeMap<String, String>,
    pub flags: BTreeMap<String, String>,
    /// What was wrong with the sources themselves.
    pub mistakes: Vec<Mistake>,
}

impl Layers {
    /// Reads `keypool.toml` (the one named, else the one here if there is one) and the environment.
    pub fn read(config_file: Option<&Path>, flags: BTreeMap<String, String>) -> Self {
        let mut layers = Self {
            flags,
            ..Self::default()
        };
        layers.read_environment(process_environment());
        match config_file {
            Some(path) => layers.read_file(path, true),
            None => layers.read_file(Path::new("keypool.toml"), false),
        }
        layers
    }

    /// Names and values as the system has them. What is not UTF-8 is a mistake where it is ours, and skipped elsewhere.
    fn read_environment(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
        for (name, value) in variables {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => {
                    self.environment.insert(name, value);
                }
                Err(_) if is_known(&name) => self.mistakes.push(Mistake::new(name, "is not valid UTF-8")),
                // The name may still be one of ours misspelt.
                Err(_) => {
                    self.environment.insert(name, String::new());
                }
            }
        }
    }

    fn read_file(&mut self, path: &Path, required: bool) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => return,
            Err(error) => {
                self.mistakes.push(Mistake::new(
                    path.display(),
                    format_args!("cannot be read ({})", error.kind()),
                ));
                return;
            }
        };
        // A parse error's own text quotes the line, which may hold a secret.
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start));
                let line = before.unwrap_or_default().matches('\n').count() + 1;
                let what =
                    format_args!("is not valid TOML at line {line}: a name twice, or a text without quotation marks");
                self.mistakes.push(Mistake::new(path.display(), what));
                return;
            }
        };
        for (name, value) in table {
            let name = name.to_ascii_uppercase();
            let Some(value) = plain(&name, value) else {
                self.mistakes.push(Mistake::new(
                    name,
                    format_args!(
                        "must be a text, a whole number, true/false or a list of texts in {}",
                        path.display()
                    ),
                ));
                continue;
            };
            if self.file.insert(name.clone(), value).is_some() {
                let what = format_args!("is in {} twice, in other letters: remove one", path.display());
                self.mistakes.push(Mistake::new(name, what));
            }
        }
    }

    /// The value that wins, with its source. `NAME_FILE` is followed; an empty value counts as absent.
    pub fn find(&self, name: &str) -> Option<(String, Source)> {
        self.find_given(name).or_else(|| {
            let setting = SETTINGS.iter().find(|setting| setting.name == name)?;
            Some((setting.default?.to_owned(), Source::Default))
        })
    }

    fn find_given(&self, name: &str) -> Option<(String, Source)> {
        let given = [
            (&self.flags, Source::Flag),
            (&self.environment, Source::Environment),
            (&self.file, Source::File),
        ];
        let file_name = format!("{name}_FILE");
        for (layer, source) in given {
            if let Some(value) = layer.get(name).filter(|value| !value.trim().is_empty()) {
                return Some((value.trim().to_owned(), source));
            }
            if let Some(path) = layer.get(&file_name).filter(|path| !path.trim().is_empty()) {
                let text = std::fs::read_to_string(path.trim()).ok()?;
                return Some((text.trim().to_owned(), Source::SecretFile));
            }
        }
        None
    }

    /// Every name given anywhere, without `_FILE`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [&self.file, &self.environment, &self.flags]
            .into_iter()
            .flat_map(|layer| layer.keys().map(String::as_str))
    }

    /// Numbers n of the `GOOGLE_AI_API_KEY_n` given, ascending.
    pub fn key_numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self
            .names()
            .filter_map(|name| key_number(name.strip_suffix("_FILE").unwrap_or(name)))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

/// As the environment would have it: a list is written with what separates its parts there.
fn plain(name: &str, value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            Some(texts?.join(if name == "KEYPOOL_LIMITS" { "; " } else { ", " }))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn process_environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(text: &str) -> Layers {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("keypool.toml");
        std::fs::write(&path, text).expect("written");
        let mut layers = Layers::default();
        layers.read_file(&path, true);
        layers
    }

    #[test]
    fn a_list_in_the_file_is_a_list() {
        let layers = of_file(
            "trusted_proxies = [\"10.0.0.0/8\", \"192.0.2.7\"]\nkeypool_limits = [\"* free rpm=1\", \"* paid rpm=2\"]\nport = 8080",
        );
        let config = super::super::check(&layers).expect("all right");
        assert_eq!(
            (config.trusted_proxies.len(), config.limits.len(), config.port),
            (2, 2, 8080)
        );
    }

    #[test]
    fn what_is_wrong_with_the_file_is_said_with_its_place_and_without_its_values() {
        for (text, place) in [
            ("port = 1\nport = \"canary\"", "line 2"),
            ("port = 1\n\nhost = canary", "line 3"),
            ("port = 1\nPORT = 2", "PORT"),
            ("port = 1.5", "PORT"),
            ("trusted_proxies = [1, 2]", "TRUSTED_PROXIES"),
        ] {
            let told = super::super::check(&of_file(text)).expect_err("wrong").to_string();
            assert!(told.contains(place) && !told.contains("canary"), "{text}\n{told}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn values_that_are_not_utf_8_are_mistakes_where_the_name_is_ours() {
        let mut layers = Layers::default();
        let broken = || std::os::unix::ffi::OsStringExt::from_vec(b"canary-\xff".to_vec());
        layers.read_environment(
            ["PORT", "GOOGLE_AI_API_KEY_1", "KEYPOOL_STRATGY", "LESSCHARSET"].map(|name| (name.into(), broken())),
        );
        let text = super::super::check(&layers).expect_err("three are wrong").to_string();
        for name in ["PORT: is not", "GOOGLE_AI_API_KEY_1: is not", "KEYPOOL_STRATGY: is no"] {
            assert!(text.contains(name), "{name} is not in:\n{text}");
        }
        assert!(!text.contains("LESSCHARSET") && !text.contains("canary"), "{text}");
    }
}
