//! The program itself: settings, ports, and what outlives a kill.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;

use reqwest::Client;
use serde_json::{Value, json};
use server::store::sqlite::SqliteStore;
use simulator::{Behaviour, Simulator};
use tempfile::TempDir;

use crate::canary::{self, Watched};
use crate::support::{ADMIN, PASSWORD, Setup, key, spawn, spawn_app};
use crate::vault::Place;

/// With nothing of this machine's environment.
pub(crate) fn keypool(data: &Path) -> Command {
    let site = data.join("site");
    std::fs::create_dir_all(&site).unwrap();
    std::fs::write(site.join("manifest.json"), r#"{"pkgDir":"pkg-test"}"#).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_keypool"));
    command
        .env_clear()
        .current_dir(data)
        .env("DATA_DIR", data.join("data"))
        .env("SITE_DIR", site)
        .env("PORT", "0");
    command
}

pub(crate) fn text(output: &Output) -> String {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    canary::check_output("a program's output", &text);
    text
}

#[test]
fn wrong_settings_end_with_78_and_a_list_of_all_of_them() {
    let data = TempDir::new().unwrap();
    let output = keypool(data.path())
        .env("PORT", "canary-1")
        .env("JWT_SECRET", "canary-2")
        .env("KEYPOOL_STRATGY", "canary-3")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    let text = text(&output);
    for name in ["PORT", "JWT_SECRET", "KEYPOOL_STRATGY", "did you mean KEYPOOL_STRATEGY"] {
        assert!(text.contains(name), "{name} is not in:\n{text}");
    }
    assert!(!text.contains("canary"), "a value is in:\n{text}");
    assert!(!data.path().join("data").exists(), "nothing was touched");
}

#[test]
fn config_check_prints_values_with_their_sources_and_secrets_as_set() {
    let data = TempDir::new().unwrap();
    std::fs::write(data.path().join("keypool.toml"), "log_level = \"warn\"\n").unwrap();
    std::fs::write(data.path().join("key"), "AQ.canary-from-a-file-1\n").unwrap();
    let output = keypool(data.path())
        .env("GOOGLE_AI_API_KEY_2_FILE", data.path().join("key"))
        .env("GEMINI_MODEL", "gemini-2.5-pro")
        .args(["config", "check", "--json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(!text(&output).contains("canary"));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let find = |name: &str| {
        printed["settings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(
        (&find("LOG_LEVEL")["value"], &find("LOG_LEVEL")["source"]),
        (&json!("warn"), &json!("keypool.toml"))
    );
    assert_eq!(
        (&find("GEMINI_MODEL")["value"], &find("GEMINI_MODEL")["source"]),
        (&json!("gemini-2.5-pro"), &json!("environment"))
    );
    assert_eq!(
        (
            &find("GOOGLE_AI_API_KEY_2")["value"],
            &find("GOOGLE_AI_API_KEY_2")["source"]
        ),
        (&json!("set"), &json!("secret file"))
    );
    assert_eq!(find("HOST")["source"], "default");
}

#[test]
fn config_check_prints_no_value_that_is_at_fault() {
    let data = TempDir::new().unwrap();
    for json in [false, true] {
        let output = keypool(data.path())
            .env("GOOGLE_AI_BASE_URL", "http://user:canary-1@127.0.0.1:9")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:canary-2@127.0.0.1:9")
            .env("MONGO_URI", "mongodb://user:canary-3@127.0.0.1/admin")
            .args(["config", "check"])
            .args(json.then_some("--json"))
            .output()
            .unwrap();
        let text = text(&output);
        assert_eq!(output.status.code(), Some(78), "{text}");
        assert!(!text.contains("canary"), "a value is in:\n{text}");
        assert!(text.contains("invalid"), "{text}");
    }
}

#[test]
fn the_demo_serves_this_machine_only() {
    let data = TempDir::new().unwrap();
    for host in ["0.0.0.0", "::", "192.0.2.1"] {
        let output = keypool(data.path())
            .args(["serve", "--demo", "--host", host])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(78), "{host}: {}", text(&output));
        assert!(text(&output).contains("HOST"), "{}", text(&output));
        assert!(!data.path().join("data").exists(), "nothing was touched");
    }
}

#[test]
fn an_error_at_the_end_says_its_cause() {
    let data = TempDir::new().unwrap();
    let output = keypool(data.path())
        .args(["user", "create", ADMIN])
        .stdin(std::fs::File::open(data.path()).unwrap())
        .output()
        .unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("could not be read from stdin: "), "{text}");
}

#[test]
fn a_mistyped_data_folder_is_no_server_without_accounts() {
    let data = TempDir::new().unwrap();
    let output = keypool(data.path()).args(["user", "list"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("no data of Keypool"), "{}", text(&output));
    assert!(!data.path().join("data").exists(), "nothing was made");
}

#[tokio::test]
async fn a_port_in_use_is_said_to_be() {
    let app = spawn_app().await;
    let port = app.base.rsplit(':').next().unwrap().to_owned();
    let data = TempDir::new().unwrap();
    let output = keypool(data.path()).env("PORT", &port).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("in use by another program"), "{}", text(&output));
}

pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) base: String,
    stdout: mpsc::Receiver<String>,
    /// What sign-ins gave: tokens and cookies.
    secrets: RefCell<Vec<String>>,
    _watched: Watched,
}

