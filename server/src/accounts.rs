//! Who may do what: registering, signing in, the first admin, an own account, the accounts of others.
//!
//! Errors are [`AppError`]s with the form's field at fault. Passwords and tokens are in none of them.

mod audited;
mod first_admin;
mod hashing;
mod managing;
mod one_time;
mod own;
mod password;
mod password_links;
mod registering;
mod signing_in;
mod throttle;
pub mod tokens;
mod two_factor;
mod where_signed_in;

use std::sync::Arc;
use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::types::{Role, User};
use pool::Timestamp;
use uuid::Uuid;

pub use audited::{Joining, Managing, Newcomer, invitation_url, password_url, record_new};
pub use first_admin::SET_UP_LINK_LIFE;
pub use managing::Changed;
pub use password::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, Password};
pub use password_links::{PASSWORD_LINK_LIFE, PasswordLink};
pub use registering::{INVITATION_LIFE, INVITATION_LIFE_MAX};
pub(crate) use signing_in::sign_in_over;
pub use signing_in::{PendingSignIn, SignInStep, TWO_FACTOR_REQUIRED, Verified};
pub use tokens::{Claims, TokenError, TokenSigner};
pub use two_factor::{ENROLMENT_LIFE, RECOVERY_CODES};
pub use where_signed_in::{SignedInBy, USER_AGENT_CHARS_MAX, Visitor};

use crate::config;
use crate::email::Email;
use crate::store::{Store, StoreError, StoredUser};
use crate::vault::Vault;
use hashing::{Hasher, Place};
use throttle::Throttle;
use two_factor::Enrolments;

/// How long a refresh token is good when it is not used.
pub const REFRESH_TOKEN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a sign-in of the API is good however much it is used.
pub const SIGN_IN_LIFE_MAX: Duration = Duration::from_secs(90 * 24 * 3600);
/// Longest name, in characters.
pub const NAME_CHARS_MAX: usize = 100;

/// The use cases around accounts.
pub struct Accounts {
    store: Arc<dyn Store>,
    signer: TokenSigner,
    /// Seals second factors.
    vault: Vault,
    registration: config::Registration,
    hasher: Hasher,
    throttle: Throttle,
    enrolments: Enrolments,
    /// Held while an admin may lose a right: of two who take each other's, one must stay.
    rights: tokio::sync::Mutex<()>,
}

/// An account's fields once they are known to be good.
struct CheckedAccount {
    email: Email,
    name: String,
    password: Password,
    role: Role,
}

impl Accounts {
    pub fn new(store: Arc<dyn Store>, signer: TokenSigner, vault: Vault, registration: config::Registration) -> Self {
        Self {
            store,
            signer,
            vault,
            registration,
            hasher: Hasher::default(),
            throttle: Throttle::default(),
            enrolments: Enrolments::default(),
            rights: tokio::sync::Mutex::default(),
        }
    }

    async fn prepare(&self, account: CheckedAccount, place: Place, now: Timestamp) -> Result<StoredUser, AppError> {
        let CheckedAccount {
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
            disabled: false,
            last_sign_in_at: None,
            credentials: 0,
        })
    }

    /// An account that may be used.
    async fn active(&self, id: &str) -> Result<Option<StoredUser>, StoreError> {
        Ok(self.store.user(id).await?.filter(|user| !user.disabled))
    }

    /// # Errors
    /// `CONFLICT` when nobody else could do what an admin does.
    async fn check_not_last_admin(&self, user: &StoredUser) -> Result<(), AppError> {
        if user.role != Role::Admin || user.disabled {
            return Ok(());
        }
        if self.store.count_active(Role::Admin).await? > 1 {
            return Ok(());
        }
        let message = "This is the only admin who can sign in. Make another account admin first.";
        Err(AppError::new(ErrorCode::Conflict, message))
    }
}

fn check_account(email: &str, name: &str, password: &str, role: Role) -> Result<CheckedAccount, AppError> {
    let email = Email::parse(email)?;
    let name = check_name(name)?;
    let password = Password::parse(password, &email)?;
    Ok(CheckedAccount {
        email,
        name,
        password,
        role,
    })
}

/// For accounts and for what they name.
pub(crate) fn check_name(text: &str) -> Result<String, AppError> {
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
