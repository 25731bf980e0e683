//! Looks into a backup, and puts one in the place of the data. Nothing is replaced before the backup was opened in full: as
//! a file, as a database, and with every secret in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::lost::ASIDE;
use super::{STORE_FILE, StartError, audit_log};
use crate::audit::{Actor, Audit};
use crate::backup::{self, BackupError, Origin, SCRATCH_PREFIX};
use crate::clock::{Clock, rfc3339};
use crate::config::Config;
use crate::private_files::{make_private_dir, owner_only, scratch_dir};
use crate::store::sqlite::{self, Access, SqliteStore};
use crate::store::{AuditHead, Store, StoreError};
use crate::vault::{Masters, Vault, VaultError};

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupFacts {
    pub origin: Origin,
    pub keys: usize,
    pub users: usize,
}

/// What became of a restore.
#[derive(Debug)]
pub struct Restored {
    pub facts: BackupFacts,
    /// Sessions and sign-ins that were ended, and API tokens that are as they were when the backup was made.
    pub access: Access,
    /// Where the data went that was there before.
    pub moved_to: Option<PathBuf>,
}

/// Why a backup was not read or not put back. Then nothing was changed, but for [`RestoreError::HalfDone`].
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(
        "a backup is read with the master key of the server that made it: set KEYPOOL_MASTER_KEY, or put its master.key into {0} \
         (`chmod 600`)"
    )]
    NoMasterKey(String),
    #[error(
        "MONGO_URI is set, and a backup is of a store in SQLite: put a dump back with mongorestore, or remove MONGO_URI to restore \
         this backup into DATA_DIR"
    )]
    InMongo,
    #[error("there is data in {0} already: restore into another DATA_DIR, or add --force to move that data aside")]
    Occupied(String),
    #[error(
        "the backup could not be put in its place: {cause}. The data that was there is beside it, as {moved_to}; free some space or mend the \
         rights of the folder, and restore again"
    )]
    HalfDone { cause: io::Error, moved_to: String },
    #[error("the restore could not be written into the audit log of the backup: free some space, and restore again")]
    Audit,
    #[error("{path}: {cause}")]
    File { path: String, cause: io::Error },
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Opens a backup in full, in a folder that is thrown away: in the data folder, where the next start removes it if this process
/// is killed, else beside the backup.
///
/// # Errors
/// [`RestoreError`].
pub async fn verify_backup(config: &Config, file: &Path) -> Result<BackupFacts, RestoreError> {
    let beside = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let scratch = scratch_dir(&config.data_dir, SCRATCH_PREFIX)
        .or_else(|_| scratch_dir(beside.unwrap_or(Path::new(".")), SCRATCH_PREFIX))
        .map_err(|cause| of_file(&config.data_dir, cause))?;
    let candidate = open_in(config, file, &scratch.path().join(STORE_FILE)).await?;
    candidate.store.close().await?;
    Ok(candidate.facts)
}

/// Puts a backup into `DATA_DIR`. With `force`, data that is there already is moved aside.
///
/// # Errors
/// [`RestoreError`]; `InUse` while a server runs on the data.
pub async fn restore_backup(config: &Config, file: &Path, force: bool) -> Result<Restored, RestoreError> {
    if config.mongo.is_some() {
        return Err(RestoreError::InMongo);
    }
    let data_dir = &config.data_dir;
    let there = data_dir.join(STORE_FILE);
    let was_there = data_dir.exists();
    make_private_dir(data_dir).map_err(|cause| of_file(data_dir, cause))?;
    let done = restore_into(config, file, &there, force).await;
    if done.is_err() && !was_there {
        // Only when nothing came into it.
        let _ = fs::remove_file(sqlite::lock_path(&there));
        let _ = fs::remove_dir(data_dir);
    }
    done
}

async fn restore_into(config: &Config, file: &Path, there: &Path, force: bool) -> Result<Restored, RestoreError> {
    let data_dir = &config.data_dir;
    let _alone = sqlite::hold(there)?;
    let has_data = fs::metadata(there).is_ok_and(|metadata| metadata.len() > 0);
    if has_data && !force {
        return Err(RestoreError::Occupied(data_dir.display().to_string()));
    }
    // In the data folder, so that it takes its place in one step.
    let scratch = scratch_dir(data_dir, SCRATCH_PREFIX).map_err(|cause| of_file(data_dir, cause))?;
    let candidate = scratch.path().join(STORE_FILE);
    let opened = open_in(config, file, &candidate).await?;
    let replaced = if has_data { sqlite::settle(there) } else { None };
    let written = opened.write_down(replaced).await;
    opened.store.close().await?;
    written?;
    // A session that was ended since the backup was made is not to come back.
    let access = sqlite::end_access(&candidate)?;
    let moved_to = put_in_place(&candidate, there)?;
    Ok(Restored {
        facts: opened.facts,
        access,
        moved_to,
    })
}

/// A backup that opens in full, as a database of its own.
struct Candidate {
    store: Arc<dyn Store>,
    vault: Vault,
    facts: BackupFacts,
}

