//! The accounts, their first admin, and who signs tokens.

use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tracing::info;

use super::{JWT_SECRET_FILE, StartError, audit_log, open_store, secret, unlock};
use crate::accounts::{Accounts, TokenSigner, record_new};
use crate::audit::{Actor, Audit};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::Store;
use crate::vault::Vault;

/// The accounts without a server, for the command line.
pub struct OpenAccounts {
    pub accounts: Accounts,
    pub audit: Audit,
    pub clock: Clock,
    pub store: Arc<dyn Store>,
}

/// # Errors
/// [`StartError`]; `InUse` while a server runs on the same data.
pub async fn open_accounts(config: &Config) -> Result<OpenAccounts, StartError> {
    let (store, clock) = (open_store(config).await?, Clock::system());
    let vault = unlock(config, &store, &clock).await?;
    Ok(OpenAccounts {
        audit: audit_log(&store, &clock, &vault),
        accounts: accounts(config, Arc::clone(&store), vault, &clock)?,
        clock,
        store,
    })
}

/// Signs the command line's tokens for the server that runs on this data; absent where none ever ran.
///
/// # Errors
/// A `JWT_SECRET` that cannot be used.
pub fn operator_signer(config: &Config) -> Result<Option<TokenSigner>, StartError> {
    if config.jwt_secret.is_none() && !config.data_dir.join(JWT_SECRET_FILE).exists() {
        return Ok(None);
    }
    signer(config, &Clock::system()).map(Some)
}

pub(super) fn accounts(
    config: &Config,
    store: Arc<dyn Store>,
    vault: Vault,
    clock: &Clock,
) -> Result<Accounts, StartError> {
    let signer = signer(config, clock)?;
    Ok(Accounts::new(store, signer, vault, config.registration))
}

fn signer(config: &Config, clock: &Clock) -> Result<TokenSigner, StartError> {
    let secret = secret(&config.jwt_secret, &config.data_dir, JWT_SECRET_FILE, 48)?;
    let signer = TokenSigner::new(&secret)?;
    match &config.jwt_secret_previous {
        Some(previous) => signer
            .also_verifying(previous, clock.now())
            .map_err(StartError::PreviousJwtSecret),
        None => Ok(signer),
    }
}

pub(super) async fn first_admin(
    accounts: &Accounts,
    audit: &Audit,
    config: &Config,
    clock: &Clock,
) -> Result<Option<SecretString>, StartError> {
    if let Some(admin) = &config.first_admin {
        let made = accounts.ensure_first_admin(&admin.email, &admin.password, clock.now());
        if let Some(user) = made.await.map_err(StartError::Admin)? {
            info!("the first admin was created from the settings");
            let by = Actor::command_line();
            let recorded = record_new(audit, &by, &user, "settings");
            recorded.await.map_err(StartError::Admin)?;
        }
        return Ok(None);
    }
    if accounts.has_admin().await.map_err(StartError::Admin)? {
        return Ok(None);
    }
    accounts
        .create_set_up_link(clock.now())
        .await
        .map(Some)
        .map_err(StartError::Admin)
}

/// The address people open to make the first admin.
pub fn set_up_url(address: SocketAddr, token: &SecretString) -> String {
    format!("http://{address}/set-up?token={}", token.expose_secret())
}
