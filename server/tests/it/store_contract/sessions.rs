//! Browser sessions and what expires.

use server::store::{Begun, LinkKind, Rotation, Store, StoreError, StoredRefreshToken, StoredSession, StoredSignIn};

use super::idempotency::request;
use super::links::link;
use super::{NOW, begin_sign_in, later, session, sign_in, successor, token};

pub(super) async fn sessions_are_kept_until_they_are_ended(store: &dyn Store) {
    let made = session(1, None, later(60));
    store.create_session(made.clone()).await.unwrap();
    assert!(matches!(
        store.create_session(made.clone()).await,
        Err(StoreError::Conflict { .. })
    ));
    assert!(store.session(&[1; 32]).await.unwrap() == Some(made.clone()));
    let saved = StoredSession {
        ends_at: later(99_999),
        ..session(1, Some("ada"), later(120))
    };
    assert!(store.save_session(saved.clone()).await.unwrap());
    let expected = StoredSession {
        ends_at: made.ends_at,
        ..saved.clone()
    };
    assert!(
        store.session(&[1; 32]).await.unwrap() == Some(expected),
        "the absolute end stays"
    );
    store.delete_session(&[1; 32]).await.unwrap();
    store.delete_session(&[1; 32]).await.unwrap();
    assert!(
        !store.save_session(saved).await.unwrap(),
        "an ended one does not come back"
    );
    assert!(store.session(&[1; 32]).await.unwrap().is_none());
}

pub(super) async fn the_sessions_of_a_user_are_listed_while_they_last(store: &dyn Store) {
    for (number, user_id, ends) in [(1, "ada", 100), (2, "ada", 300), (3, "eve", 200), (4, "ada", 200)] {
        let made = StoredSession {
            ends_at: later(ends),
            ..session(number, Some(user_id), later(150))
        };
        store.create_session(made).await.unwrap();
    }
    let listed = async |now| {
        let sessions = store.sessions_of("ada", later(now)).await.unwrap();
        sessions.into_iter().map(|session| session.id[0]).collect::<Vec<_>>()
    };
    assert_eq!(listed(0).await, [2, 4, 1]);
    assert_eq!(listed(100).await, [2, 4], "one reached its absolute end");
    assert!(listed(150).await.is_empty(), "the others were not used");
    let sessions = store.sessions_of("ada", NOW).await.unwrap();
    assert_eq!(sessions[0].data["list"][1]["text"], "ü");
}

pub(super) async fn what_has_expired_is_removed_and_nothing_else(store: &dyn Store) {
    store.create_session(session(1, None, later(60))).await.unwrap();
    store.create_session(session(2, None, later(61))).await.unwrap();
    store
        .create_session(StoredSession {
            ends_at: later(60),
            ..session(3, None, later(600))
        })
        .await
        .unwrap();
    let old = StoredRefreshToken {
        expires_at: later(60),
        ..token(1, "old", "ada")
    };
    let old_sign_in = StoredSignIn {
        expires_at: later(60),
        ..sign_in("old", "ada")
    };
    store.insert_refresh_token(old, old_sign_in, 0).await.unwrap();
    begin_sign_in(store, 2, "family", "ada").await;
    for (number, expires) in [(1, 60), (2, 61)] {
        store
            .insert_link(link(number, LinkKind::Invitation, later(expires)))
            .await
            .unwrap();
        store
            .begin_idempotent(request(&number.to_string(), later(expires)))
            .await
            .unwrap();
    }
    store.insert_set_up_link([1; 32], later(60)).await.unwrap();
    store.insert_set_up_link([2; 32], later(61)).await.unwrap();
    assert_eq!(store.delete_expired(later(59)).await.unwrap(), 0);
    assert_eq!(store.delete_expired(later(60)).await.unwrap(), 7);
    assert_eq!(store.delete_expired(later(60)).await.unwrap(), 0);
    assert!(store.session(&[2; 32]).await.unwrap().is_some());
    assert!(store.set_up_link_is_good(&[2; 32], NOW).await.unwrap());
    assert!(store.sign_in("old").await.unwrap().is_none() && store.sign_in("family").await.unwrap().is_some());
    assert!(store.link(&[1; 32]).await.unwrap().is_none() && store.link(&[2; 32]).await.unwrap().is_some());
    let second = store.begin_idempotent(request("2", later(99))).await.unwrap();
    assert!(matches!(second, Begun::Existing(_)));
    assert!(matches!(
        store.rotate_refresh_token(&[2; 32], successor(3), NOW).await.unwrap(),
        Rotation::Fresh { .. }
    ));
}
