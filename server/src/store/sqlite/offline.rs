//! The database's file without a store on it, for putting another in its place.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::audit;
use super::file::{APPLICATION_ID, InstanceLock, open, open_reader, open_writer};
use crate::store::{AuditHead, Result, StoreError};

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

/// What is still valid of the accounts in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Sessions and sign-ins that were ended.
    pub ended: u64,
    /// API tokens, which stay.
    pub api_tokens: u64,
}

/// Ends all sessions, sign-ins and links, and forgets requests that were under way. Then all of it is in the one file.
///
/// # Errors
/// When the database fails.
pub fn end_access(path: &Path) -> Result<Access> {
    let mut connection = open_writer(path)?;
    let transaction = connection.transaction()?;
    let sessions = transaction.execute("DELETE FROM sessions", [])?;
    let sign_ins = transaction.execute("DELETE FROM sign_ins", [])?;
    transaction.execute_batch(
        "DELETE FROM refresh_tokens; DELETE FROM account_links; DELETE FROM set_up_links; \
         DELETE FROM idempotency WHERE analysis_id IS NULL AND response IS NULL;",
    )?;
    let api_tokens: i64 = transaction.query_row("SELECT count(*) FROM api_tokens", [], |row| row.get(0))?;
    transaction.commit()?;
    into_one_file(&connection)?;
    drop(connection);
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|cause| StoreError::Unavailable(format!("{}: {cause}", path.display())))?;
    Ok(Access {
        ended: (sessions + sign_ins) as u64,
        api_tokens: api_tokens.unsigned_abs(),
    })
}

/// Puts what the log beside a database holds into the database, and says where its audit log ends. `None` when it is not
/// ours, or cannot be read; then it may be left as it is.
pub fn settle(path: &Path) -> Option<AuditHead> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).ok()?;
    let application: i64 = connection
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .ok()?;
    if application != APPLICATION_ID {
        return None;
    }
    into_one_file(&connection).ok()?;
    audit::head(&connection).ok()?
}

fn into_one_file(connection: &Connection) -> Result<()> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}
