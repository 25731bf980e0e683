//! Who may do what: registering, signing in, the first admin.
//!
//! Errors are [`AppError`]s with the form's field at fault. Passwords and tokens are in none of them.

mod first_admin;
mod hashing;
mod one_time;
mod password;
mod throttle;
pub mod tokens;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::types::{Credentials, Registration, Role, SignedIn, User};
use pool::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

pub use first_admin::SET_UP_LINK_LIFE;
pub use password::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, Password};
pub use tokens::{Claims, TokenError, TokenSigner};

use crate::email::Email;
use crate::store::{Rotation, Store, StoreError, StoredRefreshToken, StoredUser, Successor};
use hashing::{Hasher, Place};
use one_time::OneTimeToken;
use throttle::Throttle;

/// How long a refresh token is good when it is not used.
pub const REFRESH_TOKEN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Longest name, in characters.
pub const NAME_CHARS_MAX: usize = 100;

/// The use cases around accounts.
pub struct Accounts {
    store: Arc<dyn Store>,
    signer: TokenSigner,
    hasher: Hasher,
    throttle: Throttle,
}

/// An account's fields once they are known to be good.
struct NewAccount {
    email: Email,
    name: String,
    password: Password,
    role: Role,
}

impl Accounts {
    pub fn new(store: Arc<dyn Store>, signer: TokenSigner) -> Self {
        Self {
            store,
            signer,
            hasher: Hasher::default(),
            throttle: Throttle::default(),
        }
    }

    /// Makes an account with the role `user`, for anybody who asks.
    ///
    /// # Errors
    /// `BAD_REQUEST` with the field at fault; `CONFLICT` when the e-mail is taken; `RATE_LIMITED` after too many
    /// accounts from one address; `NO_CAPACITY` when too many people register at once.
    pub async fn register(&self, form: Registration, from: IpAddr, now: Timestamp) -> Result<User, AppError> {
        let account = check_account(&form, Role::User)?;
        // After the checks, which cost nothing: who mistypes a form five times is not refused for it.
        self.throttle.take_registration(from, now)?;
        let user = self.prepare(account, Place::Newcomer, now).await?;
        self.insert(user).await
    }

    /// Makes an account with any role: for operators.
    ///
    /// # Errors
    /// `BAD_REQUEST` with the field at fault; `CONFLICT` when the e-mail is taken.
    pub async fn create(&self, form: Registration, role: Role, now: Timestamp) -> Result<User, AppError> {
        let user = self.prepare(check_account(&form, role)?, Place::Known, now).await?;
        self.insert(user).await
    }

    async fn insert(&self, user: StoredUser) -> Result<User, AppError> {
        let shown = shown(&user);
        self.store.create_user(user).await.map_err(email_taken)?;
        Ok(shown)
    }

    /// Checks e-mail and password. An unknown account costs the same work and gets the same answer as a wrong password.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`; `RATE_LIMITED` after too many tries; `NO_CAPACITY` when too many people sign in at once.
    pub async fn sign_in(&self, form: Credentials, from: IpAddr, now: Timestamp) -> Result<User, AppError> {
        let email = Email::parse(&form.email).ok();
        self.throttle.take(email.as_ref(), from, now)?;
        let user = match &email {
            Some(email) => self.store.user_by_email(email).await?,
            None => None,
        };
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let matches = self.hasher.verify(Password::unchecked(form.password), hash).await?;
        match user {
            Some(user) if matches => {
                self.throttle.forgive(&user.email, from);
                Ok(shown(&user))
            }
            _ => Err(AppError::new(
                ErrorCode::Unauthenticated,
                "The e-mail or the password is not right.",
            )),
        }
    }

