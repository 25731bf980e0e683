//! Password hashes: argon2id, off the async threads, a few at a time.

use std::sync::Arc;

use app::error::{AppError, ErrorCode};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::password::Password;

/// OWASP's first choice for argon2id:
/// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>.
const MEMORY_KIB: u32 = 47_104;
const ITERATIONS: u32 = 1;
const LANES: u32 = 1;
/// Each takes 46 MB and a core while it runs.
const AT_ONCE_MAX: usize = 2;
/// Running or waiting. More would wait longer than people do.
const IN_LINE_MAX: usize = 64;
/// Of these, at most so many for people without an account: a burst of them must leave room for those who sign in.
const NEWCOMERS_MAX: usize = IN_LINE_MAX / 2;
/// Of no password: the work an unknown account costs is done on it.
const NOBODYS_HASH: &str =
    "$argon2id$v=19$m=47104,t=1,p=1$bm9ib2R5IGtub3dzIGl0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whose password it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Of somebody without an account.
    Newcomer,
    /// Of somebody known, or asked for by an operator.
    Known,
}

pub(super) struct Hasher {
    /// How often it worked.
    #[cfg(test)]
    pub(super) asked: std::sync::atomic::AtomicU64,
    running: Arc<Semaphore>,
    line: Arc<Semaphore>,
    newcomers: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self {
            #[cfg(test)]
            asked: std::sync::atomic::AtomicU64::new(0),
            running: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            line: Arc::new(Semaphore::new(IN_LINE_MAX)),
            newcomers: Arc::new(Semaphore::new(NEWCOMERS_MAX)),
        }
    }
}

impl Hasher {
    /// A PHC string with a new salt.
    pub(super) async fn hash(&self, password: Password, place: Place) -> Result<String, AppError> {
        self.run(place, move || {
            argon2()?
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
        })
        .await?
        .map_err(|error| {
            tracing::error!(%error, "a password could not be hashed");
            AppError::internal()
        })
    }

    /// Whether the password belongs to the hash; without a hash it never does, after the same work.
    pub(super) async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, AppError> {
        let verdict = self.run(Place::Known, move || {
            let parsed = PasswordHash::new(hash.as_deref().unwrap_or(NOBODYS_HASH))?;
            argon2()?
                .verify_password(password.as_bytes(), &parsed)
                .map(|()| hash.is_some())
        });
        match verdict.await? {
            Ok(matches) => Ok(matches),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => {
                tracing::error!(%error, "a stored password hash could not be checked");
                Err(AppError::internal())
            }
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        place: Place,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AppError> {
        #[cfg(test)]
        self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let newcomer = match place {
            Place::Newcomer => Some(
                Arc::clone(&self.newcomers)
                    .try_acquire_owned()
                    .map_err(|_| too_many())?,
            ),
            Place::Known => None,
        };
        let in_line = Arc::clone(&self.line).try_acquire_owned().map_err(|_| too_many())?;
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|_| AppError::internal())?;
        // The permits go with the work: a caller that leaves must not let a third one start beside it.
        let permits: (Option<OwnedSemaphorePermit>, [OwnedSemaphorePermit; 2]) = (newcomer, [in_line, running]);
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permits);
            result
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "hashing a password did not end");
            AppError::internal()
        })
    }
}

fn argon2() -> argon2::password_hash::Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, ITERATIONS, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn too_many() -> AppError {
    let mut error = AppError::new(
        ErrorCode::NoCapacity,
        "Too many people sign in or register at this moment. Try again in a few seconds.",
    );
    error.retry_after_seconds = Some(5);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let hasher = Hasher::default();
        let hash = hasher
            .hash(Password::unchecked("correct horse".into()), Place::Known)
            .await
            .expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=47104,t=1,p=1$"), "{hash}");
        assert!(
            hasher
                .verify(Password::unchecked("correct horse".into()), Some(hash.clone()))
                .await
                .expect("checked")
        );
        assert!(
            !hasher
                .verify(Password::unchecked("correct horsf".into()), Some(hash))
                .await
                .expect("checked")
        );
    }

    #[tokio::test]
    async fn an_unknown_account_costs_the_same_work_and_never_matches() {
        let nobodys = PasswordHash::new(NOBODYS_HASH).expect("a PHC string");
        let real = Hasher::default()
            .hash(Password::unchecked("x".into()), Place::Known)
            .await
            .expect("a hash");
        let real = PasswordHash::new(&real).expect("a PHC string");
        assert_eq!(
            (nobodys.algorithm, &nobodys.version, &nobodys.params),
            (real.algorithm, &real.version, &real.params)
        );
        assert_eq!(nobodys.hash.map(|hash| hash.len()), real.hash.map(|hash| hash.len()));
        assert!(
            !Hasher::default()
                .verify(Password::unchecked("x".into()), None)
                .await
                .expect("checked")
        );
    }

    #[tokio::test]
    async fn a_full_line_is_refused_at_once() {
        let hasher = Hasher::default();
        let _line = Arc::clone(&hasher.line).acquire_many_owned(64).await.expect("permits");
        let refused = hasher
            .verify(Password::unchecked("x".into()), None)
            .await
            .expect_err("full");
        assert_eq!(
            (refused.code, refused.retry_after_seconds),
            (ErrorCode::NoCapacity, Some(5))
        );
    }

    #[tokio::test]
    async fn newcomers_leave_half_of_the_line_to_those_who_sign_in() {
        let hasher = Hasher::default();
        let _line = Arc::clone(&hasher.line).acquire_many_owned(32).await.expect("permits");
        let _newcomers = Arc::clone(&hasher.newcomers)
            .acquire_many_owned(32)
            .await
            .expect("permits");
        let refused = hasher
            .hash(Password::unchecked("x".into()), Place::Newcomer)
            .await
            .expect_err("their half is full");
        assert_eq!(refused.code, ErrorCode::NoCapacity);
        hasher
            .verify(Password::unchecked("x".into()), None)
            .await
            .expect("the other half is free");
    }
}
