use std::path::Path;

use app::error::{AppError, ErrorCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

use super::rewrap::Resealed;
use super::*;
use crate::keyring::secrets_file::load_secret;
use crate::store::sqlite::SqliteStore;

const CANARY: &[u8] = b"CANARY-0123456789";

fn text(byte: u8) -> SecretString {
    let mut bytes = [byte; 32];
    bytes[0] = !byte;
    STANDARD.encode(bytes).into()
}

fn master(byte: u8) -> MasterKey {
    MasterKey::parse(&text(byte)).expect("a master key")
}

fn store(dir: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(&dir.join("keypool.db")).expect("a store"))
}

/// A vault with a master key of the settings.
async fn unlock(store: &Arc<dyn Store>, current: u8, previous: Option<u8>) -> Result<Vault, VaultError> {
    Vault::unlock(Arc::clone(store), Masters::set(master(current), previous.map(master))).await
}

/// As a start finds it: with the keys of the folder.
async fn start(store: &Arc<dyn Store>, dir: &Path) -> Result<Vault, VaultError> {
    Vault::unlock(Arc::clone(store), Masters::load_or_make(dir, None, None, None)?).await
}

async fn keep(vault: &Vault, store: &Arc<dyn Store>, name: &str) {
    let sealed = vault.seal(&format!("server/{name}"), "secret", CANARY).expect("sealed");
    store.insert_server_secret(name, sealed).await.expect("stored");
}

async fn check_opens(vault: &Vault, store: &Arc<dyn Store>, names: &[&str]) {
    for name in names {
        let sealed = store.server_secret(name).await.expect("read").expect("there");
        let opened = vault.open(&format!("server/{name}"), "secret", &sealed).expect("opens");
        assert_eq!(opened.as_slice(), CANARY, "{name}");
    }
}

fn files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir)
        .expect("listed")
        .map(|entry| entry.expect("an entry"));
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with("keypool.db")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn lookups_stay_the_same_through_a_change_of_the_master_key() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path());
    let before = unlock(&store, 1, None).await.expect("a vault");
    let (fingerprint, digest) = (before.fingerprint("a"), before.digest("api token", b"a"));
    assert_eq!(
        fingerprint,
        hmac(master(1).first_lookup_key(), b"a"),
        "as it was before there was a lookup key"
    );
    let after = unlock(&store, 2, Some(1)).await.expect("a vault");
    assert_eq!(after.rewrap().await.expect("rewrapped").rewrapped, 1, "the lookup key");
    let after = unlock(&store, 2, None).await.expect("without the old key");
    assert_eq!(
        (after.fingerprint("a"), after.digest("api token", b"a")),
        (fingerprint, digest)
    );
}

#[tokio::test]
async fn a_store_without_a_lookup_key_takes_that_of_the_master_key_it_was_used_with() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path());
    let rotating = unlock(&store, 2, Some(1)).await.expect("a vault");
    assert_eq!(rotating.fingerprint("a"), hmac(master(1).first_lookup_key(), b"a"));
}

#[tokio::test]
async fn digests_of_one_purpose_are_worth_nothing_for_another() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path());
    let vault = unlock(&store, 1, None).await.expect("a vault");
    assert_ne!(vault.digest("api token", b"a"), vault.digest("audit", b"a"));
    assert_ne!(vault.digest("api token", b"a"), vault.fingerprint("a"));
    assert_eq!(vault.digest("audit", b"a"), vault.digest("audit", b"a"));
    let other = tempfile::tempdir().expect("a folder");
    let other = unlock(&super::tests::store(other.path()), 2, None)
        .await
        .expect("a vault");
    assert_ne!(vault.digest("audit", b"a"), other.digest("audit", b"a"));
}

#[tokio::test]
async fn an_unknown_master_key_is_named_and_nothing_is_changed() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path());
    let vault = unlock(&store, 1, None).await.expect("a vault");
    keep(&vault, &store, "one").await;
    let before = store.sealed_values().await.expect("read");
    for (current, previous) in [(2, None), (2, Some(3))] {
        let refused = unlock(&store, current, previous)
            .await
            .expect_err("other keys")
            .to_string();
        assert!(
            refused.contains(&format!("under master key {}", master(1).id())),
            "{refused}"
        );
        assert!(refused.contains(&master(current).id().to_string()), "{refused}");
        for words in ["KEYPOOL_MASTER_KEY", "master.key in DATA_DIR", "2 stored secret(s)"] {
            assert!(refused.contains(words), "{words} is not in {refused}");
        }
    }
    assert_eq!(store.sealed_values().await.expect("read"), before);
}

