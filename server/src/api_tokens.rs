//! Use case: API tokens. Their owner makes them, sees each once, and revokes them.
//!
//! The store has a keyed hash of each, so a stolen copy of it opens nothing, and looking one up tells nothing by its time.

mod secret;

use std::sync::Arc;
use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::types::{ApiToken, CreatedToken, NewToken, TokenScope, User};
use pool::Timestamp;
use secrecy::{ExposeSecret, SecretString};

pub use secret::PREFIX;

use crate::accounts::check_name;
use crate::clock::rfc3339;
use crate::store::{Digest, Store, StoreError, StoredApiToken};
use crate::vault::Vault;
use secret::TokenSecret;

/// Of one account.
pub const TOKENS_MAX: usize = 100;
pub const EXPIRY_DAYS_MAX: u32 = 3650;
/// With the scope `admin`.
pub const ADMIN_EXPIRY_DAYS_MAX: u32 = 365;
/// With the scope `admin`, unless its maker says otherwise.
pub const ADMIN_EXPIRY_DAYS: u32 = 90;
pub const REQUESTS_PER_MINUTE_MAX: u32 = 100_000;
/// Whether it was used is written down at most this often: not every request should cost a write.
const NOTE_EVERY: Duration = Duration::from_secs(60);
const DIGEST_PURPOSE: &str = "api token";

/// The tokens of all accounts.
pub struct ApiTokens {
    store: Arc<dyn Store>,
    vault: Vault,
}

/// A token that was handed in and is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoodToken {
    pub id: String,
    pub user_id: String,
    pub scopes: Vec<TokenScope>,
    pub requests_per_minute: Option<u32>,
}

impl ApiTokens {
    pub fn new(store: Arc<dyn Store>, vault: Vault) -> Self {
        Self { store, vault }
    }

    /// A user's own, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, user_id: &str, now: Timestamp) -> Result<Vec<ApiToken>, AppError> {
        let stored = self.store.api_tokens_of(user_id).await?;
        Ok(stored.iter().map(|token| shown(token, now)).collect())
    }

    /// Makes a token. Its maker has confirmed one of the scope `admin` with the password: see
    /// [`Accounts::confirm_for_admin_token`](crate::accounts::Accounts::confirm_for_admin_token). Its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// `BAD_REQUEST` with the field at fault; `FORBIDDEN` for a scope beyond the owner's role; `CONFLICT` when there are
    /// too many.
    pub async fn create(&self, owner: &User, new: NewToken, now: Timestamp) -> Result<CreatedToken, AppError> {
        let scopes = check_scopes(owner, new.scopes)?;
        let name = check_name(&new.name)?;
        let expires_in_days = check_expiry(&scopes, new.expires_in_days)?;
        check_bound("requestsPerMinute", new.requests_per_minute, REQUESTS_PER_MINUTE_MAX)?;
        if self.store.api_tokens_of(&owner.id).await?.len() >= TOKENS_MAX {
            let message = format!("There are {TOKENS_MAX} tokens already: revoke some that are not used.");
            return Err(AppError::new(ErrorCode::Conflict, message));
        }
        let secret = TokenSecret::random();
        let stored = StoredApiToken {
            id: uuid::Uuid::new_v4().to_string(),
            user_id: owner.id.clone(),
            name,
            hash: self.hash(&secret),
            hint: secret.hint(),
            scopes: scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            created_at: now,
            expires_at: expires_in_days.map(|days| now.plus(Duration::from_secs(u64::from(days) * 86_400))),
            requests_per_minute: new.requests_per_minute,
            last_used_at: None,
        };
        let facts = shown(&stored, now);
        self.store.insert_api_token(stored).await?;
        Ok(CreatedToken {
            token: secret.expose().to_owned(),
            facts,
        })
    }

    /// Ends a token of this user at once.
    ///
    /// # Errors
    /// `NOT_FOUND`, also when it is another user's.
    pub async fn revoke(&self, user_id: &str, id: &str) -> Result<(), AppError> {
        if self.store.delete_api_token(user_id, id).await? {
            Ok(())
        } else {
            Err(AppError::new(ErrorCode::NotFound, "There is no such token."))
        }
    }

    /// The token with this secret; `None` when it is none of ours, was revoked or has ended.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find(&self, secret: &SecretString, now: Timestamp) -> Result<Option<GoodToken>, StoreError> {
        let Some(secret) = TokenSecret::parse(secret.expose_secret()) else {
            return Ok(None);
        };
        let stored = self.store.api_token_by_hash(&self.hash(&secret)).await?;
        let Some(stored) = stored.filter(|token| !is_over(token, now)) else {
            return Ok(None);
        };
        let is_noted = stored
            .last_used_at
            .is_some_and(|at| at <= now && now.since(at) < NOTE_EVERY);
        if !is_noted {
            let noted = self.store.note_api_token_use(&stored.id, now).await;
            // A store that cannot be written to just now is no reason to refuse what can be read.
            if let Err(error) = noted {
                tracing::warn!(%error, "that a token was used could not be noted");
            }
        }
        Ok(Some(GoodToken {
            scopes: scopes_of(&stored),
            id: stored.id,
            user_id: stored.user_id,
            requests_per_minute: stored.requests_per_minute,
        }))
    }

    fn hash(&self, secret: &TokenSecret) -> Digest {
        self.vault.digest(DIGEST_PURPOSE, secret.expose().as_bytes())
    }
}

