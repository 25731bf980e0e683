//! Sealed values.

use futures::future::try_join_all;
use server::store::{EnvironmentKey, NewStoredKey, SealedValue, Store, StoredSecondFactor};

use super::NOW;
use super::second_factors::switch_on;

/// A key of the console, one of the environment, a second factor and a secret of the server.
async fn four_records(store: &dyn Store) -> (u64, StoredSecondFactor) {
    let id = store.next_key_id().await.unwrap();
    let key = NewStoredKey {
        id,
        label: String::new(),
        fingerprint: [1; 32],
        sealed: vec![1],
        wanted: server::store::KeyChange::default(),
        created_at: NOW,
    };
    store.insert_key(key).await.unwrap();
    let environment = EnvironmentKey {
        fingerprint: [2; 32],
        label: "GOOGLE_AI_API_KEY_1".to_owned(),
        preferred_number: 2,
        now: NOW,
    };
    store.adopt_environment_key(environment).await.unwrap();
    let factor = StoredSecondFactor {
        user_id: "a/b".to_owned(),
        sealed: vec![2],
        confirmed: true,
        last_step: 9,
        recovery: Vec::new(),
    };
    switch_on(store, &factor).await;
    store.insert_server_secret("lookup", vec![3]).await.unwrap();
    (id, factor)
}

pub(super) async fn sealed_values_are_listed_and_replaced_by_compare_and_set(store: &dyn Store) {
    let (id, factor) = four_records(store).await;
    let value = |record: &str, field: &str, sealed: u8| SealedValue {
        record: record.to_owned(),
        field: field.to_owned(),
        sealed: vec![sealed],
    };
    let sorted = async || {
        let mut values = store.sealed_values().await.unwrap();
        values.sort_by(|one, other| one.record.cmp(&other.record));
        values
    };
    let key = format!("key/{id}");
    assert_eq!(
        sorted().await,
        [
            value(&key, "secret", 1),
            value("server/lookup", "secret", 3),
            value("user/a/b", "totp", 2)
        ],
        "nothing is sealed of a key of the environment"
    );
    for (record, field, old) in [
        (key.as_str(), "secret", 9),
        (&key, "totp", 1),
        ("key/x", "secret", 1),
        ("user/a/b", "secret", 2),
        ("server/other", "secret", 3),
        ("lookup", "secret", 3),
    ] {
        let replaced = store.replace_sealed(record, field, vec![old], vec![8]).await.unwrap();
        assert!(!replaced, "{record} {field} {old}");
    }
    for (record, field, old) in [
        (key.as_str(), "secret", 1),
        ("user/a/b", "totp", 2),
        ("server/lookup", "secret", 3),
    ] {
        let tries = (0..20).map(|number| store.replace_sealed(record, field, vec![old], vec![old + 10, number]));
        let replaced = try_join_all(tries).await.unwrap();
        assert_eq!(replaced.iter().filter(|replaced| **replaced).count(), 1, "{record}");
    }
    assert!(
        sorted()
            .await
            .iter()
            .all(|value| value.sealed.len() == 2 && value.sealed[0] > 10)
    );
    let kept = store.second_factor("a/b").await.unwrap().unwrap();
    assert_eq!((kept.confirmed, kept.last_step), (factor.confirmed, factor.last_step));
}

pub(super) async fn the_first_secret_of_the_server_wins(store: &dyn Store) {
    assert_eq!(store.server_secret("lookup").await.unwrap(), None);
    let kept = try_join_all((0..20).map(|number| store.insert_server_secret("lookup", vec![number])))
        .await
        .unwrap();
    assert!(kept.iter().all(|secret| *secret == kept[0]), "{kept:?}");
    assert_eq!(store.server_secret("lookup").await.unwrap(), Some(kept[0].clone()));
    assert_eq!(store.server_secret("other").await.unwrap(), None);
}
