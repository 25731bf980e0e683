//! Copies of a store in use.

use super::*;

#[tokio::test]
async fn a_copy_is_whole_while_others_write() {
    let (dir, path) = folder();
    let store = SqliteStore::open(&path).expect("opened");
    store.save_pool_records(record("before")).await.expect("saved");
    // Two records of one transaction: a copy has both or none.
    let writing = async {
        for round in 0..200 {
            let pair = ["left", "right"].map(|side| (format!("{side}/{round}"), json!(round)));
            store.save_pool_records(pair.to_vec()).await.expect("saved");
        }
    };
    let copying = async {
        for number in 0..5 {
            store
                .backup(&dir.path().join(format!("copy-{number}")))
                .await
                .expect("copied");
        }
    };
    tokio::join!(writing, copying);
    for number in 0..5 {
        let copy = SqliteStore::open(&dir.path().join(format!("copy-{number}"))).expect("a store");
        let names: Vec<String> = copy
            .pool_records()
            .await
            .expect("read")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert!(names.contains(&"before".to_owned()));
        let of = |side: &str| names.iter().filter(|name| name.starts_with(side)).count();
        assert_eq!(of("left/"), of("right/"));
    }
    assert_eq!(store.pool_records().await.expect("read").len(), 401, "writers went on");
}

#[tokio::test]
async fn a_copy_holds_nothing_that_was_deleted() {
    let (dir, path) = folder();
    let store = SqliteStore::open(&path).expect("opened");
    store.save_pool_records(record("CANARY-kept")).await.expect("saved");
    store.save_pool_records(record("CANARY-deleted")).await.expect("saved");
    store
        .delete_pool_records(vec!["CANARY-deleted".to_owned()])
        .await
        .expect("deleted");
    let copy = dir.path().join("copy");
    store.backup(&copy).await.expect("copied");
    let bytes = fs::read(&copy).expect("read");
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("CANARY-kept") && !holds("CANARY-deleted"));
}

#[tokio::test]
async fn a_copy_takes_nobodys_place() {
    let (dir, path) = folder();
    let store = SqliteStore::open(&path).expect("opened");
    let taken = dir.path().join("taken");
    fs::write(&taken, "somebody's").expect("written");
    let refused = store.backup(&taken).await.expect_err("refused");
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    assert_eq!(fs::read_to_string(&taken).expect("read"), "somebody's");
    let nowhere = dir.path().join("no-folder").join("copy");
    assert!(store.backup(&nowhere).await.is_err());
    assert!(!nowhere.exists());
    store.ready().await.expect("still there");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_a_copy() {
    use std::os::unix::fs::PermissionsExt as _;
    let (dir, path) = folder();
    let store = SqliteStore::open(&path).expect("opened");
    let copy = dir.path().join("copy 'quoted'");
    store.backup(&copy).await.expect("copied");
    assert_eq!(
        fs::metadata(&copy).expect("metadata").permissions().mode() & 0o777,
        0o600
    );
    let others: Vec<_> = fs::read_dir(dir.path())
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(others.len(), 2, "no file beside it: {others:?}");
}
