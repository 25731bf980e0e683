//! What people do with their own account.

use std::net::IpAddr;

use app::error::{AppError, ErrorCode};
use app::types::{PasswordChange, User};
use pool::Timestamp;

use super::hashing::Place;
use super::password::Password;
use super::{Accounts, SignedInBy, check_name, shown, sign_in_over};
use crate::store::StoredUser;

impl Accounts {
    /// # Errors
    /// `BAD_REQUEST` on the field `name`.
    pub async fn rename(&self, user_id: &str, name: &str) -> Result<User, AppError> {
        let name = check_name(name)?;
        let user = self.known(user_id).await?;
        self.store.rename_user(user_id, name.clone()).await?;
        Ok(User { name, ..shown(&user) })
    }

    /// Replaces the password and ends everything else that is signed in, and the API tokens when that is asked for; returns
    /// how many of those. Give the session that asks a new id after it.
    ///
    /// # Errors
    /// `FORBIDDEN` on the field `currentPassword`, which counts like a try to sign in; `BAD_REQUEST` on the field
    /// `newPassword`; `RATE_LIMITED`.
    pub async fn change_password(
        &self,
        user_id: &str,
        change: PasswordChange,
        by: &SignedInBy,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<u64, AppError> {
        let user = self.known(user_id).await?;
        let by_old = user.credentials;
        // Before the current one is checked: who mistypes the new one should not use up tries.
        let new = Password::parse(&change.new_password, &user.email).map_err(|error| error.field("newPassword"))?;
        if change.new_password == change.current_password {
            let message = "The new password is the current one. Choose another.";
            return Err(AppError::new(ErrorCode::BadRequest, message).field("newPassword"));
        }
        self.confirm_password(user_id, change.current_password, from, now)
            .await
            .map_err(|error| match error.field {
                Some(_) => error.field("currentPassword"),
                None => error,
            })?;
        let hash = self.hasher.hash(new, Place::Known).await?;
        let replaced = self.store.replace_password_hash(user_id, by_old, hash, by.session());
        // Somebody else changed it first: what was given is not the current one any more.
        if !replaced.await? {
            return Err(sign_in_over());
        }
        if !change.end_tokens {
            return Ok(0);
        }
        Ok(self.store.delete_api_tokens_of(user_id).await?)
    }

    /// Deletes the account with all that is its own.
    ///
    /// # Errors
    /// `FORBIDDEN` on the field `password`; `CONFLICT` when no other admin could sign in; `RATE_LIMITED`.
    pub async fn delete_own(
        &self,
        user_id: &str,
        password: String,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.confirm_password(user_id, password, from, now).await?;
        let _rights = self.rights.lock().await;
        let user = self.known(user_id).await?;
        self.check_not_last_admin(&user).await?;
        self.store.delete_user(user_id).await?;
        Ok(())
    }

    /// That it is really they who ask for a token that does what an admin does.
    ///
    /// # Errors
    /// On the field `password`: `BAD_REQUEST` without one, `FORBIDDEN` with a wrong one; `RATE_LIMITED`.
    pub async fn confirm_for_admin_token(
        &self,
        user_id: &str,
        password: Option<String>,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let Some(password) = password.filter(|password| !password.is_empty()) else {
            let message = "The scope admin takes your password: give it.";
            return Err(AppError::new(ErrorCode::BadRequest, message).field("password"));
        };
        self.confirm_password(user_id, password, from, now).await.map(|_| ())
    }

    /// That it is really they who sit there, before something that a thief of a session must not do.
    ///
    /// # Errors
    /// `FORBIDDEN` on the field `password`; `RATE_LIMITED`.
    pub(super) async fn confirm_password(
        &self,
        user_id: &str,
        password: String,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<StoredUser, AppError> {
        let user = self.known(user_id).await?;
        self.throttle.take(Some(&user.email), from, now)?;
        let hash = Some(user.password_hash.clone());
        if !self.hasher.verify(Password::unchecked(password), hash).await? {
            return Err(AppError::new(ErrorCode::Forbidden, "The password is not right.").field("password"));
        }
        self.throttle.forgive(&user.email, from, now);
        Ok(user)
    }
}
