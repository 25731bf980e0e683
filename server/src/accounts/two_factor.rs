//! The second factor: codes of an authenticator app (RFC 6238) and recovery codes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::types::{RecoveryCodes, TwoFactor, TwoFactorSecret};
use pool::Timestamp;
use secrecy::zeroize::Zeroizing;
use totp_rs::{Builder, Totp};

use super::{Accounts, SignedInBy};
use crate::store::{Digest, StoredSecondFactor, StoredUser};

/// How long after the password was given an enrolment can be confirmed, and its secret be seen.
pub const ENROLMENT_LIFE: Duration = Duration::from_secs(10 * 60);
/// Recovery codes made at once.
pub const RECOVERY_CODES: usize = 10;
/// RFC 4226 recommends 160 bits.
const SECRET_BYTES: usize = 20;
/// What an app shows besides the e-mail.
const ISSUER: &str = "Keypool";
/// Under this name the vault seals the secret.
const FIELD: &str = "totp";
const RECOVERY_PURPOSE: &str = "recovery code";
/// No letters that look like digits. 32 of them: 5 bits each.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// 80 bits.
const RECOVERY_CHARS: usize = 16;
const RECOVERY_GROUP: usize = 4;

/// Who gave the password a moment ago to enrol a second factor. A restart forgets them: they begin again.
#[derive(Default)]
pub(super) struct Enrolments(Mutex<BTreeMap<String, Timestamp>>);

impl Enrolments {
    fn begin(&self, user_id: &str, now: Timestamp) {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.retain(|_, at| now.since(*at) < ENROLMENT_LIFE);
        begun.insert(user_id.to_owned(), now);
    }

    fn is_under_way(&self, user_id: &str, now: Timestamp) -> bool {
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.get(user_id).is_some_and(|at| now.since(*at) < ENROLMENT_LIFE)
    }

    fn end(&self, user_id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(user_id);
    }
}

impl Accounts {
    /// # Errors
    /// When the store fails.
    pub async fn two_factor(&self, user_id: &str) -> Result<TwoFactor, AppError> {
        let factor = self.confirmed_factor(user_id).await?;
        Ok(TwoFactor {
            enabled: factor.is_some(),
            recovery_codes_left: factor.map_or(0, |factor| factor.recovery.len()),
        })
    }

