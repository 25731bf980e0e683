//! The store as a whole, and pool records.

use serde_json::json;
use server::store::{Store, StoreError};

pub(super) async fn a_new_store_is_ready_and_empty(store: &dyn Store) {
    store.ready().await.unwrap();
    assert!(store.schema_version().await.unwrap() >= 1);
    assert!(store.keys().await.unwrap().is_empty());
    assert!(store.pool_records().await.unwrap().is_empty());
    assert!(store.users().await.unwrap().is_empty());
    assert!(super::usage::all(store).await.is_empty());
}

pub(super) async fn pool_records_replace_each_other_by_name(store: &dyn Store) {
    let records = vec![
        ("cell/2".to_owned(), json!({"until": 5})),
        ("cell/1".to_owned(), json!(null)),
        ("key/1".to_owned(), json!("ü")),
    ];
    store.save_pool_records(records).await.unwrap();
    store
        .save_pool_records(vec![("cell/2".to_owned(), json!({"until": u64::MAX}))])
        .await
        .unwrap();
    let expected = [
        ("cell/1".to_owned(), json!(null)),
        ("cell/2".to_owned(), json!({"until": u64::MAX})),
        ("key/1".to_owned(), json!("ü")),
    ];
    assert_eq!(store.pool_records().await.unwrap(), expected);
    store
        .delete_pool_records(vec!["cell/1".to_owned(), "key/1".to_owned(), "none".to_owned()])
        .await
        .unwrap();
    assert_eq!(store.pool_records().await.unwrap(), expected[1..2]);
    store.save_pool_records(vec![]).await.unwrap();
}

pub(super) async fn a_closed_store_refuses(store: &dyn Store) {
    store
        .save_pool_records(vec![("kept".to_owned(), json!(1))])
        .await
        .unwrap();
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(store.ready().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.next_key_id().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.keys().await, Err(StoreError::Unavailable(_))));
}
