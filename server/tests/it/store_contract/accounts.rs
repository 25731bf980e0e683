//! Accounts and set-up links.

use app::types::Role;
use server::email::Email;
use server::store::{LinkUse, Rotation, Store, StoreError, StoredSecondFactor, StoredSession, StoredUser, UserChange};

use super::{NOW, begin_sign_in, later, session, sign_in, successor, token, user};

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
        let credentials = store.user("ada").await.unwrap().unwrap().credentials;
        let made = StoredSession {
            credentials,
            ..session(number, Some("ada"), later(60))
        };
        assert!(store.create_session(made).await.unwrap());
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

/// One of the five changes after which what was checked before counts no more; the session 9 is spared by the first.
async fn change_credentials(store: &dyn Store, change: u8, confirmed: &StoredSecondFactor) {
    match change {
        0 => store
            .set_password_hash("ada", "new".to_owned(), Some([9; 32]))
            .await
            .map(|_| ()),
        1 => store.set_role("ada", Role::Viewer).await.map(|_| ()),
        2 => {
            assert!(store.begin_second_factor("ada", vec![1]).await.unwrap());
            store
                .confirm_second_factor(confirmed.clone(), None, None)
                .await
                .map(|_| ())
        }
        3 => store.end_all_of("ada", None, None).await.map(|_| ()),
        _ => store.set_user_disabled("ada", true).await.map(|_| ()),
    }
    .unwrap();
}

pub(super) async fn what_was_checked_before_a_change_begins_nothing_after_it(store: &dyn Store) {
    store
        .create_user(user("ada", "ada@example.com", Role::User))
        .await
        .unwrap();
    let kept = session(9, Some("ada"), later(60));
    assert!(store.create_session(kept.clone()).await.unwrap());
    assert!(store.create_session(session(8, None, later(60))).await.unwrap());
    let confirmed = StoredSecondFactor {
        user_id: "ada".to_owned(),
        sealed: vec![1],
        confirmed: true,
        last_step: 0,
        recovery: Vec::new(),
    };
    for change in 0..5_u8 {
        let seen = store.user("ada").await.unwrap().unwrap().credentials;
        change_credentials(store, change, &confirmed).await;
        if change == 0 {
            let row = store.session(&[9; 32]).await.unwrap().unwrap();
            assert_eq!(row.credentials, seen + 1, "what is spared goes on");
            assert!(store.save_session(kept.clone()).await.unwrap());
            assert_eq!(store.session(&[9; 32]).await.unwrap().unwrap().credentials, seen + 1);
        }
        let late = StoredSession {
            credentials: seen,
            ..session(1, Some("ada"), later(60))
        };
        assert!(!store.create_session(late).await.unwrap(), "change {change}");
        let signing_in = StoredSession {
            credentials: seen,
            ..session(8, Some("ada"), later(60))
        };
        assert!(!store.save_session(signing_in).await.unwrap(), "change {change}");
        assert!(store.session(&[8; 32]).await.unwrap().unwrap().user_id.is_none());
        let begun = store.insert_refresh_token(token(1, "late", "ada"), sign_in("late", "ada"), seen);
        assert!(!begun.await.unwrap(), "change {change}");
        let replaced = store.replace_password_hash("ada", seen, "late".to_owned(), None);
        assert!(!replaced.await.unwrap(), "change {change}");
        assert_ne!(store.user("ada").await.unwrap().unwrap().password_hash, "late");
    }
    let seen = store.user("ada").await.unwrap().unwrap().credentials;
    let disabled = StoredSession {
        credentials: seen,
        ..session(1, Some("ada"), later(60))
    };
    assert!(!store.create_session(disabled.clone()).await.unwrap(), "disabled");
    store.set_user_disabled("ada", false).await.unwrap();
    let again = StoredSession {
        credentials: seen + 1,
        ..disabled
    };
    assert!(store.create_session(again).await.unwrap());
    assert!(
        store
            .replace_password_hash("ada", seen + 1, "newer".to_owned(), None)
            .await
            .unwrap()
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

pub(super) async fn of_many_first_admins_at_the_same_time_one_is_made(store: &dyn Store) {
    for number in 1..=10 {
        store.insert_set_up_link([number; 32], later(60)).await.unwrap();
    }
    let made = (1..=10_u8).map(|number| async move {
        let id = format!("admin-{number}");
        let admin = user(&id, &format!("{id}@example.com"), Role::Admin);
        store.create_first_admin(&[number; 32], admin, NOW).await.unwrap()
    });
    let made = futures::future::join_all(made).await;
    let created = made.iter().filter(|made| **made == LinkUse::Created).count();
    assert_eq!(
        (created, store.count_users(Role::Admin).await.unwrap()),
        (1, 1),
        "{made:?}"
    );
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
    assert_eq!(store.count_active(Role::Admin).await.unwrap(), 1);
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

pub(super) async fn a_change_of_an_account_leaves_the_rest_of_it(store: &dyn Store) {
    let ada = user("ada", "ada@example.com", Role::Admin);
    store.create_user(ada.clone()).await.unwrap();
    store.create_session(session(1, Some("ada"), later(60))).await.unwrap();
    let name = UserChange {
        name: Some("Countess".to_owned()),
        ..UserChange::default()
    };
    assert!(store.update_user("ada", name.clone()).await.unwrap());
    assert!(!store.update_user("eve", name).await.unwrap());
    assert!(
        store.session(&[1; 32]).await.unwrap().is_some(),
        "another name ends nothing"
    );
    let all = UserChange {
        role: Some(Role::Viewer),
        disabled: Some(true),
        name: Some("Ada".to_owned()),
    };
    assert!(store.update_user("ada", all).await.unwrap());
    assert!(store.update_user("ada", UserChange::default()).await.unwrap());
    let changed = store.user("ada").await.unwrap().unwrap();
    assert_eq!(
        (changed.role, changed.disabled, changed.name.as_str()),
        (Role::Viewer, true, "Ada")
    );
    assert_eq!((changed.email, changed.password_hash), (ada.email, ada.password_hash));
    assert!(store.session(&[1; 32]).await.unwrap().is_none());
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
