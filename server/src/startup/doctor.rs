//! The debug report of a running server, and of one that does not run.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tracing::warn;

use super::storing::has_data;
use super::{OpenKeys, StartError, analysis_deps, open_keys};
use crate::analysis::Deps;
use crate::clock::Clock;
use crate::config::{Config, Layers, Mistakes};
use crate::doctor::{Access, Doctor, Place, Service, StoreFacts};
use crate::keys::Keys;
use crate::settings::RuntimeSettings;
use crate::status::StatusReader;
use crate::store::StoreError;
use crate::usage::{self, Recorder};
use crate::waiting::{self, WaitingRoom};

/// For the test request of the command line.
const DEADLINE: Duration = Duration::from_secs(60);

/// Of the server that is being built.
pub(super) fn of_server(config: &Config, analysis: &Arc<Deps>, keys: &Arc<Keys>, status: &StatusReader) -> Doctor {
    let clock = analysis.clock.clone();
    let service = Service {
        engine: analysis.store.engine(),
        is_scratch: false,
        keys: Arc::clone(keys),
        analysis: Arc::clone(analysis),
        status: status.clone(),
    };
    Doctor::new(Place::of(config), Access::Open(Box::new(service)), clock)
}

/// Without a server, for settings that no server would start with.
pub fn doctor_of_mistakes(layers: &Layers, mistakes: Mistakes) -> Doctor {
    let place = Place::with_mistakes(layers, mistakes);
    Doctor::new(place, Access::Closed(StoreFacts::NotLookedAt), Clock::system())
}

/// A doctor without a server, and what it opened.
pub struct OpenDoctor {
    pub doctor: Doctor,
    /// Another Keypool has the store, most likely a server that can be asked.
    pub store_in_use: bool,
    opened: Option<OpenKeys>,
    /// In place of a data folder that is not made yet; removed when it is dropped.
    scratch: Option<TempDir>,
}

/// Opens the store itself. Where nothing was stored yet, a folder that is thrown away stands in for it: looking must not
/// make what the first start makes. A store that does not open is part of the report.
pub async fn open_doctor(config: &Config) -> OpenDoctor {
    let (access, store_in_use, opened, scratch) = match open(config).await {
        Ok((opened, scratch)) => {
            let service = service(config, &opened, scratch.is_some()).await;
            (Access::Open(Box::new(service)), false, Some(opened), scratch)
        }
        Err(NotOpened { reason, in_use }) => (Access::Closed(StoreFacts::Failed(reason)), in_use, None, None),
    };
    OpenDoctor {
        doctor: Doctor::new(Place::of(config), access, Clock::system()),
        store_in_use,
        opened,
        scratch,
    }
}

struct NotOpened {
    /// Holds no value of a setting or of the store.
    reason: String,
    in_use: bool,
}

impl From<StartError> for NotOpened {
    fn from(error: StartError) -> Self {
        Self {
            reason: error.to_string(),
            in_use: matches!(error, StartError::Store(StoreError::InUse(_))),
        }
    }
}

async fn open(config: &Config) -> Result<(OpenKeys, Option<TempDir>), NotOpened> {
    if has_data(config).await {
        return Ok((open_keys(config).await?, None));
    }
    let scratch = TempDir::with_prefix("keypool-doctor-").map_err(|error| NotOpened {
        reason: format!("no folder for temporary files can be made: {}", error.kind()),
        in_use: false,
    })?;
    let elsewhere = Config {
        data_dir: scratch.path().join("data"),
        // A database that is not there yet is not made by looking either.
        mongo: None,
        ..config.clone()
    };
    Ok((open_keys(&elsewhere).await?, Some(scratch)))
}

async fn service(config: &Config, opened: &OpenKeys, is_scratch: bool) -> Service {
    let (keys, store, finish) = (&opened.keys, &opened.store, &opened.finish);
    if let Err(error) = RuntimeSettings::open(config, Arc::clone(store), keys.pool.clone()).await {
        warn!(%error, "the settings made in the console could not be read");
    }
    let (recorder, entries) = Recorder::new(config.analytics.recording, config.analytics.durability);
    opened
        .tasks
        .spawn(usage::run(entries, Arc::clone(store), finish.clone()));
    let clock = keys.clock.clone();
    let waiting = WaitingRoom::new(keys.pool.clone(), clock.clone(), config.queue);
    opened.tasks.spawn(waiting::run(waiting.clone(), finish.clone()));
    let analysis = analysis_deps(
        config,
        keys,
        Arc::clone(store),
        recorder,
        waiting,
        (DEADLINE, finish.clone()),
    );
    Service {
        engine: store.engine(),
        is_scratch,
        keys: Arc::clone(keys),
        analysis: Arc::new(analysis),
        status: opened.status.clone(),
    }
}

impl OpenDoctor {
    /// Stores what the tests showed.
    ///
    /// # Errors
    /// When the store does not close.
    pub async fn close(self) -> Result<(), StoreError> {
        drop(self.doctor);
        if let Some(opened) = self.opened {
            opened.close().await?;
        }
        drop(self.scratch);
        Ok(())
    }
}
