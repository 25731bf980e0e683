//! The two ways to the accounts: through the store itself, or through the server that runs on it.

use anyhow::{Context, anyhow};
use app::types::{Account, NewAccount, NewInvitation, NewLink, User, UserPatch};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use server::accounts::{Managing, invitation_url};
use server::audit::Actor;
use server::config::Config;
use server::startup::{self, OpenAccounts, StartError};
use server::store::StoreError;

use crate::cli::remote::{Remote, base_url};

/// For a server whose store is in use and that was not found.
const HINT: &str = "if that is a server, say where it listens with --host and --port";

pub(super) enum Way {
    Server(Box<Remote>),
    Store(Box<Direct>),
}

pub(super) struct Direct {
    opened: OpenAccounts,
    actor: Actor,
    /// Where the server will be once it runs.
    base: String,
}

impl Direct {
    fn managing(&self) -> Managing<'_> {
        Managing {
            accounts: &self.opened.accounts,
            audit: &self.opened.audit,
            actor: &self.actor,
        }
    }
}

impl Way {
    /// The store first: only when its lock shows that a server runs may a password or a token go to who listens on the
    /// port. Without a server that could be anybody on this machine.
    pub(super) async fn open(config: &Config) -> Result<Self, anyhow::Error> {
        let in_use = match startup::open_accounts(config).await {
            Ok(opened) => {
                return Ok(Self::Store(Box::new(Direct {
                    opened,
                    actor: Actor::command_line(),
                    base: base_url(config.host, config.port),
                })));
            }
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
            Self::Store(direct) => Ok(direct.opened.store.close().await?),
        }
    }

    pub(super) async fn list(&self) -> Result<Vec<Account>, anyhow::Error> {
        match self {
            Self::Server(remote) => read(remote.get("/api/admin/users").await?),
            Self::Store(direct) => Ok(direct.opened.accounts.accounts().await?),
        }
    }

    pub(super) async fn create(&self, new: NewAccount) -> Result<User, anyhow::Error> {
        match self {
            Self::Server(remote) => {
                let NewAccount {
                    email,
                    password,
                    name,
                    role,
                } = new;
                let body = json!({ "email": email, "password": password, "name": name, "role": role });
                read(remote.post("/api/admin/users", &body).await?)
            }
            Self::Store(direct) => Ok(direct.managing().create(new, direct.opened.clock.now()).await?),
        }
    }

    pub(super) async fn change(&self, email: &str, patch: &UserPatch) -> Result<Account, anyhow::Error> {
        let id = self.id_of(email).await?;
        match self {
            Self::Server(remote) => {
                let path = format!("/api/admin/users/{id}");
                read(remote.patch(&path, &serde_json::to_value(patch)?).await?)
            }
            Self::Store(direct) => Ok(direct.managing().change(&id, patch).await?),
        }
    }

    pub(super) async fn set_password(&self, email: &str, password: String) -> Result<(), anyhow::Error> {
        let id = self.id_of(email).await?;
        match self {
            Self::Server(remote) => {
                let path = format!("/api/admin/users/{id}/password");
                remote.post(&path, &json!({ "password": password })).await.map(|_| ())
            }
            Self::Store(direct) => Ok(direct.managing().set_password(&id, &password.into()).await?),
        }
    }

    pub(super) async fn delete(&self, email: &str) -> Result<(), anyhow::Error> {
        let id = self.id_of(email).await?;
        match self {
            Self::Server(remote) => remote.delete(&format!("/api/admin/users/{id}")).await.map(|_| ()),
            Self::Store(direct) => Ok(direct.managing().delete(&id).await?),
        }
    }

    pub(super) async fn invite(&self, new: NewInvitation) -> Result<NewLink, anyhow::Error> {
        match self {
            Self::Server(remote) => {
                let body = serde_json::to_value(new)?;
                read(remote.post("/api/admin/invitations", &body).await?)
            }
            Self::Store(direct) => {
                let (invitation, token) = direct.managing().invite(new, direct.opened.clock.now()).await?;
                Ok(NewLink {
                    id: invitation.id,
                    url: invitation_url(&direct.base, &token),
                    expires_at: invitation.expires_at,
                })
            }
        }
    }

    /// How many sessions and sign-ins were ended.
    pub(super) async fn sign_out(&self, email: &str) -> Result<u64, anyhow::Error> {
        let id = self.id_of(email).await?;
        match self {
            Self::Server(remote) => {
                let path = format!("/api/admin/users/{id}/sign-out");
                read(remote.post(&path, &json!({})).await?["ended"].take())
            }
            Self::Store(direct) => Ok(direct.managing().sign_out(&id).await?),
        }
    }

    /// Whether there was one.
    pub(super) async fn reset_two_factor(&self, email: &str) -> Result<bool, anyhow::Error> {
        let id = self.id_of(email).await?;
        match self {
            Self::Server(remote) => {
                let path = format!("/api/admin/users/{id}/two-factor/reset");
                read(remote.post(&path, &json!({})).await?["wasEnabled"].take())
            }
            Self::Store(direct) => Ok(direct.managing().reset_two_factor(&id).await?),
        }
    }

    async fn id_of(&self, email: &str) -> Result<String, anyhow::Error> {
        if let Self::Store(direct) = self {
            return Ok(direct.opened.accounts.by_email(email).await?.id);
        }
        let plain = email.trim().to_lowercase();
        let account = self.list().await?.into_iter().find(|account| account.email == plain);
        account
            .map(|account| account.id)
            .ok_or_else(|| anyhow!("There is no account with this e-mail."))
    }
}

fn read<T: DeserializeOwned>(data: Value) -> Result<T, anyhow::Error> {
    serde_json::from_value(data).context("the server is of another version: use the `keypool` that it was started with")
}
