//! The vault of a store that was just opened.

use std::sync::Arc;

use tracing::{info, warn};

use super::{StartError, audit_log};
use crate::clock::Clock;
use crate::config::Config;
use crate::keyring::MasterKeyId;
use crate::store::Store;
use crate::vault::{Masters, Vault};

/// Before anything else reads the store: with a wrong master key nothing is to be changed.
pub(super) async fn unlock(config: &Config, store: &Arc<dyn Store>, clock: &Clock) -> Result<Vault, StartError> {
    let values = store.sealed_values().await?;
    let under = values
        .iter()
        .find_map(|value| MasterKeyId::of_sealed(&value.sealed).ok().map(|id| id.to_string()));
    let (set, before) = (config.master_key.as_ref(), config.master_key_previous.as_ref());
    let masters = Masters::load_or_make(&config.data_dir, set, before, under)?;
    let begin_log = async |vault: &Vault| audit_log(store, clock, vault).begin().await;
    let vault = Vault::unlock_with(Arc::clone(store), masters, begin_log).await?;
    let standing = vault.standing().await?;
    match (standing.left, standing.previous) {
        (0, None) => {}
        (0, Some(_)) if !standing.is_made => {
            info!("nothing is under the previous master key any more: KEYPOOL_MASTER_KEY_PREVIOUS can be removed");
        }
        (0, Some(_)) => info!("nothing is under the previous master key any more: `keypool keys rewrap` forgets it"),
        (left, _) => warn!(
            left,
            "{left} of {} stored secret(s) are still under the previous master key: run `keypool keys rewrap`",
            standing.values
        ),
    }
    Ok(vault)
}
