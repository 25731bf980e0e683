//! The log is append-only for everything that speaks SQL to the file.

use pool::Timestamp;

use super::*;

#[tokio::test]
async fn the_schema_refuses_to_change_or_remove_an_entry() {
    let (_dir, path) = folder();
    let store = SqliteStore::open(&path).expect("opened");
    let entry = AuditEntry {
        seq: 1,
        at: Timestamp::from_millis(1),
        actor_id: "ada".to_owned(),
        actor: "ada".to_owned(),
        surface: "web".to_owned(),
        address: None,
        request_id: None,
        action: "key.add".to_owned(),
        target: "key/1".to_owned(),
        before: None,
        after: Some(json!({ "enabled": true })),
        previous: [0; 32],
        hash: [1; 32],
    };
    store.append_audit(entry.clone(), [7; 32]).await.expect("appended");
    let other = Connection::open(&path).expect("opened");
    for sql in [
        "UPDATE audit_entries SET actor = 'eve'",
        "UPDATE audit_entries SET seq = 2",
        "DELETE FROM audit_entries",
        "INSERT OR REPLACE INTO audit_entries SELECT seq, at, 'eve', actor, surface, address, request_id, action, target, \
         before, after, previous, hash FROM audit_entries",
    ] {
        let refused = other.execute_batch(sql).expect_err("refused");
        assert!(
            refused.to_string().contains("an audit entry is never"),
            "{sql}: {refused}"
        );
    }
    assert_eq!(store.audit_from(1, 5).await.expect("read"), [entry]);
}
