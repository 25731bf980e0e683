//! A copy of the whole database while it is in use.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use rusqlite::Connection;

use crate::private_files::owner_only;
use crate::store::{Result, StoreError};

/// One read transaction: what is committed meanwhile is not in the copy. Free pages are left out, and with them what was
/// deleted.
pub(super) fn write(connection: &Connection, path: &Path) -> Result<()> {
    let failed = |cause: io::Error| StoreError::Unavailable(format!("{}: {cause}", path.display()));
    let name = path
        .to_str()
        .ok_or_else(|| StoreError::Unavailable("the path of the copy is not UTF-8".to_owned()))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    owner_only(&mut options);
    // Made here and not by SQLite, which takes an empty file for a new one: so nobody else can ever read it.
    options.open(path).map_err(failed)?;
    let copied = connection
        .execute("VACUUM INTO ?1", [name])
        .map_err(StoreError::from)
        .and_then(|_| File::open(path).and_then(|file| file.sync_all()).map_err(failed));
    if copied.is_err() {
        // Half a copy is worth nothing; that it cannot be removed either changes nothing about the failure.
        let _ = fs::remove_file(path);
    }
    copied
}
