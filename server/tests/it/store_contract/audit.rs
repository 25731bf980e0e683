//! The audit log.

use futures::future::join_all;
use serde_json::json;
use server::store::{AuditEntry, AuditFilter, AuditHead, Store, StoreError};

use super::later;

pub(super) fn entry(seq: u64, actor: &str, action: &str, target: &str) -> AuditEntry {
    let hash = |seq: u64| {
        if seq == 0 {
            [0; 32]
        } else {
            [u8::try_from(seq).unwrap(); 32]
        }
    };
    AuditEntry {
        seq,
        at: later(seq),
        actor_id: format!("id of {actor}"),
        actor: actor.to_owned(),
        surface: "web".to_owned(),
        address: Some("192.0.2.1".to_owned()),
        request_id: None,
        action: action.to_owned(),
        target: target.to_owned(),
        before: Some(json!({ "b": 1, "a": ["ü", 1.5, null] })),
        after: None,
        previous: hash(seq - 1),
        hash: hash(seq),
    }
}

async fn append(store: &dyn Store, entries: &[AuditEntry]) {
    for entry in entries {
        store.append_audit(entry.clone(), [7; 32]).await.unwrap();
    }
}

fn numbers(entries: &[AuditEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq).collect()
}

pub(super) async fn entries_are_appended_in_order_and_once(store: &dyn Store) {
    assert_eq!(store.audit_head().await.unwrap(), None);
    let first = entry(1, "ada", "key.add", "key/1");
    let refused = async |entry: &AuditEntry, why: &str| {
        let appended = store.append_audit(entry.clone(), [7; 32]).await;
        assert!(matches!(appended, Err(StoreError::Conflict { .. })), "{why}");
    };
    refused(&entry(2, "ada", "key.add", "key/1"), "a number left out").await;
    append(store, std::slice::from_ref(&first)).await;
    refused(&first, "the same number").await;
    append(store, &[entry(2, "ada", "key.add", "key/2")]).await;
    let head = AuditHead {
        seq: 2,
        hash: [2; 32],
        seal: [7; 32],
    };
    assert_eq!(store.audit_head().await.unwrap(), Some(head));
    assert_eq!(store.audit_from(1, 1).await.unwrap(), [first]);
}

pub(super) async fn of_entries_appended_at_the_same_time_one_is_kept(store: &dyn Store) {
    let appended = (0..50).map(|number| {
        let entry = entry(1, &number.to_string(), "key.add", "key/1");
        store.append_audit(entry, [number; 32])
    });
    let appended = join_all(appended).await;
    assert_eq!(appended.iter().filter(|appended| appended.is_ok()).count(), 1);
    let kept = store.audit_from(1, 10).await.unwrap();
    assert_eq!(kept.len(), 1);
    let winner: u8 = kept[0].actor.parse().unwrap();
    assert_eq!(
        store.audit_head().await.unwrap().unwrap().seal,
        [winner; 32],
        "entry and head together"
    );
}

pub(super) async fn the_log_is_read_from_both_ends(store: &dyn Store) {
    let entries: Vec<_> = (1..=5).map(|seq| entry(seq, "ada", "key.add", "key/1")).collect();
    append(store, &entries).await;
    let page = async |before, limit| {
        let page = store.audit_page(AuditFilter::default(), before, limit).await.unwrap();
        numbers(&page)
    };
    assert_eq!(page(None, 2).await, [5, 4]);
    assert_eq!(page(Some(4), 9).await, [3, 2, 1]);
    assert!(page(Some(1), 9).await.is_empty());
    assert_eq!(store.audit_from(2, 3).await.unwrap(), entries[1..4]);
    assert!(store.audit_from(6, 3).await.unwrap().is_empty());
}

/// Security, point 12: what a person types into a search is no pattern.
pub(super) async fn what_is_searched_for_in_the_log_means_itself(store: &dyn Store) {
    append(
        store,
        &[
            entry(1, "ada@example.com", "key.add", "key/1"),
            entry(2, "a_a@example.com", "key.update", "key/100%"),
            entry(3, "eve@example.com", "token.create", "to\\ken"),
            entry(4, "100% eve", "keyXadd", "' OR 1=1 --"),
        ],
    )
    .await;
    let found = async |actor: &str, action: &str, target: &str| {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let filter = AuditFilter {
            actor: some(actor),
            action: some(action),
            target: some(target),
        };
        numbers(&store.audit_page(filter, None, 10).await.unwrap())
    };
    assert_eq!(found("", "", "").await, [4, 3, 2, 1]);
    assert_eq!(
        found("EXAMPLE.com", "", "").await,
        [3, 2, 1],
        "a part of the name in any case"
    );
    assert_eq!(found("id of ada@example.com", "", "").await, [1], "the whole id");
    assert_eq!(found("a_a@", "", "").await, [2], "an underscore is no joker");
    assert_eq!(found("%", "", "").await, [4], "nor is a per cent sign");
    assert_eq!(found("", "key.", "").await, [2, 1]);
    assert_eq!(
        found("", "add", "").await,
        [0; 0],
        "an action is searched from its beginning"
    );
    assert_eq!(found("", "%add", "").await, [0; 0]);
    assert_eq!(found("", "key_add", "").await, [0; 0]);
    assert_eq!(found("", "", "100%").await, [2]);
    assert_eq!(found("", "", "%").await, [2]);
    assert_eq!(found("", "", "\\").await, [3]);
    assert_eq!(found("", "", "_").await, [0; 0]);
    assert_eq!(found("", "", "' OR 1=1 --").await, [4]);
    assert_eq!(found("' OR '1'='1", "", "").await, [0; 0]);
    assert_eq!(found("ada", "key.", "1").await, [1], "all of it at once");
}