impl Running {
    /// SIGKILL: nothing is said good-bye to. Gives back what it wrote to its standard output.
    pub(crate) fn kill(mut self) -> (String, Vec<String>) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.stdout.iter().collect(), self.secrets.take())
    }
}

pub(crate) fn start(data: &Path, sim: &Simulator) -> Running {
    start_with(data, sim, &[("LOG_LEVEL", "trace")])
}

pub(crate) fn start_with(data: &Path, sim: &Simulator, settings: &[(&str, &str)]) -> Running {
    let mut command = keypool(data);
    command
        .envs(settings.iter().copied())
        .env("GOOGLE_AI_BASE_URL", sim.base_url())
        .env("KEYPOOL_ADMIN_EMAIL", ADMIN)
        .env("KEYPOOL_ADMIN_PASSWORD", PASSWORD)
        .env("KEYPOOL_STRATEGY", "sticky")
        .stdout(Stdio::piped())
        .stderr(
            std::fs::File::options()
                .create(true)
                .append(true)
                .open(data.join("log"))
                .unwrap(),
        );
    for number in 1..=2 {
        command.env(format!("GOOGLE_AI_API_KEY_{number}"), key(number));
    }
    let mut child = command.spawn().unwrap();
    let (line, stdout) = mpsc::channel();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|text| line.send(text)));
    let base = stdout
        .iter()
        .find_map(|line| line.split("listening on ").nth(1).map(str::to_owned))
        .expect("it says where it listens");
    Running {
        child,
        base,
        stdout,
        secrets: RefCell::default(),
        _watched: Watched::with_log(&data.join("data"), &data.join("log")),
    }
}

/// A client that is signed in by its cookie.
pub(crate) async fn sign_in(running: &Running) -> Client {
    let client = Client::builder().no_proxy().cookie_store(true).build().unwrap();
    let login = client
        .post(format!("{}/api/auth/login", running.base))
        .json(&json!({ "email": ADMIN, "password": PASSWORD }));
    let login = login.send().await.unwrap();
    let cookie = login.cookies().next().unwrap().value().to_owned();
    let tokens: Value = login.json().await.unwrap();
    let token = |name: &str| tokens["data"][name].as_str().unwrap().to_owned();
    running
        .secrets
        .borrow_mut()
        .extend([cookie, token("accessToken"), token("refreshToken")]);
    client
}

