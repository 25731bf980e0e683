//! Access tokens: JWTs of one kind, signed with one algorithm (RFC 8725, RFC 9068).

use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::types::{Role, User};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use pool::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);
/// Long enough for one command, too short to be worth stealing.
pub const OPERATOR_TOKEN_LIFE: Duration = Duration::from_secs(60);
/// Shortest `JWT_SECRET`, in characters.
pub const SECRET_CHARS_MIN: usize = 32;
/// How far the clocks of two instances may be apart.
const LEEWAY: Duration = Duration::from_secs(30);
const ISSUER: &str = "keypool";
const AUDIENCE: &str = "keypool-api";
const TYPE: &str = "at+jwt";
const OPERATOR_AUDIENCE: &str = "keypool-operator";
const OPERATOR_TYPE: &str = "keypool-operator+jwt";
/// Longer ones are none of ours and not worth decoding.
const TOKEN_BYTES_MAX: usize = 4096;
const PLACEHOLDERS: [&str; 5] = [
    "your-super-secure-jwt-secret",
    "your-secret",
    "your_secret",
    "changeme",
    "change-me",
];

/// What an access token says. Times in seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    /// The user's id.
    pub sub: String,
    pub role: Role,
    pub iat: u64,
    pub nbf: u64,
    pub exp: u64,
    /// Of this token alone.
    pub jti: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("The access token is not valid.")]
    Invalid,
    #[error("The access token has expired. Refresh it or sign in again.")]
    Expired,
    #[error("The access token is not valid yet. Check the clocks.")]
    NotYetValid,
}

impl From<TokenError> for AppError {
    fn from(error: TokenError) -> Self {
        Self::new(ErrorCode::Unauthenticated, error.to_string())
    }
}

/// What an operator token says: whoever holds it can read the files of `DATA_DIR`. Times in seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OperatorClaims {
    iss: String,
    aud: String,
    iat: u64,
    exp: u64,
    jti: String,
}

/// Why a `JWT_SECRET` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    #[error("JWT_SECRET has fewer than {SECRET_CHARS_MIN} characters: make one with `openssl rand -base64 48`")]
    TooShort,
    #[error("JWT_SECRET is the placeholder of a sample file: make one with `openssl rand -base64 48`")]
    Placeholder,
    #[error("JWT_SECRET repeats a few characters: make one with `openssl rand -base64 48`")]
    Repeated,
}

/// Signs and verifies access tokens and operator tokens.
pub struct TokenSigner {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    operator_validation: Validation,
}

impl TokenSigner {
    /// # Errors
    /// A secret that is short, repeated or out of a sample file.
    pub fn new(secret: &SecretString) -> Result<Self, WeakSecret> {
        let secret = secret.expose_secret();
        check_secret(secret)?;
        let (encoding, decoding) = (
            EncodingKey::from_secret(secret.as_bytes()),
            DecodingKey::from_secret(secret.as_bytes()),
        );
        Ok(Self {
            encoding,
            decoding,
            validation: validation(AUDIENCE, &["exp", "nbf", "iss", "aud", "sub"]),
            operator_validation: validation(OPERATOR_AUDIENCE, &["exp", "iss", "aud"]),
        })
    }

    /// A token for [`ACCESS_TOKEN_LIFE`] from now.
    ///
    /// # Errors
    /// `INTERNAL` when the cryptography fails.
    pub fn sign(&self, user: &User, now: Timestamp) -> Result<String, AppError> {
        let issued = now.as_millis() / 1000;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.id.clone(),
            role: user.role,
            iat: issued,
            nbf: issued,
            exp: issued.saturating_add(ACCESS_TOKEN_LIFE.as_secs()),
            jti: Uuid::from_bytes(rand::random()).to_string(),
        };
        self.encode(TYPE, &claims)
    }

    /// # Errors
    /// See [`TokenError`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let token =
            jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).map_err(|_| TokenError::Invalid)?;
        // A refresh token or anything else signed with this secret some day must not pass for an access token.
        if token.header.typ.as_deref() != Some(TYPE) {
            return Err(TokenError::Invalid);
        }
        let claims = token.claims;
        let now = now.as_millis() / 1000;
        if now >= claims.exp.saturating_add(LEEWAY.as_secs()) {
            return Err(TokenError::Expired);
        }
        if now.saturating_add(LEEWAY.as_secs()) < claims.nbf {
            return Err(TokenError::NotYetValid);
        }
        Ok(claims)
    }

    /// A token for the command line of this machine, for [`OPERATOR_TOKEN_LIFE`] from now.
    ///
    /// # Errors
    /// `INTERNAL` when the cryptography fails.
    pub fn sign_operator(&self, now: Timestamp) -> Result<String, AppError> {
        let issued = now.as_millis() / 1000;
        let claims = OperatorClaims {
            iss: ISSUER.to_owned(),
            aud: OPERATOR_AUDIENCE.to_owned(),
            iat: issued,
            exp: issued.saturating_add(OPERATOR_TOKEN_LIFE.as_secs()),
            jti: Uuid::from_bytes(rand::random()).to_string(),
        };
        self.encode(OPERATOR_TYPE, &claims)
    }

    /// Whether it is an operator token of this `JWT_SECRET` that is still good. Both ends read the same clock, so there is no
    /// leeway.
    pub fn is_operator(&self, token: &str, now: Timestamp) -> bool {
        if token.len() > TOKEN_BYTES_MAX {
            return false;
        }
        let decoded = jsonwebtoken::decode::<OperatorClaims>(token, &self.decoding, &self.operator_validation);
        decoded.is_ok_and(|token| {
            let now = now.as_millis() / 1000;
            token.header.typ.as_deref() == Some(OPERATOR_TYPE)
                && (token.claims.iat..token.claims.exp).contains(&now)
                && token.claims.exp.saturating_sub(token.claims.iat) <= OPERATOR_TOKEN_LIFE.as_secs()
        })
    }

    fn encode(&self, typ: &str, claims: &impl Serialize) -> Result<String, AppError> {
        let header = Header {
            typ: Some(typ.to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        jsonwebtoken::encode(&header, claims, &self.encoding).map_err(|error| {
            tracing::error!(%error, "a token could not be signed");
            AppError::internal()
        })
    }
}

fn validation(audience: &str, required: &[&str]) -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(required);
    // The library would ask its own clock: who verifies compares with the time that is given.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

fn check_secret(secret: &str) -> Result<(), WeakSecret> {
    if secret.chars().count() < SECRET_CHARS_MIN {
        return Err(WeakSecret::TooShort);
    }
    let lower = secret.to_lowercase();
    if PLACEHOLDERS.iter().any(|placeholder| lower.contains(placeholder)) {
        return Err(WeakSecret::Placeholder);
    }
    let distinct: std::collections::BTreeSet<char> = secret.chars().collect();
    if distinct.len() < 8 {
        Err(WeakSecret::Repeated)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
