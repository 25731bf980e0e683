use app::types::{Credentials, Role, User};
use tempfile::TempDir;

use super::*;
use crate::accounts::tests::{HOME, NOW, PASSWORD, accounts, credentials, form, later};
use crate::accounts::{PendingSignIn, SignInStep, TWO_FACTOR_REQUIRED};

const STEP: Duration = Duration::from_secs(30);

/// What the phone shows.
fn code(secret: &TwoFactorSecret, at: Timestamp) -> String {
    let secret = totp_rs::Secret::try_from_base32(&secret.secret).expect("base32");
    let phone = Builder::new().with_secret(secret).build().expect("a phone");
    phone.generate(seconds(at)).to_string()
}

fn wrong(secret: &TwoFactorSecret, at: Timestamp) -> String {
    let near: Vec<String> = [0, 30, 60]
        .iter()
        .map(|s| code(secret, minus(at.plus(STEP), *s)))
        .collect();
    let all = (0..1_000_000).map(|number| format!("{number:06}"));
    all.into_iter()
        .find(|code| !near.contains(code))
        .expect("one that is not shown")
}

fn minus(at: Timestamp, seconds: u64) -> Timestamp {
    Timestamp::from_millis(at.as_millis() - seconds * 1000)
}

/// Ada with a second factor since `NOW`.
async fn enrolled() -> (TempDir, Accounts, User, TwoFactorSecret, RecoveryCodes) {
    let (dir, accounts) = accounts().await;
    let ada = accounts
        .create(form("ada@example.com"), Role::Admin, NOW)
        .await
        .expect("created");
    let secret = accounts
        .begin_two_factor(&ada.id, PASSWORD.to_owned(), HOME, NOW)
        .await
        .expect("begun");
    let confirmed = accounts
        .confirm_two_factor(&ada.id, &code(&secret, NOW), &SignedInBy::Other, HOME, NOW)
        .await;
    let codes = confirmed.expect("confirmed");
    (dir, accounts, ada, secret, codes)
}

async fn sign_in(accounts: &Accounts, code: Option<&str>, now: Timestamp) -> Result<User, AppError> {
    let form = Credentials {
        code: code.map(str::to_owned),
        ..credentials("ada@example.com", PASSWORD)
    };
    accounts.sign_in(form, HOME, now).await.map(|verified| verified.user)
}

#[test]
fn codes_are_those_of_the_rfc() {
    let phone = Builder::new()
        .with_secret(&b"12345678901234567890"[..])
        .build()
        .expect("a phone");
    // RFC 6238, appendix B, SHA-1; the last six of its eight digits.
    for (time, expected) in [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ] {
        assert_eq!(phone.generate(time).to_string(), expected, "{time}");
        assert_eq!(phone.check(expected, time), Some(time / 30));
    }
}

