//! The database's file: one instance at a time, never a damaged or foreign one, never an empty one in place of a lost
//! one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use super::usage;
use crate::private_files::{make_private_dir, owner_only};
use crate::store::{Result, StoreError};

/// Before it, a bug could damage databases in WAL mode.
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// "KPOL", as the first migration writes it.
pub(super) const APPLICATION_ID: i64 = 0x4B50_4F4C;
/// How long a connection waits for another program that looks into the file.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Larger files are not read through at every start: that would take seconds. SQLite still checks each page it uses.
const QUICK_CHECK_BYTES_MAX: u64 = 64 * 1024 * 1024;
const INITIALISED: &str = "initialised\n";

const MIGRATION_LIST: &[M<'static>] = &[
    M::up(include_str!("migrations/0001_initial.sql")),
    M::up(include_str!("migrations/0002_settings_and_notifications.sql")),
    M::up(include_str!("migrations/0003_keys.sql")),
    M::up(include_str!("migrations/0004_usage_hours.sql")),
    M::up(include_str!("migrations/0005_accounts.sql")),
    M::up(include_str!("migrations/0006_audit_and_idempotency.sql")),
    M::up(include_str!("migrations/0007_credentials.sql")),
    M::up(include_str!("migrations/0008_usage.sql")),
    M::up(include_str!("migrations/0009_usage_totals.sql")),
    M::up(include_str!("migrations/0010_incidents.sql")),
];
pub(super) const MIGRATIONS: Migrations<'static> = Migrations::from_slice(MIGRATION_LIST);

/// Held while the store is open; the system frees it however the process ends.
pub(super) struct InstanceLock {
    file: File,
    is_initialised: bool,
}

/// The writing connection on the checked and migrated database, and the lock on its file.
pub(super) fn open_checked(path: &Path) -> Result<(Connection, InstanceLock)> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        let message = format!(
            "SQLite {} can damage its files: 3.51.3 or newer is needed",
            rusqlite::version()
        );
        return Err(StoreError::Unavailable(message));
    }
    let failed = |cause: io::Error| StoreError::Unavailable(format!("{}: {cause}", path.display()));
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        make_private_dir(dir).map_err(failed)?;
    }
    let mut lock = InstanceLock::take(path)?;
    let bytes = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => 0,
        Err(cause) => return Err(failed(cause)),
    };
    if bytes == 0 && lock.is_initialised {
        return Err(StoreError::Corrupt(format!(
            "{} is missing or empty, but it was in use before: restore a backup, or remove {} as well to begin anew",
            path.display(),
            lock_path(path).display()
        )));
    }
    // Made here and not by SQLite, so that only the owner can read it; SQLite gives its other files the same mode.
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    owner_only(&mut options);
    options.open(path).map_err(failed)?;
    let mut connection = open_writer(path)?;
    check(&connection, path, bytes)?;
    migrate(&mut connection)?;
    lock.mark_initialised().map_err(failed)?;
    Ok((connection, lock))
}

/// A connection that may write. What it commits is on the disk when it says so: `synchronous = FULL`.
pub(super) fn open_writer(path: &Path) -> Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA foreign_keys = ON; \
         PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 67108864;",
    )?;
    Ok(connection)
}

pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

pub(super) fn schema_version(connection: &Connection) -> Result<u32> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

pub(super) fn open(path: &Path, access: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch("PRAGMA trusted_schema = OFF;")?;
    usage::register(&connection)?;
    Ok(connection)
}

fn check(connection: &Connection, path: &Path, bytes: u64) -> Result<()> {
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(StoreError::Corrupt(format!(
            "{} is another program's database",
            path.display()
        )));
    }
    let (found, known) = (
        schema_version(connection)?,
        u32::try_from(MIGRATION_LIST.len()).unwrap_or(u32::MAX),
    );
    if found > known {
        return Err(StoreError::SchemaTooNew { found, known });
    }
    if bytes <= QUICK_CHECK_BYTES_MAX {
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(StoreError::Corrupt(format!(
                "{}: {verdict}. Restore a backup",
                path.display()
            )));
        }
    }
    Ok(())
}

fn migrate(connection: &mut Connection) -> Result<()> {
    MIGRATIONS.to_latest(connection).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => err.into(),
        other => StoreError::Unavailable(format!("the schema cannot be brought up to date: {other}")),
    })
}

impl InstanceLock {
    pub(super) fn take(path: &Path) -> Result<Self> {
        let name = lock_path(path);
        let failed = |cause: io::Error| StoreError::Unavailable(format!("{}: {cause}", name.display()));
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        owner_only(&mut options);
        let mut file = options.open(&name).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(path.display().to_string())),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        Ok(Self {
            file,
            is_initialised: text == INITIALISED,
        })
    }

    /// From now on a missing database is a lost one.
    fn mark_initialised(&mut self) -> io::Result<()> {
        if self.is_initialised {
            return Ok(());
        }
        self.file.set_len(0)?;
        self.file.write_all(INITIALISED.as_bytes())?;
        self.file.sync_all()?;
        self.is_initialised = true;
        Ok(())
    }
}

/// Of the file whose lock tells that a store is in use.
pub fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_are_well_formed() {
        let mut connection = Connection::open_in_memory().expect("a database in memory");
        usage::register(&connection).expect("functions");
        MIGRATIONS
            .to_latest(&mut connection)
            .expect("migrations run on an empty database");
    }

    #[test]
    fn the_application_id_is_the_one_the_first_migration_writes() {
        let mut connection = Connection::open_in_memory().expect("a database in memory");
        usage::register(&connection).expect("functions");
        migrate(&mut connection).expect("migrated");
        let id: i64 = connection
            .query_row("PRAGMA application_id", [], |row| row.get(0))
            .expect("an id");
        assert_eq!(id, APPLICATION_ID);
    }
}