#[tokio::test]
async fn after_a_rotation_the_old_key_opens_nothing_and_the_new_one_everything() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path());
    let vault = unlock(&store, 1, None).await.expect("a vault");
    keep(&vault, &store, "one").await;
    let vault = unlock(&store, 2, Some(1)).await.expect("both keys");
    check_opens(&vault, &store, &["one"]).await;
    keep(&vault, &store, "two").await;
    let standing = vault.standing().await.expect("counted");
    assert_eq!(
        (standing.values, standing.left),
        (3, 2),
        "what is new is under the new key"
    );

    let done = vault.rewrap().await.expect("rewrapped");
    assert_eq!((done.rewrapped, done.standing.left), (2, 0));
    assert_eq!(vault.rewrap().await.expect("nothing is left").rewrapped, 0);
    check_opens(&vault, &store, &["one", "two"]).await;
    for value in store.sealed_values().await.expect("read") {
        let SealedValue { record, field, sealed } = value;
        assert_eq!(
            master(1).open(&record, &field, &sealed),
            Err(CipherError::UnknownMasterKey)
        );
        assert!(master(2).open(&record, &field, &sealed).is_ok());
    }
    assert!(unlock(&store, 1, None).await.is_err());
    check_opens(
        &unlock(&store, 2, None).await.expect("the new one alone"),
        &store,
        &["one", "two"],
    )
    .await;
}

#[tokio::test]
async fn a_rotation_goes_on_where_it_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path());
    let vault = unlock(&store, 1, None).await.expect("a vault");
    for name in ["one", "two", "three"] {
        keep(&vault, &store, name).await;
    }
    let vault = unlock(&store, 2, Some(1)).await.expect("both keys");
    let one = vault.behind().await.expect("read").remove(1);
    assert!(matches!(vault.reseal(&one).await.expect("resealed"), Resealed::Done));
    drop(vault);
    let vault = unlock(&store, 2, Some(1)).await.expect("both keys");
    assert_eq!(vault.standing().await.expect("counted").left, 3);
    assert_eq!(vault.rewrap().await.expect("rewrapped").rewrapped, 3);
    check_opens(
        &unlock(&store, 2, None).await.expect("the new one alone"),
        &store,
        &["one", "two", "three"],
    )
    .await;
}

#[tokio::test]
async fn a_value_that_changed_meanwhile_is_not_overwritten() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path());
    let vault = unlock(&store, 1, None).await.expect("a vault");
    keep(&vault, &store, "one").await;
    let vault = unlock(&store, 2, Some(1)).await.expect("both keys");
    let values = vault.behind().await.expect("read");
    let one = values
        .into_iter()
        .find(|value| value.record == "server/one")
        .expect("there");
    let newer = vault.seal("server/one", "secret", b"newer").expect("sealed");
    let replaced = store
        .replace_sealed("server/one", "secret", one.sealed.clone(), newer.clone())
        .await;
    assert!(replaced.expect("replaced"));
    assert!(matches!(
        vault.reseal(&one).await.expect("looked at"),
        Resealed::Changed
    ));
    assert_eq!(store.server_secret("one").await.expect("read"), Some(newer));
}

#[tokio::test]
async fn a_value_that_does_not_open_is_named_and_keeps_the_previous_key() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path());
    let vault = start(&store, dir.path()).await.expect("a vault");
    keep(&vault, &store, "one").await;
    let mut damaged = vault.seal("server/bad", "secret", CANARY).expect("sealed");
    *damaged.last_mut().expect("a byte") ^= 1;
    store.insert_server_secret("bad", damaged).await.expect("stored");
    let done = vault.rotate().await.expect("rotated");
    assert_eq!(
        (done.unreadable.as_slice(), done.standing.left),
        (&["server/bad".to_owned()][..], 1)
    );
    assert_eq!(files(dir.path()), ["master.key", "master.key.previous"]);
    assert!(matches!(vault.rotate().await, Err(VaultError::Unfinished { left: 1 })));
    check_opens(&start(&store, dir.path()).await.expect("both keys"), &store, &["one"]).await;
}

#[tokio::test]
async fn a_new_key_is_made_and_the_old_one_forgotten() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path());
    let vault = start(&store, dir.path()).await.expect("a vault");
    keep(&vault, &store, "one").await;
    let old = load_secret(dir.path(), "master.key").expect("read").expect("there");
    for _ in 0..2 {
        let before = vault.current().id();
        let done = vault.rotate().await.expect("rotated");
        assert_eq!(
            (done.rewrapped, done.standing.left, done.standing.previous),
            (2, 0, None)
        );
        assert_ne!(done.standing.current, before);
        assert_eq!(files(dir.path()), ["master.key"], "no draft and no old key is left");
        check_opens(&vault, &store, &["one"]).await;
    }
    let new = load_secret(dir.path(), "master.key").expect("read").expect("there");
    assert_ne!(old.expose_secret(), new.expose_secret());
    check_opens(
        &start(&store, dir.path()).await.expect("the new one alone"),
        &store,
        &["one"],
    )
    .await;
    let masters = Masters::set(MasterKey::parse(&old).expect("the old one"), None);
    assert!(Vault::unlock(Arc::clone(&store), masters).await.is_err());
}

