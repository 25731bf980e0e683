use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use pool::Timestamp;
use rusqlite::Connection;
use serde_json::json;
use sha2::Sha256;
use tempfile::TempDir;

use super::*;
use crate::store::sqlite::SqliteStore;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// By which those who can write to the file get past the triggers.
const UNLOCK: &str = "DROP TRIGGER audit_entries_are_not_changed; DROP TRIGGER audit_entries_are_not_removed; \
                      DROP TRIGGER audit_entries_are_not_replaced;";

fn mac(purpose: &str, bytes: &[u8]) -> Digest {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"of the tests").expect("any length");
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

struct Log {
    dir: TempDir,
    audit: Audit,
    clock: Clock,
}

impl Log {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Arc::new(SqliteStore::open(&dir.path().join("keypool.db")).expect("a store"));
        let clock = Clock::by_hand(NOW);
        let audit = Audit::new(store, clock.clone(), mac);
        audit.begin().await.expect("begun");
        Self { dir, audit, clock }
    }

    /// With so many entries, the one it begins with among them.
    async fn with(entries: u64) -> Self {
        let log = Self::new().await;
        for number in 2..=entries {
            log.clock.advance(Duration::from_secs(1));
            log.act(number).await;
        }
        log
    }

    async fn act(&self, number: u64) {
        let (before, after) = (
            json!({ "priority": number }),
            json!({ "priority": number + 1, "label": "Ü" }),
        );
        let target = format!("key/{number}");
        let actor = actor();
        let done = self
            .audit
            .record(&actor, "key.update", &target, Some(before), Some(after));
        done.await.expect("recorded");
    }

    /// As somebody would who can write to the file but lacks the master key.
    fn tamper(&self, sql: &str) {
        let connection = Connection::open(self.dir.path().join("keypool.db")).expect("opened");
        connection.execute_batch(UNLOCK).expect("unlocked");
        connection.execute_batch(sql).expect("done");
    }

    async fn fault(&self) -> Option<(u64, String)> {
        let verdict = self.audit.verify().await.expect("read");
        assert_eq!(verdict.intact, verdict.fault.is_none());
        verdict.fault.map(|fault| (fault.seq, fault.message))
    }
}

fn actor() -> Actor {
    Actor {
        by_api_token: false,
        id: "0190-ada".to_owned(),
        name: "ada@example.com".to_owned(),
        surface: "web",
        address: Some([192, 0, 2, 7].into()),
        request_id: Some("request-1".to_owned()),
    }
}

#[tokio::test]
async fn what_was_done_is_in_the_log_with_who_did_it() {
    let log = Log::with(3).await;
    let page = log.audit.page(AuditFilter::default(), None, 2).await.expect("read");
    assert_eq!(page.items.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3, 2]);
    let entry = &page.items[0];
    assert_eq!(
        (entry.actor_id.as_str(), entry.actor.as_str(), entry.surface.as_str()),
        ("0190-ada", "ada@example.com", "web")
    );
    assert_eq!(
        (entry.address.as_deref(), entry.request_id.as_deref(), entry.at.as_str()),
        (Some("192.0.2.7"), Some("request-1"), "2023-11-14T22:13:22.000Z")
    );
    assert_eq!((entry.action.as_str(), entry.target.as_str()), ("key.update", "key/3"));
    assert_eq!(entry.before, Some(json!({ "priority": 3 })));
    assert_eq!(entry.after, Some(json!({ "priority": 4, "label": "Ü" })));
    let cursor = page.next_cursor.expect("a page more");
    let last = log
        .audit
        .page(AuditFilter::default(), Some(&cursor), 2)
        .await
        .expect("read");
    assert_eq!((last.items.len(), last.items[0].seq, last.next_cursor), (1, 1, None));
    assert!(log.audit.page(AuditFilter::default(), Some("x"), 2).await.is_err());
}

