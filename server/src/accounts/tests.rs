use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;

use app::types::{Credentials, NewInvitation, PasswordChange, Registration, UserPatch};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

use super::*;
use crate::keyring::MasterKey;
use crate::store::sqlite::SqliteStore;
use crate::vault::Masters;

mod invitations;
mod rights;
mod sign_ins;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
pub(super) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub(super) const PASSWORD: &str = "correct horse battery staple";

pub(super) async fn accounts() -> (TempDir, Accounts) {
    accounts_with(config::Registration::Open).await
}

pub(super) async fn accounts_with(registration: config::Registration) -> (TempDir, Accounts) {
    let dir = tempfile::tempdir().expect("a folder");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&dir.path().join("keypool.db")).expect("a store"));
    let signer = TokenSigner::new(&"0123456789-a-secret-for-tests-only".into()).expect("a signer");
    let master = MasterKey::parse(&"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into()).expect("a key");
    let vault = Vault::unlock(Arc::clone(&store), Masters::set(master, None)).await;
    (dir, Accounts::new(store, signer, vault.expect("a vault"), registration))
}

fn visitor() -> Visitor {
    Visitor::new(HOME, Some("curl/8"))
}

pub(super) fn form(email: &str) -> Registration {
    Registration {
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        name: " Ada Lovelace ".to_owned(),
        invitation: None,
    }
}

pub(super) fn credentials(email: &str, password: &str) -> Credentials {
    Credentials {
        email: email.to_owned(),
        password: password.to_owned(),
        code: None,
    }
}

pub(super) fn later(duration: Duration) -> Timestamp {
    NOW.plus(duration)
}

#[tokio::test]
async fn who_registers_can_sign_in() {
    let (_dir, accounts) = accounts().await;
    let user = accounts
        .register(form(" Ada@Example.com "), HOME, NOW)
        .await
        .expect("registered");
    assert_eq!(
        (user.email.as_str(), user.name.as_str(), user.role),
        ("ada@example.com", "Ada Lovelace", Role::User)
    );
    let signed_in = accounts
        .sign_in(credentials("ADA@example.com", PASSWORD), HOME, NOW)
        .await
        .expect("signed in");
    assert_eq!(signed_in.user, user);
    assert_eq!(accounts.user(&user.id).await.expect("found"), Some(user.clone()));
    let listed = accounts.accounts().await.expect("listed");
    assert_eq!((listed.len(), &listed[0].id), (1, &user.id));
}

/// The answer to a sign-in, and how often a password was hashed for it.
async fn refused(accounts: &Accounts, email: &str, password: &str) -> (AppError, u64) {
    let before = accounts.hasher.asked.load(Ordering::Relaxed);
    let tried = accounts.sign_in(credentials(email, password), HOME, NOW).await;
    let work = accounts.hasher.asked.load(Ordering::Relaxed) - before;
    (tried.expect_err("refused"), work)
}

#[tokio::test]
async fn wrong_unknown_and_disabled_get_the_same_answer_after_the_same_work() {
    let (_dir, accounts) = accounts().await;
    accounts
        .register(form("ada@example.com"), HOME, NOW)
        .await
        .expect("registered");
    let away = accounts
        .register(form("away@example.com"), HOME, NOW)
        .await
        .expect("registered");
    accounts
        .change(&away.id, &disabled(true), "operator")
        .await
        .expect("disabled");
    let wrong = refused(&accounts, "ada@example.com", "wrong horse battery staple").await;
    assert_eq!((wrong.0.code, wrong.1), (ErrorCode::Unauthenticated, 1));
    for (email, password) in [
        ("eve@example.com", PASSWORD),
        ("no e-mail", PASSWORD),
        ("", ""),
        ("away@example.com", PASSWORD),
        ("away@example.com", "wrong horse battery staple"),
    ] {
        assert_eq!(refused(&accounts, email, password).await, wrong, "{email} {password}");
    }
}

fn disabled(disabled: bool) -> UserPatch {
    UserPatch {
        disabled: Some(disabled),
        ..UserPatch::default()
    }
}

