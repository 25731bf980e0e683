//! API tokens.

use server::store::{Store, StoreError, StoredApiToken};

use super::{NOW, later};

pub(super) fn api_token(number: u8, user_id: &str) -> StoredApiToken {
    StoredApiToken {
        id: format!("token-{number}"),
        user_id: user_id.to_owned(),
        name: format!("Token '{number}'"),
        hash: [number; 32],
        hint: "kp_…x9Qz".to_owned(),
        scopes: vec!["analyze".to_owned(), "history".to_owned()],
        created_at: later(number.into()),
        expires_at: (number == 1).then(|| later(60)),
        requests_per_minute: (number == 1).then_some(30),
        last_used_at: None,
    }
}

pub(super) async fn an_api_token_is_found_by_its_hash_and_belongs_to_its_user(store: &dyn Store) {
    for (number, user_id) in [(1, "ada"), (2, "ada"), (3, "eve")] {
        store.insert_api_token(api_token(number, user_id)).await.unwrap();
    }
    for double in [
        api_token(1, "ada"),
        StoredApiToken {
            id: "token-9".to_owned(),
            ..api_token(1, "ada")
        },
    ] {
        let refused = store.insert_api_token(double).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })));
    }
    assert_eq!(
        store.api_token_by_hash(&[1; 32]).await.unwrap(),
        Some(api_token(1, "ada"))
    );
    assert_eq!(store.api_token_by_hash(&[9; 32]).await.unwrap(), None);
    assert_eq!(
        store.api_tokens_of("ada").await.unwrap(),
        [api_token(2, "ada"), api_token(1, "ada")],
        "newest first"
    );
    assert!(
        !store.delete_api_token("eve", "token-1").await.unwrap(),
        "another user's"
    );
    assert!(store.delete_api_token("ada", "token-1").await.unwrap());
    assert!(!store.delete_api_token("ada", "token-1").await.unwrap());
    assert_eq!(store.api_token_by_hash(&[1; 32]).await.unwrap(), None);
    store.insert_api_token(api_token(4, "ada")).await.unwrap();
    assert_eq!(store.delete_api_tokens_of("ada").await.unwrap(), 2);
    assert!(store.api_tokens_of("ada").await.unwrap().is_empty());
    assert_eq!(store.api_tokens_of("eve").await.unwrap().len(), 1);
}

pub(super) async fn the_latest_use_of_an_api_token_is_remembered(store: &dyn Store) {
    store.insert_api_token(api_token(1, "ada")).await.unwrap();
    for at in [later(5), later(3), NOW] {
        store.note_api_token_use("token-1", at).await.unwrap();
    }
    let token = store.api_token_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert_eq!(token.last_used_at, Some(later(5)));
    store.note_api_token_use("gone", NOW).await.unwrap();
    assert_eq!(store.api_tokens_of("ada").await.unwrap().len(), 1);
}
