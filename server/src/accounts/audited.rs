//! Admins and operators at work on the accounts, and how accounts come to be: each act with its entry in the audit log.

use std::net::IpAddr;

use app::error::{AppError, ErrorCode};
use app::types::{Account, Invitation, NewAccount, NewInvitation, Registration, Role, User, UserPatch};
use pool::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{Accounts, Changed, PasswordLink};
use crate::audit::{Actor, Audit};

/// Who acts, and on what. Errors are those of the acts in [`Accounts`], and that of [`Audit::record`]; and `FORBIDDEN` where
/// an API token asks for what gives or takes a way to sign in as an admin or as somebody else. Such a way outlives the token
/// and has no scopes: who found a token would have the account, without its password and second factor.
#[derive(Clone, Copy)]
pub struct Managing<'a> {
    pub accounts: &'a Accounts,
    pub audit: &'a Audit,
    pub actor: &'a Actor,
}

impl Managing<'_> {
    fn check_is_a_person(&self) -> Result<(), AppError> {
        if self.actor.by_api_token {
            let message = "API tokens are not taken for this: sign in, or use the command line.";
            return Err(AppError::new(ErrorCode::Forbidden, message));
        }
        Ok(())
    }

    fn check_may_give(&self, role: Option<Role>) -> Result<(), AppError> {
        if role == Some(Role::Admin) {
            self.check_is_a_person()?;
        }
        Ok(())
    }

    /// # Errors
    /// See [`Accounts::create`].
    pub async fn create(&self, new: NewAccount, now: Timestamp) -> Result<User, AppError> {
        self.check_may_give(Some(new.role))?;
        let form = Registration {
            email: new.email,
            password: new.password,
            name: new.name,
            invitation: None,
        };
        let user = self.accounts.create(form, new.role, now).await?;
        record_new(self.audit, self.actor, &user, "admin").await?;
        Ok(user)
    }

    /// One entry for each thing that changed.
    ///
    /// # Errors
    /// See [`Accounts::change`].
    pub async fn change(&self, id: &str, patch: &UserPatch) -> Result<Account, AppError> {
        self.check_may_give(patch.role)?;
        let changed = self.accounts.change(id, patch, &self.actor.id).await?;
        for (action, before, after) in entries(&changed) {
            self.record(action, &of_user(id), Some(before), Some(after)).await?;
        }
        Ok(changed.after)
    }

    /// # Errors
    /// See [`Accounts::delete`].
    pub async fn delete(&self, id: &str) -> Result<(), AppError> {
        self.check_is_a_person()?;
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
        self.check_is_a_person()?;
        self.accounts.set_password(id, password, &self.actor.id).await?;
        self.record("user.password", &of_user(id), None, None).await
    }

    /// # Errors
    /// See [`Accounts::password_link`].
    pub async fn password_link(&self, id: &str, now: Timestamp) -> Result<PasswordLink, AppError> {
        self.check_is_a_person()?;
        let link = self.accounts.password_link(id, &self.actor.id, now).await?;
        let after = json!({ "expiresAt": crate::clock::rfc3339(link.expires_at) });
        self.record("user.password_link", &of_user(id), None, Some(after))
            .await?;
        Ok(link)
    }

    /// # Errors
    /// See [`Accounts::reset_two_factor`].
    pub async fn reset_two_factor(&self, id: &str) -> Result<bool, AppError> {
        self.check_is_a_person()?;
        let was_enabled = self.accounts.reset_two_factor(id, &self.actor.id).await?;
        let before = json!({ "enabled": was_enabled });
        self.record("user.two_factor_reset", &of_user(id), Some(before), None)
            .await?;
        Ok(was_enabled)
    }

    /// # Errors
    /// See [`Accounts::invite`].
    pub async fn invite(&self, new: NewInvitation, now: Timestamp) -> Result<(Invitation, SecretString), AppError> {
        self.check_may_give(Some(new.role))?;
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

/// Over what somebody comes who has no account yet.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// `web` or `api`.
    pub surface: &'static str,
    pub address: IpAddr,
    pub request_id: Option<String>,
}

impl Newcomer {
    /// Who they are once they have one.
    pub fn actor(&self, user: &User) -> Actor {
        Actor {
            id: user.id.clone(),
            name: user.email.clone(),
            surface: self.surface,
            address: Some(self.address),
            request_id: self.request_id.clone(),
            by_api_token: false,
        }
    }
}

/// Somebody who makes an account of their own. Errors are those of the acts in [`Accounts`], and that of [`Audit::record`].
#[derive(Clone, Copy)]
pub struct Joining<'a> {
    pub accounts: &'a Accounts,
    pub audit: &'a Audit,
    pub newcomer: &'a Newcomer,
}

impl Joining<'_> {
    /// With an invitation two entries: that it is used, and the account.
    ///
    /// # Errors
    /// See [`Accounts::register`].
    pub async fn register(&self, form: Registration, now: Timestamp) -> Result<User, AppError> {
        // Before it is spent, which only a registration that succeeds does.
        let invitation = match form.invitation.as_deref().filter(|token| !token.is_empty()) {
            Some(token) => self.accounts.invitation(token, now).await?,
            None => None,
        };
        let user = self.accounts.register(form, self.newcomer.address, now).await?;
        let actor = self.newcomer.actor(&user);
        let Some(invitation) = invitation else {
            record_new(self.audit, &actor, &user, "registration").await?;
            return Ok(user);
        };
        let (before, after) = (told(&invitation), json!({ "user": of_user(&user.id) }));
        let target = of_invitation(&invitation.id);
        self.audit
            .record(&actor, "invitation.use", &target, Some(before), Some(after))
            .await?;
        record_new(self.audit, &actor, &user, "invitation").await?;
        Ok(user)
    }

    /// # Errors
    /// See [`Accounts::set_up`].
    pub async fn set_up(&self, token: &str, form: Registration, now: Timestamp) -> Result<User, AppError> {
        let user = self.accounts.set_up(token, form, now).await?;
        record_new(self.audit, &self.newcomer.actor(&user), &user, "set-up link").await?;
        Ok(user)
    }
}

/// Writes down that there is a new account. `by` says how it came to be.
///
/// # Errors
/// See [`Audit::record`].
pub async fn record_new(audit: &Audit, actor: &Actor, user: &User, by: &str) -> Result<(), AppError> {
    let after = json!({ "email": user.email, "name": user.name, "role": user.role, "by": by });
    audit
        .record(actor, "user.create", &of_user(&user.id), None, Some(after))
        .await
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
