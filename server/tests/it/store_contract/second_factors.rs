//! Second factors.

use futures::future::try_join_all;
use server::store::{Store, StoredSecondFactor};

fn factor() -> StoredSecondFactor {
    StoredSecondFactor {
        user_id: "ada".to_owned(),
        sealed: vec![1, 2, 3],
        confirmed: false,
        last_step: 0,
        recovery: vec![[1; 32], [2; 32]],
    }
}

pub(super) async fn a_second_factor_is_kept_replaced_and_removed(store: &dyn Store) {
    assert_eq!(store.second_factor("ada").await.unwrap(), None);
    store.save_second_factor(factor()).await.unwrap();
    assert_eq!(store.second_factor("ada").await.unwrap(), Some(factor()));
    assert_eq!(store.second_factor("eve").await.unwrap(), None);
    let confirmed = StoredSecondFactor {
        sealed: vec![4],
        confirmed: true,
        last_step: 58_000_000,
        recovery: vec![[3; 32]],
        ..factor()
    };
    store.save_second_factor(confirmed.clone()).await.unwrap();
    assert_eq!(store.second_factor("ada").await.unwrap(), Some(confirmed));
    assert!(store.delete_second_factor("ada").await.unwrap());
    assert!(!store.delete_second_factor("ada").await.unwrap());
    assert_eq!(store.second_factor("ada").await.unwrap(), None);
    assert!(
        !store.use_recovery_code("ada", &[3; 32]).await.unwrap(),
        "the codes went with it"
    );
}

pub(super) async fn a_code_is_good_once_however_many_use_it_at_the_same_time(store: &dyn Store) {
    assert!(
        !store.use_totp_step("ada", 5).await.unwrap(),
        "there is no second factor"
    );
    store.save_second_factor(factor()).await.unwrap();
    let uses = try_join_all((0..50).map(|_| store.use_totp_step("ada", 7)))
        .await
        .unwrap();
    assert_eq!(uses.iter().filter(|used| **used).count(), 1);
    assert!(
        !store.use_totp_step("ada", 6).await.unwrap(),
        "an earlier one is worth nothing any more"
    );
    assert!(store.use_totp_step("ada", 8).await.unwrap());
    assert_eq!(store.second_factor("ada").await.unwrap().unwrap().last_step, 8);
    // As renewing the recovery codes does, with what was read before the step was used.
    store.save_second_factor(factor()).await.unwrap();
    assert!(!store.use_totp_step("ada", 8).await.unwrap(), "a used code stays used");
}

pub(super) async fn a_recovery_code_is_good_once_however_many_use_it_at_the_same_time(store: &dyn Store) {
    store.save_second_factor(factor()).await.unwrap();
    assert!(
        !store.use_recovery_code("eve", &[1; 32]).await.unwrap(),
        "another user's"
    );
    let uses = try_join_all((0..50).map(|_| store.use_recovery_code("ada", &[1; 32])))
        .await
        .unwrap();
    assert_eq!(uses.iter().filter(|used| **used).count(), 1);
    assert_eq!(store.second_factor("ada").await.unwrap().unwrap().recovery, [[2; 32]]);
}
