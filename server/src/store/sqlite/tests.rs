//! The file: what it keeps, and what it refuses to be opened over. What every store must do is in
//! `tests/it/store_contract.rs`.

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::store::StoreError;

fn folder() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("data").join("keypool.db");
    (dir, path)
}

fn record(name: &str) -> Vec<(String, Value)> {
    vec![(name.to_owned(), json!({"at": name}))]
}

/// A store that was written to and closed.
async fn used() -> (TempDir, PathBuf) {
    let (dir, path) = folder();
    let store = SqliteStore::open(&path).expect("a new store");
    store.save_pool_records(record("kept")).await.expect("saved");
    store.close().await.expect("closed");
    (dir, path)
}

fn refusal(path: &Path) -> StoreError {
    SqliteStore::open(path).err().expect("refused")
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_drop() {
    let (_dir, path) = folder();
    for round in 0..3 {
        let store = SqliteStore::open(&path).expect("opened");
        assert_eq!(store.pool_records().await.expect("read").len(), round);
        store
            .save_pool_records(record(&round.to_string()))
            .await
            .expect("saved");
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let (dir, path) = folder();
    let store = SqliteStore::open(&path).expect("opened");
    for round in 0..50 {
        store
            .save_pool_records(record(&round.to_string()))
            .await
            .expect("saved");
        // The files as they are while the store runs: what a killed process leaves behind.
        let copy = dir.path().join(round.to_string());
        fs::create_dir(&copy).expect("a folder");
        for name in ["keypool.db", "keypool.db-wal"] {
            fs::copy(path.with_file_name(name), copy.join(name)).expect("copied");
        }
        let revived = SqliteStore::open(&copy.join("keypool.db")).expect("opened");
        assert_eq!(revived.pool_records().await.expect("read").len(), round + 1);
    }
}

#[tokio::test]
async fn a_second_instance_is_refused_until_the_first_one_ends() {
    let (_dir, path) = folder();
    let first = SqliteStore::open(&path).expect("opened");
    let refused = refusal(&path);
    assert!(matches!(refused, StoreError::InUse(_)));
    assert!(refused.to_string().contains("DATA_DIR"), "{refused}");
    first.close().await.expect("closed");
    SqliteStore::open(&path).expect("free again");
}

type Damage = fn(&mut Vec<u8>);

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let garbage: [(&str, Damage); 4] = [
        ("no database", |bytes| {
            *bytes = b"this is no database, whatever its name says".repeat(200)
        }),
        ("a header overwritten", |bytes| bytes[..16].fill(0)),
        ("cut off", |bytes| bytes.truncate(bytes.len() / 2)),
        ("a page overwritten", |bytes| bytes[4096..8192].fill(0xAA)),
    ];
    for (what, damage) in garbage {
        let (_dir, path) = used().await;
        let mut bytes = fs::read(&path).expect("read");
        damage(&mut bytes);
        fs::write(&path, &bytes).expect("written");
        assert!(
            matches!(refusal(&path), StoreError::Corrupt(_)),
            "{what}: {}",
            refusal(&path)
        );
        assert_eq!(fs::read(&path).expect("read"), bytes, "{what}");
    }
}

#[tokio::test]
async fn a_lost_database_is_not_replaced_by_an_empty_one() {
    let (_dir, path) = used().await;
    fs::write(&path, b"").expect("emptied");
    assert!(matches!(refusal(&path), StoreError::Corrupt(_)));
    fs::remove_file(&path).expect("removed");
    let refused = refusal(&path);
    assert!(
        refused.to_string().contains("restore a backup") && refused.to_string().contains("keypool.db.lock"),
        "{refused}"
    );
    assert!(!path.exists());
    fs::remove_file(path.with_file_name("keypool.db.lock")).expect("removed");
    SqliteStore::open(&path).expect("a person said so");
}

#[tokio::test]
async fn a_start_that_was_killed_before_the_schema_was_made_can_be_repeated() {
    let (_dir, path) = folder();
    fs::create_dir(path.parent().expect("a folder")).expect("made");
    fs::write(&path, b"").expect("written");
    fs::write(path.with_file_name("keypool.db.lock"), b"").expect("written");
    SqliteStore::open(&path).expect("begun anew");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (_dir, path) = used().await;
    Connection::open(&path)
        .expect("opened")
        .pragma_update(None, "user_version", 99)
        .expect("changed");
    let refused = refusal(&path);
    assert!(
        matches!(refused, StoreError::SchemaTooNew { found: 99, known } if known < 99),
        "{refused}"
    );
    assert!(refused.to_string().contains("newer version"), "{refused}");
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let (_dir, path) = folder();
    fs::create_dir(path.parent().expect("a folder")).expect("made");
    Connection::open(&path)
        .expect("opened")
        .execute_batch("CREATE TABLE theirs (x)")
        .expect("made");
    assert!(matches!(refusal(&path), StoreError::Corrupt(_)));
    let tables: i64 = Connection::open(&path)
        .expect("opened")
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .expect("read");
    assert_eq!(tables, 1, "nothing was added to it");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_reported_without_its_content() {
    let (_dir, path) = used().await;
    let sql = "UPDATE pool_records SET value = '{\"CANARY'";
    Connection::open(&path)
        .expect("opened")
        .execute(sql, [])
        .expect("changed");
    let store = SqliteStore::open(&path).expect("opened");
    let error = store.pool_records().await.expect_err("no JSON");
    assert!(matches!(error, StoreError::Corrupt(_)));
    assert!(!error.to_string().contains("CANARY"), "{error}");
}

#[tokio::test]
async fn a_full_disk_refuses_the_write_and_loses_nothing_before_or_after() {
    let (_dir, path) = folder();
    let store = SqliteStore::open(&path).expect("opened");
    store.save_pool_records(record("before")).await.expect("saved");
    let fill = |connection: &Connection| {
        Ok(connection.query_row("PRAGMA max_page_count = 1", [], |row| row.get::<_, i64>(0))?)
    };
    store.writer.run(fill).await.expect("no page more");
    let large = vec![("large".to_owned(), json!("x".repeat(100_000)))];
    assert!(matches!(
        store.save_pool_records(large.clone()).await,
        Err(StoreError::Unavailable(_))
    ));
    store.ready().await.expect("still there");
    store
        .writer
        .run(|connection| Ok(connection.query_row("PRAGMA max_page_count = 100000", [], |_| Ok(()))?))
        .await
        .expect("room");
    store.save_pool_records(large).await.expect("saved");
    let names: Vec<String> = store
        .pool_records()
        .await
        .expect("read")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["before", "large"]);
}

#[tokio::test]
async fn commits_wait_for_the_disk() {
    let (_dir, path) = folder();
    let store = SqliteStore::open(&path).expect("opened");
    let setting = |name: &'static str| {
        store
            .writer
            .run(move |connection| Ok(connection.query_row(name, [], |row| row.get(0))?))
    };
    let synchronous: i64 = setting("PRAGMA synchronous").await.expect("read");
    assert_eq!(synchronous, 2, "FULL");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, path) = folder();
    let store = SqliteStore::open(&path).expect("opened");
    store.save_pool_records(record("kept")).await.expect("saved");
    let dir = path.parent().expect("a folder");
    assert_eq!(fs::metadata(dir).expect("metadata").permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(dir).expect("listed") {
        let entry = entry.expect("an entry");
        assert_eq!(
            entry.metadata().expect("metadata").permissions().mode() & 0o077,
            0,
            "{:?}",
            entry.file_name()
        );
    }
}

mod audit;
mod backup;
mod upgrade;
