//! What admins do with other accounts, and what people do with their own.

use super::*;

fn role(role: Role) -> UserPatch {
    UserPatch {
        role: Some(role),
        ..UserPatch::default()
    }
}

async fn made(accounts: &Accounts, email: &str, role: Role) -> User {
    accounts.create(form(email), role, NOW).await.expect("created")
}

#[tokio::test]
async fn another_role_is_effective_at_once_and_ends_what_is_signed_in() {
    let (_dir, accounts) = accounts().await;
    let ada = made(&accounts, "ada@example.com", Role::User).await;
    let tokens = accounts.issue_tokens(&ada, &visitor(), NOW).await.expect("issued");
    let changed = accounts
        .change(&ada.id, &role(Role::Viewer), "operator")
        .await
        .expect("changed");
    assert_eq!((changed.before.role, changed.after.role), (Role::User, Role::Viewer));
    by_token(&accounts, &tokens)
        .await
        .expect_err("the old sign-in is ended");
    accounts
        .refresh(&tokens.refresh_token, NOW)
        .await
        .map(|_| ())
        .expect_err("its refresh token too");
    let again = accounts
        .sign_in(credentials("ada@example.com", PASSWORD), HOME, NOW)
        .await;
    assert_eq!(again.expect("signed in").user.role, Role::Viewer);
}

#[tokio::test]
async fn a_disabled_account_is_refused_at_once_and_comes_back_when_it_is_enabled() {
    let (_dir, accounts) = accounts().await;
    let ada = made(&accounts, "ada@example.com", Role::User).await;
    let tokens = accounts.issue_tokens(&ada, &visitor(), NOW).await.expect("issued");
    by_token(&accounts, &tokens).await.expect("signed in");
    accounts
        .change(&ada.id, &disabled(true), "operator")
        .await
        .expect("disabled");
    by_token(&accounts, &tokens).await.expect_err("refused at once");
    assert_eq!(
        accounts.user(&ada.id).await.expect("read"),
        None,
        "its sessions and API tokens find nobody"
    );
    let link = accounts.password_link(&ada.id, "operator", NOW).await;
    assert_eq!(link.map(|_| ()).expect_err("no link").code, ErrorCode::Conflict);
    accounts
        .change(&ada.id, &disabled(false), "operator")
        .await
        .expect("enabled");
    by_token(&accounts, &tokens).await.expect_err("what was ended stays so");
    accounts
        .sign_in(credentials("ada@example.com", PASSWORD), HOME, NOW)
        .await
        .expect("signed in");
}

#[tokio::test]
async fn the_last_admin_who_can_sign_in_stays_one() {
    let (_dir, accounts) = accounts().await;
    let root = made(&accounts, "root@example.com", Role::Admin).await;
    let away = made(&accounts, "away@example.com", Role::Admin).await;
    accounts
        .change(&away.id, &disabled(true), "operator")
        .await
        .expect("there is another");
    for (patch, field) in [(role(Role::User), "role"), (disabled(true), "disabled")] {
        let refused = accounts
            .change(&root.id, &patch, "operator")
            .await
            .expect_err("the last one");
        assert_eq!(
            (refused.code, refused.field.as_deref()),
            (ErrorCode::Conflict, Some(field))
        );
    }
    assert_eq!(
        accounts
            .delete(&root.id, "operator")
            .await
            .expect_err("the last one")
            .code,
        ErrorCode::Conflict
    );
    let own = accounts.delete_own(&root.id, PASSWORD.to_owned(), HOME, NOW).await;
    assert_eq!(own.expect_err("the last one").code, ErrorCode::Conflict);
    accounts
        .change(&root.id, &role(Role::Admin), "operator")
        .await
        .expect("no change");

    accounts
        .change(&away.id, &disabled(false), "operator")
        .await
        .expect("enabled");
    for patch in [role(Role::User), disabled(true)] {
        let refused = accounts.change(&root.id, &patch, &root.id).await.expect_err("oneself");
        assert_eq!(refused.code, ErrorCode::Conflict, "by mistake");
    }
    assert_eq!(
        accounts.delete(&root.id, &root.id).await.expect_err("oneself").code,
        ErrorCode::Conflict
    );
    accounts
        .delete_own(&root.id, PASSWORD.to_owned(), HOME, NOW)
        .await
        .expect("another is left");
    assert_eq!(
        accounts.account(&root.id).await.expect_err("gone").code,
        ErrorCode::NotFound
    );
}

#[tokio::test]
async fn of_two_admins_who_take_each_others_rights_at_once_one_stays() {
    let (_dir, accounts) = accounts().await;
    let one = made(&accounts, "one@example.com", Role::Admin).await;
    let two = made(&accounts, "two@example.com", Role::Admin).await;
    let (to_user, off) = (role(Role::User), disabled(true));
    let both = tokio::join!(
        accounts.change(&one.id, &to_user, &two.id),
        accounts.change(&two.id, &off, &one.id)
    );
    assert_ne!(both.0.is_ok(), both.1.is_ok(), "one of both");
}

