//! Use case: a backup of a store in use, which others go on writing to.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use app::error::{AppError, ErrorCode};
use pool::Timestamp;
use tempfile::TempDir;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{BackupError, Origin, encrypt};
use crate::clock::Clock;
use crate::keyring::MasterKey;
use crate::private_files::scratch_dir;
use crate::store::{Store, StoreError};
use crate::vault::Vault;

/// Folders in the data folder that hold a copy for the time of a backup, or of a restore.
pub(crate) const SCRATCH_PREFIX: &str = ".backup-";

pub struct Backups {
    store: Arc<dyn Store>,
    vault: Vault,
    data_dir: PathBuf,
    clock: Clock,
    turn: Arc<Mutex<()>>,
}

/// A copy of everything, in the clear, in a folder that only its owner can read; ready to be encrypted.
pub struct Copied {
    file: File,
    master: Arc<MasterKey>,
    made_at: Timestamp,
    // Removed with everything in it when this is dropped, however that comes.
    _scratch: TempDir,
    _turn: OwnedMutexGuard<()>,
}

impl Backups {
    pub fn new(store: Arc<dyn Store>, vault: Vault, data_dir: PathBuf, clock: Clock) -> Self {
        Self {
            store,
            vault,
            data_dir,
            clock,
            turn: Arc::default(),
        }
    }

    /// Copies the store as it is now. The copy lies in the data folder, where the same data is anyway. Everything in it is
    /// sealed under the one master key that the backup is encrypted under.
    ///
    /// # Errors
    /// `CONFLICT` while another backup is made: each takes as much space as the data. Also while the master key is being
    /// changed.
    pub async fn begin(&self) -> Result<Copied, AppError> {
        let turn = Arc::clone(&self.turn).try_lock_owned().map_err(|_| {
            let message = "A backup is being made already. Try again when it is done.";
            AppError::new(ErrorCode::Conflict, message)
        })?;
        let _settled = self.vault.settled().await?;
        let failed = |error: io::Error| StoreError::Unavailable(format!("no copy can be made: {}", error.kind()));
        let scratch = scratch_dir(&self.data_dir, SCRATCH_PREFIX).map_err(failed)?;
        let path = scratch.path().join("copy");
        let made_at = self.clock.now();
        self.store.backup(&path).await?;
        let file = File::open(&path).map_err(failed)?;
        // It has no name from here on, so that not even a process that is killed leaves it behind. Where an open file keeps
        // its name, it goes with the folder.
        let _ = fs::remove_file(&path);
        Ok(Copied {
            file,
            master: self.vault.current(),
            made_at,
            _scratch: scratch,
            _turn: turn,
        })
    }
}

impl Copied {
    pub fn origin(&self) -> Origin {
        Origin {
            made_at: self.made_at,
            master_key: self.master.id(),
        }
    }

    /// Writes the backup. Blocks.
    ///
    /// # Errors
    /// When reading or writing fails.
    pub fn write(self, to: impl Write) -> Result<(), BackupError> {
        encrypt(&self.master, self.made_at, &self.file, to)
    }
}

/// Removes what a process that was killed left in the data folder: copies of the store, and drafts of secrets. For the one
/// who has the store to themselves.
pub fn clear_scratch(data_dir: &Path) {
    let Ok(entries) = fs::read_dir(data_dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(SCRATCH_PREFIX) {
            let _ = fs::remove_dir_all(entry.path());
        } else if name.starts_with('.') && name.ends_with(".new") {
            let _ = fs::remove_file(entry.path());
        }
    }
}