    /// Makes a secret for an authenticator app. It counts once a code of it was given within [`ENROLMENT_LIFE`].
    ///
    /// # Errors
    /// `FORBIDDEN` on the field `password`; `CONFLICT` when there is a second factor already; `RATE_LIMITED`.
    pub async fn begin_two_factor(
        &self,
        user_id: &str,
        password: String,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<TwoFactorSecret, AppError> {
        let user = self.confirm_password(user_id, password, from, now).await?;
        if self.confirmed_factor(user_id).await?.is_some() {
            return Err(already_on());
        }
        let mut secret = Zeroizing::new([0_u8; SECRET_BYTES]);
        rand::fill(&mut secret[..]);
        let _held = self.vault.hold().await;
        let sealed = self
            .vault
            .seal(&record(user_id), FIELD, &secret[..])
            .map_err(|error| broken(&error))?;
        // It may have been confirmed meanwhile.
        if !self.store.begin_second_factor(user_id, sealed).await? {
            return Err(already_on());
        }
        self.enrolments.begin(user_id, now);
        told(&totp(&user, &secret[..])?)
    }

    /// The secret of an enrolment that is under way, to show its form again.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pending_two_factor(&self, user_id: &str, now: Timestamp) -> Result<Option<TwoFactorSecret>, AppError> {
        let factor = self.store.second_factor(user_id).await?;
        match factor.filter(|factor| !factor.confirmed && self.enrolments.is_under_way(user_id, now)) {
            Some(factor) => {
                let user = self.known(user_id).await?;
                told(&self.open(&user, &factor)?).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Switches the second factor on and ends everything else that is signed in. Give the session that asks a new id
    /// after it.
    ///
    /// # Errors
    /// `FORBIDDEN` on the field `code`; `CONFLICT` when no enrolment is under way; `RATE_LIMITED`.
    pub async fn confirm_two_factor(
        &self,
        user_id: &str,
        code: &str,
        by: &SignedInBy,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<RecoveryCodes, AppError> {
        let user = self.known(user_id).await?;
        // From here until it is saved, its seal stays: what is saved must not be one of an earlier master key.
        let held = self.vault.hold().await;
        let factor = self.store.second_factor(user_id).await?;
        let factor = factor.filter(|factor| !factor.confirmed && self.enrolments.is_under_way(user_id, now));
        let over = || AppError::new(ErrorCode::Conflict, "No second factor is being set up: begin again.");
        let factor = factor.ok_or_else(over)?;
        self.throttle.take(Some(&user.email), from, now)?;
        self.throttle.take_code(user_id, now)?;
        let step = self.open(&user, &factor)?.check(&plain(code), seconds(now));
        let is_first_use = match step {
            Some(step) => self.store.use_totp_step(user_id, step).await?,
            None => false,
        };
        if !is_first_use {
            let message = "The code is not right. Check the clock of the phone, and use the newest code.";
            return Err(AppError::new(ErrorCode::Forbidden, message).field("code"));
        }
        let (codes, recovery) = self.new_recovery_codes(user_id);
        let factor = StoredSecondFactor { recovery, ..factor };
        let confirmed = self.store.confirm_second_factor(factor, by.session(), by.sign_in());
        if !confirmed.await? {
            return Err(over());
        }
        drop(held);
        self.enrolments.end(user_id);
        self.throttle.forgive(&user.email, from, now);
        Ok(codes)
    }

    /// Replaces the recovery codes; the old ones are void.
    ///
    /// # Errors
    /// `FORBIDDEN` on the fields `password` and `code`; `CONFLICT` without a second factor; `RATE_LIMITED`.
    pub async fn renew_recovery_codes(
        &self,
        user_id: &str,
        password: String,
        code: &str,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<RecoveryCodes, AppError> {
        self.confirm_both(user_id, password, code, from, now).await?;
        let (codes, recovery) = self.new_recovery_codes(user_id);
        if self.store.replace_recovery_codes(user_id, recovery).await? {
            Ok(codes)
        } else {
            Err(no_factor())
        }
    }

    /// Switches the second factor off and ends everything else that is signed in. Give the session that asks a new id
    /// after it.
    ///
    /// # Errors
    /// As [`Accounts::renew_recovery_codes`].
    pub async fn disable_two_factor(
        &self,
        user_id: &str,
        password: String,
        code: &str,
        by: &SignedInBy,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.confirm_both(user_id, password, code, from, now).await?;
        self.store.delete_second_factor(user_id).await?;
        self.end_other_sessions(user_id, by).await?;
        Ok(())
    }

    async fn confirm_both(
        &self,
        user_id: &str,
        password: String,
        code: &str,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.confirm_password(user_id, password, from, now).await?;
        let factor = self.confirmed_factor(user_id).await?.ok_or_else(no_factor)?;
        self.take_code(&factor, code, from, now)
            .await
            .map_err(|error| match error.code {
                // Who is signed in stays so: a wrong code here is a form's mistake.
                ErrorCode::Unauthenticated => AppError {
                    code: ErrorCode::Forbidden,
                    ..error
                },
                _ => error,
            })
    }

    pub(super) async fn confirmed_factor(&self, user_id: &str) -> Result<Option<StoredSecondFactor>, AppError> {
        let factor = self.store.second_factor(user_id).await?;
        Ok(factor.filter(|factor| factor.confirmed))
    }

    /// Uses a code of the app, of the step before or after at most, or a recovery code. Each is good once.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` on the field `code`; `RATE_LIMITED` after too many of the app for this account, from wherever, or
    /// too many recovery codes from this address.
    pub(super) async fn take_code(
        &self,
        factor: &StoredSecondFactor,
        code: &str,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let user_id = &factor.user_id;
        let code = plain(code);
        let is_good = if code.len() == RECOVERY_CHARS {
            self.throttle.take_recovery_code(user_id, from, now)?;
            let digest = self.recovery_digest(user_id, &code);
            self.store.use_recovery_code(user_id, &digest).await?
        } else {
            self.throttle.take_code(user_id, now)?;
            let user = self.known(user_id).await?;
            match self.open(&user, factor)?.check(&code, seconds(now)) {
                Some(step) => self.store.use_totp_step(user_id, step).await?,
                None => false,
            }
        };
        if is_good {
            return Ok(());
        }
        let message = "The code is not right, or it was used already. Wait for the next one.";
        Err(AppError::new(ErrorCode::Unauthenticated, message).field("code"))
    }

    fn open(&self, user: &StoredUser, factor: &StoredSecondFactor) -> Result<Totp, AppError> {
        let secret = self
            .vault
            .open(&record(&factor.user_id), FIELD, &factor.sealed)
            .map_err(|error| broken(&error))?;
        totp(user, &secret)
    }

    fn new_recovery_codes(&self, user_id: &str) -> (RecoveryCodes, Vec<Digest>) {
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| random_code()).collect();
        let digests = codes
            .iter()
            .map(|code| self.recovery_digest(user_id, &plain(code)))
            .collect();
        (RecoveryCodes { recovery_codes: codes }, digests)
    }

    fn recovery_digest(&self, user_id: &str, code: &str) -> Digest {
        self.vault
            .digest(RECOVERY_PURPOSE, format!("{user_id} {code}").as_bytes())
    }
}

fn totp(user: &StoredUser, secret: &[u8]) -> Result<Totp, AppError> {
    Builder::new()
        .with_secret(secret)
        .with_account_name(user.email.as_str())
        .with_issuer(Some(ISSUER))
        .build()
        .map_err(|error| broken(&error))
}

fn told(totp: &Totp) -> Result<TwoFactorSecret, AppError> {
    Ok(TwoFactorSecret {
        secret: totp.secret().to_base32(),
        uri: totp.to_url().map_err(|error| broken(&error))?,
    })
}

/// Such as `K3VF-7QWM-2ZPA-XN6T`.
fn random_code() -> String {
    let bytes: [u8; RECOVERY_CHARS] = rand::random();
    let chars = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
    let chars: Vec<char> = chars.map(|letter| char::from(*letter)).collect();
    let groups: Vec<String> = chars
        .chunks(RECOVERY_GROUP)
        .map(|group| group.iter().collect())
        .collect();
    groups.join("-")
}

/// As people type it: with spaces and dashes, in small letters.
fn plain(code: &str) -> String {
    code.chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .take(RECOVERY_CHARS + 1)
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

fn record(user_id: &str) -> String {
    format!("user/{user_id}")
}

fn seconds(now: Timestamp) -> u64 {
    now.as_millis() / 1000
}

fn already_on() -> AppError {
    let message = "There is a second factor already: switch it off first.";
    AppError::new(ErrorCode::Conflict, message)
}

fn no_factor() -> AppError {
    AppError::new(ErrorCode::Conflict, "There is no second factor to do that with.")
}

fn broken(error: &dyn std::fmt::Display) -> AppError {
    tracing::error!(%error, "a second factor could not be worked with");
    AppError::internal()
}

#[cfg(test)]
mod tests;
