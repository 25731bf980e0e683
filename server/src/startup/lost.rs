//! A data folder whose database went missing: never a reason to begin anew without a word.

use std::fs;
use std::path::Path;

use super::{JWT_SECRET_FILE, STORE_FILE, StartError};
use crate::vault::{MASTER_KEY_FILE, PREVIOUS_MASTER_KEY_FILE};

/// What a first start makes after the database, or writes once it is there.
const TRACES: [&str; 4] = [
    MASTER_KEY_FILE,
    PREVIOUS_MASTER_KEY_FILE,
    JWT_SECRET_FILE,
    "keypool.db.lock",
];
/// What a start with MongoDB leaves in the folder.
const MONGO_LOCK: &str = "mongo.lock";
/// How the names of databases begin that a restore moved aside.
pub(super) const ASIDE: &str = "keypool.db.before-restore-";

/// # Errors
/// [`StartError::Lost`].
pub(super) fn refuse_lost(data_dir: &Path) -> Result<(), StartError> {
    // Before the database: a first start of another process makes it first. An empty lock is older than its database.
    let traces: Vec<&str> = TRACES
        .into_iter()
        .filter(|name| fs::metadata(data_dir.join(name)).is_ok_and(|found| found.len() > 0))
        .collect();
    let is_there = match fs::metadata(data_dir.join(STORE_FILE)) {
        Ok(found) => found.len() > 0,
        // Whoever opens it says what else is wrong.
        Err(cause) => cause.kind() != std::io::ErrorKind::NotFound,
    };
    if is_there || traces.is_empty() {
        return Ok(());
    }
    let aside = newest_aside(data_dir).map(|name| {
        format!(
            ", or give the one that a restore moved aside its name back ({name}; the same for its -wal, if there is one)"
        )
    });
    let in_mongo = fs::metadata(data_dir.join(MONGO_LOCK)).is_ok_and(|found| found.len() > 0);
    let aside = match (aside, in_mongo) {
        (_, true) => Some(", or set MONGO_URI again: this folder was in use with MongoDB".to_owned()),
        (aside, false) => aside,
    };
    Err(StartError::Lost {
        path: data_dir.join(STORE_FILE).display().to_string(),
        traces: traces.join(", "),
        aside: aside.unwrap_or_default(),
    })
}

/// Its name ends with the time, so the newest is the last.
fn newest_aside(data_dir: &Path) -> Option<String> {
    let names = fs::read_dir(data_dir).ok()?.flatten();
    names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(ASIDE) && !name.ends_with("-wal") && !name.ends_with("-shm"))
        .max()
}
