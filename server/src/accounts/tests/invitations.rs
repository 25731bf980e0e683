//! Who may register, invitations, password links.

use super::*;
use crate::config::Registration as Setting;

fn with(email: &str, token: &SecretString) -> Registration {
    Registration {
        invitation: Some(token.expose_secret().to_owned()),
        ..form(email)
    }
}

fn to(role: Role, email: Option<&str>) -> NewInvitation {
    NewInvitation {
        role,
        email: email.map(str::to_owned),
        expires_in_hours: None,
    }
}

#[tokio::test]
async fn registration_is_open_by_invitation_or_closed() {
    let garbage: SecretString = "garbage".into();
    let unknown: SecretString = "A".repeat(43).into();
    for (setting, without, with_garbage) in [
        (Setting::Open, None, Some(ErrorCode::Forbidden)),
        (Setting::Invited, Some(ErrorCode::Forbidden), Some(ErrorCode::Forbidden)),
        (Setting::Closed, Some(ErrorCode::Forbidden), Some(ErrorCode::Forbidden)),
    ] {
        let (_dir, accounts) = accounts_with(setting).await;
        let register =
            async |form: Registration| accounts.register(form, HOME, NOW).await.err().map(|error| error.code);
        assert_eq!(register(form("ada@example.com")).await, without, "{setting:?}");
        for token in [&garbage, &unknown] {
            assert_eq!(
                register(with("eve@example.com", token)).await,
                with_garbage,
                "{setting:?}"
            );
        }
        let empty = Registration {
            invitation: Some(String::new()),
            ..form("bob@example.com")
        };
        assert_eq!(
            register(empty).await,
            without,
            "an empty invitation is none: {setting:?}"
        );
        let invited = accounts.invite(to(Role::User, None), "operator", NOW).await.map(|_| ());
        assert_eq!(invited.is_err(), setting == Setting::Closed, "{setting:?}");
    }
}

#[tokio::test]
async fn an_invitation_makes_one_account_with_its_role_within_its_time() {
    let (_dir, accounts) = accounts_with(Setting::Invited).await;
    let (invitation, token) = accounts
        .invite(to(Role::Viewer, None), "operator", NOW)
        .await
        .expect("invited");
    let listed = accounts.invitations(NOW).await.expect("listed");
    assert_eq!(listed, std::slice::from_ref(&invitation));
    assert!(!format!("{listed:?}").contains(token.expose_secret()));
    assert_eq!(
        accounts.invitation(token.expose_secret(), NOW).await.expect("read"),
        Some(invitation)
    );

    let end = later(INVITATION_LIFE);
    assert_eq!(
        accounts.invitation(token.expose_secret(), end).await.expect("read"),
        None
    );
    let old = accounts
        .register(with("ada@example.com", &token), HOME, end)
        .await
        .expect_err("too old");
    assert_eq!(old.code, ErrorCode::Forbidden);
    let bad = accounts
        .register(with("no e-mail", &token), HOME, NOW)
        .await
        .expect_err("a bad form");
    assert_eq!(bad.field.as_deref(), Some("email"));
    let ada = accounts.register(with("ada@example.com", &token), HOME, NOW).await;
    assert_eq!(ada.expect("a refused form does not spend it").role, Role::Viewer);
    let twice = accounts
        .register(with("eve@example.com", &token), HOME, NOW)
        .await
        .expect_err("used");
    assert_eq!(twice.code, ErrorCode::Forbidden);
    assert_eq!(accounts.invitations(NOW).await.expect("listed"), []);
}

#[tokio::test]
async fn an_invitation_used_twice_at_once_makes_one_account() {
    let (_dir, accounts) = accounts_with(Setting::Invited).await;
    let (_, token) = accounts
        .invite(to(Role::Admin, None), "operator", NOW)
        .await
        .expect("invited");
    let register = |email: &str| accounts.register(with(email, &token), HOME, NOW);
    let both = tokio::join!(register("one@example.com"), register("two@example.com"));
    assert_ne!(both.0.is_ok(), both.1.is_ok(), "one of both");
    assert_eq!(accounts.accounts().await.expect("listed").len(), 1);
}

