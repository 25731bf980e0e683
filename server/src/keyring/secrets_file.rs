//! Secrets made once and kept in files only their owner can read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::private_files::{make_private_dir, owner_only};
use crate::scrub;

/// Larger files are no secrets of ours.
const FILE_BYTES_MAX: u64 = 4096;

#[derive(Debug, thiserror::Error)]
pub enum SecretsFileError {
    #[error("{path} can be read by others: `chmod 600 {path}`, and change the secret if anybody may have seen it")]
    ReadableByOthers { path: PathBuf },
    #[error(
        "{path} is empty or no text: restore it from a backup; only if nothing was stored yet, remove it to get a new one"
    )]
    Unreadable { path: PathBuf },
    #[error("{path}: {cause}")]
    Io { path: PathBuf, cause: io::Error },
}

/// The secret in `data_dir/name`, in base64; made from `bytes` random ones when the file is not there.
///
/// # Errors
/// A file others can read is refused, and so is one that is empty; it is never replaced.
pub fn load_or_create_secret(data_dir: &Path, name: &str, bytes: usize) -> Result<SecretString, SecretsFileError> {
    let path = data_dir.join(name);
    match load(&path) {
        Err(SecretsFileError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let failed = |cause| SecretsFileError::Io {
        path: path.clone(),
        cause,
    };
    make_private_dir(data_dir).map_err(failed)?;
    create(data_dir, &path, bytes).map_err(failed)?;
    // Read back rather than returned: another process may have been first, and then its secret is the one that counts.
    load(&path)
}

fn load(path: &Path) -> Result<SecretString, SecretsFileError> {
    let failed = |cause| SecretsFileError::Io {
        path: path.to_owned(),
        cause,
    };
    let file = File::open(path).map_err(failed)?;
    if is_readable_by_others(&file.metadata().map_err(failed)?) {
        return Err(SecretsFileError::ReadableByOthers { path: path.to_owned() });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|cause| match cause.kind() {
            io::ErrorKind::InvalidData => SecretsFileError::Unreadable { path: path.to_owned() },
            _ => failed(cause),
        })?;
    let secret = text.trim();
    if secret.is_empty() {
        return Err(SecretsFileError::Unreadable { path: path.to_owned() });
    }
    let secret = SecretString::from(secret);
    scrub::process().learn(&secret);
    Ok(secret)
}

/// The secret in `data_dir/name`, as it is written there; `None` when the file is not there.
///
/// # Errors
/// As [`load_or_create_secret`].
pub fn load_secret(data_dir: &Path, name: &str) -> Result<Option<SecretString>, SecretsFileError> {
    match load(&data_dir.join(name)) {
        Err(SecretsFileError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// So many random bytes, in base64.
pub fn new_secret(bytes: usize) -> SecretString {
    let mut random = Zeroizing::new(vec![0_u8; bytes]);
    rand::fill(&mut random[..]);
    let secret = SecretString::from(STANDARD.encode(&*random));
    scrub::process().learn(&secret);
    secret
}

/// Puts the secret in the place of `data_dir/name`, or makes that file. After a crash it holds the old one or the new one.
///
/// # Errors
/// What the file system says.
pub fn replace_secret(data_dir: &Path, name: &str, secret: &SecretString) -> Result<(), SecretsFileError> {
    let path = data_dir.join(name);
    write(data_dir, secret, |draft| fs::rename(draft, &path)).map_err(|cause| SecretsFileError::Io { path, cause })
}

/// Removes `data_dir/name`, so that it stays away after a power cut too. One that is not there is no error.
///
/// # Errors
/// What the file system says.
pub fn remove_secret(data_dir: &Path, name: &str) -> Result<(), SecretsFileError> {
    let path = data_dir.join(name);
    match fs::remove_file(&path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| sync(data_dir)),
    }
    .map_err(|cause| SecretsFileError::Io { path, cause })
}

fn create(data_dir: &Path, path: &Path, bytes: usize) -> io::Result<()> {
    write(data_dir, &new_secret(bytes), |draft| publish(draft, path))
}

/// Written whole under another name first: after a crash the file is complete or not there.
fn write(data_dir: &Path, secret: &SecretString, publish: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let draft = data_dir.join(format!(".{}.new", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 12]>())));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    owner_only(&mut options);
    let mut file = options.open(&draft)?;
    let written = file
        .write_all(secret.expose_secret().as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .and_then(|()| publish(&draft));
    let _ = fs::remove_file(&draft);
    written?;
    // The name must survive a power cut as well as the content: what is sealed under it is lost without it.
    sync(data_dir)
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all())
}

/// Gives the draft its name unless there is such a file by now.
fn publish(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Some file systems have no hard links.
        Err(_) if !path.exists() => fs::rename(draft, path),
        other => other,
    }
}

#[cfg(unix)]
fn is_readable_by_others(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_readable_by_others(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(dir: &Path, name: &str) -> Result<String, SecretsFileError> {
        load_or_create_secret(dir, name, 48).map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn a_secret_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = dir.path().join("data");
        let first = secret(&data, "jwt.secret").expect("made");
        assert_eq!(STANDARD.decode(&first).expect("base64").len(), 48);
        assert_eq!(secret(&data, "jwt.secret").expect("found"), first);
        assert_ne!(secret(&data, "master.key").expect("made"), first);
        let mut names: Vec<_> = fs::read_dir(&data)
            .expect("listed")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["jwt.secret", "master.key"], "no drafts are left");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it_and_a_file_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a folder");
        let data = dir.path().join("data");
        let made = secret(&data, "jwt.secret").expect("made");
        let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&data.join("jwt.secret"))), (0o700, 0o600));
        fs::set_permissions(data.join("jwt.secret"), fs::Permissions::from_mode(0o640)).expect("changed");
        let refused = secret(&data, "jwt.secret").expect_err("readable by the group");
        assert!(matches!(refused, SecretsFileError::ReadableByOthers { .. }));
        assert!(
            refused.to_string().contains("chmod 600") && !refused.to_string().contains(&made),
            "{refused}"
        );
    }

    #[test]
    fn an_empty_or_binary_file_is_never_replaced() {
        let dir = tempfile::tempdir().expect("a folder");
        for content in [&b""[..], b"\n", b"\xff\xfe"] {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            owner_only(&mut options);
            options
                .open(dir.path().join("master.key"))
                .expect("opened")
                .write_all(content)
                .expect("written");
            assert!(matches!(
                secret(dir.path(), "master.key"),
                Err(SecretsFileError::Unreadable { .. })
            ));
            assert_eq!(fs::read(dir.path().join("master.key")).expect("read"), content);
        }
    }

    #[test]
    fn who_comes_second_takes_the_secret_of_the_first() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("master.key");
        create(dir.path(), &path, 32).expect("made");
        let first = fs::read(&path).expect("read");
        create(dir.path(), &path, 32).expect("not made again");
        assert_eq!(fs::read(&path).expect("read"), first);
    }
}