#[tokio::test]
async fn a_secret_counts_once_a_code_of_it_was_given() {
    let (_dir, accounts) = accounts().await;
    let ada = accounts
        .create(form("ada@example.com"), Role::Admin, NOW)
        .await
        .expect("created");
    let refused = accounts.begin_two_factor(&ada.id, "wrong".to_owned(), HOME, NOW).await;
    assert_eq!(
        refused.map(|_| ()).expect_err("wrong").field.as_deref(),
        Some("password")
    );
    let confirm = async |code: &str, now: Timestamp| {
        let confirmed = accounts
            .confirm_two_factor(&ada.id, code, &SignedInBy::Other, HOME, now)
            .await;
        confirmed
            .map(|codes| codes.recovery_codes.len())
            .map_err(|error| error.code)
    };
    assert_eq!(
        confirm("123456", NOW).await,
        Err(ErrorCode::Conflict),
        "nothing is begun"
    );
    let first = accounts
        .begin_two_factor(&ada.id, PASSWORD.to_owned(), HOME, NOW)
        .await
        .expect("begun");
    let secret = accounts
        .begin_two_factor(&ada.id, PASSWORD.to_owned(), HOME, NOW)
        .await
        .expect("begun anew");
    assert!(
        secret
            .uri
            .starts_with("otpauth://totp/Keypool:ada%40example.com?secret="),
        "{}",
        secret.uri
    );
    assert!(secret.uri.contains(&secret.secret) && first.secret != secret.secret);
    assert!(accounts.pending_two_factor(&ada.id, NOW).await.expect("read") == Some(secret.clone()));
    sign_in(&accounts, None, NOW).await.expect("it does not count yet");
    assert_eq!(
        confirm(&code(&first, NOW), NOW).await,
        Err(ErrorCode::Forbidden),
        "of the secret before"
    );
    assert_eq!(confirm(&wrong(&secret, NOW), NOW).await, Err(ErrorCode::Forbidden));
    let late = later(ENROLMENT_LIFE);
    assert_eq!(
        confirm(&code(&secret, late), late).await,
        Err(ErrorCode::Conflict),
        "too late"
    );
    assert!(
        accounts
            .pending_two_factor(&ada.id, late)
            .await
            .expect("read")
            .is_none()
    );
    assert_eq!(confirm(&code(&secret, NOW), NOW).await, Ok(RECOVERY_CODES));
    assert!(
        accounts.pending_two_factor(&ada.id, NOW).await.expect("read").is_none(),
        "shown once"
    );
    assert_eq!(
        confirm(&code(&secret, NOW), NOW).await,
        Err(ErrorCode::Conflict),
        "it is on"
    );
}

#[tokio::test]
async fn a_second_factor_is_not_replaced_while_it_is_on() {
    let (_dir, accounts, ada, ..) = enrolled().await;
    let again = accounts.begin_two_factor(&ada.id, PASSWORD.to_owned(), HOME, NOW).await;
    assert_eq!(again.map(|_| ()).expect_err("it is on").code, ErrorCode::Conflict);
    let standing = accounts.two_factor(&ada.id).await.expect("read");
    assert_eq!((standing.enabled, standing.recovery_codes_left), (true, RECOVERY_CODES));
}

#[tokio::test]
async fn signing_in_takes_a_code_of_this_step_or_the_one_beside_it_once() {
    let (_dir, accounts, _, secret, _) = enrolled().await;
    let missing = sign_in(&accounts, None, NOW).await.expect_err("a code is missing");
    assert_eq!(
        (missing.code, missing.details.as_deref(), missing.field.as_deref()),
        (ErrorCode::Unauthenticated, Some(TWO_FACTOR_REQUIRED), Some("code"))
    );
    let used = sign_in(&accounts, Some(&code(&secret, NOW)), NOW).await;
    assert_eq!(
        used.expect_err("the one that confirmed it").code,
        ErrorCode::Unauthenticated
    );
    let at = later(Duration::from_secs(300));
    for (what, shown) in [("old", minus(at, 60)), ("early", at.plus(2 * STEP))] {
        sign_in(&accounts, Some(&code(&secret, shown)), at)
            .await
            .expect_err(what);
    }
    sign_in(&accounts, Some(&code(&secret, minus(at, 30))), at)
        .await
        .expect("the step before");
    sign_in(&accounts, Some(&code(&secret, at)), at)
        .await
        .expect("this step");
    sign_in(&accounts, Some(&code(&secret, at)), at)
        .await
        .expect_err("used");
    sign_in(&accounts, Some(&code(&secret, minus(at, 30))), at)
        .await
        .expect_err("before one that was used");
    let spaced = code(&secret, at.plus(STEP));
    let spaced = format!(" {} {} ", &spaced[..3], &spaced[3..]);
    sign_in(&accounts, Some(&spaced), at)
        .await
        .expect("the step after, as people type it");
}