/// Requests that are refused while secrets are in them; gives back all that was answered.
async fn refused(running: &Running) -> String {
    sign_in(running).await;
    let [cookie, access, refresh] = running.secrets.borrow().last_chunk::<3>().unwrap().clone();
    let client = Client::builder().no_proxy().build().unwrap();
    let post = |path: &str, body: &Value| client.post(format!("{}{path}", running.base)).json(body);
    let get = |path: &str| client.get(format!("{}{path}", running.base));
    let analyze = json!({ "prompt": "Why?", "model": "gemini-9" });
    let renew = json!({ "refreshToken": refresh });
    let renewed: Value = post("/api/auth/refresh", &renew)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    running
        .secrets
        .borrow_mut()
        .extend(["accessToken", "refreshToken"].map(|name| renewed["data"][name].as_str().unwrap().to_owned()));
    let requests = [
        post(
            "/api/auth/login",
            &json!({ "email": ADMIN, "password": format!("{PASSWORD}!") }),
        ),
        post(
            "/api/auth/login",
            &json!({ "email": PASSWORD, "password": PASSWORD, "x": PASSWORD }),
        ),
        post(
            "/api/auth/register",
            &json!({ "email": ADMIN, "password": PASSWORD, "name": "Ada" }),
        ),
        post("/api/auth/refresh", &renew),
        post(
            "/api/auth/refresh",
            &json!({ "refreshToken": renewed["data"]["refreshToken"] }),
        ),
        post("/api/auth/logout", &json!({ "refreshToken": refresh, "unknown": true })),
        post("/api/ai-analysis/analyze", &analyze).bearer_auth(format!("{access}x")),
        post("/api/ai-analysis/analyze", &analyze)
            .header("origin", "https://evil.example")
            .header("cookie", format!("keypool_session={cookie}")),
        post("/api/admin/keys", &json!({ "key": key(1) })).bearer_auth(&access),
        post("/api/admin/keys", &json!({ "key": [key(2)] })).bearer_auth(&access),
        post("/api/admin/keys/switch", &json!({ "keyNumber": 9 })).bearer_auth(&access),
        get(&format!("/api/nothing?token={access}")).bearer_auth(&access),
        get("/api/auth/me").header("authorization", format!("Basic {refresh}")),
    ];
    let mut answers = String::new();
    for request in requests {
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_client_error(), "{answer:?}");
        answers += &format!("{:?}", answer.headers());
        answers += &answer.text().await.unwrap();
    }
    answers
}

async fn analyze(running: &Running) -> Value {
    let request = sign_in(running)
        .await
        .post(format!("{}/api/ai-analysis/analyze", running.base))
        .json(&json!({ "prompt": "Why?" }));
    request.send().await.unwrap().json().await.unwrap()
}

async fn used_today(running: &Running, key_number: usize) -> u64 {
    let request = sign_in(running)
        .await
        .get(format!("{}/api/ai-analysis/service-status", running.base));
    let status: Value = request.send().await.unwrap().json().await.unwrap();
    status["data"]["availableKeys"][key_number - 1]["cells"][0]["usedToday"]
        .as_u64()
        .unwrap()
}

