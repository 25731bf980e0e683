//! A master key that the server made: `master.key` in the data folder, and `master.key.previous` while values are still
//! under the one before.
//!
//! Each step of an exchange is durable when it returns, and after each a start finds every key it needs.

use std::path::Path;

use secrecy::SecretString;

use super::{Masters, VaultError};
use crate::keyring::cipher::{MASTER_KEY_BYTES, MasterKey};
use crate::keyring::secrets_file::{
    SecretsFileError, load_or_create_secret, load_secret, new_secret, remove_secret, replace_secret,
};

/// A master key that the server made, in the data folder.
pub const MASTER_KEY_FILE: &str = "master.key";
/// The one before, while values are under it.
pub const PREVIOUS_MASTER_KEY_FILE: &str = "master.key.previous";

impl Masters {
    /// Those of the settings, else those of the data folder; `None` when there are none.
    ///
    /// # Errors
    /// A file that is not private or holds no master key.
    pub fn load(
        data_dir: &Path,
        set: Option<&SecretString>,
        set_previous: Option<&SecretString>,
    ) -> Result<Option<Self>, VaultError> {
        if let Some(current) = set {
            let previous = set_previous.map(|text| parse("KEYPOOL_MASTER_KEY_PREVIOUS", text));
            return Ok(Some(Self::set(
                parse("KEYPOOL_MASTER_KEY", current)?,
                previous.transpose()?,
            )));
        }
        let Some(current) = load_secret(data_dir, MASTER_KEY_FILE)? else {
            return Ok(None);
        };
        let current = parse(MASTER_KEY_FILE, &current)?;
        let previous =
            load_secret(data_dir, PREVIOUS_MASTER_KEY_FILE)?.map(|text| parse(PREVIOUS_MASTER_KEY_FILE, &text));
        // The same one: an exchange ended before the new key was there.
        let previous = previous.transpose()?.filter(|previous| previous.id() != current.id());
        Ok(Some(Self {
            made_in: Some(data_dir.to_owned()),
            ..Self::set(current, previous)
        }))
    }

    /// As [`Masters::load`], and makes one when there is none and nothing is sealed yet.
    ///
    /// # Errors
    /// `NoMasterKey` when something is: `under` is the key that is missing.
    pub fn load_or_make(
        data_dir: &Path,
        set: Option<&SecretString>,
        set_previous: Option<&SecretString>,
        under: Option<String>,
    ) -> Result<Self, VaultError> {
        if let Some(found) = Self::load(data_dir, set, set_previous)? {
            return Ok(found);
        }
        if let Some(under) = under {
            let path = data_dir.join(MASTER_KEY_FILE).display().to_string();
            return Err(VaultError::NoMasterKey { path, under });
        }
        let made = load_or_create_secret(data_dir, MASTER_KEY_FILE, MASTER_KEY_BYTES)?;
        Ok(Self {
            made_in: Some(data_dir.to_owned()),
            ..Self::set(parse(MASTER_KEY_FILE, &made)?, None)
        })
    }
}

/// The first step: the key in use has a second name, under which it stays.
pub(super) fn keep_previous(data_dir: &Path, in_use: &MasterKey) -> Result<(), VaultError> {
    let stored = load_secret(data_dir, MASTER_KEY_FILE)?.ok_or_else(|| missing(data_dir))?;
    if parse(MASTER_KEY_FILE, &stored)?.id() != in_use.id() {
        return Err(VaultError::FileChanged);
    }
    Ok(replace_secret(data_dir, PREVIOUS_MASTER_KEY_FILE, &stored)?)
}

/// The second step: a new key stands in the old one's place.
pub(super) fn put_new(data_dir: &Path) -> Result<MasterKey, VaultError> {
    let new = new_secret(MASTER_KEY_BYTES);
    let parsed = parse(MASTER_KEY_FILE, &new)?;
    replace_secret(data_dir, MASTER_KEY_FILE, &new)?;
    Ok(parsed)
}

/// The last step, once nothing is under it. Stays away from a folder whose key is not the one in use.
pub(super) fn forget_previous(data_dir: &Path, in_use: &MasterKey) -> Result<(), VaultError> {
    let stored = load_secret(data_dir, MASTER_KEY_FILE)?.ok_or_else(|| missing(data_dir))?;
    if parse(MASTER_KEY_FILE, &stored)?.id() != in_use.id() {
        return Err(VaultError::FileChanged);
    }
    Ok(remove_secret(data_dir, PREVIOUS_MASTER_KEY_FILE)?)
}

fn parse(name: &'static str, text: &SecretString) -> Result<MasterKey, VaultError> {
    MasterKey::parse(text).map_err(|reason| VaultError::BadMasterKey { name, reason })
}

fn missing(data_dir: &Path) -> VaultError {
    VaultError::File(SecretsFileError::Io {
        path: data_dir.join(MASTER_KEY_FILE),
        cause: std::io::ErrorKind::NotFound.into(),
    })
}
