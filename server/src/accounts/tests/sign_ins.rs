//! Where an account is signed in, and ending that.

use super::*;
use app::types::SessionKind;

#[tokio::test]
async fn an_ended_sign_in_is_refused_at_once_and_others_go_on() {
    let (_dir, accounts) = accounts().await;
    let ada = accounts
        .register(form("ada@example.com"), HOME, NOW)
        .await
        .expect("registered");
    let eve = accounts
        .register(form("eve@example.com"), HOME, NOW)
        .await
        .expect("registered");
    let issue = async |user: &User| accounts.issue_tokens(user, &visitor(), NOW).await.expect("issued");
    let (one, two, three) = (issue(&ada).await, issue(&ada).await, issue(&ada).await);
    let evil = issue(&eve).await;
    let (_, current) = by_token(&accounts, &one).await.expect("signed in");
    let (_, other) = by_token(&accounts, &two).await.expect("signed in");
    let by = SignedInBy::SignIn(current.clone());
    let listed = accounts.sessions(&ada.id, &by, NOW).await.expect("listed");
    assert_eq!(listed.len(), 3, "one's own only");
    let first = &listed[0];
    assert_eq!(
        (
            first.current,
            first.kind,
            first.id.as_str(),
            first.user_agent.as_deref(),
            first.address.as_deref()
        ),
        (
            true,
            SessionKind::Api,
            current.as_str(),
            Some("curl/8"),
            Some("192.0.2.1")
        )
    );
    assert!(listed[1..].iter().all(|session| !session.current));

    let strangers = accounts
        .end_session(&eve.id, &other, NOW)
        .await
        .expect_err("of somebody else");
    assert_eq!(strangers.code, ErrorCode::NotFound);
    by_token(&accounts, &two).await.expect("still signed in");
    accounts.end_session(&ada.id, &other, NOW).await.expect("ended");
    by_token(&accounts, &two).await.expect_err("refused at once");
    accounts
        .refresh(&two.refresh_token, NOW)
        .await
        .map(|_| ())
        .expect_err("its refresh token too");
    assert_eq!(
        accounts.end_session(&ada.id, &other, NOW).await.expect_err("gone").code,
        ErrorCode::NotFound
    );

    assert_eq!(accounts.end_other_sessions(&ada.id, &by).await.expect("ended"), 1);
    by_token(&accounts, &three).await.expect_err("ended");
    by_token(&accounts, &one).await.expect("the one that asked");
    by_token(&accounts, &evil).await.expect("somebody else");
}

#[tokio::test]
async fn a_token_of_another_users_sign_in_or_a_deleted_account_is_refused() {
    let (_dir, accounts) = accounts().await;
    let ada = accounts
        .register(form("ada@example.com"), HOME, NOW)
        .await
        .expect("registered");
    let eve = accounts
        .register(form("eve@example.com"), HOME, NOW)
        .await
        .expect("registered");
    let tokens = accounts.issue_tokens(&ada, &visitor(), NOW).await.expect("issued");
    let (_, sign_in) = by_token(&accounts, &tokens).await.expect("signed in");
    let known = async |user_id: &str, sign_in: &str| {
        let token = accounts.signer.sign(user_id, sign_in, NOW).expect("signed");
        accounts.by_access_token(&token.into(), NOW).await.is_ok()
    };
    assert!(known(&ada.id, &sign_in).await);
    assert!(!known(&eve.id, &sign_in).await, "a sign-in is of one account");
    assert!(
        !known(&ada.id, "0197a1b2-0000-7000-8000-00000000000b").await,
        "there is no such sign-in"
    );
    accounts.delete(&ada.id, "operator").await.expect("deleted");
    assert!(!known(&ada.id, &sign_in).await, "there is no such account");
}

#[test]
fn a_visitors_agent_is_cut_and_cleaned() {
    let kept = |agent: Option<&str>| Visitor::new(HOME, agent).user_agent;
    assert_eq!(kept(None), None);
    assert_eq!(kept(Some("  ")), None);
    assert_eq!(kept(Some("a\u{1b}[31mb")).as_deref(), Some("a[31mb"));
    let long = "x".repeat(5000);
    assert_eq!(kept(Some(&long)).map(|agent| agent.len()), Some(USER_AGENT_CHARS_MAX));
}

