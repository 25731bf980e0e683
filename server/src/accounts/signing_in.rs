//! Signing in: the password, then the second factor where there is one; tokens for programs.

use std::net::IpAddr;

use app::error::{AppError, ErrorCode};
use app::types::{Credentials, SignedIn, User};
use pool::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tracing::info;

use super::one_time::OneTimeToken;
use super::password::Password;
use super::tokens::ACCESS_TOKEN_LIFE;
use super::{Accounts, Claims, REFRESH_TOKEN_LIFE, SIGN_IN_LIFE_MAX, TokenError, Visitor, new_id, shown};
use crate::email::Email;
use crate::store::{Digest, Rotation, StoredRefreshToken, StoredSignIn, StoredUser, Successor};

/// In `details` when the password was right and a code is asked for.
pub const TWO_FACTOR_REQUIRED: &str = "TWO_FACTOR_REQUIRED";

/// Somebody who gave all that their account asks for. Good for beginning a session or a sign-in until the account's
/// password, rights or second factor change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub user: User,
    /// [`StoredUser::credentials`] as they were before anything was checked.
    credentials: u64,
}

impl Verified {
    fn of(user: &StoredUser) -> Self {
        Self {
            user: shown(user),
            credentials: user.credentials,
        }
    }

    pub fn credentials(&self) -> u64 {
        self.credentials
    }
}

/// Of an account that was made just now: of one that has changed since it is good for nothing.
impl From<&User> for Verified {
    fn from(user: &User) -> Self {
        Self {
            user: user.clone(),
            credentials: 0,
        }
    }
}

/// What came of e-mail and password.
pub enum SignInStep {
    Done(Verified),
    /// The code of the second factor is still to come.
    CodeNeeded(PendingSignIn),
}

/// Somebody who gave the right password and owes a code. Kept on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingSignIn {
    pub user_id: String,
    /// Of the password's hash: with a new password it is void.
    password: Digest,
}

impl Accounts {
    /// Checks all that an account asks for, at once.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, with [`TWO_FACTOR_REQUIRED`] in `details` when only the code is missing; `RATE_LIMITED` after
    /// too many tries; `NO_CAPACITY` when too many people sign in at once.
    pub async fn sign_in(&self, mut form: Credentials, from: IpAddr, now: Timestamp) -> Result<Verified, AppError> {
        let code = form.code.take().filter(|code| !code.trim().is_empty());
        match (self.begin_sign_in(form, from, now).await?, code) {
            (SignInStep::Done(verified), _) => Ok(verified),
            // One try for both.
            (SignInStep::CodeNeeded(pending), Some(code)) => {
                let user = self.still_pending(&pending).await?;
                self.check_code(&user, &code, from, now).await
            }
            (SignInStep::CodeNeeded(_), None) => {
                let message = "This account asks for a code of its second factor, too: send it as `code`.";
                Err(AppError::new(ErrorCode::Unauthenticated, message)
                    .details(TWO_FACTOR_REQUIRED)
                    .field("code"))
            }
        }
    }

    /// Checks e-mail and password. An unknown account and a disabled one cost the same work and get the same answer as a
    /// wrong password.
    ///
    /// # Errors
    /// As [`Accounts::sign_in`].
    pub async fn begin_sign_in(&self, form: Credentials, from: IpAddr, now: Timestamp) -> Result<SignInStep, AppError> {
        let email = Email::parse(&form.email).ok();
        self.throttle.take(email.as_ref(), from, now)?;
        let user = match &email {
            Some(email) => self.store.user_by_email(email).await?,
            None => None,
        };
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let matches = self.hasher.verify(Password::unchecked(form.password), hash).await?;
        let known = user.as_ref().map(|user| user.id.clone());
        let Some(user) = user.filter(|user| matches && !user.disabled) else {
            // Not what was typed: people type passwords into the wrong field.
            info!(account = known.as_deref(), %from, "a sign-in was refused");
            let message = "The e-mail or the password is not right.";
            return Err(AppError::new(ErrorCode::Unauthenticated, message));
        };
        if self.confirmed_factor(&user.id).await?.is_some() {
            return Ok(SignInStep::CodeNeeded(PendingSignIn {
                password: digest_of_hash(&user),
                user_id: user.id,
            }));
        }
        self.throttle.forgive(&user.email, from, now);
        Ok(SignInStep::Done(Verified::of(&user)))
    }

