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
/// For one account from all addresses together that it was not signed in to from lately: many addresses must not try many
/// passwords, and who guesses must not lock its owner out.
const STRANGERS_TRIES_MAX: u32 = 100;
/// How long an address is known to an account after it was signed in to from there.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// From one address, whatever the account.
const ADDRESS_TRIES_MAX: u32 = 100;
/// Accounts made from one address: enough for a class behind one router, too few to fill the store.
pub(super) const REGISTRATIONS_MAX: u32 = 30;
/// Codes of a second factor for one account, from wherever: who tries them has the password already, and from many
/// addresses would come through six digits in the end.
pub(super) const CODES_MAX: u32 = 30;
/// Recovery codes for one account from one address. Nobody guesses 80 bits: who has the password and tries must not keep
/// the owner from using theirs.
pub(super) const RECOVERY_CODES_MAX: u32 = 10;
/// Windows of each kind that are remembered. When it is full the least spent go: forgetting them is better than growing
/// without end, and who makes many new ones does not get rid of one that is used up.
const WINDOWS_MAX: usize = 50_000;

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Timestamp,
    tries: u32,
}

/// Windows of one kind.
struct Windows<K>(Mutex<BTreeMap<K, Window>>);

impl<K> Default for Windows<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> Windows<K> {
    /// Counts one try; when there is none left, the time to wait.
    fn count(&self, key: K, tries_max: u32, now: Timestamp) -> Result<(), Duration> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !windows.contains_key(&key) {
            make_room(&mut windows, now);
        }
        let window = windows.entry(key).or_insert(Window { began: now, tries: 0 });
        if is_over(window, now) {
            *window = Window { began: now, tries: 0 };
        }
        if window.tries >= tries_max {
            return Err(window.began.plus(WINDOW).since(now));
        }
        window.tries += 1;
        Ok(())
    }

    fn forget(&self, key: &K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[derive(Default)]
pub(super) struct Throttle {
    addresses: Windows<IpAddr>,
    accounts: Windows<(Email, IpAddr)>,
    strangers: Windows<Email>,
    registrations: Windows<IpAddr>,
    codes: Windows<String>,
    recovery_codes: Windows<(String, IpAddr)>,
    /// From where an account was signed in to, and when. A restart forgets it.
    known: Mutex<BTreeMap<(Email, IpAddr), Timestamp>>,
}

impl Throttle {
    /// Takes one try, before it is known how it ends: tries side by side count too.
    ///
    /// # Errors
    /// `RATE_LIMITED` with the time to wait.
    pub(super) fn take(&self, email: Option<&Email>, from: IpAddr, now: Timestamp) -> Result<(), AppError> {
        let from = subscriber(from);
        let refused = |wait| too_many("Too many tries to sign in.", wait);
        self.addresses.count(from, ADDRESS_TRIES_MAX, now).map_err(refused)?;
        let Some(email) = email else { return Ok(()) };
        let account = (email.clone(), from);
        let is_known = self.is_known(&account, now);
        self.accounts.count(account, ACCOUNT_TRIES_MAX, now).map_err(refused)?;
        if is_known {
            return Ok(());
        }
        self.strangers
            .count(email.clone(), STRANGERS_TRIES_MAX, now)
            .map_err(refused)
    }

    /// Takes one of the accounts that may be made from an address, before it is known whether it can be made.
    ///
    /// # Errors
    /// `RATE_LIMITED` with the time to wait.
    pub(super) fn take_registration(&self, from: IpAddr, now: Timestamp) -> Result<(), AppError> {
        self.registrations
            .count(subscriber(from), REGISTRATIONS_MAX, now)
            .map_err(|wait| too_many("Too many accounts were made from this address.", wait))
    }

    /// Takes one of the codes of an app that may be tried on an account, the right ones too.
    ///
    /// # Errors
    /// `RATE_LIMITED` with the time to wait.
    pub(super) fn take_code(&self, user_id: &str, now: Timestamp) -> Result<(), AppError> {
        self.codes.count(user_id.to_owned(), CODES_MAX, now).map_err(|wait| {
            too_many(
                "Too many codes were tried on this account. A recovery code still works.",
                wait,
            )
        })
    }

    /// Takes one of the recovery codes that may be tried on an account from an address, the right ones too.
    ///
    /// # Errors
    /// `RATE_LIMITED` with the time to wait.
    pub(super) fn take_recovery_code(&self, user_id: &str, from: IpAddr, now: Timestamp) -> Result<(), AppError> {
        self.recovery_codes
            .count((user_id.to_owned(), subscriber(from)), RECOVERY_CODES_MAX, now)
            .map_err(|wait| too_many("Too many recovery codes were tried from this address.", wait))
    }

    /// The right password came: earlier mistakes of this person do not count any more, and the address is known.
    pub(super) fn forgive(&self, email: &Email, from: IpAddr, now: Timestamp) {
        let account = (email.clone(), subscriber(from));
        self.accounts.forget(&account);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= WINDOWS_MAX {
            known.retain(|_, at| now.since(*at) < KNOWN_FOR);
            drop_lowest(&mut known, |at| *at);
        }
        known.insert(account, now);
    }

    fn is_known(&self, account: &(Email, IpAddr), now: Timestamp) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(account).is_some_and(|at| now.since(*at) < KNOWN_FOR)
    }
}