#[tokio::test]
async fn what_was_checked_before_a_change_signs_nobody_in_after_it() {
    let (_dir, accounts) = accounts().await;
    let ada = accounts
        .register(form("ada@example.com"), HOME, NOW)
        .await
        .expect("registered");
    let verified = accounts
        .sign_in(credentials("ada@example.com", PASSWORD), HOME, NOW)
        .await
        .expect("the password is right");
    accounts.sign_out(&ada.id).await.expect("signed out everywhere");
    let late = accounts.issue_tokens(verified, &visitor(), NOW).await.map(|_| ());
    assert_eq!(late.expect_err("over").code, ErrorCode::Unauthenticated);
    let verified = accounts
        .sign_in(credentials("ada@example.com", PASSWORD), HOME, NOW)
        .await
        .expect("and again");
    accounts
        .issue_tokens(verified, &visitor(), NOW)
        .await
        .expect("nothing has changed");
}

#[tokio::test]
async fn sign_ins_under_way_do_not_outlive_a_new_password() {
    let (_dir, accounts) = accounts().await;
    let ada = accounts
        .register(form("ada@example.com"), HOME, NOW)
        .await
        .expect("registered");
    let tokens = std::sync::Mutex::new(Vec::new());
    let sign_in = async |host: u8| {
        let from = IpAddr::from([198, 51, 100, host]);
        let form = credentials("ada@example.com", PASSWORD);
        if let Ok(verified) = accounts.sign_in(form, from, NOW).await
            && let Ok(issued) = accounts.issue_tokens(verified, &visitor(), NOW).await
        {
            tokens.lock().expect("not poisoned").push(issued);
        }
    };
    let change = accounts
        .store
        .set_password_hash(&ada.id, "$argon2id$other".to_owned(), None);
    let changed = async {
        // When the first are through, the others have read the password that is going.
        while tokens.lock().expect("not poisoned").is_empty() {
            tokio::task::yield_now().await;
        }
        change.await.expect("changed");
    };
    tokio::join!(futures::future::join_all((0..30).map(sign_in)), changed);
    let tokens = tokens.into_inner().expect("not poisoned");
    assert!(!tokens.is_empty() && tokens.len() < 30, "{}", tokens.len());
    for issued in &tokens {
        by_token(&accounts, issued).await.expect_err("its password is gone");
        let refreshed = accounts.refresh(&issued.refresh_token, NOW).await.map(|_| ());
        refreshed.expect_err("its password is gone");
    }
    assert!(accounts.store.sign_ins_of(&ada.id, NOW).await.expect("read").is_empty());
}

#[tokio::test]
async fn of_two_who_change_a_password_at_once_one_does() {
    let (_dir, accounts) = accounts().await;
    let ada = accounts
        .register(form("ada@example.com"), HOME, NOW)
        .await
        .expect("registered");
    let change = async |new: &str| {
        let change = PasswordChange {
            current_password: PASSWORD.to_owned(),
            new_password: new.to_owned(),
            end_tokens: false,
        };
        let by = SignedInBy::Other;
        accounts.change_password(&ada.id, change, &by, HOME, NOW).await.is_ok()
    };
    let both = tokio::join!(
        change("another horse battery staple"),
        change("a third horse battery staple")
    );
    assert_ne!(both.0, both.1);
    let kept = if both.0 { "another" } else { "a third" };
    let form = credentials("ada@example.com", &format!("{kept} horse battery staple"));
    accounts.sign_in(form, HOME, NOW).await.expect("who was told so");
}

#[tokio::test]
async fn a_sign_in_ends_after_ninety_days_however_often_it_is_refreshed() {
    let (_dir, accounts) = accounts().await;
    let ada = accounts
        .register(form("ada@example.com"), HOME, NOW)
        .await
        .expect("registered");
    let day = |days: u64| later(Duration::from_secs(days * 24 * 3600));
    let mut tokens = accounts.issue_tokens(&ada, &visitor(), NOW).await.expect("issued");
    for days in [20, 40, 60, 80, 89] {
        tokens = accounts
            .refresh(&tokens.refresh_token, day(days))
            .await
            .expect("refreshed");
    }
    let end = day(90);
    accounts
        .refresh(&tokens.refresh_token, end)
        .await
        .map(|_| ())
        .expect_err("ninety days are over");
    let late = accounts.signer.sign(
        &ada.id,
        &accounts.store.sign_ins_of(&ada.id, NOW).await.expect("read")[0].family,
        end,
    );
    accounts
        .by_access_token(&late.expect("signed").into(), end)
        .await
        .expect_err("and so is the sign-in");
}
