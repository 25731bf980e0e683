//! How accounts come to be: open registration, invitations, an operator.

use std::net::IpAddr;
use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::types::{Invitation, NewInvitation, Registration, Role, User};
use pool::Timestamp;
use secrecy::SecretString;

use super::hashing::Place;
use super::one_time::OneTimeToken;
use super::{Accounts, check_account, email_taken, new_id, shown};
use crate::clock::rfc3339;
use crate::config;
use crate::email::Email;
use crate::store::{LinkKind, LinkUse, StoredLink, StoredUser};

/// How long an invitation is good unless its maker says otherwise.
pub const INVITATION_LIFE: Duration = Duration::from_secs(72 * 3600);
/// Longest an invitation may be good.
pub const INVITATION_LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

impl Accounts {
    /// Who may make an account here.
    pub fn registration(&self) -> config::Registration {
        self.registration
    }

    /// Makes an account: with the role `user` for anybody where registration is open, else with the role of the
    /// invitation, which is spent.
    ///
    /// # Errors
    /// `FORBIDDEN` when registration is closed, or the invitation is missing, used or old; `BAD_REQUEST` with the field
    /// at fault; `CONFLICT` when the e-mail is taken; `RATE_LIMITED` after too many accounts from one address;
    /// `NO_CAPACITY` when too many people register at once.
    pub async fn register(&self, form: Registration, from: IpAddr, now: Timestamp) -> Result<User, AppError> {
        let token = form.invitation.as_deref().filter(|token| !token.is_empty());
        let refused = |message: &str| AppError::new(ErrorCode::Forbidden, message);
        match (self.registration, token) {
            (config::Registration::Closed, _) => {
                Err(refused("Registration is closed here. Ask an admin for an account."))
            }
            (config::Registration::Invited, None) => {
                Err(refused("Registration is by invitation here. Ask an admin for one."))
            }
            (config::Registration::Open, None) => {
                let account = check_account(&form.email, &form.name, &form.password, Role::User)?;
                // After the checks, which cost nothing: who mistypes a form five times is not refused for it.
                self.throttle.take_registration(from, now)?;
                let user = self.prepare(account, Place::Newcomer, now).await?;
                self.insert(user).await
            }
            (config::Registration::Open | config::Registration::Invited, Some(token)) => {
                self.register_invited(token, &form, from, now).await
            }
        }
    }