#[tokio::test]
async fn operators_set_passwords_and_sign_people_out() {
    let (_dir, accounts) = accounts().await;
    let ada = made(&accounts, "ada@example.com", Role::User).await;
    let tokens = accounts.issue_tokens(&ada, &visitor(), NOW).await.expect("issued");
    assert_eq!(accounts.sign_out(&ada.id).await.expect("signed out"), 1);
    by_token(&accounts, &tokens).await.expect_err("ended");
    let short = accounts
        .set_password(&ada.id, &"short".into(), "operator")
        .await
        .map(|_| ())
        .expect_err("short");
    assert_eq!(short.field.as_deref(), Some("password"));
    accounts
        .set_password(&ada.id, &"another horse battery staple".into(), "operator")
        .await
        .expect("changed");
    accounts
        .sign_in(credentials("ada@example.com", PASSWORD), HOME, NOW)
        .await
        .expect_err("the old password");
    assert_eq!(accounts.by_email("Ada@Example.com").await.expect("found").id, ada.id);
    assert_eq!(
        accounts.by_email("eve@example.com").await.expect_err("unknown").code,
        ErrorCode::NotFound
    );
    assert_eq!(
        accounts.sign_out("nobody").await.expect_err("unknown").code,
        ErrorCode::NotFound
    );
}

fn change(current: &str, new: &str) -> PasswordChange {
    PasswordChange {
        current_password: current.to_owned(),
        new_password: new.to_owned(),
        end_tokens: false,
    }
}

#[tokio::test]
async fn a_password_is_changed_with_the_current_one_and_wrong_ones_count() {
    let (_dir, accounts) = accounts().await;
    let ada = made(&accounts, "ada@example.com", Role::User).await;
    let new = "another horse battery staple";
    let refused = async |change: PasswordChange| {
        let changed = accounts
            .change_password(&ada.id, change, &SignedInBy::Other, HOME, NOW)
            .await;
        let error = changed.expect_err("refused");
        (error.code, error.field)
    };
    for (current, new, field) in [
        (PASSWORD, "short", "newPassword"),
        (PASSWORD, PASSWORD, "newPassword"),
        (PASSWORD, "ada@example.com", "newPassword"),
    ] {
        assert_eq!(
            refused(change(current, new)).await,
            (ErrorCode::BadRequest, Some(field.to_owned()))
        );
    }
    for _ in 0..10 {
        let wrong = refused(change("wrong", new)).await;
        assert_eq!(wrong, (ErrorCode::Forbidden, Some("currentPassword".to_owned())));
    }
    assert_eq!(
        refused(change(PASSWORD, new)).await.0,
        ErrorCode::RateLimited,
        "a thief of a session cannot go on"
    );
    accounts
        .sign_in(credentials("ada@example.com", PASSWORD), HOME, NOW)
        .await
        .expect_err("nor by signing in");

    let tomorrow = later(Duration::from_secs(86_400));
    let tokens = accounts.issue_tokens(&ada, &visitor(), NOW).await.expect("issued");
    let changed = accounts
        .change_password(&ada.id, change(PASSWORD, new), &SignedInBy::Other, HOME, tomorrow)
        .await;
    changed.expect("changed");
    by_token(&accounts, &tokens).await.expect_err("all else is ended");
    accounts
        .sign_in(credentials("ada@example.com", new), HOME, tomorrow)
        .await
        .expect("the new password");
}

#[tokio::test]
async fn names_are_checked_and_deleting_takes_the_password() {
    let (_dir, accounts) = accounts().await;
    let ada = made(&accounts, "ada@example.com", Role::User).await;
    assert_eq!(
        accounts.rename(&ada.id, " Countess ").await.expect("renamed").name,
        "Countess"
    );
    for bad in ["", "  ", "a\u{0}b", &"x".repeat(101)] {
        let refused = accounts.rename(&ada.id, bad).await.expect_err("refused");
        assert_eq!(refused.field.as_deref(), Some("name"), "{bad:?}");
    }
    assert_eq!(accounts.account(&ada.id).await.expect("found").name, "Countess");
    let wrong = accounts
        .delete_own(&ada.id, "wrong".to_owned(), HOME, NOW)
        .await
        .expect_err("wrong");
    assert_eq!(
        (wrong.code, wrong.field.as_deref()),
        (ErrorCode::Forbidden, Some("password"))
    );
    accounts
        .delete_own(&ada.id, PASSWORD.to_owned(), HOME, NOW)
        .await
        .expect("deleted");
    accounts
        .sign_in(credentials("ada@example.com", PASSWORD), HOME, NOW)
        .await
        .expect_err("gone");
}
