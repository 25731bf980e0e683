//! Provider keys.

use app::types::KeyOrigin;
use pool::Tier;
use server::store::{EnvironmentKey, KeyChange, NewStoredKey, Store, StoreError, StoredKey};

use super::{NOW, later};

fn new_key(id: u64, fingerprint: u8) -> NewStoredKey {
    NewStoredKey {
        id,
        label: String::new(),
        fingerprint: [fingerprint; 32],
        sealed: vec![1, 2, fingerprint],
        wanted: KeyChange::default(),
        created_at: NOW,
    }
}

async fn add_key(store: &dyn Store, fingerprint: u8) -> StoredKey {
    let id = store.next_key_id().await.unwrap();
    store.insert_key(new_key(id, fingerprint)).await.unwrap()
}

fn environment(number: u32, fingerprint: u8) -> EnvironmentKey {
    let label = format!("GOOGLE_AI_API_KEY_{number}");
    EnvironmentKey {
        fingerprint: [fingerprint; 32],
        label,
        preferred_number: number,
        now: NOW,
    }
}

pub(super) async fn keys_are_numbered_in_order_and_no_number_comes_twice(store: &dyn Store) {
    let (first, second) = (add_key(store, 1).await, add_key(store, 2).await);
    assert_eq!((first.number, first.label.as_str(), second.number), (1, "Key 1", 2));
    assert_eq!(
        (first.origin, first.tier, first.enabled),
        (KeyOrigin::Console, Tier::Free, true)
    );
    assert!(store.delete_key(second.id).await.unwrap());
    assert!(!store.delete_key(second.id).await.unwrap());
    let third = add_key(store, 2).await;
    assert_eq!(third.number, 3, "2 was the number of another key");
    assert!(third.id > second.id);
    assert_eq!(store.keys().await.unwrap(), [first, third]);
}

pub(super) async fn a_key_is_stored_once(store: &dyn Store) {
    let first = add_key(store, 1).await;
    let conflict = Err(StoreError::Conflict { what: "This key" });
    let id = store.next_key_id().await.unwrap();
    assert_eq!(store.insert_key(new_key(id, 1)).await, conflict, "the same fingerprint");
    assert_eq!(store.insert_key(new_key(first.id, 2)).await, conflict, "the same id");
    assert_eq!(store.keys().await.unwrap(), [first]);
    assert_eq!(add_key(store, 2).await.number, 2, "refused keys use no number");
}

pub(super) async fn a_change_of_a_key_leaves_the_rest_of_it(store: &dyn Store) {
    let key = add_key(store, 1).await;
    assert_eq!(store.update_key(key.id, KeyChange::default()).await.unwrap(), key);
    let change = KeyChange {
        tier: Some(Tier::Paid),
        priority: Some(-3),
        enabled: Some(false),
        ..KeyChange::default()
    };
    let changed = store.update_key(key.id, change).await.unwrap();
    let expected = StoredKey {
        tier: Tier::Paid,
        priority: -3,
        enabled: false,
        ..key.clone()
    };
    assert_eq!(changed, expected);
    let change = KeyChange {
        label: Some("Team".to_owned()),
        project: Some(Some("projects/7".to_owned())),
        account: Some(Some("Billing".to_owned())),
        weight: Some(7),
        tags: Some(vec!["a \"quoted\" one".to_owned(), "ü".to_owned()]),
        ..KeyChange::default()
    };
    let expected = StoredKey {
        label: "Team".to_owned(),
        project: Some("projects/7".to_owned()),
        account: Some("Billing".to_owned()),
        weight: 7,
        tags: vec!["a \"quoted\" one".to_owned(), "ü".to_owned()],
        ..expected
    };
    assert_eq!(store.update_key(key.id, change).await.unwrap(), expected);
    let change = KeyChange {
        project: Some(None),
        tags: Some(Vec::new()),
        ..KeyChange::default()
    };
    let expected = StoredKey {
        project: None,
        tags: Vec::new(),
        ..expected
    };
    assert_eq!(store.update_key(key.id, change).await.unwrap(), expected, "taken away");
    assert_eq!(store.keys().await.unwrap(), [expected]);
    let unknown = store.update_key(key.id + 1, KeyChange::default()).await;
    assert_eq!(unknown, Err(StoreError::NotFound { what: "This key" }));
}

pub(super) async fn a_new_key_has_what_is_wanted_of_it(store: &dyn Store) {
    let plain = add_key(store, 1).await;
    assert_eq!((plain.weight, plain.account, plain.tags.len()), (1, None, 0));
    let id = store.next_key_id().await.unwrap();
    let wanted = KeyChange {
        project: Some(Some("team".to_owned())),
        account: Some(Some("Billing".to_owned())),
        tier: Some(Tier::Paid),
        priority: Some(2),
        weight: Some(5),
        tags: Some(vec!["eu".to_owned()]),
        ..KeyChange::default()
    };
    let new = NewStoredKey {
        wanted,
        ..new_key(id, 2)
    };
    let stored = store.insert_key(new).await.unwrap();
    let found = (
        stored.project.as_deref(),
        stored.account.as_deref(),
        stored.tier,
        stored.priority,
        stored.weight,
    );
    assert_eq!(found, (Some("team"), Some("Billing"), Tier::Paid, 2, 5));
    assert_eq!(store.keys().await.unwrap()[1], stored);
}

pub(super) async fn keys_of_the_environment_keep_their_row(store: &dyn Store) {
    let fifth = store.adopt_environment_key(environment(5, 1)).await.unwrap();
    assert_eq!(
        (fifth.number, fifth.origin, fifth.sealed.len()),
        (5, KeyOrigin::Environment, 0)
    );
    let again = EnvironmentKey {
        now: later(60),
        ..environment(5, 1)
    };
    assert_eq!(store.adopt_environment_key(again).await.unwrap(), fifth);
    let moved = store.adopt_environment_key(environment(2, 1)).await.unwrap();
    assert_eq!(
        (moved.id, moved.number, moved.label.as_str()),
        (fifth.id, 5, "GOOGLE_AI_API_KEY_2")
    );
    assert_eq!(
        store.adopt_environment_key(environment(5, 2)).await.unwrap().number,
        6,
        "5 is taken"
    );
    assert_eq!(
        store.adopt_environment_key(environment(3, 3)).await.unwrap().number,
        3,
        "a gap is free"
    );
    let of_console = add_key(store, 4).await;
    assert_eq!(
        store.adopt_environment_key(environment(9, 4)).await.unwrap(),
        of_console
    );
    let numbers: Vec<u32> = store.keys().await.unwrap().iter().map(|key| key.number).collect();
    assert_eq!(numbers, [3, 5, 6, 7]);
}

pub(super) async fn a_key_known_from_the_environment_becomes_one_of_the_console_with_its_secret(store: &dyn Store) {
    let known = store.adopt_environment_key(environment(4, 1)).await.unwrap();
    let change = KeyChange {
        sealed: Some(vec![9, 9]),
        ..KeyChange::default()
    };
    let kept = store.update_key(known.id, change).await.unwrap();
    assert_eq!(
        kept,
        StoredKey {
            origin: KeyOrigin::Console,
            sealed: vec![9, 9],
            ..known
        }
    );
}
