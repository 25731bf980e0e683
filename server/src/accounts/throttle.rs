//! Limits on guessing passwords, without locking anybody out of their own account, and on making accounts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use app::error::{AppError, ErrorCode};
use pool::Timestamp;

use crate::email::Email;
use crate::network::subscriber;

const WINDOW: Duration = Duration::from_secs(15 * 60);
/// For one account from one address: a stranger elsewhere does not use up the owner's tries.
const ACCOUNT_TRIES_MAX: u32 = 10;
/// From one address, whatever the account.
const ADDRESS_TRIES_MAX: u32 = 100;
/// Accounts made from one address: enough for a class behind one router, too few to fill the store.
pub(super) const REGISTRATIONS_MAX: u32 = 30;
/// Codes of a second factor for one account, from wherever: who tries them has the password already, and from many
/// addresses would come through six digits in the end.
pub(super) const CODES_MAX: u32 = 30;
/// Windows remembered. When it is full the oldest goes: forgetting one is better than growing without end.
const WINDOWS_MAX: usize = 50_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Address(IpAddr),
    Account(Email, IpAddr),
    Registration(IpAddr),
    Codes(String),
}

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Timestamp,
    tries: u32,
}

#[derive(Default)]
pub(super) struct Throttle {
    windows: Mutex<BTreeMap<Scope, Window>>,
}

impl Throttle {
    /// Takes one try, before it is known how it ends: tries side by side count too.
    ///
    /// # Errors
    /// `RATE_LIMITED` with the time to wait.
    pub(super) fn take(&self, email: Option<&Email>, from: IpAddr, now: Timestamp) -> Result<(), AppError> {
        let from = subscriber(from);
        let account = email.map(|email| (Scope::Account(email.clone(), from), ACCOUNT_TRIES_MAX));
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        for (scope, tries_max) in [Some((Scope::Address(from), ADDRESS_TRIES_MAX)), account]
            .into_iter()
            .flatten()
        {
            count(&mut windows, scope, tries_max, now).map_err(|wait| too_many("Too many tries to sign in.", wait))?;
        }
        Ok(())
    }

    /// Takes one of the accounts that may be made from an address, before it is known whether it can be made.
    ///
    /// # Errors
    /// `RATE_LIMITED` with the time to wait.
    pub(super) fn take_registration(&self, from: IpAddr, now: Timestamp) -> Result<(), AppError> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        count(
            &mut windows,
            Scope::Registration(subscriber(from)),
            REGISTRATIONS_MAX,
            now,
        )
        .map_err(|wait| too_many("Too many accounts were made from this address.", wait))
    }

    /// Takes one of the codes that may be tried on an account, the right ones too.
    ///
    /// # Errors
    /// `RATE_LIMITED` with the time to wait.
    pub(super) fn take_code(&self, user_id: &str, now: Timestamp) -> Result<(), AppError> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        count(&mut windows, Scope::Codes(user_id.to_owned()), CODES_MAX, now)
            .map_err(|wait| too_many("Too many codes were tried on this account.", wait))
    }

    /// The right password came: earlier mistakes of this person do not count any more.
    pub(super) fn forgive(&self, email: &Email, from: IpAddr) {
        let scope = Scope::Account(email.clone(), subscriber(from));
        self.windows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&scope);
    }
}

/// Counts one try; when there is none left, the time to wait.
fn count(windows: &mut BTreeMap<Scope, Window>, scope: Scope, tries_max: u32, now: Timestamp) -> Result<(), Duration> {
    make_room(windows, now);
    let window = windows.entry(scope).or_insert(Window { began: now, tries: 0 });
    // The clock may have stepped back: a window from the future must not last longer than a window.
    if now.since(window.began) >= WINDOW || window.began > now {
        *window = Window { began: now, tries: 0 };
    }
    if window.tries >= tries_max {
        return Err(window.began.plus(WINDOW).since(now));
    }
    window.tries += 1;
    Ok(())
}

fn make_room(windows: &mut BTreeMap<Scope, Window>, now: Timestamp) {
    if windows.len() < WINDOWS_MAX {
        return;
    }
    windows.retain(|_, window| now.since(window.began) < WINDOW);
    if windows.len() >= WINDOWS_MAX {
        let mut began: Vec<Timestamp> = windows.values().map(|window| window.began).collect();
        began.sort_unstable();
        // A tenth at once, so that a flood does not pay for this at every try.
        let cut = began.get(WINDOWS_MAX / 10).copied().unwrap_or(now);
        windows.retain(|_, window| window.began > cut);
    }
}

