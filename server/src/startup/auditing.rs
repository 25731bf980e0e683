//! The audit log without a server, for the command line.

use std::sync::Arc;

use super::{StartError, open_store, unlock};
use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Store, StoreError};
use crate::vault::Vault;

/// What reads the audit log without a server.
pub struct OpenAudit {
    pub audit: Audit,
    store: Arc<dyn Store>,
}

/// # Errors
/// [`StartError`]; `InUse` while a server runs on the same data.
pub async fn open_audit(config: &Config) -> Result<OpenAudit, StartError> {
    let (store, clock) = (open_store(config).await?, Clock::system());
    let vault = unlock(config, &store, &clock).await?;
    Ok(OpenAudit {
        audit: audit_log(&store, &clock, &vault),
        store,
    })
}

impl OpenAudit {
    /// # Errors
    /// When the store does not close.
    pub async fn close(self) -> Result<(), StoreError> {
        self.store.close().await
    }
}

pub(super) fn audit_log(store: &Arc<dyn Store>, clock: &Clock, vault: &Vault) -> Audit {
    let vault = vault.clone();
    Audit::new(Arc::clone(store), clock.clone(), move |purpose, bytes| {
        vault.digest(purpose, bytes)
    })
}
