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
    let issue = async |user: &User| {
        accounts
            .issue_tokens(user.clone(), &visitor(), NOW)
            .await
            .expect("issued")
    };
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
    let tokens = accounts
        .issue_tokens(ada.clone(), &visitor(), NOW)
        .await
        .expect("issued");
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