impl Candidate {
    /// In the audit log that goes on: from when it is, and where the one ended that is moved aside.
    async fn write_down(&self, replaced: Option<AuditHead>) -> Result<(), RestoreError> {
        let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let replaced = replaced.map(|head| json!({ "entries": head.seq, "head": hex(&head.hash) }));
        let after = json!({
            "madeAt": rfc3339(self.facts.origin.made_at),
            "masterKey": self.facts.origin.master_key.to_string(),
        });
        let audit = audit_log(&self.store, &Clock::system(), &self.vault);
        let actor = Actor::command_line();
        let recorded = audit.record(&actor, "backup.restore", "backup", replaced, Some(after));
        recorded.await.map_err(|_| RestoreError::Audit)
    }
}

/// Decrypts a backup to `path` and opens everything in it.
async fn open_in(config: &Config, file: &Path, path: &Path) -> Result<Candidate, RestoreError> {
    let data_dir = &config.data_dir;
    let (set, before) = (config.master_key.as_ref(), config.master_key_previous.as_ref());
    let masters = Masters::load(data_dir, set, before)?
        .ok_or_else(|| RestoreError::NoMasterKey(data_dir.display().to_string()))?;
    let (from, to) = (file.to_owned(), path.to_owned());
    let working = tokio::task::spawn_blocking(move || {
        let origin = decrypt(&masters, &from, &to)?;
        sqlite::check_whole(&to)?;
        Ok::<_, RestoreError>((origin, SqliteStore::open(&to)?, masters))
    });
    let broken_off = |_| StoreError::Unavailable("reading it was broken off".to_owned());
    let (origin, store, masters) = working.await.map_err(broken_off)??;
    let store: Arc<dyn Store> = Arc::new(store);
    match open_secrets(&store, masters).await {
        Ok((vault, keys, users)) => Ok(Candidate {
            store,
            vault,
            facts: BackupFacts { origin, keys, users },
        }),
        Err(error) => {
            store.close().await?;
            Err(error)
        }
    }
}

fn decrypt(masters: &Masters, from: &Path, to: &Path) -> Result<Origin, RestoreError> {
    let failed = |cause| of_file(from, cause);
    let mut source = BufReader::new(File::open(from).map_err(failed)?);
    let header = backup::read_header(&mut source)?;
    let under = header.origin.master_key;
    let master = masters.find(under).ok_or_else(|| BackupError::OtherMasterKey {
        under,
        given: masters.named(),
    })?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    owner_only(&mut options);
    let plain = options.open(to).map_err(|cause| of_file(to, cause))?;
    backup::decrypt(master, &header, source, BufWriter::new(&plain))?;
    plain.sync_all().map_err(|cause| of_file(to, cause))?;
    Ok(header.origin)
}

/// Every secret is opened, not only the seals looked at. Gives the numbers of keys and users too.
async fn open_secrets(store: &Arc<dyn Store>, masters: Masters) -> Result<(Vault, usize, usize), RestoreError> {
    let vault = Vault::unlock(Arc::clone(store), masters).await?;
    for value in store.sealed_values().await? {
        vault
            .open(&value.record, &value.field, &value.sealed)
            .map_err(|reason| VaultError::Sealed {
                record: value.record.clone(),
                reason,
            })?;
    }
    let (keys, users) = (store.keys().await?.len(), store.users().await?.len());
    Ok((vault, keys, users))
}

/// The old database goes aside before its log, so that what is aside is whole; the new one comes last, in one step. When this
/// is cut short, no database is there, and a start says so.
fn put_in_place(candidate: &Path, there: &Path) -> Result<Option<PathBuf>, RestoreError> {
    let stamp: String = rfc3339(Clock::system().now())
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric())
        .collect();
    let aside = there.with_file_name(format!("{ASIDE}{stamp}"));
    let mut moved_to = None;
    let moving = ["", "-wal", "-shm"].into_iter().try_for_each(|part| {
        match fs::rename(with_suffix(there, part), with_suffix(&aside, part)) {
            Ok(()) => {
                moved_to = Some(aside.clone());
                Ok(())
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            failed => failed,
        }
    });
    let done = moving
        .and_then(|()| fs::rename(candidate, there))
        .and_then(|()| there.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all()));
    match (done, moved_to) {
        (Ok(()), moved_to) => Ok(moved_to),
        (Err(cause), Some(moved_to)) => Err(RestoreError::HalfDone {
            cause,
            moved_to: moved_to.display().to_string(),
        }),
        (Err(cause), None) => Err(of_file(there, cause)),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn of_file(path: &Path, cause: io::Error) -> RestoreError {
    RestoreError::File {
        path: path.display().to_string(),
        cause,
    }
}

/// What backs up without a server.
pub struct OpenBackups {
    pub backups: backup::Backups,
    pub audit: Audit,
    store: Arc<dyn Store>,
}

/// # Errors
/// [`StartError`]; `InUse` while a server runs on the same data.
pub async fn open_backups(config: &Config) -> Result<OpenBackups, StartError> {
    let store = super::open_store(config).await?;
    let clock = Clock::system();
    let vault = super::unlock(config, &store, &clock).await?;
    Ok(OpenBackups {
        audit: audit_log(&store, &clock, &vault),
        backups: backup::Backups::new(Arc::clone(&store), vault, config.data_dir.clone(), clock),
        store,
    })
}

impl OpenBackups {
    /// # Errors
    /// When the store does not close.
    pub async fn close(self) -> Result<(), StoreError> {
        self.store.close().await
    }
}
