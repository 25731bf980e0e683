//! `DATA_DIR/mongo.lock`: one process at a time of those that share the folder, and which database it was used with.
//!
//! The folder has an id of its own. A lease that is held under it is of a process that has ended, for the lock was free.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use uuid::Uuid;

use crate::private_files::owner_only;
use crate::store::{Result, StoreError};

pub(super) const LOCK_FILE: &str = "mongo.lock";

/// The lock is held until it is dropped; the system frees it however the process ends.
pub(super) struct Place {
    file: File,
    path: String,
    /// Of the folder.
    pub(super) id: String,
    /// Of the database that it was used with last.
    database: Option<String>,
}

impl Place {
    /// # Errors
    /// `InUse` while another process has it.
    pub(super) fn take(data_dir: &Path) -> Result<Self> {
        let path = data_dir.join(LOCK_FILE);
        let failed = |cause: io::Error| StoreError::Unavailable(format!("{}: {cause}", path.display()));
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        owner_only(&mut options);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(data_dir.display().to_string())),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        // Lines are only added, the folder's id first. One that a crash cut short is no id.
        let mut ids = text
            .lines()
            .filter(|line| Uuid::parse_str(line).is_ok())
            .map(str::to_owned);
        let id = match ids.next() {
            Some(id) => id,
            None => {
                let id = Uuid::new_v4().to_string();
                append(&mut file, &id).map_err(failed)?;
                id
            }
        };
        Ok(Self {
            database: ids.next_back(),
            path: path.display().to_string(),
            file,
            id,
        })
    }

    pub(super) fn knows_a_database(&self) -> bool {
        self.database.is_some()
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// From now on an empty database is one that was lost.
    pub(super) fn remember(&mut self, database: &str) -> Result<()> {
        if self.database.as_deref() == Some(database) {
            return Ok(());
        }
        append(&mut self.file, database).map_err(|cause| StoreError::Unavailable(format!("{}: {cause}", self.path)))?;
        self.database = Some(database.to_owned());
        Ok(())
    }
}

/// After what a crash may have cut short.
fn append(file: &mut File, line: &str) -> io::Result<()> {
    file.write_all(format!("\n{line}\n").as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_id_and_the_database_it_was_used_with() {
        let folder = tempfile::tempdir().unwrap();
        let mut place = Place::take(folder.path()).unwrap();
        assert!(!place.knows_a_database());
        assert!(matches!(Place::take(folder.path()), Err(StoreError::InUse(_))));
        let (id, database) = (place.id.clone(), Uuid::new_v4().to_string());
        place.remember(&database).unwrap();
        place.remember(&database).unwrap();
        drop(place);
        let again = Place::take(folder.path()).unwrap();
        assert_eq!((&again.id, &again.database), (&id, &Some(database)));
        let text = std::fs::read_to_string(folder.path().join(LOCK_FILE)).unwrap();
        assert_eq!(text.split_whitespace().count(), 2, "nothing is written twice");
    }

    #[test]
    fn a_line_that_was_cut_short_is_no_id() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LOCK_FILE), "\n0190").unwrap();
        let id = Place::take(folder.path()).unwrap().id;
        assert_eq!(Place::take(folder.path()).unwrap().id, id);
    }
}
