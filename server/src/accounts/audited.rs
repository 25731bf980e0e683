//! Admins and operators at work on the accounts: each act with its entry in the audit log.

use app::error::AppError;
use app::types::{Account, Invitation, NewAccount, NewInvitation, Registration, User, UserPatch};
use pool::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{Accounts, Changed, PasswordLink};
use crate::audit::{Actor, Audit};

/// Who acts, and on what. Errors are those of the acts in [`Accounts`], and that of [`Audit::record`].
#[derive(Clone, Copy)]
pub struct Managing<'a> {
    pub accounts: &'a Accounts,
    pub audit: &'a Audit,
    pub actor: &'a Actor,
}

impl Managing<'_> {
    /// # Errors
    /// See [`Accounts::create`].
    pub async fn create(&self, new: NewAccount, now: Timestamp) -> Result<User, AppError> {
        let form = Registration {
            email: new.email,
            password: new.password,
            name: new.name,
            invitation: None,
        };
        let user = self.accounts.create(form, new.role, now).await?;
        let after = json!({ "email": user.email, "name": user.name, "role": user.role });
        self.record("user.create", &of_user(&user.id), None, Some(after))
            .await?;
        Ok(user)
    }

    /// One entry for each thing that changed.
    ///
    /// # Errors
    /// See [`Accounts::change`].
    pub async fn change(&self, id: &str, patch: &UserPatch) -> Result<Account, AppError> {
        let changed = self.accounts.change(id, patch, &self.actor.id).await?;
        for (action, before, after) in entries(&changed) {
            self.record(action, &of_user(id), Some(before), Some(after)).await?;
        }
        Ok(changed.after)
    }

    /// # Errors
    /// See [`Accounts::delete`].
    pub async fn delete(&self, id: &str) -> Result<(), AppError> {
        let account = self.accounts.delete(id, &self.actor.id).await?;
        let before = json!({ "email": account.email, "name": account.name, "role": account.role });
        self.record("user.delete", &of_user(id), Some(before), None).await
    }

    /// # Errors
    /// See [`Accounts::sign_out`].
    pub async fn sign_out(&self, id: &str) -> Result<u64, AppError> {
        let ended = self.accounts.sign_out(id).await?;
        let after = json!({ "ended": ended });
        self.record("user.sign_out", &of_user(id), None, Some(after)).await?;
        Ok(ended)
    }

    /// # Errors
    /// See [`Accounts::set_password`].
    pub async fn set_password(&self, id: &str, password: &SecretString) -> Result<(), AppError> {
        self.accounts.set_password(id, password).await?;
        self.record("user.password", &of_user(id), None, None).await
    }

    /// # Errors
    /// See [`Accounts::password_link`].
    pub async fn password_link(&self, id: &str, now: Timestamp) -> Result<PasswordLink, AppError> {
        let link = self.accounts.password_link(id, &self.actor.id, now).await?;
        let after = json!({ "expiresAt": crate::clock::rfc3339(link.expires_at) });
        self.record("user.password_link", &of_user(id), None, Some(after))
            .await?;
        Ok(link)
    }

    /// # Errors
    /// See [`Accounts::reset_two_factor`].
    pub async fn reset_two_factor(&self, id: &str) -> Result<bool, AppError> {
        let was_enabled = self.accounts.reset_two_factor(id).await?;
        let before = json!({ "enabled": was_enabled });
        self.record("user.two_factor_reset", &of_user(id), Some(before), None)
            .await?;
        Ok(was_enabled)
    }

    /// # Errors
    /// See [`Accounts::invite`].
    pub async fn invite(&self, new: NewInvitation, now: Timestamp) -> Result<(Invitation, SecretString), AppError> {
        let (invitation, token) = self.accounts.invite(new, &self.actor.id, now).await?;
        let after = told(&invitation);
        self.record("invitation.create", &of_invitation(&invitation.id), None, Some(after))
            .await?;
        Ok((invitation, token))
    }

    /// # Errors
    /// See [`Accounts::delete_invitation`].
    pub async fn delete_invitation(&self, id: &str) -> Result<(), AppError> {
        let before = told(&self.accounts.delete_invitation(id).await?);
        self.record("invitation.delete", &of_invitation(id), Some(before), None)
            .await
    }

    async fn record(
        &self,
        action: &str,
        target: &str,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Result<(), AppError> {
        self.audit.record(self.actor, action, target, before, after).await
    }
}

/// Where an invitation is opened. Show it, never log it.
pub fn invitation_url(base: &str, token: &SecretString) -> String {
    format!("{base}/invitation?token={}", token.expose_secret())
}

/// Where a password link is opened. Show it, never log it.
pub fn password_url(base: &str, token: &SecretString) -> String {
    format!("{base}/password?token={}", token.expose_secret())
}

fn entries(changed: &Changed) -> Vec<(&'static str, Value, Value)> {
    let Changed { before, after } = changed;
    let mut entries = Vec::new();
    if before.name != after.name {
        entries.push((
            "user.rename",
            json!({ "email": before.email, "name": before.name }),
            json!({ "name": after.name }),
        ));
    }
    if before.role != after.role {
        entries.push((
            "user.role",
            json!({ "email": before.email, "role": before.role }),
            json!({ "role": after.role }),
        ));
    }
    if before.disabled != after.disabled {
        entries.push((
            if after.disabled { "user.disable" } else { "user.enable" },
            json!({ "email": before.email, "disabled": before.disabled }),
            json!({ "disabled": after.disabled }),
        ));
    }
    entries
}

fn told(invitation: &Invitation) -> Value {
    json!({ "role": invitation.role, "email": invitation.email, "expiresAt": invitation.expires_at })
}

fn of_user(id: &str) -> String {
    format!("user/{id}")
}

fn of_invitation(id: &str) -> String {
    format!("invitation/{id}")
}
