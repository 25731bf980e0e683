//! The program itself: settings, ports, and what outlives a kill.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use reqwest::Client;
use serde_json::{Value, json};
use simulator::{Behaviour, Simulator};
use tempfile::TempDir;

use crate::support::{ADMIN, PASSWORD, Setup, key, spawn, spawn_app};

/// With nothing of this machine's environment.
fn keypool(data: &Path) -> Command {
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

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
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

#[tokio::test]
async fn a_port_in_use_is_said_to_be() {
    let app = spawn_app().await;
    let port = app.base.rsplit(':').next().unwrap().to_owned();
    let data = TempDir::new().unwrap();
    let output = keypool(data.path()).env("PORT", &port).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("in use by another program"), "{}", text(&output));
}

struct Running {
    child: Child,
    base: String,
}

fn start(data: &Path, sim: &Simulator) -> Running {
    let mut command = keypool(data);
    command
        .env("GOOGLE_AI_BASE_URL", sim.base_url())
        .env("KEYPOOL_ADMIN_EMAIL", ADMIN)
        .env("KEYPOOL_ADMIN_PASSWORD", PASSWORD)
        .env("KEYPOOL_STRATEGY", "sticky")
        .env("LOG_LEVEL", "trace")
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
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let base = lines
        .find_map(|line| line.unwrap().split("listening on ").nth(1).map(str::to_owned))
        .expect("it says where it listens");
    Running { child, base }
}

/// A client that is signed in by its cookie.
async fn sign_in(running: &Running) -> Client {
    let client = Client::builder().no_proxy().cookie_store(true).build().unwrap();
    let login = client
        .post(format!("{}/api/auth/login", running.base))
        .json(&json!({ "email": ADMIN, "password": PASSWORD }));
    assert_eq!(login.send().await.unwrap().status(), 200);
    client
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

    let mut first = start(data.path(), &sim);
    let answer = analyze(&first).await;
    assert_eq!(answer["data"]["attempts"][1]["keyNumber"], 2, "{answer}");
    assert_eq!(sim.call_count(&key(1)), 1);
    // SIGKILL: nothing is said good-bye to.
    first.child.kill().unwrap();
    first.child.wait().unwrap();

    let mut second = start(data.path(), &sim);
    let answer = analyze(&second).await;
    assert_eq!(answer["data"]["attempts"][0]["keyNumber"], 2, "{answer}");
    assert_eq!(sim.call_count(&key(1)), 1, "known to be spent from before the kill");
    assert_eq!(
        used_today(&second, 2).await,
        2,
        "one call before the kill and one after it"
    );
    second.child.kill().unwrap();
    second.child.wait().unwrap();

    for file in files(data.path()) {
        let bytes = std::fs::read(&file).unwrap();
        for secret in [key(1), key(2), PASSWORD.to_owned()] {
            assert!(
                !bytes.windows(secret.len()).any(|window| window == secret.as_bytes()),
                "a secret is in {}",
                file.display()
            );
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