#[tokio::test]
async fn a_code_used_twice_at_once_signs_in_once() {
    let (_dir, accounts, _, secret, _) = enrolled().await;
    let at = later(Duration::from_secs(300));
    let shown = code(&secret, at);
    let both = tokio::join!(
        sign_in(&accounts, Some(&shown), at),
        sign_in(&accounts, Some(&shown), at)
    );
    assert_ne!(both.0.is_ok(), both.1.is_ok(), "one of both");
}

#[tokio::test]
async fn the_right_code_does_not_make_up_for_a_wrong_password() {
    let (_dir, accounts, _, secret, codes) = enrolled().await;
    let at = later(Duration::from_secs(300));
    for code in [code(&secret, at), codes.recovery_codes[0].clone()] {
        let form = Credentials {
            code: Some(code),
            ..credentials("ada@example.com", "wrong horse battery staple")
        };
        let refused = accounts.sign_in(form, HOME, at).await.expect_err("wrong");
        assert_eq!((refused.code, refused.details), (ErrorCode::Unauthenticated, None));
    }
    sign_in(&accounts, Some(&code(&secret, at)), at)
        .await
        .expect("and uses no code up");
}

#[tokio::test]
async fn each_recovery_code_signs_in_once() {
    let (_dir, accounts, ada, _, codes) = enrolled().await;
    let distinct: std::collections::BTreeSet<&String> = codes.recovery_codes.iter().collect();
    assert_eq!(distinct.len(), RECOVERY_CODES);
    let first = &codes.recovery_codes[0];
    assert_eq!((first.len(), first.matches('-').count()), (19, 3), "{first}");
    sign_in(&accounts, Some(first), NOW).await.expect("signed in");
    sign_in(&accounts, Some(first), NOW).await.expect_err("used");
    let typed = codes.recovery_codes[1].to_lowercase().replace('-', " ");
    sign_in(&accounts, Some(&typed), NOW).await.expect("as people type it");
    assert_eq!(
        accounts.two_factor(&ada.id).await.expect("read").recovery_codes_left,
        RECOVERY_CODES - 2
    );
    let other = accounts
        .create(form("eve@example.com"), Role::User, NOW)
        .await
        .expect("created");
    let secret = accounts
        .begin_two_factor(&other.id, PASSWORD.to_owned(), HOME, NOW)
        .await
        .expect("begun");
    let confirmed = accounts
        .confirm_two_factor(&other.id, &code(&secret, NOW), &SignedInBy::Other, HOME, NOW)
        .await;
    let of_other = confirmed.expect("confirmed").recovery_codes;
    sign_in(&accounts, Some(&of_other[0]), NOW)
        .await
        .expect_err("of another account");
}

#[tokio::test]
async fn wrong_codes_are_bounded_for_an_address_and_for_the_account() {
    let (_dir, accounts, _, secret, _) = enrolled().await;
    let at = later(Duration::from_secs(3600));
    let pending = async |from: IpAddr| -> Result<PendingSignIn, AppError> {
        match accounts
            .begin_sign_in(credentials("ada@example.com", PASSWORD), from, at)
            .await?
        {
            SignInStep::CodeNeeded(pending) => Ok(pending),
            SignInStep::Done(_) => panic!("a code is needed"),
        }
    };
    let who = pending(HOME).await.expect("the password is right");
    for _ in 0..9 {
        let refused = accounts
            .finish_sign_in(&who, &wrong(&secret, at), HOME, at)
            .await
            .expect_err("wrong");
        assert_eq!(
            (refused.code, refused.field.as_deref()),
            (ErrorCode::Unauthenticated, Some("code"))
        );
    }
    let right = code(&secret, at);
    let limited = accounts
        .finish_sign_in(&who, &right, HOME, at)
        .await
        .expect_err("limited");
    assert_eq!(
        limited.code,
        ErrorCode::RateLimited,
        "ten tries from one address, the password's among them"
    );
    let mut tried = 9;
    for host in 1..=5 {
        let from = IpAddr::from([198, 51, 100, host]);
        for _ in 0..8 {
            if accounts
                .finish_sign_in(&who, &wrong(&secret, at), from, at)
                .await
                .expect_err("wrong")
                .code
                != ErrorCode::RateLimited
            {
                tried += 1;
            }
        }
    }
    assert_eq!(tried, super::super::throttle::CODES_MAX, "from all addresses together");
    let elsewhere = IpAddr::from([198, 51, 100, 99]);
    let limited = accounts
        .finish_sign_in(&who, &right, elsewhere, at)
        .await
        .expect_err("limited");
    assert_eq!(limited.code, ErrorCode::RateLimited);
}

