//! Access tokens: JWTs of one kind, signed with one algorithm (RFC 8725, RFC 9068).

use std::time::Duration;

use app::error::{AppError, ErrorCode};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use pool::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
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
const KEY_ID_PURPOSE: &str = "keypool/1 jwt key id";
const KEY_ID_BYTES: usize = 8;
/// Longer ones are none of ours and not worth decoding.
const TOKEN_BYTES_MAX: usize = 4096;
const PLACEHOLDERS: [&str; 5] = [
    "your-super-secure-jwt-secret",
    "your-secret",
    "your_secret",
    "changeme",
    "change-me",
];

/// What an access token says. Times in seconds since the Unix epoch. What its holder may do is not in it: that is asked of
/// the account each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    /// The user's id.
    pub sub: String,
    /// The sign-in it came from: with that it ends.
    pub sid: String,
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
    #[error("The sign-in of this access token was ended. Sign in again.")]
    Ended,
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
    /// When this process began, in seconds since the Unix epoch: what the previous secret signed is from before.
    previous_until: u64,
    /// The one that signs first. A token names its own; none is tried in turn.
    keys: Vec<VerifyingKey>,
    validation: Validation,
    operator_validation: Validation,
}

struct VerifyingKey {
    /// Stands in a token's header as `kid`. Tells nothing of the secret.
    id: String,
    decoding: DecodingKey,
}

impl VerifyingKey {
    fn new(secret: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(KEY_ID_PURPOSE)
            .chain_update(secret)
            .finalize();
        Self {
            id: digest
                .iter()
                .take(KEY_ID_BYTES)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
        }
    }
}

impl TokenSigner {
    /// # Errors
    /// A secret that is short, repeated or out of a sample file.
    pub fn new(secret: &SecretString) -> Result<Self, WeakSecret> {
        let secret = secret.expose_secret();
        check_secret(secret)?;
        Ok(Self {
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            previous_until: 0,
            keys: vec![VerifyingKey::new(secret)],
            validation: validation(AUDIENCE, &["exp", "nbf", "iss", "aud", "sub"]),
            operator_validation: validation(OPERATOR_AUDIENCE, &["exp", "iss", "aud"]),
        })
    }

    /// Takes access tokens that an earlier secret signed before `now`, too, until they run out. Later ones are not ours, and
    /// operators sign with the current secret only.
    ///
    /// # Errors
    /// As [`TokenSigner::new`].
    pub fn also_verifying(mut self, previous: &SecretString, now: Timestamp) -> Result<Self, WeakSecret> {
        check_secret(previous.expose_secret())?;
        self.previous_until = now.as_millis() / 1000;
        self.keys.push(VerifyingKey::new(previous.expose_secret()));
        Ok(self)
    }

    /// A token for [`ACCESS_TOKEN_LIFE`] from now.
    ///
    /// # Errors
    /// `INTERNAL` when the cryptography fails.
    pub fn sign(&self, user_id: &str, sign_in: &str, now: Timestamp) -> Result<String, AppError> {
        let issued = now.as_millis() / 1000;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user_id.to_owned(),
            sid: sign_in.to_owned(),
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
        let (claims, key): (Claims, _) = self.decode(token, TYPE, &self.validation).ok_or(TokenError::Invalid)?;
        if !self.is_current(key) && claims.iat.max(claims.nbf) > self.previous_until {
            return Err(TokenError::Invalid);
        }
        let now = now.as_millis() / 1000;
        let life = claims.exp.checked_sub(claims.iat).ok_or(TokenError::Invalid)?;
        let is_whole = [&claims.sub, &claims.sid, &claims.jti]
            .iter()
            .all(|text| !text.is_empty());
        // Ours live no longer: one that does was made by another hand that has the secret.
        if !is_whole || life > ACCESS_TOKEN_LIFE.as_secs() {
            return Err(TokenError::Invalid);
        }
        if now >= claims.exp.saturating_add(LEEWAY.as_secs()) {
            return Err(TokenError::Expired);
        }
        if now.saturating_add(LEEWAY.as_secs()) < claims.nbf.max(claims.iat) {
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
        let found: Option<(OperatorClaims, _)> = self.decode(token, OPERATOR_TYPE, &self.operator_validation);
        found.is_some_and(|(claims, key)| {
            let now = now.as_millis() / 1000;
            self.is_current(key)
                && (claims.iat..claims.exp).contains(&now)
                && claims.exp.saturating_sub(claims.iat) <= OPERATOR_TOKEN_LIFE.as_secs()
        })
    }

    fn is_current(&self, key: &VerifyingKey) -> bool {
        self.keys.first().is_some_and(|current| current.id == key.id)
    }

    /// The claims of a token with exactly our header, and the key that signed it. Nothing the header says is obeyed but which of
    /// our keys it names: neither another algorithm or type, nor a key of its own or an address of one, nor an extension to
    /// be understood.
    fn decode<T: DeserializeOwned>(
        &self,
        token: &str,
        typ: &str,
        validation: &Validation,
    ) -> Option<(T, &VerifyingKey)> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let header = jsonwebtoken::decode_header(token).ok()?;
        let named = header.kid.as_deref()?;
        let key = self.keys.iter().find(|key| key.id == named)?;
        if header != our_header(typ, key) {
            return None;
        }
        let token = jsonwebtoken::decode(token, &key.decoding, validation).ok()?;
        Some((token.claims, key))
    }

    fn encode(&self, typ: &str, claims: &impl Serialize) -> Result<String, AppError> {
        let key = self.keys.first().ok_or_else(AppError::internal)?;
        jsonwebtoken::encode(&our_header(typ, key), claims, &self.encoding).map_err(|error| {
            tracing::error!(%error, "a token could not be signed");
            AppError::internal()
        })
    }
}

fn our_header(typ: &str, key: &VerifyingKey) -> Header {
    Header {
        typ: Some(typ.to_owned()),
        kid: Some(key.id.clone()),
        ..Header::new(Algorithm::HS256)
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