/// Whether whoever sent it took it for a token of ours.
pub fn is_shaped_like_one(token: &SecretString) -> bool {
    token.expose_secret().starts_with(PREFIX)
}

fn check_scopes(owner: &User, mut scopes: Vec<TokenScope>) -> Result<Vec<TokenScope>, AppError> {
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        let message = "Choose at least one scope: what the token may be used for.";
        return Err(AppError::new(ErrorCode::BadRequest, message).field("scopes"));
    }
    if let Some(scope) = scopes.iter().find(|scope| scope.least_role() > owner.role) {
        let message = format!(
            "Your account may not give a token the scope {}: its role is {}.",
            scope.as_str(),
            owner.role.as_str()
        );
        return Err(AppError::new(ErrorCode::Forbidden, message).field("scopes"));
    }
    Ok(scopes)
}

/// A token that does what an admin does ends one day, also when nobody thought of it.
fn check_expiry(scopes: &[TokenScope], days: Option<u32>) -> Result<Option<u32>, AppError> {
    let (days, max) = if scopes.contains(&TokenScope::Admin) {
        (days.or(Some(ADMIN_EXPIRY_DAYS)), ADMIN_EXPIRY_DAYS_MAX)
    } else {
        (days, EXPIRY_DAYS_MAX)
    };
    check_bound("expiresInDays", days, max)?;
    Ok(days)
}

fn check_bound(field: &str, value: Option<u32>, max: u32) -> Result<(), AppError> {
    if value.is_some_and(|value| value == 0 || value > max) {
        let message = format!("{field} must be from 1 to {max}, or left out.");
        return Err(AppError::new(ErrorCode::BadRequest, message).field(field));
    }
    Ok(())
}

fn is_over(token: &StoredApiToken, now: Timestamp) -> bool {
    token.expires_at.is_some_and(|end| end <= now)
}

/// A scope of a later version, after a step back to this one, allows nothing.
fn scopes_of(token: &StoredApiToken) -> Vec<TokenScope> {
    token
        .scopes
        .iter()
        .filter_map(|scope| TokenScope::parse(scope))
        .collect()
}

fn shown(token: &StoredApiToken, now: Timestamp) -> ApiToken {
    ApiToken {
        id: token.id.clone(),
        name: token.name.clone(),
        mask: format!("{PREFIX}…{}", token.hint),
        scopes: scopes_of(token),
        created_at: rfc3339(token.created_at),
        expires_at: token.expires_at.map(rfc3339),
        expired: is_over(token, now),
        requests_per_minute: token.requests_per_minute,
        last_used_at: token.last_used_at.map(rfc3339),
    }
}
