use std::path::Path;

use app::error::ErrorCode;
use app::types::KeyOrigin;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::store::sqlite::SqliteStore;
use crate::vault::{Masters, VaultError};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const CANARY: &str = "AIzaSyCANARY-0123456789-0123456789-cafe";

fn master(byte: u8) -> MasterKey {
    let mut bytes = [byte; 32];
    bytes[0] = !byte;
    MasterKey::parse(&STANDARD.encode(bytes).into()).expect("a master key")
}

fn variable(number: u32, secret: &str) -> KeyFromEnvironment {
    KeyFromEnvironment {
        number,
        variable: format!("GOOGLE_AI_API_KEY_{number}"),
        secret: secret.into(),
    }
}

fn pasted(key: &str) -> NewKey {
    NewKey {
        key: key.to_owned(),
        ..NewKey::default()
    }
}

async fn vault(store: &Arc<SqliteStore>, current: MasterKey) -> Result<Vault, VaultError> {
    Vault::unlock(Arc::clone(store) as Arc<dyn Store>, Masters::set(current, None)).await
}

async fn open(dir: &Path, environment: Vec<KeyFromEnvironment>) -> (Arc<SqliteStore>, Keyring, Vec<StoredKey>) {
    let store = Arc::new(SqliteStore::open(&dir.join("keypool.db")).expect("a store"));
    let vault = vault(&store, master(1)).await.expect("a vault");
    let (keyring, keys) = Keyring::open(Arc::clone(&store) as Arc<dyn Store>, vault, environment, NOW)
        .await
        .expect("a keyring");
    (store, keyring, keys)
}

fn numbers(keys: &[StoredKey]) -> Vec<(u32, &str)> {
    keys.iter().map(|key| (key.number, key.label.as_str())).collect()
}

#[tokio::test]
async fn an_added_key_is_there_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, keyring, _) = open(dir.path(), vec![]).await;
    let added = keyring
        .add(
            NewKey {
                key: format!(" \"{CANARY}\" "),
                label: Some(" First ".to_owned()),
                ..NewKey::default()
            },
            NOW,
        )
        .await
        .expect("added");
    assert_eq!((added.number, added.label.as_str()), (1, "First"));
    store.close().await.expect("closed");
    let (_store, keyring, keys) = open(dir.path(), vec![]).await;
    assert_eq!(keys, std::slice::from_ref(&added));
    let facts = keyring.facts(KeyId(added.id)).expect("known");
    assert_eq!((facts.mask.as_str(), facts.origin), ("••••cafe", KeyOrigin::Console));
    assert_eq!(keyring.secret(KeyId(added.id)).expect("known").expose_secret(), CANARY);
}

#[tokio::test]
async fn no_file_of_the_store_holds_a_secret() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, keyring, _) = open(
        dir.path(),
        vec![variable(3, "AIzaSyCANARY-environment-0123456789-beef")],
    )
    .await;
    keyring.add(pasted(CANARY), NOW).await.expect("added");
    let mut files = 0;
    let mut check = || {
        for entry in std::fs::read_dir(dir.path()).expect("listed") {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("read");
            assert!(
                !bytes.windows(6).any(|window| window == b"CANARY"),
                "{}",
                path.display()
            );
            files += 1;
        }
    };
    check();
    store.close().await.expect("closed");
    check();
    assert!(files >= 4, "the database, its log and its lock were looked at");
}

#[tokio::test]
async fn a_key_is_taken_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let (_store, keyring, _) = open(dir.path(), vec![variable(7, "AIzaSyENVIRONMENT-0123456789")]).await;
    keyring.add(pasted(CANARY), NOW).await.expect("added");
    for (key, number) in [(CANARY, 8), ("'AIzaSyENVIRONMENT-0123456789'", 7)] {
        let refused = keyring.add(pasted(key), NOW).await.expect_err("a duplicate");
        assert_eq!(
            (refused.code, refused.field.as_deref()),
            (ErrorCode::Conflict, Some("key"))
        );
        assert!(
            refused.message.contains(&format!("key {number}")),
            "{}",
            refused.message
        );
    }
    let refused = keyring
        .add(pasted("your-production-key-1"), NOW)
        .await
        .expect_err("a placeholder");
    assert_eq!(
        (refused.code, refused.field.as_deref()),
        (ErrorCode::BadRequest, Some("key"))
    );
    let long = NewKey {
        key: "another-key-0123456789".to_owned(),
        label: Some("x".repeat(61)),
        ..NewKey::default()
    };
    assert_eq!(
        keyring.add(long, NOW).await.expect_err("a long label").field.as_deref(),
        Some("label")
    );
}

