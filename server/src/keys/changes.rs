//! Changing and removing keys.

use std::sync::Arc;

use app::error::{AppError, ErrorCode};
use app::types::{KeyOrigin, KeyPatch};
use pool::{KeyId, KeyState};
use tracing::{info, warn};

use super::{Keys, pool_entry};
use crate::keyring::{KeyFacts, fields};
use crate::store::{KeyChange, StoredKey};

impl Keys {
    /// Changes what is said of a key.
    ///
    /// # Errors
    /// `NOT_FOUND`; `BAD_REQUEST` with the field at fault; `CONFLICT` on switching off the last key that can serve, unless
    /// forced.
    pub async fn update(self: &Arc<Self>, id: &str, patch: KeyPatch) -> Result<(), AppError> {
        let (keys, id) = (Arc::clone(self), id.to_owned());
        self.whole(async move { keys.update_now(&id, patch).await }).await
    }

    async fn update_now(&self, id: &str, patch: KeyPatch) -> Result<(), AppError> {
        let change = fields::of_patch(&patch)?;
        let _turn = self.turn.lock().await;
        let facts = self.facts(id)?;
        if change.label.is_some() && facts.origin == KeyOrigin::Environment {
            let message = format!(
                "This key is named after its variable, {}: it keeps that name.",
                facts.label
            );
            return Err(AppError::new(ErrorCode::BadRequest, message).field("label"));
        }
        if change.enabled == Some(false) && !patch.force {
            self.check_not_last(&facts, "switched off")?;
        }
        let (account, enabled) = (change.account.clone(), change.enabled);
        self.apply(facts.id, change).await?;
        if let Some(account) = account {
            self.spread_account(facts.id, account).await?;
        }
        if let Some(enabled) = enabled {
            self.pool.set_enabled(facts.id, enabled);
            self.pool.settled().await;
        }
        info!(
            key_number = facts.number,
            enabled, "an admin changed key {}", facts.number
        );
        Ok(())
    }

    /// # Errors
    /// As [`Keys::update`].
    pub async fn set_enabled(self: &Arc<Self>, id: &str, enabled: bool, force: bool) -> Result<(), AppError> {
        let patch = KeyPatch {
            enabled: Some(enabled),
            force,
            ..KeyPatch::default()
        };
        self.update(id, patch).await
    }

    /// Forgets a key of the console and its secret.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONFLICT` for a key of the environment, and for the last key that can serve, unless forced.
    pub async fn delete(self: &Arc<Self>, id: &str, force: bool) -> Result<(), AppError> {
        let (keys, id) = (Arc::clone(self), id.to_owned());
        self.whole(async move { keys.delete_now(&id, force).await }).await
    }

    async fn delete_now(&self, id: &str, force: bool) -> Result<(), AppError> {
        let _turn = self.turn.lock().await;
        let facts = self.facts(id)?;
        if facts.origin == KeyOrigin::Environment {
            let message = format!(
                "Key {} comes from {}: take it out of the environment and start again. To stop using it now, disable it.",
                facts.number, facts.label
            );
            return Err(AppError::new(ErrorCode::Conflict, message));
        }
        if !force {
            self.check_not_last(&facts, "deleted")?;
        }
        self.keyring.remove(facts.id).await?;
        self.pool.remove(facts.id);
        info!(key_number = facts.number, "an admin deleted key {}", facts.number);
        Ok(())
    }

    /// What the provider says of a key's project counts more than what a person said.
    pub(crate) async fn learn_project(&self, key: KeyId, project: &str) -> Result<(), AppError> {
        let _turn = self.turn.lock().await;
        let Some(facts) = self.keyring.facts(key) else {
            return Ok(());
        };
        let number = facts.number;
        match facts.project.as_deref() {
            Some(known) if known == project => return Ok(()),
            Some(known) => {
                warn!(
                    key_number = number,
                    project, known, "the provider says that key {number} is of another project than was set"
                );
            }
            None => info!(
                key_number = number,
                project, "the provider told the project of key {number}"
            ),
        }
        self.set_project(key, project).await
    }