#[tokio::test]
async fn who_tries_codes_does_not_keep_the_owner_from_a_recovery_code() {
    let (_dir, accounts, _, secret, codes) = enrolled().await;
    let at = later(Duration::from_secs(3600));
    let begun = accounts.begin_sign_in(credentials("ada@example.com", PASSWORD), HOME, at);
    let SignInStep::CodeNeeded(who) = begun.await.expect("begun") else {
        panic!("a code is needed")
    };
    let (shown, wrong) = (code(&secret, at), wrong(&secret, at));
    let unknown = "AAAA-AAAA-AAAA-AAAA";
    for host in 1..=8 {
        let from = IpAddr::from([198, 51, 100, host]);
        for tried in [&wrong, &wrong, &wrong, &wrong, &wrong, unknown, unknown] {
            accounts.finish_sign_in(&who, tried, from, at).await.expect_err("wrong");
        }
    }
    let limited = accounts.finish_sign_in(&who, &shown, HOME, at).await;
    assert_eq!(limited.expect_err("limited").code, ErrorCode::RateLimited);
    accounts
        .finish_sign_in(&who, &codes.recovery_codes[0], HOME, at)
        .await
        .expect("a recovery code is counted apart");
}

#[tokio::test]
async fn a_password_with_its_code_is_one_try() {
    let (_dir, accounts, _, secret, _) = enrolled().await;
    let at = later(Duration::from_secs(3600));
    let wrong = wrong(&secret, at);
    for _ in 0..10 {
        let refused = sign_in(&accounts, Some(&wrong), at).await.expect_err("wrong");
        assert_eq!(refused.code, ErrorCode::Unauthenticated);
    }
    let limited = sign_in(&accounts, Some(&wrong), at).await.expect_err("limited");
    assert_eq!(limited.code, ErrorCode::RateLimited);
}

#[tokio::test]
async fn a_sign_in_that_passed_without_a_code_does_not_outlive_switching_it_on() {
    let (_dir, accounts) = accounts().await;
    let ada = accounts
        .create(form("ada@example.com"), Role::Admin, NOW)
        .await
        .expect("created");
    let secret = accounts
        .begin_two_factor(&ada.id, PASSWORD.to_owned(), HOME, NOW)
        .await
        .expect("begun");
    let verified = accounts
        .sign_in(credentials("ada@example.com", PASSWORD), HOME, NOW)
        .await
        .expect("no code is asked for yet");
    let by = SignedInBy::Other;
    let shown = code(&secret, NOW);
    let confirmed = accounts.confirm_two_factor(&ada.id, &shown, &by, HOME, NOW);
    confirmed.await.expect("confirmed");
    let visitor = crate::accounts::Visitor::new(HOME, None);
    let late = accounts.issue_tokens(verified, &visitor, NOW).await.map(|_| ());
    assert_eq!(late.expect_err("over").code, ErrorCode::Unauthenticated);
}