#[tokio::test]
async fn keys_of_the_environment_keep_their_numbers_at_every_start() {
    let dir = tempfile::tempdir().expect("a folder");
    let environment = || {
        vec![
            variable(2, "AIzaSyTWO-0123456789"),
            variable(5, "AIzaSyFIVE-0123456789"),
        ]
    };
    let (store, keyring, keys) = open(dir.path(), environment()).await;
    assert_eq!(numbers(&keys), [(2, "GOOGLE_AI_API_KEY_2"), (5, "GOOGLE_AI_API_KEY_5")]);
    assert_eq!(keyring.add(pasted(CANARY), NOW).await.expect("added").number, 6);
    store.close().await.expect("closed");

    let (store, _keyring, again) = open(dir.path(), environment()).await;
    assert_eq!(
        numbers(&again),
        [(2, "GOOGLE_AI_API_KEY_2"), (5, "GOOGLE_AI_API_KEY_5"), (6, "Key 6")]
    );
    assert_eq!((again[0].id, again[1].id), (keys[0].id, keys[1].id));
    store.close().await.expect("closed");

    // The same key under another variable, another key under the first one, and a gap filled.
    let moved = vec![
        variable(2, "AIzaSyNEW-0123456789"),
        variable(3, "AIzaSyTWO-0123456789"),
        variable(4, "AIzaSyFOUR-0123456789"),
    ];
    let (_store, _keyring, moved) = open(dir.path(), moved).await;
    assert_eq!(
        numbers(&moved),
        [
            (2, "GOOGLE_AI_API_KEY_3"),
            (4, "GOOGLE_AI_API_KEY_4"),
            (6, "Key 6"),
            (7, "GOOGLE_AI_API_KEY_2")
        ]
    );
    assert_eq!(moved[0].id, keys[0].id);
}

#[tokio::test]
async fn a_key_that_left_the_environment_can_be_added_and_keeps_its_number() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, _keyring, before) = open(dir.path(), vec![variable(4, CANARY)]).await;
    store.close().await.expect("closed");
    let (store, keyring, keys) = open(dir.path(), vec![]).await;
    assert!(keys.is_empty() && keyring.is_empty());
    let added = keyring.add(pasted(CANARY), NOW).await.expect("added");
    assert_eq!(
        (added.id, added.number, added.origin),
        (before[0].id, 4, KeyOrigin::Console)
    );
    store.close().await.expect("closed");
    let (_store, keyring, _) = open(dir.path(), vec![]).await;
    assert_eq!(keyring.secret(KeyId(added.id)).expect("kept").expose_secret(), CANARY);
}

#[tokio::test]
async fn a_removed_key_leaves_no_secret_behind() {
    let dir = tempfile::tempdir().expect("a folder");
    let (_store, keyring, _) = open(dir.path(), vec![]).await;
    let added = keyring.add(pasted(CANARY), NOW).await.expect("added");
    let id = KeyId(added.id);
    let key = ProviderKey::parse(CANARY).expect("a key");
    assert_eq!(keyring.find(&key).map(|facts| facts.id), Some(id));
    keyring.remove(id).await.expect("removed");
    assert!(keyring.secret(id).is_none() && keyring.find(&key).is_none() && keyring.is_empty());
    assert_eq!(keyring.remove(id).await.expect_err("gone").code, ErrorCode::NotFound);
    let change = keyring.change(id, KeyChange::default()).await;
    assert_eq!(change.expect_err("gone").code, ErrorCode::NotFound);
}

#[tokio::test]
async fn a_change_is_in_the_facts_and_in_the_store() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, keyring, _) = open(dir.path(), vec![]).await;
    let added = keyring.add(pasted(CANARY), NOW).await.expect("added");
    let id = KeyId(added.id);
    let change = KeyChange {
        project: Some(Some("team".to_owned())),
        ..KeyChange::default()
    };
    let stored = keyring.change(id, change).await.expect("changed");
    assert!(keyring.is_of_project(id, "team") && !keyring.is_of_project(id, "other"));
    assert_eq!(keyring.facts(id).expect("known").mask, "••••cafe", "the secret stays");
    assert_eq!(store.keys().await.expect("read"), [stored]);
}

#[tokio::test]
async fn another_master_key_stops_the_start_and_says_how_to_go_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, keyring, _) = open(dir.path(), vec![]).await;
    keyring.add(pasted(CANARY), NOW).await.expect("added");
    let refused = vault(&store, master(2)).await.expect_err("another master key");
    assert!(refused.to_string().contains("KEYPOOL_MASTER_KEY"), "{refused}");
    assert!(!refused.to_string().contains("CANARY"));
}

#[tokio::test]
async fn the_keyring_does_not_print_its_keys() {
    let dir = tempfile::tempdir().expect("a folder");
    let (_store, keyring, _) = open(dir.path(), vec![variable(1, CANARY)]).await;
    assert!(!format!("{keyring:?}").contains("CANARY"));
}