    /// The tokens for a caller of the API that has just signed in.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn issue_tokens(&self, user: User, now: Timestamp) -> Result<SignedIn, AppError> {
        let refresh = OneTimeToken::random();
        self.store
            .insert_refresh_token(StoredRefreshToken {
                token: refresh.digest(),
                family: new_id(now),
                user_id: user.id.clone(),
                expires_at: now.plus(REFRESH_TOKEN_LIFE),
            })
            .await?;
        self.signed_in(user, &refresh, now)
    }

    /// New tokens for a refresh token, which is spent by it. One handed in twice ends all that came from its sign-in.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    pub async fn refresh(&self, token: &str, now: Timestamp) -> Result<SignedIn, AppError> {
        let refused = || {
            AppError::new(
                ErrorCode::Unauthenticated,
                "The refresh token is not valid any more. Sign in again.",
            )
        };
        let token = OneTimeToken::parse(token).ok_or_else(refused)?;
        let next = OneTimeToken::random();
        let successor = Successor {
            token: next.digest(),
            expires_at: now.plus(REFRESH_TOKEN_LIFE),
        };
        match self.store.rotate_refresh_token(&token.digest(), successor, now).await? {
            Rotation::Fresh { user_id, .. } => {
                let user = self.user(&user_id).await?.ok_or_else(refused)?;
                self.signed_in(user, &next, now)
            }
            Rotation::Reused { family } => {
                tracing::warn!(family, "a refresh token was used twice: its family is revoked");
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

    /// Who an access token speaks for, without asking the store.
    ///
    /// # Errors
    /// See [`TokenError`]; it turns into `UNAUTHENTICATED`.
    pub fn verify(&self, access_token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        self.signer.verify(access_token, now)
    }

    /// Whether a token was made by the command line on this data, within the last minute.
    pub fn is_operator(&self, token: &str, now: Timestamp) -> bool {
        self.signer.is_operator(token, now)
    }

    /// # Errors
    /// When the store fails.
    pub async fn user(&self, id: &str) -> Result<Option<User>, AppError> {
        Ok(self.store.user(id).await?.as_ref().map(shown))
    }

    /// Oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn users(&self) -> Result<Vec<User>, AppError> {
        Ok(self.store.users().await?.iter().map(shown).collect())
    }

    /// Gives an account another role and ends its sessions.
    ///
    /// # Errors
    /// `NOT_FOUND`; `CONFLICT` when it would leave no admin.
    pub async fn set_role(&self, email: &str, role: Role) -> Result<User, AppError> {
        let user = self.find(email).await?;
        let is_last_admin = user.role == Role::Admin && self.store.count_users(Role::Admin).await? == 1;
        if is_last_admin && role != Role::Admin {
            return Err(AppError::new(
                ErrorCode::Conflict,
                "This is the only admin. Make another account admin first.",
            )
            .field("role"));
        }
        self.store.set_role(&user.id, role).await?;
        Ok(User { role, ..shown(&user) })
    }

    /// Replaces an account's password and ends its sessions.
    ///
    /// # Errors
    /// `NOT_FOUND`; `BAD_REQUEST` on a password the rules refuse.
    pub async fn set_password(&self, email: &str, password: &SecretString) -> Result<(), AppError> {
        let user = self.find(email).await?;
        let password = Password::parse(password.expose_secret(), &user.email)?;
        let hash = self.hasher.hash(password, Place::Known).await?;
        self.store.set_password_hash(&user.id, hash).await?;
        Ok(())
    }

    async fn prepare(&self, account: NewAccount, place: Place, now: Timestamp) -> Result<StoredUser, AppError> {
        let NewAccount {
            email,
            name,
            password,
            role,
        } = account;
        let password_hash = self.hasher.hash(password, place).await?;
        Ok(StoredUser {
            id: new_id(now),
            email,
            name,
            role,
            password_hash,
            created_at: now,
        })
    }

    async fn find(&self, email: &str) -> Result<StoredUser, AppError> {
        let unknown = || AppError::new(ErrorCode::NotFound, "There is no account with this e-mail.").field("email");
        let email = Email::parse(email).map_err(|_| unknown())?;
        self.store.user_by_email(&email).await?.ok_or_else(unknown)
    }

    fn signed_in(&self, user: User, refresh: &OneTimeToken, now: Timestamp) -> Result<SignedIn, AppError> {
        let access_token = self.signer.sign(&user, now)?;
        Ok(SignedIn {
            access_token,
            expires_in: tokens::ACCESS_TOKEN_LIFE.as_secs(),
            refresh_token: refresh.expose().to_owned(),
            user,
        })
    }
}

fn check_account(form: &Registration, role: Role) -> Result<NewAccount, AppError> {
    let email = Email::parse(&form.email)?;
    let name = check_name(&form.name)?;
    let password = Password::parse(&form.password, &email)?;
    Ok(NewAccount {
        email,
        name,
        password,
        role,
    })
}

fn check_name(text: &str) -> Result<String, AppError> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        let message = format!("Give a name of 1 to {NAME_CHARS_MAX} characters.");
        return Err(AppError::new(ErrorCode::BadRequest, message).field("name"));
    }
    Ok(name.to_owned())
}

fn shown(user: &StoredUser) -> User {
    User {
        id: user.id.clone(),
        email: user.email.as_str().to_owned(),
        name: user.name.clone(),
        role: user.role,
    }
}

fn email_taken(error: StoreError) -> AppError {
    match error {
        StoreError::Conflict { .. } => {
            AppError::new(ErrorCode::Conflict, "There is an account with this e-mail already.").field("email")
        }
        other => other.into(),
    }
}

/// A UUID, version 7, of the given time.
fn new_id(now: Timestamp) -> String {
    let (seconds, millis) = (now.as_millis() / 1000, now.as_millis() % 1000);
    let nanos = u32::try_from(millis * 1_000_000).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)).to_string()
}

#[cfg(test)]
mod tests;
