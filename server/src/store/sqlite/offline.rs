//! The database's file without a store on it, for putting another in its place.

use std::path::Path;

use super::file::{InstanceLock, open_reader};
use crate::store::{Result, StoreError};

pub use super::file::lock_path;

/// Keeps every instance from the file until it is dropped.
pub struct Held {
    _lock: InstanceLock,
}

/// # Errors
/// `InUse` when an instance has it.
pub fn hold(path: &Path) -> Result<Held> {
    Ok(Held {
        _lock: InstanceLock::take(path)?,
    })
}

/// Reads the whole file through, which an opening does only for small ones.
///
/// # Errors
/// `Corrupt` with the first thing that is wrong.
pub fn check_whole(path: &Path) -> Result<()> {
    let verdict: String = open_reader(path)?.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(StoreError::Corrupt(verdict))
    }
}