#[tokio::test]
async fn too_many_wrong_passwords_have_to_wait() {
    let (_dir, accounts) = accounts().await;
    accounts
        .register(form("ada@example.com"), HOME, NOW)
        .await
        .expect("registered");
    for _ in 0..10 {
        let error = accounts
            .sign_in(credentials("ada@example.com", "wrong"), HOME, NOW)
            .await
            .expect_err("wrong");
        assert_eq!(error.code, ErrorCode::Unauthenticated);
    }
    let right = || credentials("ada@example.com", PASSWORD);
    let limited = accounts.sign_in(right(), HOME, NOW).await.expect_err("limited");
    assert_eq!(
        (limited.code, limited.retry_after_seconds),
        (ErrorCode::RateLimited, Some(900))
    );
    accounts
        .sign_in(right(), IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), NOW)
        .await
        .expect("from elsewhere");
    accounts
        .sign_in(right(), HOME, later(Duration::from_secs(900)))
        .await
        .expect("after the window");
}

#[tokio::test]
async fn a_refused_form_names_its_field() {
    let (_dir, accounts) = accounts().await;
    accounts
        .register(form("ada@example.com"), HOME, NOW)
        .await
        .expect("registered");
    let cases = [
        (form("ADA@example.com"), ErrorCode::Conflict, "email"),
        (form("ada"), ErrorCode::BadRequest, "email"),
        (
            Registration {
                name: "  ".to_owned(),
                ..form("eve@example.com")
            },
            ErrorCode::BadRequest,
            "name",
        ),
        (
            Registration {
                name: "x".repeat(101),
                ..form("eve@example.com")
            },
            ErrorCode::BadRequest,
            "name",
        ),
        (
            Registration {
                password: "short".to_owned(),
                ..form("eve@example.com")
            },
            ErrorCode::BadRequest,
            "password",
        ),
        (
            Registration {
                password: "password1234".to_owned(),
                ..form("eve@example.com")
            },
            ErrorCode::BadRequest,
            "password",
        ),
    ];
    for (form, code, field) in cases {
        let error = accounts.register(form, HOME, NOW).await.expect_err("refused");
        assert_eq!((error.code, error.field.as_deref()), (code, Some(field)));
    }
}

async fn by_token(accounts: &Accounts, tokens: &app::types::SignedIn) -> Result<(User, String), AppError> {
    accounts
        .by_access_token(&tokens.access_token.as_str().into(), NOW)
        .await
}

#[tokio::test]
async fn refresh_tokens_rotate_and_a_second_use_ends_the_family() {
    let (_dir, accounts) = accounts().await;
    let user = accounts
        .register(form("ada@example.com"), HOME, NOW)
        .await
        .expect("registered");
    let first = accounts.issue_tokens(&user, &visitor(), NOW).await.expect("issued");
    let other = accounts.issue_tokens(&user, &visitor(), NOW).await.expect("issued");
    let (known, _) = by_token(&accounts, &first).await.expect("valid");
    assert_eq!(known, user);
    let second = accounts.refresh(&first.refresh_token, NOW).await.expect("rotated");
    assert_ne!(second.refresh_token, first.refresh_token);
    assert_eq!(second.user, user);
    for token in [&first.refresh_token, &second.refresh_token] {
        let error = accounts.refresh(token, NOW).await.map(|_| ()).expect_err("revoked");
        assert_eq!(error.code, ErrorCode::Unauthenticated);
    }
    for tokens in [&first, &second] {
        let ended = by_token(&accounts, tokens).await.expect_err("the sign-in is ended");
        assert_eq!(ended.code, ErrorCode::Unauthenticated);
    }
    by_token(&accounts, &other)
        .await
        .expect("another sign-in is another family");
    accounts
        .refresh(&other.refresh_token, NOW)
        .await
        .expect("that one goes on");
}