#[tokio::test]
async fn an_exchange_that_was_killed_after_any_step_is_finished_later() {
    for steps in 0..=4 {
        let dir = tempfile::tempdir().expect("a folder");
        let store = store(dir.path());
        let vault = start(&store, dir.path()).await.expect("a vault");
        keep(&vault, &store, "one").await;
        keep(&vault, &store, "two").await;
        if steps >= 1 {
            files::keep_previous(dir.path(), &vault.current()).expect("the old key has a second name");
        }
        if steps >= 2 {
            files::put_new(dir.path()).expect("the new key is there");
        }
        // From here on as the next process finds it.
        drop(vault);
        let vault = start(&store, dir.path())
            .await
            .expect("every key that is needed is there");
        check_opens(&vault, &store, &["one", "two"]).await;
        if steps >= 3 {
            let value = vault.behind().await.expect("read").remove(0);
            assert!(matches!(vault.reseal(&value).await.expect("resealed"), Resealed::Done));
        }
        if steps >= 4 {
            for value in vault.behind().await.expect("read") {
                vault.reseal(&value).await.expect("resealed");
            }
            assert_eq!(files(dir.path()), ["master.key", "master.key.previous"]);
        }
        drop(vault);
        let vault = start(&store, dir.path())
            .await
            .expect("every key that is needed is there");
        keep(&vault, &store, "three").await;
        let done = vault.rewrap().await.expect("finished");
        assert_eq!(
            (done.standing.left, done.standing.previous),
            (0, None),
            "after {steps} steps"
        );
        assert_eq!(files(dir.path()), ["master.key"], "after {steps} steps");
        drop(vault);
        let vault = start(&store, dir.path()).await.expect("the new one alone");
        check_opens(&vault, &store, &["one", "two", "three"]).await;
        vault.rotate().await.expect("and again");
        check_opens(&vault, &store, &["one", "two", "three"]).await;
    }
}

#[tokio::test]
async fn a_key_file_that_is_not_the_one_in_use_is_neither_copied_nor_forgotten() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path());
    let vault = start(&store, dir.path()).await.expect("a vault");
    files::keep_previous(dir.path(), &vault.current()).expect("kept");
    let kept = load_secret(dir.path(), "master.key.previous")
        .expect("read")
        .expect("there");
    files::put_new(dir.path()).expect("another hand");
    assert!(matches!(vault.rotate().await, Err(VaultError::FileChanged)));
    let still = load_secret(dir.path(), "master.key.previous")
        .expect("read")
        .expect("still there");
    assert_eq!(still.expose_secret(), kept.expose_secret());
}

#[tokio::test]
async fn the_master_key_stays_while_a_sealed_value_is_not_stored_yet() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path());
    let vault = start(&store, dir.path()).await.expect("a vault");
    let adding = async {
        let _held = vault.hold().await;
        let sealed = vault.seal("server/late", "secret", CANARY).expect("sealed");
        // As long as a whole rotation would take.
        for _ in 0..200 {
            store.ready().await.expect("ready");
        }
        store.insert_server_secret("late", sealed).await.expect("stored");
    };
    let ((), rotated) = tokio::join!(adding, vault.rotate());
    assert_eq!(rotated.expect("rotated").standing.left, 0);
    check_opens(
        &start(&store, dir.path()).await.expect("the new one alone"),
        &store,
        &["late"],
    )
    .await;
}

#[tokio::test]
async fn a_master_key_of_the_settings_is_not_replaced_by_one_that_is_made() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path());
    let vault = unlock(&store, 1, None).await.expect("a vault");
    let refused = AppError::from(vault.rotate().await.expect_err("it is set"));
    assert_eq!(refused.code, ErrorCode::Conflict);
    assert!(
        refused.message.contains("KEYPOOL_MASTER_KEY_PREVIOUS"),
        "{}",
        refused.message
    );
}

#[test]
fn a_lost_master_key_is_not_replaced_by_a_new_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let under = Some("0123456789abcdef".to_owned());
    let refused = Masters::load_or_make(dir.path(), None, None, under)
        .err()
        .expect("no key");
    assert!(refused.to_string().contains("0123456789abcdef"), "{refused}");
    assert!(refused.to_string().contains("master.key"), "{refused}");
    assert_eq!(files(dir.path()), [""; 0], "none was made");
}
