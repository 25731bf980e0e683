//! Invitations and password links.

use app::types::Role;
use futures::future::join_all;
use pool::Timestamp;
use server::email::Email;
use server::store::{LinkKind, LinkUse, OPERATOR, Store, StoreError, StoredLink, StoredUser};

use super::api_tokens::api_token;
use super::{NOW, begin_sign_in, later, session, user};

pub(super) fn link(number: u8, kind: LinkKind, expires_at: Timestamp) -> StoredLink {
    let is_invitation = kind == LinkKind::Invitation;
    StoredLink {
        id: format!("link-{number}"),
        token: [number; 32],
        kind,
        email: is_invitation.then(|| Email::parse("new@example.com").unwrap()),
        role: is_invitation.then_some(Role::Viewer),
        user_id: (!is_invitation).then(|| "ada".to_owned()),
        created_by: OPERATOR.to_owned(),
        created_at: later(number.into()),
        expires_at,
    }
}

pub(super) async fn links_are_listed_by_kind_newest_first(store: &dyn Store) {
    let (first, second) = (
        link(1, LinkKind::Invitation, later(60)),
        link(2, LinkKind::Invitation, later(60)),
    );
    let password = link(3, LinkKind::Password, later(60));
    for link in [&first, &second, &password] {
        store.insert_link(link.clone()).await.unwrap();
    }
    let again = store.insert_link(first.clone()).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })));
    assert_eq!(
        store.links(LinkKind::Invitation).await.unwrap(),
        [second, first.clone()]
    );
    assert_eq!(store.links(LinkKind::Password).await.unwrap(), [password]);
    assert_eq!(store.link(&[1; 32]).await.unwrap(), Some(first));
    assert_eq!(store.link(&[9; 32]).await.unwrap(), None);
    assert!(store.delete_link("link-1").await.unwrap());
    assert!(!store.delete_link("link-1").await.unwrap());
    assert_eq!(store.link(&[1; 32]).await.unwrap(), None);
}

pub(super) async fn an_invitation_makes_one_account_however_many_open_it_at_the_same_time(store: &dyn Store) {
    store
        .insert_link(link(1, LinkKind::Invitation, later(60)))
        .await
        .unwrap();
    let expired = store.create_invited_user(&[1; 32], user("late", "late@example.com", Role::User), later(60));
    assert_eq!(expired.await.unwrap(), LinkUse::Expired);
    let uses = (0..50).map(|number| {
        let guest = user(&number.to_string(), &format!("{number}@example.com"), Role::Viewer);
        store.create_invited_user(&[1; 32], guest, NOW)
    });
    let uses: Vec<LinkUse> = join_all(uses).await.into_iter().map(Result::unwrap).collect();
    let count = |wanted: LinkUse| uses.iter().filter(|used| **used == wanted).count();
    assert_eq!((count(LinkUse::Created), count(LinkUse::Unknown)), (1, 49));
    assert_eq!(store.users().await.unwrap().len(), 1);
}

pub(super) async fn an_invitation_outlives_a_form_that_is_refused(store: &dyn Store) {
    store
        .create_user(user("1", "ada@example.com", Role::User))
        .await
        .unwrap();
    store
        .insert_link(link(1, LinkKind::Invitation, later(60)))
        .await
        .unwrap();
    store.insert_link(link(2, LinkKind::Password, later(60))).await.unwrap();
    let taken = store
        .create_invited_user(&[1; 32], user("2", "ada@example.com", Role::User), NOW)
        .await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })));
    assert!(store.link(&[1; 32]).await.unwrap().is_some());
    let other_kind = store
        .create_invited_user(&[2; 32], user("2", "eve@example.com", Role::User), NOW)
        .await;
    assert_eq!(other_kind.unwrap(), LinkUse::Unknown, "a password link invites nobody");
    assert_eq!(store.users().await.unwrap().len(), 1);
}

