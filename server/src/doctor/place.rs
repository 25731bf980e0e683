//! What can be known without opening the store: settings, folders, secrets' sources.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use app::types::{EnvironmentEntry, EnvironmentState};

use crate::config::{Config, Effective, Layers, Mistakes, SETTINGS, Source, effective, plain_value};
use crate::notify::mail::password_is_in_the_clear;
use crate::private_files::probe_writing;

/// Where a server runs, or would.
pub struct Place {
    pub effective: Vec<Effective>,
    pub mistakes: Mistakes,
    pub data_dir: PathBuf,
    pub site_dir: PathBuf,
    /// Absent when it is at fault.
    pub base_url: Option<String>,
    /// Whether a password goes to the mail server without TLS.
    pub mail_in_the_clear: bool,
}

impl Place {
    pub fn of(config: &Config) -> Self {
        Self {
            effective: config.effective.clone(),
            mistakes: Mistakes(Vec::new()),
            data_dir: config.data_dir.clone(),
            site_dir: config.site_dir.clone(),
            base_url: Some(config.gemini_base_url.clone()),
            mail_in_the_clear: config
                .mail
                .as_ref()
                .is_some_and(|mail| password_is_in_the_clear(&mail.smtp_url)),
        }
    }

    /// Of settings that are no [`Config`] yet.
    pub fn with_mistakes(layers: &Layers, mistakes: Mistakes) -> Self {
        let effective = effective(layers);
        let path = |name| PathBuf::from(plain_value(&effective, name).unwrap_or_default());
        let base_url = plain_value(&effective, "GOOGLE_AI_BASE_URL").filter(|_| !mistakes.name("GOOGLE_AI_BASE_URL"));
        Self {
            data_dir: path("DATA_DIR"),
            site_dir: path("SITE_DIR"),
            base_url,
            mail_in_the_clear: layers
                .find("SMTP_URL")
                .is_some_and(|(url, _)| password_is_in_the_clear(&url.into())),
            effective,
            mistakes,
        }
    }

    /// The seed's "Environment Configuration": every setting as Set, Missing or Default, no value.
    pub fn environment(&self) -> Vec<EnvironmentEntry> {
        self.effective.iter().map(|setting| self.entry(setting)).collect()
    }

    fn entry(&self, setting: &Effective) -> EnvironmentEntry {
        let state = match setting.source {
            _ if self.mistakes.name(&setting.name) => EnvironmentState::Invalid,
            None => EnvironmentState::Missing,
            Some(Source::Default) => EnvironmentState::Default,
            Some(_) => EnvironmentState::Set,
        };
        EnvironmentEntry {
            name: setting.name.clone(),
            state,
            source: setting
                .source
                .map_or_else(|| "not set".to_owned(), |source| source.to_string()),
            meaning: setting.meaning.to_owned(),
        }
    }

    /// Names of settings that are set but have no effect in this version.
    pub fn without_effect(&self) -> Vec<String> {
        let later = |name: &str| SETTINGS.iter().any(|setting| setting.later && setting.name == name);
        let set = self.effective.iter().filter(|setting| setting.is_set());
        set.map(|setting| setting.name.clone())
            .filter(|name| later(name))
            .collect()
    }

    pub fn is_set(&self, name: &str) -> bool {
        self.effective
            .iter()
            .any(|setting| setting.name == name && setting.is_set())
    }

    pub fn secret(&self, name: &'static str, file: &str) -> SecretSource {
        let source = self.effective.iter().find(|setting| setting.name == name);
        match source.and_then(|setting| setting.source) {
            Some(source) => SecretSource::Set(source),
            None if self.data_dir.join(file).exists() => SecretSource::Generated,
            None => SecretSource::AtFirstStart,
        }
    }

    pub fn site_is_built(&self) -> bool {
        self.site_dir.join("manifest.json").is_file()
    }
}

/// Where a secret that Keypool can make itself comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretSource {
    Set(Source),
    /// From the data folder.
    Generated,
    /// It will be generated.
    AtFirstStart,
}

/// The data folder as this user finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    /// Nothing is there yet; the first start makes it.
    NotMade,
    Refused(io::ErrorKind),
    Usable {
        /// Other users of this machine may look into it.
        open_to_others: bool,
    },
}

/// Looks, and writes and removes one empty file.
pub(super) fn look_at_data_dir(path: &Path) -> DataDir {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return DataDir::NotMade,
        Err(error) => return DataDir::Refused(error.kind()),
    };
    if !metadata.is_dir() {
        return DataDir::Refused(io::ErrorKind::NotADirectory);
    }
    match probe_writing(path) {
        Ok(()) => DataDir::Usable {
            open_to_others: is_open_to_others(&metadata),
        },
        Err(error) => DataDir::Refused(error.kind()),
    }
}

/// Bytes that this user may still write where the folder is, or will be.
#[cfg(unix)]
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let absolute = std::path::absolute(path).ok()?;
    let there = absolute.ancestors().find(|ancestor| ancestor.exists())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

#[cfg(not(unix))]
pub(super) fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(unix)]
fn is_open_to_others(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_is_missing_usable_or_no_folder() {
        let folder = tempfile::TempDir::new().expect("a folder");
        assert_eq!(look_at_data_dir(&folder.path().join("none")), DataDir::NotMade);
        let made = folder.path().join("made");
        crate::private_files::make_private_dir(&made).expect("a private folder");
        assert_eq!(look_at_data_dir(&made), DataDir::Usable { open_to_others: false });
        assert_eq!(
            fs::read_dir(&made).expect("readable").count(),
            0,
            "it is left as it was"
        );
        let file = folder.path().join("file");
        fs::write(&file, "").expect("a file");
        assert_eq!(look_at_data_dir(&file), DataDir::Refused(io::ErrorKind::NotADirectory));
    }

    #[cfg(unix)]
    #[test]
    fn free_space_is_known_also_where_the_folder_is_not_made_yet() {
        let folder = tempfile::TempDir::new().expect("a folder");
        assert!(free_bytes(&folder.path().join("not/made/yet")).is_some_and(|bytes| bytes > 0));
    }
}