    async fn register_invited(
        &self,
        token: &str,
        form: &Registration,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<User, AppError> {
        let refused = || {
            let message = "This invitation is used or too old. Ask an admin for a new one.";
            AppError::new(ErrorCode::Forbidden, message)
        };
        let (token, link) = self
            .good_link(token, LinkKind::Invitation, now)
            .await?
            .ok_or_else(refused)?;
        let role = link.role.unwrap_or(Role::User);
        let account = check_account(&form.email, &form.name, &form.password, role)?;
        if link.email.is_some_and(|email| email != account.email) {
            let message = "This invitation is for another address.";
            return Err(AppError::new(ErrorCode::BadRequest, message).field("email"));
        }
        self.throttle.take_registration(from, now)?;
        let user = self.prepare(account, Place::Known, now).await?;
        let made = shown(&user);
        let used = self.store.create_invited_user(&token.digest(), user, now).await;
        match used.map_err(email_taken)? {
            LinkUse::Created => Ok(made),
            LinkUse::Expired | LinkUse::Unknown | LinkUse::AdminExists => Err(refused()),
        }
    }

    /// Makes an account with any role: for operators and admins.
    ///
    /// # Errors
    /// `BAD_REQUEST` with the field at fault; `CONFLICT` when the e-mail is taken.
    pub async fn create(&self, form: Registration, role: Role, now: Timestamp) -> Result<User, AppError> {
        let account = check_account(&form.email, &form.name, &form.password, role)?;
        let user = self.prepare(account, Place::Known, now).await?;
        self.insert(user).await
    }

    async fn insert(&self, user: StoredUser) -> Result<User, AppError> {
        let made = shown(&user);
        self.store.create_user(user).await.map_err(email_taken)?;
        Ok(made)
    }

    /// Makes an invitation and the token of its link, which is good once. Show it, never log it.
    ///
    /// # Errors
    /// `BAD_REQUEST` with the field at fault; `CONFLICT` when the address has an account, or registration is closed.
    pub async fn invite(
        &self,
        new: NewInvitation,
        created_by: &str,
        now: Timestamp,
    ) -> Result<(Invitation, SecretString), AppError> {
        if self.registration == config::Registration::Closed {
            let message = "Registration is closed (KEYPOOL_REGISTRATION): an invitation could not be used.";
            return Err(AppError::new(ErrorCode::Conflict, message));
        }
        let email = match new.email.as_deref().map(str::trim).filter(|email| !email.is_empty()) {
            Some(email) => Some(Email::parse(email)?),
            None => None,
        };
        let life = check_life(new.expires_in_hours)?;
        if let Some(email) = &email
            && self.store.user_by_email(email).await?.is_some()
        {
            let message = "There is an account with this e-mail already.";
            return Err(AppError::new(ErrorCode::Conflict, message).field("email"));
        }
        let token = OneTimeToken::random();
        let link = StoredLink {
            id: new_id(now),
            token: token.digest(),
            kind: LinkKind::Invitation,
            email,
            role: Some(new.role),
            user_id: None,
            created_by: created_by.to_owned(),
            created_at: now,
            expires_at: now.plus(life),
        };
        let invitation = of_link(&link);
        self.store.insert_link(link).await?;
        Ok((invitation, token.into_secret()))
    }

    /// Those that are still good, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn invitations(&self, now: Timestamp) -> Result<Vec<Invitation>, AppError> {
        let links = self.store.links(LinkKind::Invitation).await?;
        let good = links.iter().filter(|link| link.expires_at > now);
        Ok(good.map(of_link).collect())
    }

    /// What a link's token invites to; `None` when it is used, old or unknown.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn invitation(&self, token: &str, now: Timestamp) -> Result<Option<Invitation>, AppError> {
        let link = self.good_link(token, LinkKind::Invitation, now).await?;
        Ok(link.map(|(_, link)| of_link(&link)))
    }

    /// Takes an invitation back; it comes back as it was.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub async fn delete_invitation(&self, id: &str) -> Result<Invitation, AppError> {
        let links = self.store.links(LinkKind::Invitation).await?;
        let link = links.iter().find(|link| link.id == id);
        let unknown = || AppError::new(ErrorCode::NotFound, "There is no such invitation.");
        let invitation = link.map(of_link).ok_or_else(unknown)?;
        if self.store.delete_link(id).await? {
            Ok(invitation)
        } else {
            Err(unknown())
        }
    }

    /// The link of a token of this kind, while it is good.
    pub(super) async fn good_link(
        &self,
        token: &str,
        kind: LinkKind,
        now: Timestamp,
    ) -> Result<Option<(OneTimeToken, StoredLink)>, AppError> {
        let Some(token) = OneTimeToken::parse(token) else {
            return Ok(None);
        };
        let link = self.store.link(&token.digest()).await?;
        let good = link.filter(|link| link.kind == kind && link.expires_at > now);
        Ok(good.map(|link| (token, link)))
    }
}

fn check_life(hours: Option<u32>) -> Result<Duration, AppError> {
    let Some(hours) = hours else {
        return Ok(INVITATION_LIFE);
    };
    let life = Duration::from_secs(u64::from(hours) * 3600);
    if hours == 0 || life > INVITATION_LIFE_MAX {
        let message = format!("Give 1 to {} hours.", INVITATION_LIFE_MAX.as_secs() / 3600);
        return Err(AppError::new(ErrorCode::BadRequest, message).field("expiresInHours"));
    }
    Ok(life)
}

fn of_link(link: &StoredLink) -> Invitation {
    Invitation {
        id: link.id.clone(),
        role: link.role.unwrap_or(Role::User),
        email: link.email.as_ref().map(|email| email.as_str().to_owned()),
        created_by: link.created_by.clone(),
        created_at: rfc3339(link.created_at),
        expires_at: rfc3339(link.expires_at),
    }
}
