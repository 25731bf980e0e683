//! Accounts and set-up links.

use app::types::Role;
use server::email::Email;
use server::store::{LinkUse, Rotation, Store, StoreError, StoredUser};

use super::{NOW, begin_sign_in, later, session, successor, user};

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
    assert!(store.set_password_hash("1", "new".to_owned(), None).await.unwrap());
    assert!(!store.set_password_hash("3", "new".to_owned(), None).await.unwrap());
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
        let family = number.to_string();
        begin_sign_in(store, number, &family, "ada").await;
        if change_role {
            store.set_role("ada", Role::Viewer).await.unwrap();
        } else {
            store.set_password_hash("ada", "new".to_owned(), None).await.unwrap();
        }
        assert!(store.session(&[number; 32]).await.unwrap().is_none());
        let spent = store
            .rotate_refresh_token(&[number; 32], successor(number + 10), NOW)
            .await
            .unwrap();
        assert_eq!(spent, Rotation::Reused { family });
        assert!(store.sign_ins_of("ada", NOW).await.unwrap().is_empty());
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

pub(super) async fn a_disabled_account_is_signed_in_nowhere(store: &dyn Store) {
    for (id, email) in [("ada", "ada@example.com"), ("eve", "eve@example.com")] {
        store.create_user(user(id, email, Role::Admin)).await.unwrap();
    }
    store.create_session(session(1, Some("ada"), later(60))).await.unwrap();
    begin_sign_in(store, 1, "family", "ada").await;
    assert!(store.set_user_disabled("ada", true).await.unwrap());
    assert!(!store.set_user_disabled("nobody", true).await.unwrap());
    let (ada, eve) = (
        store.user("ada").await.unwrap().unwrap(),
        store.user("eve").await.unwrap().unwrap(),
    );
    assert_eq!((ada.disabled, eve.disabled), (true, false));
    assert!(store.session(&[1; 32]).await.unwrap().is_none() && store.sign_in("family").await.unwrap().is_none());
    assert_eq!(
        store.count_users(Role::Admin).await.unwrap(),
        2,
        "it is an account all the same"
    );
    assert!(store.set_user_disabled("ada", false).await.unwrap());
    assert!(!store.user("ada").await.unwrap().unwrap().disabled);
}

pub(super) async fn an_account_is_renamed_and_remembers_its_last_sign_in(store: &dyn Store) {
    let ada = user("ada", "ada@example.com", Role::User);
    store.create_user(ada.clone()).await.unwrap();
    assert!(store.rename_user("ada", "Countess".to_owned()).await.unwrap());
    assert!(!store.rename_user("eve", "Countess".to_owned()).await.unwrap());
    store.note_sign_in("ada", later(60)).await.unwrap();
    store.note_sign_in("eve", later(60)).await.unwrap();
    let expected = StoredUser {
        name: "Countess".to_owned(),
        last_sign_in_at: Some(later(60)),
        ..ada
    };
    assert_eq!(store.users().await.unwrap(), [expected]);
}

pub(super) async fn a_new_password_spares_the_session_it_was_set_in(store: &dyn Store) {
    store
        .create_user(user("ada", "ada@example.com", Role::User))
        .await
        .unwrap();
    for number in [1, 2] {
        store
            .create_session(session(number, Some("ada"), later(60)))
            .await
            .unwrap();
    }
    begin_sign_in(store, 1, "family", "ada").await;
    assert!(
        store
            .set_password_hash("ada", "new".to_owned(), Some([1; 32]))
            .await
            .unwrap()
    );
    assert!(store.session(&[1; 32]).await.unwrap().is_some() && store.session(&[2; 32]).await.unwrap().is_none());
    assert!(store.sign_in("family").await.unwrap().is_none());
}