fn too_many(what: &str, wait: Duration) -> AppError {
    let seconds = wait.as_secs().max(1);
    let minutes = seconds.div_ceil(60);
    let message = format!("{what} Try again in {minutes} min.");
    let mut error = AppError::new(ErrorCode::RateLimited, message);
    error.retry_after_seconds = Some(seconds);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn email(text: &str) -> Email {
        Email::parse(text).expect("an address")
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_eleventh_try_on_an_account_waits_for_the_window_to_end() {
        let throttle = Throttle::default();
        let (ada, home) = (email("ada@example.com"), address("192.0.2.1"));
        for _ in 0..10 {
            throttle.take(Some(&ada), home, NOON).expect("within the limit");
        }
        let refused = throttle
            .take(Some(&ada), home, NOON.plus(Duration::from_secs(60)))
            .expect_err("over the limit");
        assert_eq!(
            (refused.code, refused.retry_after_seconds),
            (ErrorCode::RateLimited, Some(14 * 60))
        );
        throttle
            .take(Some(&ada), home, NOON.plus(WINDOW))
            .expect("a new window");
    }

    #[test]
    fn guessing_from_elsewhere_does_not_lock_the_owner_out() {
        let throttle = Throttle::default();
        let ada = email("ada@example.com");
        for _ in 0..20 {
            let _ = throttle.take(Some(&ada), address("203.0.113.9"), NOON);
        }
        throttle
            .take(Some(&ada), address("192.0.2.1"), NOON)
            .expect("another address");
    }

    #[test]
    fn one_address_cannot_try_many_accounts() {
        let throttle = Throttle::default();
        for number in 0..100 {
            throttle
                .take(
                    Some(&email(&format!("user{number}@example.com"))),
                    address("192.0.2.1"),
                    NOON,
                )
                .expect("within the limit");
        }
        throttle
            .take(Some(&email("user100@example.com")), address("192.0.2.1"), NOON)
            .expect_err("over the limit");
        throttle
            .take(None, address("192.0.2.1"), NOON)
            .expect_err("over the limit");
    }

    #[test]
    fn all_addresses_of_an_ipv6_network_count_as_one() {
        let throttle = Throttle::default();
        let ada = email("ada@example.com");
        for host in 0..10 {
            throttle
                .take(Some(&ada), address(&format!("2001:db8::{host:x}")), NOON)
                .expect("within the limit");
        }
        throttle
            .take(Some(&ada), address("2001:db8::ffff"), NOON)
            .expect_err("the same network");
        throttle
            .take(Some(&ada), address("2001:db8:0:1::1"), NOON)
            .expect("another network");
    }

    #[test]
    fn the_right_password_clears_earlier_mistakes() {
        let throttle = Throttle::default();
        let (ada, home) = (email("ada@example.com"), address("192.0.2.1"));
        for _ in 0..10 {
            throttle.take(Some(&ada), home, NOON).expect("within the limit");
        }
        throttle.forgive(&ada, home);
        throttle.take(Some(&ada), home, NOON).expect("cleared");
    }

    #[test]
    fn codes_of_one_account_are_bounded_from_all_addresses_together() {
        let throttle = Throttle::default();
        for _ in 0..CODES_MAX {
            throttle.take_code("ada", NOON).expect("within the limit");
        }
        throttle.take_code("ada", NOON).expect_err("over the limit");
        throttle.take_code("eve", NOON).expect("another account");
        throttle.take_code("ada", NOON.plus(WINDOW)).expect("a new window");
    }

    #[test]
    fn a_clock_that_steps_back_does_not_lengthen_the_wait() {
        let throttle = Throttle::default();
        let (ada, home) = (email("ada@example.com"), address("192.0.2.1"));
        for _ in 0..10 {
            throttle
                .take(Some(&ada), home, NOON.plus(Duration::from_secs(86_400)))
                .expect("within the limit");
        }
        throttle
            .take(Some(&ada), home, NOON)
            .expect("a window from the future is void");
    }
}