#[tokio::test]
async fn an_invitation_may_be_bound_to_an_address_and_be_taken_back() {
    let (_dir, accounts) = accounts_with(Setting::Invited).await;
    let bound = to(Role::User, Some(" Ada@Example.com "));
    let (invitation, token) = accounts.invite(bound.clone(), "operator", NOW).await.expect("invited");
    assert_eq!(invitation.email.as_deref(), Some("ada@example.com"));
    let other = accounts
        .register(with("eve@example.com", &token), HOME, NOW)
        .await
        .expect_err("another");
    assert_eq!(
        (other.code, other.field.as_deref()),
        (ErrorCode::BadRequest, Some("email"))
    );
    accounts
        .register(with("ada@example.com", &token), HOME, NOW)
        .await
        .expect("the right one");
    let again = accounts
        .invite(bound, "operator", NOW)
        .await
        .map(|_| ())
        .expect_err("there is an account");
    assert_eq!(
        (again.code, again.field.as_deref()),
        (ErrorCode::Conflict, Some("email"))
    );

    let (taken_back, token) = accounts
        .invite(to(Role::User, None), "operator", NOW)
        .await
        .expect("invited");
    accounts.delete_invitation(&taken_back.id).await.expect("deleted");
    accounts
        .register(with("bob@example.com", &token), HOME, NOW)
        .await
        .expect_err("taken back");
    assert_eq!(
        accounts.delete_invitation(&taken_back.id).await.expect_err("gone").code,
        ErrorCode::NotFound
    );
}

#[tokio::test]
async fn an_invitations_time_has_bounds() {
    let (_dir, accounts) = accounts_with(Setting::Invited).await;
    for (hours, good) in [(0, false), (1, true), (720, true), (721, false), (u32::MAX, false)] {
        let new = NewInvitation {
            expires_in_hours: Some(hours),
            ..to(Role::User, None)
        };
        let invited = accounts.invite(new, "operator", NOW).await;
        assert_eq!(invited.is_ok(), good, "{hours}");
        if let Err(refused) = invited {
            assert_eq!(refused.field.as_deref(), Some("expiresInHours"));
        }
    }
}

const NEW: &str = "another horse battery staple";

#[tokio::test]
async fn a_password_link_sets_one_password_within_a_day() {
    let (_dir, accounts) = accounts().await;
    let ada = accounts
        .create(form("ada@example.com"), Role::User, NOW)
        .await
        .expect("created");
    let tokens = accounts.issue_tokens(&ada, &visitor(), NOW).await.expect("issued");
    let link = async || {
        accounts
            .password_link(&ada.id, "operator", NOW)
            .await
            .expect("a link")
            .token
    };
    let (first, token) = (link().await, link().await);
    let set = async |token: &SecretString, password: &str, now: Timestamp| {
        let set = accounts
            .set_password_by_link(token.expose_secret(), &password.into(), now)
            .await;
        set.map(|user| user.id).map_err(|error| error.code)
    };
    assert_eq!(
        set(&first, NEW, NOW).await,
        Err(ErrorCode::Forbidden),
        "a newer link takes its place"
    );
    assert_eq!(set(&"garbage".into(), NEW, NOW).await, Err(ErrorCode::Forbidden));
    assert_eq!(
        set(&token, NEW, later(PASSWORD_LINK_LIFE)).await,
        Err(ErrorCode::Forbidden),
        "too old"
    );
    assert_eq!(set(&token, "short", NOW).await, Err(ErrorCode::BadRequest));
    let shown = accounts
        .password_link_email(token.expose_secret(), NOW)
        .await
        .expect("read");
    assert_eq!(shown.as_deref(), Some("ada@example.com"));
    by_token(&accounts, &tokens).await.expect("signed in until then");
    assert_eq!(
        set(&token, NEW, NOW).await,
        Ok(ada.id.clone()),
        "a refused password does not spend it"
    );
    by_token(&accounts, &tokens)
        .await
        .expect_err("what was signed in is ended");
    assert_eq!(set(&token, NEW, NOW).await, Err(ErrorCode::Forbidden), "once");
    accounts
        .sign_in(credentials("ada@example.com", NEW), HOME, NOW)
        .await
        .expect("the new password");

    let (_, invitation) = accounts
        .invite(to(Role::User, None), "operator", NOW)
        .await
        .expect("invited");
    assert_eq!(
        set(&invitation, NEW, NOW).await,
        Err(ErrorCode::Forbidden),
        "an invitation is no password link"
    );
    let token = link().await;
    let as_invitation = accounts.register(with("eve@example.com", &token), HOME, NOW).await;
    assert_eq!(
        as_invitation.expect_err("nor the other way round").code,
        ErrorCode::Forbidden
    );
}
