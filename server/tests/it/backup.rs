//! One file that holds everything, opens with the master key alone, and comes back whole or not at all.

mod disturbed;
mod ended;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pool::Timestamp;
use serde_json::{Value, json};
use server::backup::encrypt;
use server::keyring::MasterKey;
use simulator::Simulator;

use crate::support::{ADMIN, PASSWORD, Reply};
use crate::vault::{Place, Served, master_key, provider_key, run_beside};

const PERSON: &str = "ada.canary@example.org";
const PROMPT: &str = "CANARY: why do rivers meander?";

/// Somebody with a history, and two keys.
async fn fill(served: &Served) {
    served.import(0..2).await;
    let form = json!({ "email": PERSON, "password": PASSWORD, "name": "Ada" });
    let made = served.post("/api/auth/register", &form).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let person = served.login(PERSON).await;
    let request = served.client.post(format!("{}/api/ai-analysis/analyze", served.base));
    let request = request.bearer_auth(person).json(&json!({ "prompt": PROMPT }));
    assert_eq!(request.send().await.unwrap().status(), 200);
}

async fn check_whole(served: &Served) {
    let person = served.login(PERSON).await;
    let request = served.client.get(format!("{}/api/ai-analysis/analyses", served.base));
    let history = Reply::of(request.bearer_auth(person).send().await.unwrap()).await;
    assert!(history.body.to_string().contains("CANARY"), "{}", history.body);
    assert_eq!(served.get("/api/admin/keys").await.as_array().unwrap().len(), 2);
    assert_eq!(served.get("/api/admin/users").await.as_array().unwrap().len(), 2);
    assert_eq!(served.analyze("It serves").await.status, 200);
}

/// Every file of a folder with its bytes; the lock's file, which every command makes, aside.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return BTreeMap::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_none_or(|extension| extension != "lock"))
        .map(|path| {
            let bytes = if path.is_dir() {
                Vec::new()
            } else {
                std::fs::read(&path).unwrap()
            };
            (path, bytes)
        })
        .collect()
}

fn give_master_key(from: &Place, to: &Place) {
    std::fs::create_dir_all(to.data()).unwrap();
    std::fs::copy(from.data().join("master.key"), to.data().join("master.key")).unwrap();
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A place with data, stopped, and a backup of it.
async fn backed_up(sim: &Simulator) -> (Place, String) {
    let mut place = Place::new(sim);
    let served = place.serve().await;
    fill(&served).await;
    drop(served);
    let file = shown(&place.folder.path().join("one.backup"));
    place.run(&["backup", "create", &file], 0);
    (place, file)
}

#[tokio::test]
async fn a_backup_of_a_server_that_serves_comes_back_in_another_folder() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let mut place = Place::new(&sim);
    let served = place.serve().await;
    fill(&served).await;
    let file = shown(&place.folder.path().join("live.backup"));
    let (said, asked) = run_beside(&place, &served, &["backup", &file]).await;
    assert!(said.contains("The master key is not in it"), "{said}");
    assert!(asked > 0, "it was written to meanwhile");
    let hidden = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'))
    };
    assert_eq!(files(&place.data()).into_keys().find(hidden), None, "no copy is left");
    drop(served);

    let bytes = std::fs::read(&file).unwrap();
    let master_key = std::fs::read_to_string(place.data().join("master.key")).unwrap();
    for secret in [
        PERSON,
        ADMIN,
        "CANARY",
        "SQLite format 3",
        &provider_key(0),
        "GOOGLE",
        master_key.trim(),
    ] {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in the backup");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let mut other = Place::new(&sim);
    assert!(
        other.run(&["backup", "restore", &file], 1).contains("master.key into"),
        "it takes the master key"
    );
    assert!(!other.data().exists(), "nothing was made");
    give_master_key(&place, &other);
    assert!(other.run(&["backup", "verify", &file], 0).contains("2 keys, 2 users"));
    assert_eq!(files(&other.data()).len(), 1, "looking changes nothing");
    let said = other.run(&["backup", "restore", &file], 0);
    assert!(
        said.contains("2 keys, 2 users") && said.contains("there is no jwt.secret here"),
        "{said}"
    );
    check_whole(&other.serve().await).await;
}

#[tokio::test]
async fn a_backup_never_overwrites_a_file() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let (place, file) = backed_up(&sim).await;
    let before = std::fs::read(&file).unwrap();
    assert!(place.run(&["backup", &file], 1).contains("exists already"));
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert!(
        place
            .run(&["backup", "/nowhere/at/all.backup"], 1)
            .contains("no file can be made")
    );
}

#[tokio::test]
async fn data_that_is_there_is_replaced_only_by_force_and_kept_aside() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let (place, file) = backed_up(&sim).await;
    let mut other = Place::new(&sim);
    other.set(&master_key(&place), None);
    let served = other.serve().await;
    served.import(5..9).await;
    let in_use = other.run(&["backup", "restore", &file, "--force"], 1);
    assert!(in_use.contains("another Keypool is running"), "{in_use}");
    drop(served);
    let before = files(&other.data());
    assert!(other.run(&["backup", "restore", &file], 1).contains("--force"));
    assert_eq!(files(&other.data()), before);

    let said = other.run(&["backup", "restore", &file, "--force", "--json"], 0);
    let said: Value = serde_json::from_str(&said).unwrap();
    let moved_to = PathBuf::from(said["movedTo"].as_str().unwrap());
    assert!(std::fs::metadata(&moved_to).unwrap().len() > 0);
    let served = other.serve().await;
    check_whole(&served).await;
    drop(served);

    // And back: what was moved aside is a database with its log.
    for part in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(other.data().join(format!("keypool.db{part}")));
        let aside = PathBuf::from(format!("{}{part}", shown(&moved_to)));
        let _ = std::fs::rename(aside, other.data().join(format!("keypool.db{part}")));
    }
    let served = other.serve().await;
    assert_eq!(served.get("/api/admin/keys").await.as_array().unwrap().len(), 4);
}