#[tokio::test]
async fn refresh_tokens_end_after_thirty_days_by_sign_out_and_by_a_new_password() {
    let (_dir, accounts) = accounts().await;
    let user = accounts
        .register(form("ada@example.com"), HOME, NOW)
        .await
        .expect("registered");
    let home = visitor();
    let issue = || accounts.issue_tokens(&user, &home, NOW);
    let old = issue().await.expect("issued").refresh_token;
    accounts
        .refresh(&old, later(REFRESH_TOKEN_LIFE))
        .await
        .map(|_| ())
        .expect_err("too old");
    let signed_out = issue().await.expect("issued").refresh_token;
    accounts.revoke(&signed_out).await.expect("revoked");
    accounts.revoke("no token at all").await.expect("no error");
    accounts
        .refresh(&signed_out, NOW)
        .await
        .map(|_| ())
        .expect_err("signed out");
    let with_old_password = issue().await.expect("issued").refresh_token;
    accounts
        .set_password(&user.id, &"another horse battery staple".into(), "operator")
        .await
        .expect("changed");
    accounts
        .refresh(&with_old_password, NOW)
        .await
        .map(|_| ())
        .expect_err("the password changed");
    accounts
        .refresh("garbage", NOW)
        .await
        .map(|_| ())
        .expect_err("no token");
}

#[tokio::test]
async fn the_first_admin_of_the_settings_is_made_once() {
    let (_dir, accounts) = accounts().await;
    assert!(!accounts.has_admin().await.expect("read"));
    accounts
        .ensure_first_admin("root@example.com", &"password1234".into(), NOW)
        .await
        .expect_err("a common password");
    assert!(
        accounts
            .ensure_first_admin("root@example.com", &PASSWORD.into(), NOW)
            .await
            .expect("made")
            .is_some()
    );
    assert!(
        accounts
            .ensure_first_admin("other@example.com", &PASSWORD.into(), NOW)
            .await
            .expect("there is one")
            .is_none()
    );
    assert_eq!(accounts.accounts().await.expect("listed").len(), 1);
}

#[tokio::test]
async fn a_set_up_link_makes_one_admin_within_thirty_minutes() {
    let (_dir, accounts) = accounts().await;
    let link = || async {
        accounts
            .create_set_up_link(NOW)
            .await
            .expect("a link")
            .expose_secret()
            .to_owned()
    };
    let (old, good) = (link().await, link().await);
    let end = later(SET_UP_LINK_LIFE);
    assert!(!accounts.set_up_link_is_good(&old, end).await.expect("read"));
    assert_eq!(
        accounts
            .set_up(&old, form("root@example.com"), end)
            .await
            .expect_err("too old")
            .code,
        ErrorCode::Forbidden
    );
    assert_eq!(
        accounts
            .set_up("garbage", form("root@example.com"), NOW)
            .await
            .expect_err("unknown")
            .code,
        ErrorCode::Forbidden
    );
    let refused = accounts
        .set_up(&good, form("no e-mail"), NOW)
        .await
        .expect_err("a bad form");
    assert_eq!(refused.field.as_deref(), Some("email"));

    assert!(
        accounts.set_up_link_is_good(&good, NOW).await.expect("read"),
        "a refused form does not spend the link"
    );
    let admin = accounts
        .set_up(&good, form("root@example.com"), NOW)
        .await
        .expect("made");
    assert_eq!(admin.role, Role::Admin);
    for token in [good, old] {
        assert_eq!(
            accounts
                .set_up(&token, form("eve@example.com"), NOW)
                .await
                .expect_err("over")
                .code,
            ErrorCode::Conflict
        );
    }
    assert_eq!(
        accounts.create_set_up_link(NOW).await.expect_err("over").code,
        ErrorCode::Conflict
    );
}

#[tokio::test]
async fn accounts_from_one_address_are_bounded_and_mistakes_in_the_form_do_not_count() {
    let (_dir, accounts) = accounts().await;
    for _ in 0..50 {
        let refused = accounts.register(form("no e-mail"), HOME, NOW).await;
        assert_eq!(refused.expect_err("a bad form").code, ErrorCode::BadRequest);
    }
    for number in 0..throttle::REGISTRATIONS_MAX {
        accounts
            .register(form(&format!("user{number}@example.com")), HOME, NOW)
            .await
            .expect("within the limit");
    }
    let refused = accounts
        .register(form("one-more@example.com"), HOME, NOW)
        .await
        .expect_err("over the limit");
    assert_eq!(
        (refused.code, refused.retry_after_seconds),
        (ErrorCode::RateLimited, Some(15 * 60))
    );
    let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    accounts
        .register(form("one-more@example.com"), elsewhere, NOW)
        .await
        .expect("another address");
    accounts
        .sign_in(credentials("user0@example.com", PASSWORD), HOME, NOW)
        .await
        .expect("signing in has a limit of its own");
}
