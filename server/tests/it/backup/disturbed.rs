//! Backups and restores beside others, and cut short.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use reqwest::Response;
use server::keyring::MasterKey;
use simulator::Simulator;

use super::{backed_up, check_whole, shown};
use crate::process::text;
use crate::vault::{NEW, OLD, Place, Served, master_key};

async fn ask(served: &Served) -> Response {
    let request = served.client.post(format!("{}/api/admin/backup", served.base));
    request.bearer_auth(&served.token).send().await.unwrap()
}

/// More than what lies between a server and a reader who takes nothing.
fn make_large(data: &Path) {
    let connection = rusqlite::Connection::open(data.join("keypool.db")).unwrap();
    let sql = "CREATE TABLE ballast (bytes BLOB); INSERT INTO ballast VALUES (randomblob(16777216))";
    connection.execute_batch(sql).unwrap();
}

fn has_scratch(data: &Path) -> bool {
    let mut names = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name());
    names.any(|name| name.to_string_lossy().starts_with(".backup-"))
}

#[tokio::test]
async fn one_backup_is_made_at_a_time_and_one_that_nobody_takes_ends() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let mut place = Place::new(&sim);
    drop(place.serve().await);
    make_large(&place.data());
    let served = place.serve().await;
    let first = ask(&served).await;
    assert_eq!(first.status(), 200);
    let second = ask(&served).await;
    assert_eq!(second.status(), 409);
    assert!(second.text().await.unwrap().contains("made already"));
    // The reader leaves.
    drop(first);
    let third = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let again = ask(&served).await;
            if again.status() != 409 {
                break again;
            }
        }
    });
    let third = third.await.expect("the first gives up its place");
    assert_eq!(third.status(), 200);
    drop(third);
    let gone = tokio::time::timeout(Duration::from_secs(60), async {
        while has_scratch(&place.data()) {
            tokio::task::yield_now().await;
        }
    });
    gone.await.expect("no copy is left");
}

/// The key of a header.
fn named(backup: &[u8]) -> String {
    backup[17..25].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn id(master: &str) -> String {
    MasterKey::parse(&master.trim().to_owned().into())
        .unwrap()
        .id()
        .to_string()
}

#[tokio::test]
async fn a_backup_beside_a_change_of_the_master_key_opens_with_the_one_key_it_names() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let mut place = Place::new(&sim);
    let served = place.serve().await;
    served.import(0..60).await;
    let old = master_key(&place);
    let mut backups = vec![ask(&served).await.bytes().await.unwrap()];
    let mut command = place.command();
    command.args(["keys", "rewrap", "--new-key"]);
    let rewrap = tokio::task::spawn_blocking(move || command.output().unwrap());
    while !rewrap.is_finished() {
        let made = ask(&served).await;
        match made.status().as_u16() {
            200 => backups.push(made.bytes().await.unwrap()),
            status => assert_eq!(status, 409, "{}", made.text().await.unwrap()),
        }
    }
    let output = rewrap.await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    backups.push(ask(&served).await.bytes().await.unwrap());
    let masters = BTreeMap::from([old, master_key(&place)].map(|master| (id(&master), master)));
    assert_eq!(masters.len(), 2);
    // The last under the old key and the first under the new one are the ones that were close to the change.
    let change = backups
        .iter()
        .position(|backup| named(backup) != named(&backups[0]))
        .unwrap();
    let file = place.folder.path().join("beside.backup");
    for backup in [&backups[change - 1], &backups[change]] {
        std::fs::write(&file, backup).unwrap();
        let mut other = Place::new(&sim);
        other.set(&masters[&named(backup)], None);
        let said = other.run(&["backup", "verify", &shown(&file)], 0);
        assert!(said.contains("60 keys") && said.contains(&named(backup)), "{said}");
    }
}

#[tokio::test]
async fn no_backup_is_made_while_values_are_left_under_the_previous_master_key() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let mut place = Place::new(&sim);
    place.set(OLD, None);
    let served = place.serve().await;
    served.import(0..2).await;
    drop(served);
    place.set(NEW, Some(OLD));
    let served = place.serve().await;
    let refused = ask(&served).await;
    assert_eq!(refused.status(), 409);
    assert!(refused.text().await.unwrap().contains("keypool keys rewrap"));
    drop(served);
    let file = shown(&place.folder.path().join("one.backup"));
    assert!(place.run(&["backup", &file], 1).contains("keypool keys rewrap"));
    place.run(&["keys", "rewrap"], 0);
    place.run(&["backup", &file], 0);
    place.set(NEW, None);
    assert!(place.run(&["backup", "verify", &file], 0).contains(&id(NEW)));
}

/// What the first step of a restore leaves.
fn move_aside(data: &Path) {
    for part in ["", "-wal", "-shm"] {
        let there = data.join(format!("keypool.db{part}"));
        let _ = std::fs::rename(
            there,
            data.join(format!("keypool.db.before-restore-20260101T000000000Z{part}")),
        );
    }
}

#[tokio::test]
async fn a_restore_that_was_cut_short_stops_the_start_and_can_be_done_again_or_undone() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let (mut place, file) = backed_up(&sim).await;
    move_aside(&place.data());
    let refused = place.refused();
    for words in [
        "keypool.db is missing",
        "keypool backup restore",
        "keypool.db.before-restore-20260101T000000000Z",
    ] {
        assert!(refused.contains(words), "{words:?} is not in {refused}");
    }
    assert!(!place.data().join("keypool.db").exists(), "no empty one was made");
    place.run(&["backup", "restore", &file], 0);
    check_whole(&place.serve().await).await;

    let (mut place, _) = backed_up(&sim).await;
    move_aside(&place.data());
    place.refused();
    for part in ["", "-wal", "-shm"] {
        let aside = place
            .data()
            .join(format!("keypool.db.before-restore-20260101T000000000Z{part}"));
        let _ = std::fs::rename(aside, place.data().join(format!("keypool.db{part}")));
    }
    check_whole(&place.serve().await).await;
}

#[tokio::test]
async fn a_restore_that_is_killed_leaves_the_old_data_or_the_new_or_a_start_that_says_what_to_do() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let (mut place, file) = backed_up(&sim).await;
    let data = place.data();
    let mut command = place.command();
    let mut child = command.args(["backup", "restore", &file, "--force"]).spawn().unwrap();
    let is_moved = || {
        let mut names = std::fs::read_dir(&data)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        names.any(|name| name.to_string_lossy().contains("before-restore"))
    };
    while !is_moved() && child.try_wait().unwrap().is_none() {}
    child.kill().unwrap();
    child.wait().unwrap();
    if !data.join("keypool.db").exists() {
        assert!(place.refused().contains("keypool.db.before-restore-"));
        place.run(&["backup", "restore", &file], 0);
    }
    check_whole(&place.serve().await).await;
    assert!(!has_scratch(&data), "the copy it made is removed at the start");
}

#[tokio::test]
async fn looking_into_a_backup_puts_nothing_where_others_could_read_it() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let (place, file) = backed_up(&sim).await;
    let temporary = place.folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let look = |expected: i32| {
        // Nothing can be made there, so whatever wants to fails.
        let missing = temporary.join("missing");
        let mut command = place.command();
        let output = command
            .env("TMPDIR", missing)
            .args(["backup", "verify", &file])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(expected), "{}", text(&output));
        assert!(!has_scratch(&place.data()) && !has_scratch(place.folder.path()));
    };
    look(0);
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    look(1);
}
