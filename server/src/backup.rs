//! One file with everything that is stored, encrypted whole under the master key. Not in it: the master key itself, without
//! which it opens nowhere, and `jwt.secret`.
//!
//! `format` is the file, `making` takes a backup of a store in use. Looking into one and putting one back need a store of
//! their own, so `startup` does both.

mod format;
mod making;

use std::io;

use pool::Timestamp;

use crate::keyring::MasterKeyId;

pub use format::{Header, decrypt, encrypt, read_header};
pub(crate) use making::SCRATCH_PREFIX;
pub use making::{Backups, Copied, clear_scratch};

/// Why a backup is not made or not read; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("this is no backup of Keypool")]
    NotABackup,
    #[error("this backup was made by a newer version of Keypool: use that version")]
    UnknownVersion,
    #[error(
        "this backup is encrypted under master key {under}, but the master key given is {given}: set KEYPOOL_MASTER_KEY to the one \
         of the server that made it, or put its master.key into DATA_DIR (`chmod 600`). Without it nobody can read the backup"
    )]
    OtherMasterKey { under: MasterKeyId, given: String },
    #[error("the backup is damaged, or it is not complete: use another copy of it")]
    Damaged,
    #[error("the data is too large for one backup")]
    TooLarge,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What a backup says of itself, and nobody can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    pub made_at: Timestamp,
    pub master_key: MasterKeyId,
}