#[tokio::test]
async fn a_log_nobody_touched_is_intact() {
    assert_eq!(Log::new().await.fault().await, None, "one that just began too");
    let log = Log::with(3).await;
    let verdict = log.audit.verify().await.expect("read");
    let last = log.audit.page(AuditFilter::default(), None, 1).await.expect("read");
    assert_eq!((verdict.intact, verdict.entries), (true, 3));
    assert_eq!(verdict.head.as_deref(), Some(last.items[0].hash.as_str()));
}

#[tokio::test]
async fn every_column_of_an_entry_is_covered_by_its_hash() {
    let changes = [
        "at = at + 1",
        "actor_id = 'eve'",
        "actor = 'ada@example.con'",
        "surface = 'cli'",
        "address = '192.0.2.8'",
        "address = NULL",
        "request_id = NULL",
        "action = 'key.updatf'",
        "target = 'key/3'",
        "before = '{\"priority\":3}'",
        "after = NULL",
        "previous = zeroblob(32)",
        "hash = zeroblob(32)",
    ];
    for change in changes {
        let log = Log::with(3).await;
        log.tamper(&format!("UPDATE audit_entries SET {change} WHERE seq = 2"));
        let fault = log.fault().await;
        assert_eq!(
            fault,
            Some((2, "Entry 2 is not as it was written.".to_owned())),
            "{change}"
        );
    }
}

#[tokio::test]
async fn entries_removed_anywhere_are_missed() {
    for (removed, first) in [("seq = 1", 1), ("seq = 2", 2), ("seq > 2", 3), ("seq > 0", 1)] {
        let log = Log::with(4).await;
        log.tamper(&format!("DELETE FROM audit_entries WHERE {removed}"));
        let (seq, message) = log.fault().await.expect("a fault");
        assert_eq!(seq, first, "{removed}: {message}");
    }
}

#[tokio::test]
async fn a_log_that_was_removed_as_a_whole_is_missed() {
    let log = Log::with(4).await;
    log.tamper("DELETE FROM audit_entries; DELETE FROM audit_head");
    let (seq, message) = log.fault().await.expect("a fault");
    assert_eq!((seq, message.starts_with("The log is empty")), (1, true), "{message}");
    // Nor does it heal when the log grows.
    log.act(5).await;
    log.act(6).await;
    assert_eq!(log.fault().await.map(|(seq, _)| seq), Some(1));
}

#[tokio::test]
async fn a_log_begins_once() {
    let log = Log::with(3).await;
    log.audit.begin().await.expect("begun already");
    let verdict = log.audit.verify().await.expect("read");
    assert_eq!((verdict.intact, verdict.entries), (true, 3));
}

#[tokio::test]
async fn an_end_cut_off_together_with_its_note_is_missed() {
    let cuts = [
        // The note as it would be, but for the seal that nobody without the key can make.
        "UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit_entries WHERE seq = 2)",
        "UPDATE audit_head SET seal = zeroblob(32)",
        "DELETE FROM audit_head",
    ];
    for cut in cuts {
        let log = Log::with(4).await;
        log.tamper(&format!("DELETE FROM audit_entries WHERE seq > 2; {cut}"));
        assert!(log.fault().await.is_some(), "{cut}");
        // Nor does it heal when the log grows.
        log.act(5).await;
        log.act(6).await;
        assert!(log.fault().await.is_some(), "{cut}, then two entries");
    }
}

#[tokio::test]
async fn entries_swapped_and_numbered_anew_are_found() {
    let log = Log::with(4).await;
    log.tamper(
        "UPDATE audit_entries SET seq = 99 WHERE seq = 2; UPDATE audit_entries SET seq = 2 WHERE seq = 3; \
         UPDATE audit_entries SET seq = 3 WHERE seq = 99;",
    );
    assert_eq!(log.fault().await.map(|(seq, _)| seq), Some(2));
    let gap = Log::with(4).await;
    gap.tamper("DELETE FROM audit_entries WHERE seq = 2; UPDATE audit_entries SET seq = seq - 1 WHERE seq > 2;");
    assert_eq!(gap.fault().await.map(|(seq, _)| seq), Some(2), "a gap closed");
}