#[tokio::test]
async fn a_pending_sign_in_ends_with_the_password_and_with_the_account() {
    let (_dir, accounts, ada, secret, _) = enrolled().await;
    let at = later(Duration::from_secs(300));
    let begun = accounts
        .begin_sign_in(credentials("ada@example.com", PASSWORD), HOME, at)
        .await
        .expect("begun");
    let SignInStep::CodeNeeded(pending) = begun else {
        panic!("a code is needed")
    };
    accounts
        .set_password(&ada.id, &"another horse battery staple".into(), "operator")
        .await
        .expect("changed");
    accounts
        .finish_sign_in(&pending, &code(&secret, at), HOME, at)
        .await
        .expect_err("the password changed");
}

#[tokio::test]
async fn renewing_and_switching_off_take_password_and_code() {
    let (_dir, accounts, ada, secret, codes) = enrolled().await;
    let at = later(Duration::from_secs(300));
    let renew = async |password: &str, code: &str| {
        let renewed = accounts
            .renew_recovery_codes(&ada.id, password.to_owned(), code, HOME, at)
            .await;
        renewed.map_err(|error| (error.code, error.field.unwrap_or_default()))
    };
    let shown = code(&secret, at);
    let wrong_password = renew("wrong", &shown).await.map(|_| ()).expect_err("wrong");
    assert_eq!(wrong_password, (ErrorCode::Forbidden, "password".to_owned()));
    let wrong_code = renew(PASSWORD, &wrong(&secret, at))
        .await
        .map(|_| ())
        .expect_err("wrong");
    assert_eq!(wrong_code, (ErrorCode::Forbidden, "code".to_owned()));
    let new = renew(PASSWORD, &shown)
        .await
        .map_err(|(code, _)| code)
        .expect("renewed");
    sign_in(&accounts, Some(&shown), at)
        .await
        .expect_err("the code is used, also after the renewal");
    sign_in(&accounts, Some(&codes.recovery_codes[0]), at)
        .await
        .expect_err("an old one");
    sign_in(&accounts, Some(&new.recovery_codes[0]), at)
        .await
        .expect("a new one");

    let off = async |password: &str, code: &str| {
        let by = SignedInBy::Other;
        accounts
            .disable_two_factor(&ada.id, password.to_owned(), code, &by, HOME, at)
            .await
    };
    off("wrong", &new.recovery_codes[1]).await.expect_err("wrong");
    off(PASSWORD, &codes.recovery_codes[1]).await.expect_err("an old one");
    off(PASSWORD, &new.recovery_codes[1]).await.expect("off");
    sign_in(&accounts, None, at).await.expect("the password is enough");
    assert_eq!(
        off(PASSWORD, &new.recovery_codes[2])
            .await
            .expect_err("there is none")
            .code,
        ErrorCode::Conflict
    );
}

#[tokio::test]
async fn an_admin_takes_a_lost_second_factor_away() {
    let (_dir, accounts, ada, _, _) = enrolled().await;
    assert!(accounts.account(&ada.id).await.expect("read").two_factor);
    assert!(accounts.reset_two_factor(&ada.id, "operator").await.expect("reset"));
    assert!(
        !accounts
            .reset_two_factor(&ada.id, "operator")
            .await
            .expect("there is none left")
    );
    sign_in(&accounts, None, NOW).await.expect("the password is enough");
}

#[tokio::test]
async fn the_store_has_neither_secret_nor_recovery_codes() {
    let (dir, accounts, _, secret, codes) = enrolled().await;
    accounts.store.close().await.expect("closed");
    let bytes = std::fs::read(dir.path().join("keypool.db")).expect("read");
    let raw = totp_rs::Secret::try_from_base32(&secret.secret).expect("base32");
    let plain: Vec<String> = codes.recovery_codes.iter().map(|code| code.replace('-', "")).collect();
    let mut secrets: Vec<&[u8]> = vec![raw.as_ref(), secret.secret.as_bytes()];
    secrets.extend(plain.iter().chain(&codes.recovery_codes).map(String::as_bytes));
    for secret in secrets {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
    assert!(
        bytes.windows(15).any(|window| window == b"ada@example.com"),
        "the file was looked at"
    );
}
