//! Databases of earlier versions.

use pool::Timestamp;

use super::super::file::MIGRATIONS;
use super::*;
use crate::store::{
    Dimensions, EventBounds, EventFilter, EventKind, Order, Piece, RollupQuery, Rotation, StoredSignIn,
};

const DAY_MS: u64 = 24 * 3600 * 1000;
const NOW_MS: u64 = 1_700_000_000_000;

/// The file as the version wrote it, with these rows.
fn written_by(version: usize, rows: &str) -> (TempDir, PathBuf) {
    let (dir, path) = folder();
    fs::create_dir(path.parent().expect("a folder")).expect("made");
    let mut connection = Connection::open(&path).expect("opened");
    super::super::usage::register(&connection).expect("functions");
    MIGRATIONS.to_version(&mut connection, version).expect("migrated");
    connection.execute_batch(rows).expect("filled");
    (dir, path)
}

#[tokio::test]
async fn sign_ins_of_before_the_upgrade_go_on() {
    let token = |number: u8, family: &str, issued_days_ago: u64, spent: u8| {
        let expires_at = NOW_MS + (30 - issued_days_ago) * DAY_MS;
        format!(
            "INSERT INTO refresh_tokens VALUES (x'{}', '{family}', 'ada', {expires_at}, {spent});",
            format!("{number:02x}").repeat(32)
        )
    };
    let rows = [
        "INSERT INTO users VALUES ('ada', 'ada@example.com', 'Ada', 'user', 'hash', 5);".to_owned(),
        // Refreshed twice; the first token has expired and is gone.
        token(1, "lives", 20, 1),
        token(2, "lives", 10, 1),
        token(3, "lives", 1, 0),
        token(4, "revoked", 3, 1),
    ];
    let (_dir, path) = written_by(4, &rows.concat());
    let store = SqliteStore::open(&path).expect("upgraded");
    let user = store.user("ada").await.expect("read").expect("a user");
    assert_eq!(
        (user.disabled, user.last_sign_in_at, user.credentials),
        (false, None, 0)
    );
    let at = |days_ago: u64| Timestamp::from_millis(NOW_MS - days_ago * DAY_MS);
    let expected = StoredSignIn {
        family: "lives".to_owned(),
        user_id: "ada".to_owned(),
        began_at: at(20),
        last_used_at: at(1),
        expires_at: Timestamp::from_millis(NOW_MS + 29 * DAY_MS),
        user_agent: None,
        address: None,
    };
    assert_eq!(store.sign_ins_of("ada", at(0)).await.expect("read"), [expected]);
    assert_eq!(store.sign_in("revoked").await.expect("read"), None);
    let successor = Successor {
        token: [9; 32],
        expires_at: Timestamp::from_millis(NOW_MS + 30 * DAY_MS),
        life_max: std::time::Duration::from_secs(90 * 24 * 3600),
    };
    let rotated = store
        .rotate_refresh_token(&[3; 32], successor, at(0))
        .await
        .expect("rotated");
    assert!(matches!(rotated, Rotation::Fresh { .. }), "{rotated:?}");
    let reused = store
        .rotate_refresh_token(&[2; 32], successor, at(0))
        .await
        .expect("refused");
    assert!(matches!(reused, Rotation::Reused { .. }), "{reused:?}");
}

#[tokio::test]
async fn usage_of_before_the_upgrade_is_listed_and_added_up() {
    let row = |id: &str, kind: &str, key: &str, success: u8, ms: u32| {
        let (outcome, error) = if success == 1 {
            ("success", "NULL")
        } else {
            ("day_quota", "'quota'")
        };
        format!(
            "INSERT INTO usage_events VALUES ('{id}', '{kind}', {NOW_MS}, 'request-1', {key}, NULL, 'flash', 'generateContentText', \
             'api', {success}, '{outcome}', {error}, {ms}, NULL, 3, 4, 0, 0, 7, 0, 'ada', NULL, 'curl');"
        )
    };
    let rows = [
        row("a", "attempt", "101, 1", 0, 12),
        row("b", "attempt", "102, 2", 1, 800),
        row("c", "request", "NULL, NULL", 1, 815),
    ];
    let (_dir, path) = written_by(7, &rows.concat());
    let store = SqliteStore::open(&path).expect("upgraded");
    let bounds = EventBounds {
        events_max: 10,
        looked_at_max: 10,
    };
    let page = store.usage_events(EventFilter::default(), Order::OldestFirst, None, bounds);
    let events = page.await.expect("read").events;
    let seen: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.id.as_str(),
                event.key.as_ref().map(|key| key.number),
                event.user_id.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("a", Some(1), Some("ada")),
            ("b", Some(2), Some("ada")),
            ("c", None, Some("ada"))
        ]
    );
    let day = Level::Day.start_of(Timestamp::from_millis(NOW_MS));
    let query = RollupQuery {
        kind: EventKind::Attempt,
        pieces: vec![Piece {
            level: Level::Day,
            from: day,
            to: day.plus(std::time::Duration::from_millis(DAY_MS)),
        }],
        key_number: None,
        model: None,
        by: Dimensions::default(),
        times: true,
    };
    let found = store.usage_rollups(query).await.expect("read");
    let sums = found[0].sums;
    assert_eq!(
        (sums.count, sums.successes, sums.quota_errors, sums.total_tokens),
        (2, 1, 1, 14)
    );
    assert_eq!((found[0].times.count(), found[0].times.quantile(0.5)), (2, Some(12)));
}

#[tokio::test]
async fn every_earlier_version_is_brought_up_to_date() {
    for version in 1..=9 {
        let (_dir, path) = written_by(version, "INSERT INTO pool_records VALUES ('kept', '1');");
        let store = SqliteStore::open(&path).expect("upgraded");
        assert_eq!(store.schema_version().await.expect("read"), 10, "from {version}");
        assert_eq!(store.pool_records().await.expect("read").len(), 1);
        assert_eq!(store.audit_head().await.expect("read"), None);
    }
}