    /// For those who have the turn.
    pub(super) async fn set_project(&self, key: KeyId, project: &str) -> Result<(), AppError> {
        let change = KeyChange {
            project: Some(Some(project.to_owned())),
            ..KeyChange::default()
        };
        self.apply(key, change).await
    }

    /// For those who have the turn.
    async fn apply(&self, key: KeyId, change: KeyChange) -> Result<(), AppError> {
        let is_regrouped = change.project.is_some();
        let stored = self.keyring.change(key, change).await?;
        let stored = self.share_account(stored).await?;
        if is_regrouped {
            self.pool.regroup(pool_entry(&stored));
            self.pool.settled().await;
        } else {
            self.pool.upsert(pool_entry(&stored));
        }
        Ok(())
    }

    /// All keys of a project are paid by one account: one that joins takes the account of those that are there, or brings its
    /// own to those that have none.
    pub(super) async fn share_account(&self, joined: StoredKey) -> Result<StoredKey, AppError> {
        let siblings = self.siblings_of(&joined);
        let account = siblings.iter().find_map(|facts| facts.account.clone());
        match (account, &joined.account) {
            (Some(account), own) if own.as_ref() != Some(&account) => {
                let change = with_account(Some(account));
                self.keyring.change(KeyId(joined.id), change).await
            }
            (None, Some(_)) => {
                self.set_account(&siblings, joined.account.as_ref()).await?;
                Ok(joined)
            }
            _ => Ok(joined),
        }
    }

    /// An account set by hand counts for the whole project.
    async fn spread_account(&self, key: KeyId, account: Option<String>) -> Result<(), AppError> {
        let stored = self.keyring.change(key, with_account(account.clone())).await?;
        self.set_account(&self.siblings_of(&stored), account.as_ref()).await?;
        self.pool.upsert(pool_entry(&stored));
        Ok(())
    }

    async fn set_account(&self, keys: &[KeyFacts], account: Option<&String>) -> Result<(), AppError> {
        for facts in keys {
            let stored = self.keyring.change(facts.id, with_account(account.cloned())).await?;
            self.pool.upsert(pool_entry(&stored));
        }
        Ok(())
    }

    fn siblings_of(&self, key: &StoredKey) -> Vec<KeyFacts> {
        let all = self.keyring.all().into_iter();
        all.filter(|facts| facts.id.0 != key.id && key.project.is_some() && facts.project == key.project)
            .collect()
    }

    /// A slip of the hand must not end the service.
    fn check_not_last(&self, facts: &KeyFacts, done: &str) -> Result<(), AppError> {
        let keys = self.pool.snapshot().keys;
        let mut usable = keys.iter().filter(|view| is_usable(view.state));
        if usable.any(|view| view.key.id != facts.id)
            || !keys.iter().any(|view| view.key.id == facts.id && is_usable(view.state))
        {
            return Ok(());
        }
        let message = format!(
            "Key {} is the last one that can serve: when it is {done}, every request fails. Add another key first, or force it.",
            facts.number
        );
        Err(AppError::new(ErrorCode::Conflict, message).field("force"))
    }
}

fn with_account(account: Option<String>) -> KeyChange {
    KeyChange {
        account: Some(account),
        ..KeyChange::default()
    }
}

/// Serves now, or will without a person: a spent quota comes back by itself.
fn is_usable(state: KeyState) -> bool {
    match state {
        KeyState::Ready | KeyState::Suspect { .. } | KeyState::SpendLimited { .. } => true,
        KeyState::Invalid { .. }
        | KeyState::NeedsSetup { .. }
        | KeyState::NoCredit { .. }
        | KeyState::Revoked
        | KeyState::Disabled => false,
    }
}