#[tokio::test]
async fn a_spent_key_gets_no_call_after_a_kill_and_no_secret_is_on_disk() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    sim.always(&key(1), "*", Behaviour::fixture("day-quota-paid"));
    let data = TempDir::new().unwrap();

    let first = start(data.path(), &sim);
    let answer = analyze(&first).await;
    assert_eq!(answer["data"]["attempts"][1]["keyNumber"], 2, "{answer}");
    assert_eq!(sim.call_count(&key(1)), 1);
    let answers = refused(&first).await;
    let calls = sim.call_count(&key(1));
    let (mut printed, mut secrets) = first.kill();

    let second = start(data.path(), &sim);
    let answer = analyze(&second).await;
    assert_eq!(answer["data"]["attempts"][0]["keyNumber"], 2, "{answer}");
    assert_eq!(sim.call_count(&key(1)), calls, "known to be spent from before the kill");
    assert_eq!(
        used_today(&second, 2).await,
        2,
        "one call before the kill and one after it"
    );
    let (more, of_second) = second.kill();
    printed += &more;
    secrets.extend(of_second);
    secrets.extend([key(1), key(2), PASSWORD.to_owned()]);

    let log = std::fs::read_to_string(data.path().join("log")).unwrap();
    assert!(
        log.contains("day_quota") && log.contains("TRACE"),
        "the log tells all:\n{log}"
    );
    // Bodies of spent quotas carry a help link too.
    assert!(!log.contains("needs set-up"), "a spent key needs nobody:\n{log}");
    let mut places = vec![
        ("the standard output".to_owned(), printed.into_bytes()),
        ("an answer".to_owned(), answers.into_bytes()),
    ];
    places.extend(
        files(data.path())
            .into_iter()
            .map(|file| (file.display().to_string(), std::fs::read(&file).unwrap())),
    );
    assert!(places.iter().any(|(name, _)| name.ends_with("keypool.db")));
    for secret in &secrets {
        assert!(secret.len() > 15, "{secret}");
        for (name, bytes) in &places {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

#[tokio::test]
async fn an_orderly_restart_keeps_accounts_history_and_day_counts() {
    let app = spawn(Setup {
        keys: 1,
        ..Setup::default()
    })
    .await;
    let token = app.user().await;
    assert_eq!(app.analyze(&token).await.status, 200);
    let before = app.status(&token).await["availableKeys"][0]["cells"][0]["usedToday"].clone();
    let app = app
        .restart(Setup {
            keys: 1,
            ..Setup::default()
        })
        .await;
    assert_eq!(
        app.status(&token).await["availableKeys"][0]["cells"][0]["usedToday"],
        before,
        "counted on from {before}"
    );
    assert_eq!(
        app.get("/api/ai-analysis/analyses", &token).await.body["data"]["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

fn remove_database(data: &Path, also: &[&str]) {
    for name in ["keypool.db", "keypool.db-wal", "keypool.db-shm"].iter().chain(also) {
        let _ = std::fs::remove_file(data.join(name));
    }
}

#[tokio::test]
async fn a_lost_database_is_no_reason_to_set_up_anew() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let mut place = Place::new(&sim);
    drop(place.serve().await);
    let data = place.data();
    let backup = place.folder.path().join("one.backup").display().to_string();
    place.run(&["backup", &backup], 0);
    // Each of what is left says that there was one.
    for also in [&[][..], &["keypool.db.lock"], &["keypool.db.lock", "jwt.secret"]] {
        remove_database(&data, also);
        let refused = place.refused();
        for words in [
            "keypool.db is missing",
            "master.key",
            "keypool backup restore FILE",
            "To begin anew",
        ] {
            assert!(refused.contains(words), "{words:?} is not in {refused}");
        }
        assert!(!refused.contains("set-up"), "{refused}");
        assert!(!data.join("keypool.db").exists(), "no empty one was made");
    }
    for command in [
        &["user", "list"][..],
        &["keys", "list"],
        &["doctor", "--no-performance"],
    ] {
        let said = place.run(command, 1);
        assert!(said.contains("keypool.db is missing"), "{command:?}: {said}");
    }
    std::fs::write(data.join("keypool.db"), "").unwrap();
    assert!(place.refused().contains("missing or empty"));
    remove_database(&data, &[]);
    place.run(&["backup", "restore", &backup], 0);
    drop(place.serve().await);

    // Or without what was stored, once what it names is out of the way.
    remove_database(&data, &[]);
    assert!(
        place
            .refused()
            .contains("master.key, jwt.secret, keypool.db.lock beside it")
    );
    for name in ["master.key", "jwt.secret", "keypool.db.lock"] {
        std::fs::rename(data.join(name), place.folder.path().join(name)).unwrap();
    }
    drop(place.serve().await);
}

#[tokio::test]
async fn a_first_start_that_was_killed_is_begun_again() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    // Before its database was there, and before its secrets were.
    for with_database in [false, true] {
        let mut place = Place::new(&sim);
        let data = place.data();
        if with_database {
            drop(SqliteStore::open(&data.join("keypool.db")).unwrap());
        } else {
            std::fs::create_dir_all(&data).unwrap();
            std::fs::write(data.join("keypool.db.lock"), "").unwrap();
            std::fs::write(data.join("keypool.db"), "").unwrap();
        }
        drop(place.serve().await);
    }
}
