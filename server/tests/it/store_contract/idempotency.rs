//! Requests that may be sent again.

use futures::future::try_join_all;
use pool::Timestamp;
use serde_json::json;
use server::store::{Begun, Store, StoredIdempotency};

use super::history::analysis;
use super::{NOW, later};

pub(super) fn request(key: &str, expires_at: Timestamp) -> StoredIdempotency {
    StoredIdempotency {
        caller: "ada".to_owned(),
        key: key.to_owned(),
        request: [1; 32],
        analysis_id: None,
        response: None,
        created_at: NOW,
        expires_at,
    }
}

async fn existing(store: &dyn Store, key: &str) -> Option<StoredIdempotency> {
    match store.begin_idempotent(request(key, later(60))).await.unwrap() {
        Begun::New => None,
        Begun::Existing(found) => Some(found),
    }
}

pub(super) async fn a_request_is_begun_once_however_often_it_is_sent(store: &dyn Store) {
    let begun = try_join_all((0..50).map(|_| store.begin_idempotent(request("k", later(60)))))
        .await
        .unwrap();
    assert_eq!(begun.iter().filter(|begun| **begun == Begun::New).count(), 1);
    let other_body = StoredIdempotency {
        request: [2; 32],
        ..request("k", later(600))
    };
    assert_eq!(
        store.begin_idempotent(other_body).await.unwrap(),
        Begun::Existing(request("k", later(60))),
        "the first one counts"
    );
    let other_caller = StoredIdempotency {
        caller: "eve".to_owned(),
        ..request("k", later(60))
    };
    assert_eq!(store.begin_idempotent(other_caller).await.unwrap(), Begun::New);
    let response = json!({ "text": "ü" });
    store
        .finish_idempotent("ada", "k", None, Some(response.clone()))
        .await
        .unwrap();
    let finished = StoredIdempotency {
        response: Some(response),
        ..request("k", later(60))
    };
    assert_eq!(existing(store, "k").await, Some(finished));
    store
        .finish_idempotent("ada", "unknown", Some("a".to_owned()), None)
        .await
        .unwrap();
    assert_eq!(existing(store, "unknown").await, None, "nothing was made of it");
}

pub(super) async fn an_expired_request_is_begun_anew(store: &dyn Store) {
    store.begin_idempotent(request("k", later(60))).await.unwrap();
    store
        .finish_idempotent("ada", "k", Some("a".to_owned()), None)
        .await
        .unwrap();
    let at = |seconds| StoredIdempotency {
        created_at: later(seconds),
        ..request("k", later(seconds + 60))
    };
    assert!(matches!(
        store.begin_idempotent(at(59)).await.unwrap(),
        Begun::Existing(_)
    ));
    assert_eq!(store.begin_idempotent(at(60)).await.unwrap(), Begun::New);
    assert_eq!(existing(store, "k").await, Some(at(60)));
}

pub(super) async fn what_is_not_finished_is_abandoned_and_nothing_else(store: &dyn Store) {
    for key in ["done", "answered", "open", "other"] {
        store.begin_idempotent(request(key, later(60))).await.unwrap();
    }
    store
        .finish_idempotent("ada", "done", Some("a".to_owned()), None)
        .await
        .unwrap();
    store
        .finish_idempotent("ada", "answered", None, Some(json!(1)))
        .await
        .unwrap();
    for key in ["done", "answered", "open"] {
        store.abandon_idempotent("ada", key).await.unwrap();
        store.abandon_idempotent("eve", key).await.unwrap();
    }
    assert!(existing(store, "done").await.is_some() && existing(store, "answered").await.is_some());
    assert_eq!(existing(store, "open").await, None);
    assert_eq!(
        store.abandon_all_idempotent().await.unwrap(),
        2,
        "`open`, begun again, and `other`"
    );
    assert_eq!(store.abandon_all_idempotent().await.unwrap(), 0);
    assert!(existing(store, "done").await.is_some());
}

pub(super) async fn what_is_kept_of_an_analysis_goes_with_it(store: &dyn Store) {
    for (id, at) in [("a", 1), ("b", 2), ("c", 3)] {
        store.insert_analysis(analysis("ada", id, later(at))).await.unwrap();
        store.begin_idempotent(request(id, later(60))).await.unwrap();
        store
            .finish_idempotent("ada", id, Some(id.to_owned()), None)
            .await
            .unwrap();
    }
    store.begin_idempotent(request("text", later(60))).await.unwrap();
    store
        .finish_idempotent("ada", "text", None, Some(json!("an answer")))
        .await
        .unwrap();
    store.begin_idempotent(request("open", later(60))).await.unwrap();
    assert!(!store.delete_analysis("eve", "a").await.unwrap());
    assert!(existing(store, "a").await.is_some());
    assert!(store.delete_analysis("ada", "a").await.unwrap());
    assert_eq!(existing(store, "a").await, None);
    assert_eq!(store.delete_analyses_before(later(3)).await.unwrap(), 1);
    assert_eq!(existing(store, "b").await, None);
    assert!(existing(store, "c").await.is_some() && existing(store, "text").await.is_some());
    assert_eq!(store.delete_analyses_of("ada").await.unwrap(), 1);
    assert_eq!(existing(store, "c").await, None);
    assert_eq!(existing(store, "text").await, None, "an answer is in it");
    assert!(existing(store, "open").await.is_some(), "it is under way");
}
