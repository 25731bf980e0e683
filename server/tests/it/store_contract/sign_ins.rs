//! Sign-ins of the API and their refresh tokens.

use app::types::Role;
use server::store::{Rotation, Store, StoreError, StoredSession, StoredSignIn, Successor};

use super::{NOW, begin_sign_in, later, session, sign_in, successor, token, user};

pub(super) async fn a_refresh_token_is_good_once(store: &dyn Store) {
    begin_sign_in(store, 1, "family", "ada").await;
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
    begin_sign_in(store, 1, "family", "ada").await;
    begin_sign_in(store, 5, "another", "ada").await;
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
    begin_sign_in(store, 1, "family", "ada").await;
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

/// Whichever of both comes first, nothing is left of it: what was asked for at the same time is not the exception.
pub(super) async fn what_begins_or_goes_on_while_everything_ends_ends_too(store: &dyn Store) {
    store
        .create_user(user("ada", "ada@example.com", Role::User))
        .await
        .unwrap();
    for round in 0..15_u8 {
        let credentials = store.user("ada").await.unwrap().unwrap().credentials;
        let (first, next, late) = (round * 10, round * 10 + 1, round * 10 + 2);
        let family = format!("family-{round}");
        begin_sign_in(store, first, &family, "ada").await;
        let late_family = format!("late-{round}");
        let session = StoredSession {
            credentials,
            ..session(round, Some("ada"), later(60))
        };
        let used = [first; 32];
        let (rotated, begun, made, ended) = futures::join!(
            store.rotate_refresh_token(&used, successor(next), NOW),
            store.insert_refresh_token(
                token(late, &late_family, "ada"),
                sign_in(&late_family, "ada"),
                credentials
            ),
            store.create_session(session),
            store.set_password_hash("ada", "new".to_owned(), None),
        );
        assert!(ended.unwrap());
        rotated.unwrap();
        begun.unwrap();
        made.unwrap();
        assert!(store.sign_ins_of("ada", NOW).await.unwrap().is_empty(), "round {round}");
        assert!(store.sessions_of("ada", NOW).await.unwrap().is_empty(), "round {round}");
        for left in [next, late] {
            let again = store
                .rotate_refresh_token(&[left; 32], successor(250), NOW)
                .await
                .unwrap();
            assert!(!matches!(again, Rotation::Fresh { .. }), "round {round}: {again:?}");
        }
    }
}

pub(super) async fn a_sign_in_lives_as_long_as_its_tokens(store: &dyn Store) {
    begin_sign_in(store, 1, "family", "ada").await;
    let again = store
        .insert_refresh_token(token(9, "family", "ada"), sign_in("family", "ada"), 0)
        .await;
    assert!(
        matches!(again, Err(StoreError::Conflict { .. })),
        "one beginning a family"
    );
    assert_eq!(store.sign_in("family").await.unwrap(), Some(sign_in("family", "ada")));
    store
        .rotate_refresh_token(&[1; 32], successor(2), later(60))
        .await
        .unwrap();
    let used = StoredSignIn {
        last_used_at: later(60),
        expires_at: later(7200),
        ..sign_in("family", "ada")
    };
    assert_eq!(store.sign_in("family").await.unwrap(), Some(used.clone()));
    begin_sign_in(store, 5, "another", "ada").await;
    begin_sign_in(store, 6, "hers", "eve").await;
    assert_eq!(
        store.sign_ins_of("ada", NOW).await.unwrap(),
        [used.clone(), sign_in("another", "ada")],
        "the one used last first"
    );
    assert_eq!(
        store.sign_ins_of("ada", later(3600)).await.unwrap(),
        [used],
        "the other one ran out"
    );
    // A thief, or the owner after the thief: nobody can tell, so the sign-in ends.
    store.rotate_refresh_token(&[1; 32], successor(3), NOW).await.unwrap();
    assert_eq!(store.sign_in("family").await.unwrap(), None);
    assert!(store.revoke_refresh_token(&[5; 32]).await.unwrap());
    assert!(store.sign_ins_of("ada", NOW).await.unwrap().is_empty());
    assert!(store.sign_in("hers").await.unwrap().is_some());
}

pub(super) async fn a_sign_in_is_ended_by_its_user_only(store: &dyn Store) {
    begin_sign_in(store, 1, "family", "ada").await;
    assert!(!store.end_sign_in("eve", "family").await.unwrap());
    assert!(store.sign_in("family").await.unwrap().is_some());
    assert!(store.end_sign_in("ada", "family").await.unwrap());
    assert!(!store.end_sign_in("ada", "family").await.unwrap());
    assert_eq!(store.sign_in("family").await.unwrap(), None);
    let spent = store.rotate_refresh_token(&[1; 32], successor(2), NOW).await.unwrap();
    assert!(matches!(spent, Rotation::Reused { .. }));
}

pub(super) async fn a_sign_in_ends_in_the_end_however_much_it_is_used(store: &dyn Store) {
    begin_sign_in(store, 1, "family", "ada").await;
    let next = |number: u8, seconds: u64| Successor {
        expires_at: later(seconds + 3600),
        life_max: std::time::Duration::from_secs(5000),
        ..successor(number)
    };
    let rotate = async |number: u8, seconds: u64| {
        store
            .rotate_refresh_token(&[number; 32], next(number + 1, seconds), later(seconds))
            .await
            .unwrap()
    };
    assert!(matches!(rotate(1, 3000).await, Rotation::Fresh { .. }));
    assert!(matches!(rotate(2, 4999).await, Rotation::Fresh { .. }));
    let sign_in = store.sign_in("family").await.unwrap().unwrap();
    assert_eq!(sign_in.expires_at, later(5000));
    assert_eq!(rotate(3, 5000).await, Rotation::Expired);
}

pub(super) async fn everything_of_a_user_ends_but_what_is_named(store: &dyn Store) {
    for (number, user_id) in [(1, "ada"), (2, "ada"), (3, "eve")] {
        store
            .create_session(session(number, Some(user_id), later(60)))
            .await
            .unwrap();
    }
    for (number, family, user_id) in [(1, "kept", "ada"), (2, "ended", "ada"), (3, "hers", "eve")] {
        begin_sign_in(store, number, family, user_id).await;
    }
    assert_eq!(store.end_all_of("ada", Some([1; 32]), Some("kept")).await.unwrap(), 2);
    assert!(store.session(&[1; 32]).await.unwrap().is_some() && store.session(&[2; 32]).await.unwrap().is_none());
    assert!(store.sign_in("kept").await.unwrap().is_some() && store.sign_in("ended").await.unwrap().is_none());
    let (kept, ended) = (
        store.rotate_refresh_token(&[1; 32], successor(11), NOW).await.unwrap(),
        store.rotate_refresh_token(&[2; 32], successor(12), NOW).await.unwrap(),
    );
    assert!(matches!(
        (kept, ended),
        (Rotation::Fresh { .. }, Rotation::Reused { .. })
    ));
    assert_eq!(store.end_all_of("ada", None, None).await.unwrap(), 2);
    assert_eq!(store.end_all_of("ada", None, None).await.unwrap(), 0);
    assert!(store.session(&[3; 32]).await.unwrap().is_some() && store.sign_in("hers").await.unwrap().is_some());
}
