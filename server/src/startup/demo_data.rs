//! The store for a made-up history, without a server.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{StartError, audit_log, open_store, unlock};
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::Config;
use crate::demo_data;
use crate::store::Store;

pub struct DemoStore {
    pub store: Arc<dyn Store>,
    pub audit: Audit,
    pub clock: Clock,
}

/// # Errors
/// [`StartError`]; `InUse` while a server runs on the same data.
pub async fn open_for_demo_data(config: &Config) -> Result<DemoStore, StartError> {
    let (store, clock) = (open_store(config).await?, Clock::system());
    let vault = unlock(config, &store, &clock).await?;
    let audit = audit_log(&store, &clock, &vault);
    Ok(DemoStore { store, audit, clock })
}

/// Beside a running demo.
pub(super) fn demo_history(
    config: &Config,
    store: &Arc<dyn Store>,
    clock: &Clock,
    stop: &CancellationToken,
) -> impl Future<Output = ()> + Send + 'static {
    demo_data::fill_once(Arc::clone(store), demo_models(config), clock.now(), stop.clone())
}

/// The models that the settings name come first.
pub fn demo_models(config: &Config) -> Vec<String> {
    demo_data::models(&[&config.text_model, &config.vision_model])
}
