//! The store that the settings name: the only place that chooses one.

use std::sync::Arc;

use tracing::warn;

use super::lost::refuse_lost;
use super::{STORE_FILE, StartError};
use crate::backup;
use crate::config::Config;
use crate::private_files::make_private_dir;
use crate::store::mongo::MongoStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{MongoAddress, Result, Store, StoreError};

pub(super) type OpenStore = Arc<dyn Store>;

/// # Errors
/// [`StartError::Lost`], [`StartError::DataDir`], [`StartError::Store`]; `InUse` while another process works on the data.
pub(super) async fn open_store(config: &Config) -> std::result::Result<OpenStore, StartError> {
    if config.mongo.is_none() {
        refuse_lost(&config.data_dir)?;
    }
    make_private_dir(&config.data_dir).map_err(|error| StartError::DataDir {
        path: config.data_dir.display().to_string(),
        reason: error.kind(),
    })?;
    let store = match &config.mongo {
        Some(address) => open_mongo(config, address).await?,
        None => open_sqlite(config).await?,
    };
    Ok(store)
}

async fn open_mongo(config: &Config, address: &MongoAddress) -> Result<OpenStore> {
    let store = MongoStore::open(address, &config.data_dir).await?;
    if config.data_dir.join(STORE_FILE).exists() {
        warn!("{STORE_FILE} in DATA_DIR is not used: MONGO_URI is set, so everything is in MongoDB");
    }
    // The folder is ours alone, so nobody is at work on these.
    backup::clear_scratch(&config.data_dir);
    Ok(Arc::new(store))
}

async fn open_sqlite(config: &Config) -> Result<OpenStore> {
    let data_dir = config.data_dir.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let store = SqliteStore::open(&data_dir.join(STORE_FILE))?;
        // The store is ours alone, so nobody is at work on these.
        backup::clear_scratch(&data_dir);
        Ok::<_, StoreError>(store)
    })
    .await;
    let store = opened.map_err(|_| StoreError::Unavailable("opening it was broken off".to_owned()))??;
    Ok(Arc::new(store))
}

/// Whether a store was made where the settings say, also when it went missing or cannot be reached: whoever opens it then
/// says what is wrong.
pub(super) async fn has_data(config: &Config) -> bool {
    match &config.mongo {
        Some(address) => MongoStore::has_data(address).await.unwrap_or(true),
        None => config.data_dir.join(STORE_FILE).exists() || refuse_lost(&config.data_dir).is_err(),
    }
}

/// A mistyped folder or database must not look like a pool without keys.
#[derive(Debug, thiserror::Error)]
#[error("there is no data of Keypool in {place}: check {settings}")]
pub struct NoData {
    place: String,
    settings: &'static str,
}

/// # Errors
/// [`NoData`].
pub async fn require_data(config: &Config) -> std::result::Result<(), NoData> {
    if has_data(config).await {
        return Ok(());
    }
    Err(match &config.mongo {
        Some(address) => NoData {
            place: format!("the MongoDB database {}", address.database()),
            settings: "the database in MONGO_URI",
        },
        None => NoData {
            place: config.data_dir.display().to_string(),
            settings: "DATA_DIR or --data-dir",
        },
    })
}