pub(super) async fn a_password_link_sets_one_password(store: &dyn Store) {
    store
        .create_user(user("ada", "ada@example.com", Role::User))
        .await
        .unwrap();
    store.create_session(session(1, Some("ada"), later(60))).await.unwrap();
    begin_sign_in(store, 1, "family", "ada").await;
    store.insert_api_token(api_token(1, "ada")).await.unwrap();
    store.insert_link(link(1, LinkKind::Password, later(60))).await.unwrap();
    store
        .insert_link(link(2, LinkKind::Invitation, later(60)))
        .await
        .unwrap();
    let (good, invitation, unknown) = ([1; 32], [2; 32], [9; 32]);
    for (token, now, why) in [
        (&good, later(60), "expired"),
        (&invitation, NOW, "an invitation"),
        (&unknown, NOW, "unknown"),
    ] {
        let refused = store.set_password_by_link(token, "bad".to_owned(), now).await.unwrap();
        assert_eq!(refused, None, "{why}");
    }
    assert!(store.session(&[1; 32]).await.unwrap().is_some());
    let uses = (0..50).map(|number| store.set_password_by_link(&good, format!("hash-{number}"), NOW));
    let uses: Vec<Option<String>> = join_all(uses).await.into_iter().map(Result::unwrap).collect();
    let good: Vec<usize> = (0..50).filter(|number| uses[*number].is_some()).collect();
    assert_eq!(good.len(), 1);
    let ada = store.user("ada").await.unwrap().unwrap();
    assert_eq!(ada.password_hash, format!("hash-{}", good[0]));
    assert_eq!(uses[good[0]].as_deref(), Some("ada"));
    assert!(store.session(&[1; 32]).await.unwrap().is_none() && store.sign_in("family").await.unwrap().is_none());
    assert!(store.api_tokens_of("ada").await.unwrap().is_empty());
}

pub(super) async fn a_new_password_ends_the_links_that_would_set_another(store: &dyn Store) {
    store
        .create_user(user("ada", "ada@example.com", Role::User))
        .await
        .unwrap();
    store.insert_link(link(1, LinkKind::Password, later(60))).await.unwrap();
    store
        .insert_link(link(2, LinkKind::Invitation, later(60)))
        .await
        .unwrap();
    store.set_password_hash("ada", "new".to_owned(), None).await.unwrap();
    assert!(store.link(&[1; 32]).await.unwrap().is_none());
    assert!(store.link(&[2; 32]).await.unwrap().is_some());
}

pub(super) async fn links_go_with_the_right_to_make_them(store: &dyn Store) {
    for (id, email) in [("boss", "boss@example.com"), ("ada", "ada@example.com")] {
        store.create_user(user(id, email, Role::Admin)).await.unwrap();
    }
    let changes: [(u8, &str, bool); 3] = [(10, "viewer", false), (20, "disabled", false), (30, "admin", true)];
    for (number, change, stay) in changes {
        for (number, kind) in [(number, LinkKind::Invitation), (number + 1, LinkKind::Password)] {
            let mut made = link(number, kind, later(60));
            made.created_by = "boss".to_owned();
            store.insert_link(made).await.unwrap();
        }
        match change {
            "disabled" => store.set_user_disabled("boss", true).await.unwrap(),
            role => store.set_role("boss", Role::parse(role).unwrap()).await.unwrap(),
        };
        for number in [number, number + 1] {
            assert_eq!(store.link(&[number; 32]).await.unwrap().is_some(), stay, "{change}");
        }
        store.set_user_disabled("boss", false).await.unwrap();
        store.set_role("boss", Role::Admin).await.unwrap();
    }
    store
        .insert_link(link(40, LinkKind::Password, later(60)))
        .await
        .unwrap();
    store.set_user_disabled("ada", true).await.unwrap();
    assert!(
        store.link(&[40; 32]).await.unwrap().is_none(),
        "nor is one used that sets the password of who is disabled"
    );
}

pub(super) async fn a_link_of_somebody_who_may_make_none_is_not_good(store: &dyn Store) {
    store
        .create_user(user("ada", "ada@example.com", Role::User))
        .await
        .unwrap();
    let away = StoredUser {
        disabled: true,
        ..user("away", "away@example.com", Role::Admin)
    };
    store.create_user(away).await.unwrap();
    store
        .create_user(user("boss", "boss@example.com", Role::Admin))
        .await
        .unwrap();
    for (number, maker, is_good) in [
        (10, "ada", false),
        (20, "away", false),
        (30, "nobody", false),
        (40, "boss", true),
        (50, OPERATOR, true),
    ] {
        for (number, kind) in [(number, LinkKind::Invitation), (number + 1, LinkKind::Password)] {
            let mut made = link(number, kind, later(60));
            made.created_by = maker.to_owned();
            store.insert_link(made).await.unwrap();
        }
        let guest = user(
            &format!("guest{number}"),
            &format!("guest{number}@example.com"),
            Role::Viewer,
        );
        let used = store.create_invited_user(&[number; 32], guest, NOW).await.unwrap();
        assert_eq!(used == LinkUse::Created, is_good, "{maker}");
        let set = store
            .set_password_by_link(&[number + 1; 32], "new".to_owned(), NOW)
            .await
            .unwrap();
        assert_eq!(set.is_some(), is_good, "{maker}");
    }
}
