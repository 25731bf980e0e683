//! Accounts and set-up links.

use app::types::Role;
use server::email::Email;
use server::store::{LinkUse, Rotation, Store, StoreError, StoredUser};

use super::{NOW, later, session, successor, token, user};

pub(super) async fn an_account_is_found_by_email_in_any_case_and_made_once(store: &dyn Store) {
    let ada = user("1", "ada@example.com", Role::User);
    store.create_user(ada.clone()).await.unwrap();
    let email = Email::parse("ADA@Example.com").unwrap();
    assert_eq!(store.user_by_email(&email).await.unwrap(), Some(ada.clone()));
    assert_eq!(store.user("1").await.unwrap(), Some(ada.clone()));
    assert_eq!(store.user("2").await.unwrap(), None);
    let twice = store.create_user(user("2", "Ada@EXAMPLE.com", Role::Admin)).await;
    assert!(matches!(twice, Err(StoreError::Conflict { .. })));
    let same_id = store.create_user(user("1", "eve@example.com", Role::Admin)).await;
    assert!(matches!(same_id, Err(StoreError::Conflict { .. })));
    assert_eq!(store.users().await.unwrap(), [ada]);
}

pub(super) async fn roles_are_counted_and_changed(store: &dyn Store) {
    let eve = StoredUser {
        created_at: later(60),
        ..user("1", "eve@example.com", Role::User)
    };
    store.create_user(eve).await.unwrap();
    store
        .create_user(user("2", "ada@example.com", Role::User))
        .await
        .unwrap();
    assert_eq!(
        (
            store.count_users(Role::User).await.unwrap(),
            store.count_users(Role::Admin).await.unwrap()
        ),
        (2, 0)
    );
    assert!(store.set_role("1", Role::Admin).await.unwrap());
    assert!(!store.set_role("3", Role::Admin).await.unwrap());
    assert!(store.set_password_hash("1", "new".to_owned()).await.unwrap());
    assert!(!store.set_password_hash("3", "new".to_owned()).await.unwrap());
    assert_eq!(
        (
            store.count_users(Role::User).await.unwrap(),
            store.count_users(Role::Admin).await.unwrap()
        ),
        (1, 1)
    );
    let users = store.users().await.unwrap();
    let listed: Vec<_> = users
        .iter()
        .map(|user| (user.id.as_str(), user.role, user.password_hash.as_str()))
        .collect();
    assert_eq!(
        listed,
        [("2", Role::User, "$argon2id$of-nobody"), ("1", Role::Admin, "new")],
        "oldest first"
    );
}

pub(super) async fn a_changed_role_or_password_ends_what_was_signed_in(store: &dyn Store) {
    for (id, email) in [("ada", "ada@example.com"), ("eve", "eve@example.com")] {
        store.create_user(user(id, email, Role::User)).await.unwrap();
    }
    for (number, change_role) in [(1, true), (2, false)] {
        store
            .create_session(session(number, Some("ada"), later(60)))
            .await
            .unwrap();
        store
            .insert_refresh_token(token(number, "family", "ada"))
            .await
            .unwrap();
        if change_role {
            store.set_role("ada", Role::Viewer).await.unwrap();
        } else {
            store.set_password_hash("ada", "new".to_owned()).await.unwrap();
        }
        assert!(store.session(&[number; 32]).await.unwrap().is_none());
        let spent = store
            .rotate_refresh_token(&[number; 32], successor(number + 10), NOW)
            .await
            .unwrap();
        assert_eq!(
            spent,
            Rotation::Reused {
                family: "family".to_owned()
            }
        );
    }
    store.create_session(session(3, Some("eve"), later(60))).await.unwrap();
    store.create_session(session(4, None, later(60))).await.unwrap();
    store.set_role("ada", Role::Admin).await.unwrap();
    assert!(
        store.session(&[3; 32]).await.unwrap().is_some() && store.session(&[4; 32]).await.unwrap().is_some(),
        "others stay"
    );
}

pub(super) async fn a_set_up_link_makes_one_admin(store: &dyn Store) {
    let (link, old) = ([1; 32], [2; 32]);
    store.insert_set_up_link(link, later(1800)).await.unwrap();
    store.insert_set_up_link(old, later(60)).await.unwrap();
    let make = |token, id: &'static str, now| {
        let admin = user(id, &format!("{id}@example.com"), Role::Admin);
        async move { store.create_first_admin(&token, admin, now).await.unwrap() }
    };
    assert!(store.set_up_link_is_good(&link, later(1799)).await.unwrap());
    assert!(!store.set_up_link_is_good(&link, later(1800)).await.unwrap());
    assert!(!store.set_up_link_is_good(&[9; 32], NOW).await.unwrap());
    assert_eq!(make([9; 32], "a", NOW).await, LinkUse::Unknown);
    assert_eq!(make(old, "b", later(60)).await, LinkUse::Expired);
    assert!(store.users().await.unwrap().is_empty());
    assert_eq!(make(link, "c", NOW).await, LinkUse::Created);
    assert_eq!(make(link, "d", NOW).await, LinkUse::AdminExists);
    assert_eq!(make(old, "e", NOW).await, LinkUse::AdminExists);
    assert!(!store.set_up_link_is_good(&old, NOW).await.unwrap());
    assert_eq!(store.count_users(Role::Admin).await.unwrap(), 1);
}

pub(super) async fn a_set_up_link_outlives_a_form_that_is_refused(store: &dyn Store) {
    store
        .create_user(user("1", "ada@example.com", Role::User))
        .await
        .unwrap();
    store.insert_set_up_link([1; 32], later(1800)).await.unwrap();
    let taken = store
        .create_first_admin(&[1; 32], user("2", "ada@example.com", Role::Admin), NOW)
        .await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })));
    assert!(store.set_up_link_is_good(&[1; 32], NOW).await.unwrap());
}