/// The clock may have stepped back: a window from the future must not last longer than a window.
fn is_over(window: &Window, now: Timestamp) -> bool {
    now.since(window.began) >= WINDOW || window.began > now
}

fn make_room<K: Ord + Clone>(windows: &mut BTreeMap<K, Window>, now: Timestamp) {
    if windows.len() < WINDOWS_MAX {
        return;
    }
    windows.retain(|_, window| !is_over(window, now));
    drop_lowest(windows, |window| (window.tries, window.began));
}

/// Drops a tenth at once, so that a flood does not pay for this at every try; nothing while there is room.
fn drop_lowest<K: Ord + Clone, V, W: Ord>(map: &mut BTreeMap<K, V>, worth: impl Fn(&V) -> W) {
    if map.len() < WINDOWS_MAX {
        return;
    }
    let mut keys: Vec<(W, K)> = map.iter().map(|(key, value)| (worth(value), key.clone())).collect();
    keys.sort_unstable();
    for (_, key) in keys.iter().take(WINDOWS_MAX / 10) {
        map.remove(key);
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
        throttle.forgive(&ada, home, NOON);
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
    fn recovery_codes_are_counted_apart_and_by_address() {
        let throttle = Throttle::default();
        let (home, away) = (address("192.0.2.1"), address("203.0.113.9"));
        for _ in 0..=CODES_MAX {
            let _ = throttle.take_code("ada", NOON);
        }
        for _ in 0..RECOVERY_CODES_MAX {
            throttle
                .take_recovery_code("ada", away, NOON)
                .expect("within the limit");
        }
        throttle.take_recovery_code("ada", away, NOON).expect_err("over it");
        throttle.take_recovery_code("ada", home, NOON).expect("the owner");
    }

    #[test]
    fn an_account_is_not_tried_from_many_addresses_and_its_owner_still_comes_in() {
        let throttle = Throttle::default();
        let (ada, home) = (email("ada@example.com"), address("192.0.2.1"));
        throttle.take(Some(&ada), home, NOON).expect("the first");
        throttle.forgive(&ada, home, NOON);
        let elsewhere = |number: u32| IpAddr::V4(std::net::Ipv4Addr::from(0xcb00_7100 + number));
        let later = NOON.plus(Duration::from_secs(3600));
        let good = (0..300)
            .filter(|number| throttle.take(Some(&ada), elsewhere(*number), later).is_ok())
            .count();
        assert_eq!(good, 100, "from all addresses together");
        throttle.take(Some(&ada), home, later).expect("known from before");
        let eve = email("eve@example.com");
        throttle
            .take(Some(&eve), elsewhere(1000), later)
            .expect("another account");
        throttle
            .take(Some(&ada), elsewhere(1001), later.plus(WINDOW))
            .expect("a new window");
        let much_later = NOON.plus(KNOWN_FOR);
        for number in 0..100 {
            let _ = throttle.take(Some(&ada), elsewhere(number), much_later);
        }
        throttle
            .take(Some(&ada), home, much_later)
            .expect_err("not signed in to from there for a month");
    }

    #[test]
    fn a_flood_of_new_windows_frees_none_that_is_used_up() {
        let throttle = Throttle::default();
        let (ada, home) = (email("ada@example.com"), address("2001:db8::1"));
        for _ in 0..CODES_MAX {
            throttle.take_code("ada", NOON).expect("within the limit");
        }
        for _ in 0..10 {
            throttle.take(Some(&ada), home, NOON).expect("within the limit");
        }
        for number in 0..WINDOWS_MAX * 2 {
            let network = std::net::Ipv6Addr::from((0x2001_0db9_u128 << 96) | ((number as u128) << 64));
            let account = email(&format!("user{number}@example.com"));
            let second = NOON.plus(Duration::from_millis(number as u64));
            let _ = throttle.take(Some(&account), IpAddr::V6(network), second);
        }
        let after = NOON.plus(Duration::from_secs(300));
        throttle.take_code("ada", after).expect_err("used up");
        throttle.take(Some(&ada), home, after).expect_err("used up");
        let held = throttle.accounts.0.lock().expect("not poisoned").len();
        assert!(held <= WINDOWS_MAX, "{held}");
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