fn sealed_by(master_key: &str, plain: &[u8], to: &Path) {
    let master = MasterKey::parse(&master_key.to_owned().into()).unwrap();
    let file = std::fs::File::create(to).unwrap();
    encrypt(&master, Timestamp::from_millis(0), plain, file).unwrap();
}

/// Copies of a database with something wrong in them, encrypted as a backup is.
fn unfit(place: &Place, folder: &Path) -> Vec<(PathBuf, &'static str)> {
    let master_key = std::fs::read_to_string(place.data().join("master.key")).unwrap();
    let changed = |name: &str, sql: &str| {
        let copy = folder.join(format!("{name}.db"));
        let connection = rusqlite::Connection::open(place.data().join("keypool.db")).unwrap();
        connection.execute("VACUUM INTO ?1", [shown(&copy)]).unwrap();
        let connection = rusqlite::Connection::open(&copy).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let file = folder.join(name);
        sealed_by(&master_key, &std::fs::read(&copy).unwrap(), &file);
        file
    };
    let torn = folder.join("torn");
    let mut bytes = std::fs::read(folder.join("whole.db")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xA5);
    sealed_by(&master_key, &bytes, &torn);
    let no_database = folder.join("none");
    sealed_by(&master_key, b"not a database", &no_database);
    vec![
        (torn, "damaged"),
        (no_database, "damaged"),
        (changed("newer", "PRAGMA user_version = 999"), "start the newer version"),
        (
            changed("foreign", "PRAGMA application_id = 7"),
            "another program's database",
        ),
        (
            changed("bent", "UPDATE keys SET sealed = substr(sealed, 1, length(sealed) - 1)"),
            "key/",
        ),
        (
            changed(
                "moved",
                "UPDATE keys SET sealed = (SELECT sealed FROM server_secrets LIMIT 1)",
            ),
            "key/",
        ),
    ]
}

/// Neither looked into nor put back, with the reason and without a trace.
fn check_refused(place: &Place, file: &Path, words: &str) {
    let before = files(&place.data());
    for command in [
        &["backup", "verify", &shown(file)][..],
        &["backup", "restore", &shown(file), "--force"],
    ] {
        let said = place.run(command, 1);
        assert!(said.contains(words), "{command:?}: {words:?} is not in {said}");
    }
    assert_eq!(files(&place.data()), before, "{}", file.display());
}

#[tokio::test]
async fn a_restore_that_cannot_be_done_changes_nothing() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let (place, file) = backed_up(&sim).await;
    let mut other = Place::new(&sim);
    let served = other.serve().await;
    served.import(5..9).await;
    drop(served);
    // Another master key: it says which one it takes.
    let id: Value = serde_json::from_str(&place.run(&["keys", "rewrap", "--status", "--json"], 0)).unwrap();
    let words = format!("under master key {}", id["masterKey"].as_str().unwrap());
    check_refused(&other, Path::new(&file), &words);

    let same = other.data().join("master.key");
    let own = std::fs::read(&same).unwrap();
    std::fs::copy(place.data().join("master.key"), &same).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let cut = folder.path().join("cut");
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for bad in [&bytes[..bytes.len() - 1], &bytes[..bytes.len() - 70_000], &flipped] {
        std::fs::write(&cut, bad).unwrap();
        check_refused(&other, &cut, "damaged, or it is not complete");
    }
    std::fs::write(&cut, b"SQLite format 3\0").unwrap();
    check_refused(&other, &cut, "no backup of Keypool");
    check_refused(&other, &folder.path().join("not-there"), "not-there");
    let connection = rusqlite::Connection::open(place.data().join("keypool.db")).unwrap();
    connection
        .execute("VACUUM INTO ?1", [shown(&folder.path().join("whole.db"))])
        .unwrap();
    for (file, words) in unfit(&place, folder.path()) {
        check_refused(&other, &file, words);
    }
    std::fs::write(&same, own).unwrap();
    assert_eq!(
        other
            .serve()
            .await
            .get("/api/admin/keys")
            .await
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

#[tokio::test]
async fn what_a_killed_backup_left_behind_is_removed_at_the_next_start() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let mut place = Place::new(&sim);
    drop(place.serve().await);
    let left = place.data().join(".backup-x1y2z3");
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("copy"), "SQLite format 3").unwrap();
    drop(place.serve().await);
    assert!(!left.exists());
}

#[tokio::test]
async fn only_an_admin_gets_a_backup() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let mut place = Place::new(&sim);
    let served = place.serve().await;
    fill(&served).await;
    let address = format!("{}/api/admin/backup", served.base);
    let person = served.login(PERSON).await;
    assert_eq!(served.client.post(&address).send().await.unwrap().status(), 401);
    assert_eq!(
        served
            .client
            .post(&address)
            .bearer_auth(person)
            .send()
            .await
            .unwrap()
            .status(),
        403
    );
    let made = served
        .client
        .post(&address)
        .bearer_auth(&served.token)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (made.status().as_u16(), &made.headers()["content-type"]),
        (200, &"application/octet-stream".parse().unwrap())
    );
    assert!(made.headers()["cache-control"].to_str().unwrap().contains("no-store"));
    let bytes = made.bytes().await.unwrap();
    assert!(bytes.starts_with(b"KEYPOOLB") && bytes.len() > 4096);
}
