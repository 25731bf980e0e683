//! The two ways to the pool: through the store itself, or through the server that runs on it.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use app::types::{AddedKey, ImportReport, KeyImport, KeyTest, KeyTier, PoolKey};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use server::audit::Actor;
use server::config::Config;
use server::keys::{self, ManagedKeys};
use server::startup::{self, OpenKeys, StartError};
use server::store::StoreError;

use crate::cli::remote::Remote;

/// For a server whose store is in use and that was not found.
const HINT: &str = "if that is a server, say where it listens with --host and --port";

pub(super) enum Way {
    Server(Box<Remote>),
    Store(Box<OpenKeys>),
}

/// A key as it was typed. No `Debug`: it is a secret.
pub(super) struct NewKey {
    pub secret: String,
    pub label: Option<String>,
    pub tier: Option<KeyTier>,
    pub test: bool,
}

impl Way {
    /// The store first: only when its lock shows that a server runs may a key or a token go to who listens on the port.
    /// Without a server that could be anybody on this machine.
    pub(super) async fn open(config: &Config) -> Result<Self, anyhow::Error> {
        let in_use = match startup::open_keys(config).await {
            Ok(opened) => return Ok(Self::Store(Box::new(opened))),
            Err(error @ StartError::Store(StoreError::InUse(_))) => error,
            Err(error) => return Err(error.into()),
        };
        match Remote::find(config).await {
            Some(remote) => Ok(Self::Server(Box::new(remote))),
            None => Err(anyhow!("{in_use}; {HINT}")),
        }
    }

    pub(super) async fn close(self) -> Result<(), anyhow::Error> {
        match self {
            Self::Server(_) => Ok(()),
            Self::Store(opened) => Ok(opened.close().await?),
        }
    }

    pub(super) async fn list(&self) -> Result<Vec<PoolKey>, anyhow::Error> {
        match self {
            Self::Server(remote) => read(remote.get("/api/admin/keys").await?),
            Self::Store(opened) => Ok(keys::list(&opened.keys.keyring, opened.status.read())),
        }
    }

    pub(super) async fn add(&self, new: NewKey) -> Result<AddedKey, anyhow::Error> {
        let NewKey {
            secret,
            label,
            tier,
            test,
        } = new;
        match self {
            Self::Server(remote) => {
                let body = json!({ "key": secret, "label": label, "tier": tier, "test": test });
                read(remote.post("/api/admin/keys", &body).await?)
            }
            Self::Store(opened) => {
                let new = app::types::NewKey {
                    key: secret,
                    label,
                    tier,
                    test: Some(test),
                    ..app::types::NewKey::default()
                };
                let added = managed(opened).add(new).await?;
                Ok(AddedKey {
                    key: self.numbered(added.number).await?,
                    message: added.doubt.map(str::to_owned),
                })
            }
        }
    }

    pub(super) async fn import(
        &self,
        text: String,
        tier: Option<KeyTier>,
        test: bool,
    ) -> Result<ImportReport, anyhow::Error> {
        match self {
            Self::Server(remote) => {
                let body = json!({ "text": text, "tier": tier, "test": test });
                read(remote.post("/api/admin/keys/import", &body).await?)
            }
            Self::Store(opened) => {
                let test = Some(test);
                Ok(managed(opened).import(KeyImport { text, tier, test }).await?)
            }
        }
    }

    pub(super) async fn test(&self, number: u32) -> Result<KeyTest, anyhow::Error> {
        let id = self.numbered(number).await?.id;
        match self {
            Self::Server(remote) => read(remote.post(&address(&id, "test"), &json!({})).await?),
            Self::Store(opened) => Ok(opened.keys.test_one(&id).await?),
        }
    }

    pub(super) async fn test_all(&self) -> Result<Vec<KeyTest>, anyhow::Error> {
        match self {
            Self::Server(remote) => read(remote.post("/api/admin/keys/test-all", &json!({})).await?),
            Self::Store(opened) => Ok(opened.keys.test_all().await),
        }
    }

    pub(super) async fn enable(&self, number: u32) -> Result<PoolKey, anyhow::Error> {
        let id = self.numbered(number).await?.id;
        match self {
            Self::Server(remote) => read(remote.post(&address(&id, "enable"), &json!({})).await?),
            Self::Store(opened) => {
                managed(opened).set_enabled(&id, true, false).await?;
                self.numbered(number).await
            }
        }
    }

    pub(super) async fn disable(&self, number: u32, force: bool) -> Result<PoolKey, anyhow::Error> {
        let id = self.numbered(number).await?.id;
        match self {
            Self::Server(remote) => read(
                remote
                    .post(&address(&id, "disable"), &json!({ "force": force }))
                    .await?,
            ),
            Self::Store(opened) => {
                managed(opened).set_enabled(&id, false, force).await?;
                self.numbered(number).await
            }
        }
    }

    /// Gives back all keys as they are afterwards.
    pub(super) async fn reset(&self, number: Option<u32>, model: Option<&str>) -> Result<Vec<PoolKey>, anyhow::Error> {
        match self {
            Self::Server(remote) => {
                let body = json!({ "keyNumber": number, "model": model });
                remote.post("/api/admin/keys/reset-quota", &body).await?;
            }
            Self::Store(opened) => managed(opened).reset_quota(number, model.map(str::to_owned)).await?,
        }
        self.list().await
    }

    async fn numbered(&self, number: u32) -> Result<PoolKey, anyhow::Error> {
        let mut keys = self.list().await?.into_iter();
        keys.find(|key| key.status.key_number == number)
            .ok_or_else(|| anyhow!("there is no key {number}: `keypool keys list` shows the numbers"))
    }
}

/// The keys in the hands of whoever is at the command line.
fn managed(opened: &OpenKeys) -> ManagedKeys {
    ManagedKeys {
        keys: Arc::clone(&opened.keys),
        audit: opened.audit.clone(),
        actor: Actor::command_line(),
    }
}

fn address(id: &str, act: &str) -> String {
    format!("/api/admin/keys/{id}/{act}")
}

pub(super) fn read<T: DeserializeOwned>(data: Value) -> Result<T, anyhow::Error> {
    serde_json::from_value(data).context("the server is of another version: use the `keypool` that it was started with")
}
