//! Browser sessions, refresh tokens and what expires.

use server::store::{Rotation, Store, StoreError, StoredRefreshToken, StoredSession};

use super::{NOW, later, session, successor, token};

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

pub(super) async fn a_refresh_token_is_good_once(store: &dyn Store) {
    store.insert_refresh_token(token(1, "family", "ada")).await.unwrap();
    let fresh = Rotation::Fresh {
        user_id: "ada".to_owned(),
        family: "family".to_owned(),
    };
    assert_eq!(
        store.rotate_refresh_token(&[9; 32], successor(8), NOW).await.unwrap(),
        Rotation::Unknown
    );
    assert_eq!(
        store.rotate_refresh_token(&[8; 32], successor(7), NOW).await.unwrap(),
        Rotation::Unknown,
        "no successor was stored"
    );
    assert_eq!(
        store
            .rotate_refresh_token(&[1; 32], successor(2), later(3599))
            .await
            .unwrap(),
        fresh
    );
    assert_eq!(
        store
            .rotate_refresh_token(&[2; 32], successor(3), later(7200))
            .await
            .unwrap(),
        Rotation::Expired
    );
    assert_eq!(
        store
            .rotate_refresh_token(&[2; 32], successor(3), later(7199))
            .await
            .unwrap(),
        fresh
    );
}

pub(super) async fn a_refresh_token_used_twice_revokes_its_family(store: &dyn Store) {
    store.insert_refresh_token(token(1, "family", "ada")).await.unwrap();
    store.insert_refresh_token(token(5, "another", "ada")).await.unwrap();
    store.rotate_refresh_token(&[1; 32], successor(2), NOW).await.unwrap();
    let reused = Rotation::Reused {
        family: "family".to_owned(),
    };
    assert_eq!(
        store.rotate_refresh_token(&[1; 32], successor(3), NOW).await.unwrap(),
        reused
    );
    assert_eq!(
        store.rotate_refresh_token(&[2; 32], successor(3), NOW).await.unwrap(),
        reused,
        "the successor is revoked too"
    );
    assert!(matches!(
        store.rotate_refresh_token(&[5; 32], successor(6), NOW).await.unwrap(),
        Rotation::Fresh { .. }
    ));
    assert!(store.revoke_refresh_token(&[6; 32]).await.unwrap());
    assert!(!store.revoke_refresh_token(&[9; 32]).await.unwrap());
    let signed_out = store.rotate_refresh_token(&[6; 32], successor(7), NOW).await.unwrap();
    assert_eq!(
        signed_out,
        Rotation::Reused {
            family: "another".to_owned()
        }
    );
}

pub(super) async fn concurrent_uses_of_a_refresh_token_have_one_winner(store: &dyn Store) {
    store.insert_refresh_token(token(1, "family", "ada")).await.unwrap();
    let uses = (10..30).map(|next| store.rotate_refresh_token(&[1; 32], successor(next), NOW));
    let rotations: Vec<Rotation> = futures::future::try_join_all(uses).await.unwrap();
    let fresh = rotations
        .iter()
        .filter(|rotation| matches!(rotation, Rotation::Fresh { .. }))
        .count();
    let reused = rotations
        .iter()
        .filter(|rotation| matches!(rotation, Rotation::Reused { .. }))
        .count();
    assert_eq!((fresh, reused), (1, 19));
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
    store
        .insert_refresh_token(StoredRefreshToken {
            expires_at: later(60),
            ..token(1, "family", "ada")
        })
        .await
        .unwrap();
    store.insert_refresh_token(token(2, "family", "ada")).await.unwrap();
    store.insert_set_up_link([1; 32], later(60)).await.unwrap();
    store.insert_set_up_link([2; 32], later(61)).await.unwrap();
    assert_eq!(store.delete_expired(later(59)).await.unwrap(), 0);
    assert_eq!(store.delete_expired(later(60)).await.unwrap(), 4);
    assert_eq!(store.delete_expired(later(60)).await.unwrap(), 0);
    assert!(store.session(&[2; 32]).await.unwrap().is_some());
    assert!(store.set_up_link_is_good(&[2; 32], NOW).await.unwrap());
    assert!(matches!(
        store.rotate_refresh_token(&[2; 32], successor(3), NOW).await.unwrap(),
        Rotation::Fresh { .. }
    ));
}