#[tokio::test]
async fn an_entry_of_another_log_is_found() {
    let (log, other) = (Log::with(2).await, Log::new().await);
    for number in 11..=13 {
        other.act(number).await;
    }
    let path = other.dir.path().join("keypool.db").display().to_string();
    log.tamper(&format!(
        "ATTACH '{path}' AS other; INSERT INTO main.audit_entries SELECT * FROM other.audit_entries WHERE seq = 3; \
         UPDATE audit_entries SET previous = (SELECT hash FROM main.audit_entries WHERE seq = 2) WHERE seq = 3"
    ));
    assert_eq!(log.fault().await.map(|(seq, _)| seq), Some(3));
}

#[tokio::test]
async fn concurrent_acts_never_break_the_chain() {
    let log = Log::new().await;
    // A second process on the same store knows nothing of the first one's turn.
    let second = Audit::new(Arc::clone(&log.audit.0.store), log.clock.clone(), mac);
    let acts = (0..100).map(|number| {
        let audit = if number % 2 == 0 {
            log.audit.clone()
        } else {
            second.clone()
        };
        async move {
            audit
                .record(&actor(), "key.update", &number.to_string(), None, None)
                .await
        }
    });
    futures::future::try_join_all(acts).await.expect("recorded");
    let verdict = log.audit.verify().await.expect("read");
    assert_eq!((verdict.intact, verdict.entries), (true, 101), "{verdict:?}");
}

#[tokio::test]
async fn a_log_that_is_read_while_it_grows_is_intact() {
    let log = Log::new().await;
    let writing = async {
        for number in 1..=40 {
            log.act(number).await;
        }
    };
    let reading = async {
        for _ in 0..40 {
            assert_eq!(log.fault().await, None);
        }
    };
    tokio::join!(writing, reading);
    assert_eq!(log.audit.verify().await.expect("read").entries, 41);
}

#[tokio::test]
async fn an_act_that_cannot_be_written_down_is_reported() {
    let log = Log::with(1).await;
    log.audit.0.store.close().await.expect("closed");
    let refused = log.audit.record(&actor(), "key.delete", "key/1", None, None).await;
    let error = refused.expect_err("told");
    assert_eq!(
        (error.code.http_status(), error.details.as_deref()),
        (503, Some("AUDIT_INCOMPLETE"))
    );
    assert!(error.message.starts_with("It was done"), "{}", error.message);
}

#[tokio::test]
async fn fields_named_like_secrets_are_hidden() {
    let log = Log::new().await;
    let after = json!({ "label": "kept", "key": "CANARY", "hasKey": true, "nested": [{ "newPassword": "CANARY" }], "token": null });
    log.audit
        .record(&actor(), "key.add", "key/1", None, Some(after))
        .await
        .expect("recorded");
    let page = log.audit.page(AuditFilter::default(), None, 1).await.expect("read");
    let expected = json!({ "label": "kept", "key": "hidden", "hasKey": true, "nested": [{ "newPassword": "hidden" }], "token": null });
    assert_eq!(page.items[0].after, Some(expected));
    assert_eq!(log.fault().await, None);
}

#[tokio::test]
async fn an_act_is_done_to_its_end_when_who_asked_goes_away() {
    let log = Log::new().await;
    let (audit, clock) = (log.audit.clone(), log.clock.clone());
    let act = async move {
        clock.sleep_until(NOW.plus(Duration::from_secs(1))).await;
        audit.record(&actor(), "key.delete", "key/1", None, None).await
    };
    {
        let mut asking = std::pin::pin!(log.audit.whole(act));
        assert!(futures::poll!(asking.as_mut()).is_pending());
    }
    log.clock.advance(Duration::from_secs(1));
    log.audit.finish().await;
    assert_eq!(log.audit.verify().await.expect("read").entries, 2);
}
