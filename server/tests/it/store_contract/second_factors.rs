//! Second factors.

use futures::future::try_join_all;
use server::store::{Store, StoredSecondFactor};

fn factor() -> StoredSecondFactor {
    StoredSecondFactor {
        user_id: "ada".to_owned(),
        sealed: vec![1, 2, 3],
        confirmed: true,
        last_step: 0,
        recovery: vec![[1; 32], [2; 32]],
    }
}

/// As somebody switches it on.
pub(super) async fn switch_on(store: &dyn Store, factor: &StoredSecondFactor) {
    let begun = store.begin_second_factor(&factor.user_id, factor.sealed.clone());
    assert!(begun.await.unwrap());
    if factor.last_step > 0 {
        assert!(store.use_totp_step(&factor.user_id, factor.last_step).await.unwrap());
    }
    assert!(store.confirm_second_factor(factor.clone(), None, None).await.unwrap());
    assert_eq!(
        store.second_factor(&factor.user_id).await.unwrap().as_ref(),
        Some(factor)
    );
}

pub(super) async fn a_second_factor_is_kept_replaced_and_removed(store: &dyn Store) {
    assert_eq!(store.second_factor("ada").await.unwrap(), None);
    assert!(store.begin_second_factor("ada", vec![9]).await.unwrap());
    assert!(store.use_totp_step("ada", 99).await.unwrap());
    assert!(store.begin_second_factor("ada", vec![1, 2, 3]).await.unwrap());
    let begun = StoredSecondFactor {
        confirmed: false,
        recovery: Vec::new(),
        ..factor()
    };
    assert_eq!(
        store.second_factor("ada").await.unwrap(),
        Some(begun),
        "steps are of a secret"
    );
    assert_eq!(store.second_factor("eve").await.unwrap(), None);
    let confirmed = StoredSecondFactor {
        sealed: vec![4],
        last_step: 58_000_000,
        recovery: vec![[3; 32]],
        ..factor()
    };
    switch_on(store, &confirmed).await;
    assert!(store.delete_second_factor("ada").await.unwrap());
    assert!(!store.delete_second_factor("ada").await.unwrap());
    assert_eq!(store.second_factor("ada").await.unwrap(), None);
    assert!(
        !store.use_recovery_code("ada", &[3; 32]).await.unwrap(),
        "the codes went with it"
    );
}

pub(super) async fn a_confirmed_factor_is_not_begun_anew_nor_confirmed_twice(store: &dyn Store) {
    assert!(store.begin_second_factor("ada", vec![7]).await.unwrap());
    assert!(
        !store.confirm_second_factor(factor(), None, None).await.unwrap(),
        "another secret was begun meanwhile"
    );
    assert!(!store.second_factor("ada").await.unwrap().unwrap().confirmed);
    switch_on(store, &factor()).await;
    assert!(!store.begin_second_factor("ada", vec![7]).await.unwrap());
    let others = StoredSecondFactor {
        recovery: vec![[9; 32]],
        ..factor()
    };
    assert!(!store.confirm_second_factor(others, None, None).await.unwrap());
    assert_eq!(store.second_factor("ada").await.unwrap(), Some(factor()));
}

pub(super) async fn new_recovery_codes_leave_the_last_step(store: &dyn Store) {
    assert!(!store.replace_recovery_codes("ada", vec![[5; 32]]).await.unwrap());
    assert!(store.begin_second_factor("ada", vec![1, 2, 3]).await.unwrap());
    assert!(
        !store.replace_recovery_codes("ada", vec![[5; 32]]).await.unwrap(),
        "it is not confirmed"
    );
    switch_on(store, &factor()).await;
    assert!(store.use_totp_step("ada", 8).await.unwrap());
    assert!(store.replace_recovery_codes("ada", vec![[5; 32]]).await.unwrap());
    let renewed = StoredSecondFactor {
        last_step: 8,
        recovery: vec![[5; 32]],
        ..factor()
    };
    assert_eq!(store.second_factor("ada").await.unwrap(), Some(renewed));
    assert!(!store.use_totp_step("ada", 8).await.unwrap(), "a used code stays used");
}

pub(super) async fn a_code_is_good_once_however_many_use_it_at_the_same_time(store: &dyn Store) {
    assert!(
        !store.use_totp_step("ada", 5).await.unwrap(),
        "there is no second factor"
    );
    switch_on(store, &factor()).await;
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
}

pub(super) async fn a_recovery_code_is_good_once_however_many_use_it_at_the_same_time(store: &dyn Store) {
    switch_on(store, &factor()).await;
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
