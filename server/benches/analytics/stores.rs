//! The stores that are measured, each in a place that goes away.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use server::store::Store;
use server::store::sqlite::SqliteStore;
use tempfile::TempDir;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Mongo,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Sqlite, Self::Mongo];

    pub(crate) fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "sqlite" => Self::Sqlite,
            "mongo" => Self::Mongo,
            _ => bail!("there is no store {text}: sqlite or mongo"),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Mongo => "MongoDB",
        })
    }
}

/// Where a store lies while it is measured.
pub(crate) struct Place {
    data: TempDir,
}

impl Place {
    /// `None` when this build has no such store.
    #[expect(clippy::unused_async, reason = "a server has to be found for the other store")]
    pub(crate) async fn new(kind: Kind) -> Result<Option<Self>> {
        match kind {
            Kind::Sqlite => {
                let data = TempDir::with_prefix("keypool-bench-")?;
                Ok(Some(Self { data }))
            }
            Kind::Mongo => Ok(None),
        }
    }

    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>> {
        let path = self.data.path().join(FILE);
        let store = tokio::task::spawn_blocking(move || SqliteStore::open(&path)).await??;
        Ok(Arc::new(store))
    }

    /// On the disk, and of them those that are in use.
    pub(crate) async fn bytes(&self, store: &Arc<dyn Store>) -> Result<Bytes> {
        store.ready().await?;
        let path = self.data.path().join(FILE);
        tokio::task::spawn_blocking(move || sqlite_bytes(&path)).await?
    }

    #[expect(clippy::unused_async, reason = "a database of the other store is dropped")]
    pub(crate) async fn clear(self) -> Result<()> {
        self.data.close().context("the temporary folder could not be removed")
    }
}

const FILE: &str = "keypool.db";

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bytes {
    pub(crate) on_disk: u64,
    pub(crate) in_use: u64,
}

fn sqlite_bytes(path: &Path) -> Result<Bytes> {
    let connection = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let pragma = |name: &str| -> Result<u64> {
        let value: i64 = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?;
        Ok(value.unsigned_abs())
    };
    let (pages, free, size) = (pragma("page_count")?, pragma("freelist_count")?, pragma("page_size")?);
    Ok(Bytes {
        on_disk: pages * size,
        in_use: (pages - free) * size,
    })
}
