//! The stores that are measured, each in a place that goes away.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use server::store::mongo::MongoStore;
use server::store::sqlite::SqliteStore;
use server::store::{MongoAddress, Store};
use tempfile::TempDir;

use crate::mongod::Mongod;

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

/// Where a store lies while it is measured. Everything is in a temporary folder, which goes with it.
pub(crate) struct Place {
    data: TempDir,
    mongod: Option<Mongod>,
}

impl Place {
    /// `None` when there is no such store here.
    pub(crate) async fn new(kind: Kind) -> Result<Option<Self>> {
        let data = TempDir::with_prefix("keypool-bench-")?;
        let mongod = match kind {
            Kind::Sqlite => None,
            Kind::Mongo => match Mongod::start(data.path()).await? {
                Some(mongod) => Some(mongod),
                None => return Ok(None),
            },
        };
        Ok(Some(Self { data, mongod }))
    }

    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>> {
        if let Some(mongod) = &self.mongod {
            let address = MongoAddress::parse(&mongod.uri).map_err(anyhow::Error::msg)?;
            return Ok(Arc::new(MongoStore::open(&address, self.data.path()).await?));
        }
        let path = self.data.path().join(FILE);
        let store = tokio::task::spawn_blocking(move || SqliteStore::open(&path)).await??;
        Ok(Arc::new(store))
    }

    /// On the disk, and of them those that are in use.
    pub(crate) async fn bytes(&self, store: &Arc<dyn Store>) -> Result<Bytes> {
        store.ready().await?;
        if let Some(mongod) = &self.mongod {
            return mongod.bytes().await;
        }
        let path = self.data.path().join(FILE);
        tokio::task::spawn_blocking(move || sqlite_bytes(&path)).await?
    }

    pub(crate) async fn clear(self) -> Result<()> {
        if let Some(mut mongod) = self.mongod {
            mongod.process.kill().await?;
        }
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
