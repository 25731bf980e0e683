//! What admins and operators do with the accounts of others.

use app::error::{AppError, ErrorCode};
use app::types::{Account, Role, User, UserPatch};
use secrecy::{ExposeSecret, SecretString};

use super::hashing::Place;
use super::password::Password;
use super::{Accounts, check_name, shown};
use crate::clock::rfc3339;
use crate::email::Email;
use crate::store::{StoredUser, UserChange};

/// An account before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub before: Account,
    pub after: Account,
}

impl Accounts {
    /// Oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn accounts(&self) -> Result<Vec<Account>, AppError> {
        let mut accounts = Vec::new();
        for user in self.store.users().await? {
            accounts.push(self.seen_by_admins(&user).await?);
        }
        Ok(accounts)
    }

    /// # Errors
    /// `NOT_FOUND`.
    pub async fn account(&self, id: &str) -> Result<Account, AppError> {
        let user = self.known(id).await?;
        self.seen_by_admins(&user).await
    }

    /// # Errors
    /// `NOT_FOUND` on the field `email`.
    pub async fn by_email(&self, email: &str) -> Result<Account, AppError> {
        let unknown = || AppError::new(ErrorCode::NotFound, "There is no account with this e-mail.").field("email");
        let email = Email::parse(email).map_err(|_| unknown())?;
        let user = self.store.user_by_email(&email).await?.ok_or_else(unknown)?;
        self.seen_by_admins(&user).await
    }

    /// Changes role, name or whether the account may be used, all or none. Another role and being disabled end its
    /// sessions and sign-ins at once. `actor_id` is who asks: nobody takes their own rights by mistake.
    ///
    /// # Errors
    /// `NOT_FOUND`; `BAD_REQUEST` on the field `name`; `CONFLICT` with the reason on the fields `role` and `disabled`.
    pub async fn change(&self, id: &str, patch: &UserPatch, actor_id: &str) -> Result<Changed, AppError> {
        let name = patch.name.as_deref().map(check_name).transpose()?;
        let _rights = self.rights.lock().await;
        let user = self.known(id).await?;
        let before = self.seen_by_admins(&user).await?;
        let role = patch.role.filter(|role| *role != user.role);
        let disabled = patch.disabled.filter(|disabled| *disabled != user.disabled);
        if role.is_some() && user.role == Role::Admin {
            self.check_may_lose_rights(&user, actor_id, "role").await?;
        }
        if disabled == Some(true) {
            self.check_may_lose_rights(&user, actor_id, "disabled").await?;
        }
        self.store.update_user(id, UserChange { role, disabled, name }).await?;
        let after = self.account(id).await?;
        Ok(Changed { before, after })
    }

    /// Deletes an account with all that is its own; it comes back as it was.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONFLICT` for one's own account and for the last admin.
    pub async fn delete(&self, id: &str, actor_id: &str) -> Result<Account, AppError> {
        let _rights = self.rights.lock().await;
        let user = self.known(id).await?;
        check_not_own(id, actor_id)?;
        self.check_not_last_admin(&user).await?;
        let before = self.seen_by_admins(&user).await?;
        self.store.delete_user(id).await?;
        Ok(before)
    }

    /// Ends all sessions, sign-ins and API tokens of an account; returns how many.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn sign_out(&self, id: &str) -> Result<u64, AppError> {
        let user = self.known(id).await?;
        let ended = self.store.end_all_of(&user.id, None, None).await?;
        // After them: what is signed in could make another.
        Ok(ended + self.store.delete_api_tokens_of(&user.id).await?)
    }

    /// Takes an account's second factor away, for somebody who lost it, and ends what is signed in. False when there was
    /// none.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONFLICT` for one's own account.
    pub async fn reset_two_factor(&self, id: &str, actor_id: &str) -> Result<bool, AppError> {
        let user = self.known(id).await?;
        check_not_own(id, actor_id)?;
        let had = self.store.delete_second_factor(&user.id).await?;
        self.store.end_all_of(&user.id, None, None).await?;
        Ok(had)
    }

    /// Replaces an account's password and ends its sessions, sign-ins and API tokens.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONFLICT` for one's own account; `BAD_REQUEST` on the field `password`.
    pub async fn set_password(&self, id: &str, password: &SecretString, actor_id: &str) -> Result<User, AppError> {
        let user = self.known(id).await?;
        check_not_own(id, actor_id)?;
        let password = Password::parse(password.expose_secret(), &user.email)?;
        let hash = self.hasher.hash(password, Place::Known).await?;
        self.store.set_password_hash(id, hash, None).await?;
        self.store.delete_api_tokens_of(id).await?;
        Ok(shown(&user))
    }

    /// Disabled ones too.
    pub(super) async fn known(&self, id: &str) -> Result<StoredUser, AppError> {
        let unknown = || AppError::new(ErrorCode::NotFound, "There is no such account.");
        self.store.user(id).await?.ok_or_else(unknown)
    }

    async fn check_may_lose_rights(&self, user: &StoredUser, actor_id: &str, field: &str) -> Result<(), AppError> {
        self.check_not_last_admin(user)
            .await
            .map_err(|error| error.field(field))?;
        if user.id == actor_id {
            let message = "This is your own account: another admin has to do it.";
            return Err(AppError::new(ErrorCode::Conflict, message).field(field));
        }
        Ok(())
    }

    async fn seen_by_admins(&self, user: &StoredUser) -> Result<Account, AppError> {
        Ok(Account {
            id: user.id.clone(),
            email: user.email.as_str().to_owned(),
            name: user.name.clone(),
            role: user.role,
            disabled: user.disabled,
            two_factor: self.confirmed_factor(&user.id).await?.is_some(),
            created_at: rfc3339(user.created_at),
            last_sign_in_at: user.last_sign_in_at.map(rfc3339),
        })
    }
}

/// Who took over what an admin is signed in with must not get past that admin's password and second factor by it.
///
/// # Errors
/// `CONFLICT`. An operator has no account of their own.
pub(super) fn check_not_own(id: &str, actor_id: &str) -> Result<(), AppError> {
    if id == actor_id {
        let message = "This is your own account: do it on your account page.";
        return Err(AppError::new(ErrorCode::Conflict, message));
    }
    Ok(())
}
