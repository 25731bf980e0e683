//! Links on which somebody sets a new password, made by an admin and handed on by them: Keypool sends none itself.

use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::types::User;
use pool::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::hashing::Place;
use super::managing::check_not_own;
use super::one_time::OneTimeToken;
use super::password::Password;
use super::{Accounts, new_id, shown};
use crate::store::{LinkKind, StoredLink};

pub const PASSWORD_LINK_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A link's token. Show it, never log it.
pub struct PasswordLink {
    pub token: SecretString,
    pub expires_at: Timestamp,
    /// Whose password it sets.
    pub user: User,
}

impl Accounts {
    /// Makes a link that sets the account's password, once. Earlier ones of this account are void.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONFLICT` for a disabled account and for the maker's own.
    pub async fn password_link(
        &self,
        user_id: &str,
        created_by: &str,
        now: Timestamp,
    ) -> Result<PasswordLink, AppError> {
        let user = self.known(user_id).await?;
        check_not_own(user_id, created_by)?;
        if user.disabled {
            return Err(AppError::new(
                ErrorCode::Conflict,
                "The account is disabled: enable it first.",
            ));
        }
        for earlier in self.store.links(LinkKind::Password).await? {
            if earlier.user_id.as_deref() == Some(user_id) {
                self.store.delete_link(&earlier.id).await?;
            }
        }
        let token = OneTimeToken::random();
        let expires_at = now.plus(PASSWORD_LINK_LIFE);
        self.store
            .insert_link(StoredLink {
                id: new_id(now),
                token: token.digest(),
                kind: LinkKind::Password,
                email: None,
                role: None,
                user_id: Some(user.id.clone()),
                created_by: created_by.to_owned(),
                created_at: now,
                expires_at,
            })
            .await?;
        Ok(PasswordLink {
            token: token.into_secret(),
            expires_at,
            user: shown(&user),
        })
    }

    /// The e-mail of the account whose password the link sets; `None` when it is used, old or unknown.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn password_link_email(&self, token: &str, now: Timestamp) -> Result<Option<String>, AppError> {
        let Some((_, link)) = self.good_link(token, LinkKind::Password, now).await? else {
            return Ok(None);
        };
        let user = self.active(link.user_id.as_deref().unwrap_or_default()).await?;
        Ok(user.map(|user| user.email.as_str().to_owned()))
    }

    /// Sets the password of the link's account and ends its sessions, sign-ins and API tokens. A password that is refused leaves the
    /// link good. Signing in comes after, with the second factor where there is one.
    ///
    /// # Errors
    /// `FORBIDDEN` on a link that is used, old or unknown; `BAD_REQUEST` on the field `newPassword`.
    pub async fn set_password_by_link(
        &self,
        token: &str,
        new_password: &SecretString,
        now: Timestamp,
    ) -> Result<User, AppError> {
        let refused = || {
            let message = "This link is used or too old. Ask an admin for a new one.";
            AppError::new(ErrorCode::Forbidden, message)
        };
        // Before the costly hash: strangers must not be able to ask for hashes.
        let (token, link) = self
            .good_link(token, LinkKind::Password, now)
            .await?
            .ok_or_else(refused)?;
        let user = self.active(link.user_id.as_deref().unwrap_or_default()).await?;
        let user = user.ok_or_else(refused)?;
        let password = Password::parse(new_password.expose_secret(), &user.email);
        let password = password.map_err(|error| error.field("newPassword"))?;
        let hash = self.hasher.hash(password, Place::Known).await?;
        let set = self.store.set_password_by_link(&token.digest(), hash, now).await?;
        if set.is_some() {
            Ok(shown(&user))
        } else {
            Err(refused())
        }
    }
}
