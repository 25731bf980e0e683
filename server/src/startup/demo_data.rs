//! The store for a made-up history, without a server.

use std::sync::Arc;

use super::{StartError, audit_log, open_store, unlock};
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::Config;
use crate::demo_data;
use crate::store::Store;

pub struct OpenStore {
    pub store: Arc<dyn Store>,
    pub audit: Audit,
    pub clock: Clock,
}

/// # Errors
/// [`StartError`]; `InUse` while a server runs on the same data.
pub async fn open_for_demo_data(config: &Config) -> Result<OpenStore, StartError> {
    let (store, clock) = (open_store(&config.data_dir).await?, Clock::system());
    let vault = unlock(config, &store, &clock).await?;
    let audit = audit_log(&store, &clock, &vault);
    Ok(OpenStore { store, audit, clock })
}

/// The models that the settings name come first.
pub fn demo_models(config: &Config) -> Vec<String> {
    demo_data::models(&[&config.text_model, &config.vision_model])
}