    /// Checks the code of the second factor, or a recovery code, after the password.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` on the field `code`; `RATE_LIMITED` after too many tries.
    pub async fn finish_sign_in(
        &self,
        pending: &PendingSignIn,
        code: &str,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Verified, AppError> {
        let user = self.still_pending(pending).await?;
        self.throttle.take(Some(&user.email), from, now)?;
        self.check_code(&user, code, from, now).await
    }

    async fn still_pending(&self, pending: &PendingSignIn) -> Result<StoredUser, AppError> {
        let user = self.active(&pending.user_id).await?;
        user.filter(|user| digest_of_hash(user) == pending.password)
            .ok_or_else(sign_in_over)
    }

    async fn check_code(
        &self,
        user: &StoredUser,
        code: &str,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Verified, AppError> {
        // Switched off meanwhile: then the password is enough.
        if let Some(factor) = self.confirmed_factor(&user.id).await? {
            let taken = self.take_code(&factor, code, from, now).await;
            taken.inspect_err(|_| info!(account = user.id, %from, "a code of a second factor was refused"))?;
        }
        self.throttle.forgive(&user.email, from, now);
        Ok(Verified::of(user))
    }

    /// Notes that somebody signed in, for admins to see.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn note_sign_in(&self, user_id: &str, now: Timestamp) -> Result<(), AppError> {
        Ok(self.store.note_sign_in(user_id, now).await?)
    }

    /// The tokens for a caller of the API that has just signed in.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when the account has changed since it was checked.
    pub async fn issue_tokens(
        &self,
        verified: impl Into<Verified>,
        visitor: &Visitor,
        now: Timestamp,
    ) -> Result<SignedIn, AppError> {
        let Verified { user, credentials } = verified.into();
        let refresh = OneTimeToken::random();
        let sign_in = StoredSignIn {
            family: new_id(now),
            user_id: user.id.clone(),
            began_at: now,
            last_used_at: now,
            expires_at: now.plus(REFRESH_TOKEN_LIFE),
            user_agent: visitor.user_agent.clone(),
            address: Some(visitor.address.to_string()),
        };
        let family = sign_in.family.clone();
        let token = StoredRefreshToken {
            token: refresh.digest(),
            family: family.clone(),
            user_id: user.id.clone(),
            expires_at: sign_in.expires_at,
        };
        if !self.store.insert_refresh_token(token, sign_in, credentials).await? {
            return Err(sign_in_over());
        }
        self.signed_in(user, &family, &refresh, now)
    }

    /// New tokens for a refresh token, which is spent by it, until [`SIGN_IN_LIFE_MAX`] after the sign-in. One handed in twice ends all that came from its sign-in.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    pub async fn refresh(&self, token: &str, now: Timestamp) -> Result<SignedIn, AppError> {
        let refused = || {
            let message = "The refresh token is not valid any more. Sign in again.";
            AppError::new(ErrorCode::Unauthenticated, message)
        };
        let token = OneTimeToken::parse(token).ok_or_else(refused)?;
        let next = OneTimeToken::random();
        let successor = Successor {
            token: next.digest(),
            expires_at: now.plus(REFRESH_TOKEN_LIFE),
            life_max: SIGN_IN_LIFE_MAX,
        };
        match self.store.rotate_refresh_token(&token.digest(), successor, now).await? {
            Rotation::Fresh { user_id, family } => {
                let user = self.user(&user_id).await?.ok_or_else(refused)?;
                self.signed_in(user, &family, &next, now)
            }
            Rotation::Reused { family } => {
                tracing::warn!(family, "a refresh token was used twice: its sign-in is ended");
                Err(refused())
            }
            Rotation::Expired | Rotation::Unknown => Err(refused()),
        }
    }

    /// Ends what came from the sign-in of this refresh token; an unknown one is no error.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revoke(&self, refresh_token: &str) -> Result<(), AppError> {
        if let Some(token) = OneTimeToken::parse(refresh_token) {
            self.store.revoke_refresh_token(&token.digest()).await?;
        }
        Ok(())
    }

    /// Whose access token it is, and the id of the sign-in it came from. One whose sign-in was ended, or whose account is
    /// disabled or gone, is refused from then on.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    pub async fn by_access_token(&self, token: &SecretString, now: Timestamp) -> Result<(User, String), AppError> {
        let Claims { sub, sid, .. } = self.signer.verify(token.expose_secret(), now)?;
        let refused = || AppError::from(TokenError::Ended);
        let sign_in = self.store.sign_in(&sid).await?;
        let sign_in = sign_in.filter(|sign_in| sign_in.user_id == sub && sign_in.expires_at > now);
        let sign_in = sign_in.ok_or_else(refused)?;
        let user = self.user(&sub).await?.ok_or_else(refused)?;
        Ok((user, sign_in.family))
    }

    /// Whether a token was made by the command line on this data, within the last minute.
    pub fn is_operator(&self, token: &SecretString, now: Timestamp) -> bool {
        self.signer.is_operator(token.expose_secret(), now)
    }

    /// The account with its rights of now; `None` when it is disabled or gone.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn user(&self, id: &str) -> Result<Option<User>, AppError> {
        Ok(self.active(id).await?.as_ref().map(shown))
    }

    fn signed_in(
        &self,
        user: User,
        sign_in: &str,
        refresh: &OneTimeToken,
        now: Timestamp,
    ) -> Result<SignedIn, AppError> {
        Ok(SignedIn {
            access_token: self.signer.sign(&user.id, sign_in, now)?,
            expires_in: ACCESS_TOKEN_LIFE.as_secs(),
            refresh_token: refresh.expose().to_owned(),
            user,
        })
    }
}

/// The account changed while somebody was signing in to it.
pub(crate) fn sign_in_over() -> AppError {
    AppError::new(ErrorCode::Unauthenticated, "The sign-in is over. Begin again.")
}

fn digest_of_hash(user: &StoredUser) -> Digest {
    Sha256::digest(user.password_hash.as_bytes()).into()
}
