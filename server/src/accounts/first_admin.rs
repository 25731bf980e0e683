//! The first admin: from the settings, or by a link that only who starts Keypool can see. There is no default password.

use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::types::{Registration, Role, User};
use pool::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::hashing::Place;
use super::one_time::OneTimeToken;
use super::{Accounts, check_account, email_taken, shown};
use crate::store::LinkUse;

/// How long a set-up link is good.
pub const SET_UP_LINK_LIFE: Duration = Duration::from_secs(30 * 60);

impl Accounts {
    /// # Errors
    /// When the store fails.
    pub async fn has_admin(&self) -> Result<bool, AppError> {
        Ok(self.store.count_users(Role::Admin).await? > 0)
    }

    /// Makes the admin named in the settings unless there is an admin; who was made comes back.
    ///
    /// # Errors
    /// `BAD_REQUEST` when e-mail or password break the rules; `CONFLICT` when the e-mail belongs to an account without
    /// that role.
    pub async fn ensure_first_admin(
        &self,
        email: &str,
        password: &SecretString,
        now: Timestamp,
    ) -> Result<Option<User>, AppError> {
        if self.has_admin().await? {
            return Ok(None);
        }
        let form = Registration {
            email: email.to_owned(),
            password: password.expose_secret().to_owned(),
            name: "Admin".to_owned(),
            invitation: None,
        };
        self.create(form, Role::Admin, now).await.map(Some)
    }

    /// The token of a new set-up link, good for [`SET_UP_LINK_LIFE`] and one admin. Print it, never log it.
    ///
    /// # Errors
    /// `CONFLICT` when there is an admin already.
    pub async fn create_set_up_link(&self, now: Timestamp) -> Result<SecretString, AppError> {
        if self.has_admin().await? {
            return Err(set_up_is_over());
        }
        let token = OneTimeToken::random();
        self.store
            .insert_set_up_link(token.digest(), now.plus(SET_UP_LINK_LIFE))
            .await?;
        Ok(token.into_secret())
    }

    /// Whether a form for the first admin should be shown to the holder of this token.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn set_up_link_is_good(&self, token: &str, now: Timestamp) -> Result<bool, AppError> {
        match OneTimeToken::parse(token) {
            Some(token) => Ok(self.store.set_up_link_is_good(&token.digest(), now).await?),
            None => Ok(false),
        }
    }

    /// Makes the first admin and spends the link. A form that is refused leaves the link good.
    ///
    /// # Errors
    /// `FORBIDDEN` on a link that is spent, old or unknown; otherwise as [`Accounts::register`].
    pub async fn set_up(&self, token: &str, form: Registration, now: Timestamp) -> Result<User, AppError> {
        let refused =
            |why: &str| AppError::new(ErrorCode::Forbidden, format!("{why} Restart Keypool to get a new one."));
        let token = OneTimeToken::parse(token).ok_or_else(|| refused("This set-up link is not valid."))?;
        // Before the costly hash: strangers must not be able to ask for hashes.
        if !self.store.set_up_link_is_good(&token.digest(), now).await? {
            return Err(if self.has_admin().await? {
                set_up_is_over()
            } else {
                refused("This set-up link is used or too old.")
            });
        }
        let user = self
            .prepare(
                check_account(&form.email, &form.name, &form.password, Role::Admin)?,
                Place::Known,
                now,
            )
            .await?;
        let shown = shown(&user);
        match self
            .store
            .create_first_admin(&token.digest(), user, now)
            .await
            .map_err(email_taken)?
        {
            LinkUse::Created => Ok(shown),
            LinkUse::AdminExists => Err(set_up_is_over()),
            LinkUse::Expired | LinkUse::Unknown => Err(refused("This set-up link is used or too old.")),
        }
    }
}

fn set_up_is_over() -> AppError {
    AppError::new(ErrorCode::Conflict, "Set-up is done: there is an admin. Sign in.")
}
