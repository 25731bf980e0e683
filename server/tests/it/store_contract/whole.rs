//! The store as a whole, pool records and usage.

use pool::Timestamp;
use serde_json::json;
use server::store::{EventKey, EventKind, Store, StoreError, UsageEvent};

use super::{NOW, later};

pub(super) fn event(id: &str, at: Timestamp, key: u32, outcome: &'static str) -> UsageEvent {
    UsageEvent {
        id: id.to_owned(),
        kind: EventKind::Attempt,
        at,
        request_id: "request-1".to_owned(),
        key: Some(EventKey {
            id: u64::from(key) + 100,
            number: key,
            project: Some("projects/1".to_owned()),
        }),
        model: "gemini-2.5-flash".to_owned(),
        operation: "generateContentText".into(),
        surface: "api".into(),
        success: outcome == "success",
        outcome: outcome.into(),
        error_type: (outcome != "success").then(|| "quota".into()),
        response_time_ms: 250,
        first_token_ms: Some(100),
        prompt_tokens: 3,
        output_tokens: 4,
        cached_tokens: 0,
        thought_tokens: 0,
        total_tokens: 7,
        cached: false,
        user_id: Some("ada".to_owned()),
        token_id: None,
        user_agent: Some("test".to_owned()),
    }
}

pub(super) async fn a_new_store_is_ready_and_empty(store: &dyn Store) {
    store.ready().await.unwrap();
    assert!(store.schema_version().await.unwrap() >= 1);
    assert!(store.keys().await.unwrap().is_empty());
    assert!(store.pool_records().await.unwrap().is_empty());
    assert!(store.users().await.unwrap().is_empty());
    assert!(store.usage_counts(Timestamp::from_millis(0)).await.unwrap().is_empty());
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

pub(super) async fn usage_is_stored_once_however_often_it_is_sent(store: &dyn Store) {
    let events = || vec![event("1", NOW, 1, "success"), event("2", later(1), 1, "success")];
    store.append_usage(events()).await.unwrap();
    store
        .append_usage([events(), vec![event("3", later(2), 1, "success")]].concat())
        .await
        .unwrap();
    store.append_usage(vec![]).await.unwrap();
    let counts = store.usage_counts(NOW).await.unwrap();
    assert_eq!(counts.len(), 1, "{counts:?}");
    assert_eq!(
        (counts[0].count, counts[0].total_tokens, counts[0].last_at),
        (3, 21, later(2))
    );
}

pub(super) async fn usage_is_counted_from_an_instant_on(store: &dyn Store) {
    let keyless = UsageEvent {
        kind: EventKind::Request,
        key: None,
        first_token_ms: None,
        ..event("5", later(5), 0, "success")
    };
    let events = vec![
        event("1", NOW, 1, "success"),
        event("2", later(2), 1, "success"),
        event("3", later(3), 1, "day_quota"),
        event("4", later(4), 2, "success"),
        keyless,
    ];
    store.append_usage(events).await.unwrap();
    let counts = store.usage_counts(later(2)).await.unwrap();
    let rows: Vec<_> = counts
        .iter()
        .map(|row| {
            (
                row.key_id,
                row.key_number,
                row.kind,
                row.outcome.as_str(),
                row.success,
                row.count,
            )
        })
        .collect();
    let expected = [
        (None, None, EventKind::Request, "success", true, 1),
        (Some(101), Some(1), EventKind::Attempt, "day_quota", false, 1),
        (Some(101), Some(1), EventKind::Attempt, "success", true, 1),
        (Some(102), Some(2), EventKind::Attempt, "success", true, 1),
    ];
    assert_eq!(rows, expected);
}

pub(super) async fn usage_of_whole_hours_is_counted_with_the_piece_before_them(store: &dyn Store) {
    const MINUTE: u64 = 60_000;
    let hour = Timestamp::from_millis(NOW.as_millis() / (60 * MINUTE) * (60 * MINUTE));
    let minutes = |minutes: u64| Timestamp::from_millis(hour.as_millis() + minutes * MINUTE);
    let events = || {
        let at = [0, 30, 59, 60, 119, 120, 200].into_iter().enumerate();
        at.map(|(number, at)| event(&number.to_string(), minutes(at), 1, "success"))
            .collect::<Vec<_>>()
    };
    store.append_usage(events()).await.unwrap();
    // Sent again they count no more.
    store.append_usage(events()).await.unwrap();
    for (since, expected) in [
        (0, 7),
        (1, 6),
        (30, 6),
        (31, 5),
        (60, 4),
        (61, 3),
        (120, 2),
        (121, 1),
        (201, 0),
    ] {
        let counts = store.usage_counts(minutes(since)).await.unwrap();
        let count = counts.first().map_or(0, |row| row.count);
        assert_eq!(
            (count, counts.len() as u64),
            (expected, expected.min(1)),
            "since minute {since}"
        );
    }
}

pub(super) async fn a_thousand_writers_at_once_all_succeed(store: &dyn Store) {
    let writes = (0..1000).map(|number| store.append_usage(vec![event(&number.to_string(), NOW, 1, "success")]));
    futures::future::try_join_all(writes).await.unwrap();
    assert_eq!(store.usage_counts(NOW).await.unwrap()[0].count, 1000);
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
