//! Keys at rest: the master key changes while the server serves, after a kill too, and a wrong one changes nothing.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use app::types::Role;
use reqwest::Client;
use serde_json::{Value, json};
use simulator::Simulator;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use totp_rs::{Builder, Secret};

use crate::process::{keypool, text};
use crate::support::{ADMIN, App, PASSWORD, Reply, Setup, spawn_app};

pub(crate) const OLD: &str = "b2xkLW1hc3Rlci1rZXktb2YtMzItYnl0ZXMtMDEyMzQ=";
pub(crate) const NEW: &str = "bmV3LW1hc3Rlci1rZXktb2YtMzItYnl0ZXMtNTY3ODk=";

/// A folder of data with the settings that the program is run with on it.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    provider: String,
    pub(crate) settings: Vec<(&'static str, String)>,
    port: String,
}

impl Place {
    pub(crate) fn new(sim: &Simulator) -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            provider: sim.base_url(),
            settings: Vec::new(),
            port: "0".to_owned(),
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn set(&mut self, current: &str, previous: Option<&str>) {
        self.settings = vec![("KEYPOOL_MASTER_KEY", current.to_owned())];
        let previous = previous.map(|key| ("KEYPOOL_MASTER_KEY_PREVIOUS", key.to_owned()));
        self.settings.extend(previous);
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = keypool(self.folder.path());
        command
            .env("GOOGLE_AI_BASE_URL", &self.provider)
            .env("KEYPOOL_ADMIN_EMAIL", ADMIN)
            .env("KEYPOOL_ADMIN_PASSWORD", PASSWORD)
            .env("RATE_LIMIT_REQUESTS", "0")
            .env("UPSTREAM_RPS", "0")
            .env("PORT", &self.port)
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn output(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read closes its end: no matter.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// What the command says, which must end with this code.
    pub(crate) fn run(&self, arguments: &[&str], code: i32) -> String {
        self.run_with(arguments, "", code)
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &str, code: i32) -> String {
        let output = self.output(arguments, input);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    }

    pub(crate) async fn serve(&mut self) -> Served {
        let mut child = self
            .command()
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .stderr(
                std::fs::File::options()
                    .create(true)
                    .append(true)
                    .open(self.folder.path().join("log"))
                    .unwrap(),
            )
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let base = lines.find_map(|line| line.split("listening on ").nth(1).map(str::to_owned));
        let base = base.unwrap_or_else(|| panic!("it does not start: {}", self.log()));
        std::thread::spawn(move || lines.for_each(drop));
        self.port = base.rsplit(':').next().unwrap().to_owned();
        let client = Client::builder().no_proxy().build().unwrap();
        let mut served = Served {
            child,
            base,
            client,
            token: String::new(),
        };
        served.token = served.login(ADMIN).await;
        served
    }

    /// A server that does not start: what it says.
    pub(crate) fn refused(&self) -> String {
        let mut place = self.command();
        let output = place.env("PORT", "0").output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        text(&output)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// A running server with its admin signed in. Killed when it is dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) base: String,
    pub(crate) client: Client,
    pub(crate) token: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    pub(crate) async fn login(&self, email: &str) -> String {
        let form = json!({ "email": email, "password": PASSWORD });
        let login = self.client.post(format!("{}/api/auth/login", self.base)).json(&form);
        Reply::of(login.send().await.unwrap()).await.text("/data/accessToken")
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        post(&self.client, &self.base, &self.token, path, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let request = self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.token);
        let reply = Reply::of(request.send().await.unwrap()).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.body["data"].clone()
    }

    pub(crate) async fn import(&self, range: std::ops::Range<u32>) {
        let text: String = range
            .clone()
            .map(|number| format!("{}\n", provider_key(number)))
            .collect();
        let reply = self
            .post("/api/admin/keys/import", &json!({ "text": text, "test": false }))
            .await;
        assert_eq!(reply.body["data"]["added"], range.len(), "{}", reply.body);
    }

    pub(crate) async fn analyze(&self, prompt: &str) -> Reply {
        self.post("/api/ai-analysis/analyze", &json!({ "prompt": prompt }))
            .await
    }

    async fn keys(&self) -> usize {
        self.get("/api/admin/keys").await.as_array().unwrap().len()
    }
}

async fn post(client: &Client, base: &str, token: &str, path: &str, body: &Value) -> Reply {
    let request = client.post(format!("{base}{path}")).bearer_auth(token).json(body);
    Reply::of(request.send().await.unwrap()).await
}

pub(crate) fn provider_key(number: u32) -> String {
    format!("AQ.canary-sealed-key-{number:04}")
}

/// Analyses one after the other until it is stopped; gives back how many there were. None may fail.
pub(crate) async fn keep_asking(served: &Served, stop: CancellationToken) -> usize {
    let mut asked = 0;
    while !stop.is_cancelled() {
        let reply = served.analyze(&format!("Question {asked}")).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        asked += 1;
    }
    asked
}

/// Runs a command of the program while the server answers.
pub(crate) async fn run_beside(place: &Place, served: &Served, arguments: &[&str]) -> (String, usize) {
    let stop = CancellationToken::new();
    let mut command = place.command();
    command.args(arguments).stdin(Stdio::null());
    let stopping = stop.clone();
    let running = tokio::task::spawn_blocking(move || {
        let output = command.output().unwrap();
        stopping.cancel();
        output
    });
    let (asked, output) = tokio::join!(keep_asking(served, stop), running);
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output));
    (text(&output), asked)
}

#[tokio::test]
async fn the_master_key_is_changed_by_settings_while_the_server_serves() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let mut place = Place::new(&sim);
    place.set(OLD, None);
    let served = place.serve().await;
    served.import(0..40).await;
    drop(served);

    place.set(NEW, Some(OLD));
    let served = place.serve().await;
    assert!(
        place.log().contains("still under the previous master key"),
        "{}",
        place.log()
    );
    assert_eq!(served.analyze("Before").await.status, 200);
    let added = served
        .post("/api/admin/keys", &json!({ "key": provider_key(40), "test": false }))
        .await;
    assert_eq!(added.status, 201, "{}", added.body);
    let standing = served.get("/api/admin/keys/rewrap").await;
    assert_eq!(
        (&standing["values"], &standing["left"]),
        (&json!(42), &json!(41)),
        "the new key is under the new one"
    );
    let doctor = served.get("/api/admin/doctor").await.to_string();
    assert!(doctor.contains("41 of 42 stored secrets"), "{doctor}");

    let (said, asked) = run_beside(&place, &served, &["keys", "rewrap"]).await;
    assert!(said.contains("41 secrets were sealed anew; 42 of 42"), "{said}");
    assert!(said.contains("remove KEYPOOL_MASTER_KEY_PREVIOUS"), "{said}");
    assert!(asked > 0, "the server was asked meanwhile");
    assert_eq!(served.get("/api/admin/keys/rewrap").await["left"], 0);
    drop(served);

    place.set(OLD, None);
    assert!(
        place.refused().contains("KEYPOOL_MASTER_KEY_PREVIOUS"),
        "the old key opens nothing"
    );
    place.set(NEW, None);
    let served = place.serve().await;
    assert_eq!(served.keys().await, 41);
    for number in 0..20 {
        assert_eq!(served.analyze(&format!("After {number}")).await.status, 200);
    }
}

#[tokio::test]
async fn a_change_of_200_keys_that_is_killed_goes_on_where_it_was() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let mut place = Place::new(&sim);
    place.set(OLD, None);
    let served = place.serve().await;
    served.import(0..200).await;
    drop(served);

    place.set(NEW, Some(OLD));
    let served = place.serve().await;
    let (client, base, token) = (served.client.clone(), served.base.clone(), served.token.clone());
    #[expect(clippy::disallowed_methods, reason = "its answer never comes: the server is killed")]
    let rewrap = tokio::spawn(async move {
        let request = client.post(format!("{base}/api/admin/keys/rewrap")).bearer_auth(token);
        let _ = request.send().await;
    });
    let left = async || served.get("/api/admin/keys/rewrap").await["left"].as_u64().unwrap();
    while left().await == 201 {}
    drop(served);
    rewrap.await.unwrap();

    // The next start finds both, and serves with both.
    let standing: Value = serde_json::from_str(&place.run(&["keys", "rewrap", "--status", "--json"], 0)).unwrap();
    let left = standing["left"].as_u64().unwrap();
    assert!(left > 0 && left < 201, "it was killed in the middle: {standing}");
    let served = place.serve().await;
    assert_eq!(served.keys().await, 200);
    assert_eq!(served.analyze("Between").await.status, 200);
    drop(served);

    let said = place.run(&["keys", "rewrap"], 0);
    assert!(
        said.contains(&format!("{left} secrets were sealed anew; 201 of 201")),
        "{said}"
    );
    place.set(OLD, None);
    place.refused();
    place.set(NEW, None);
    let served = place.serve().await;
    assert_eq!(served.keys().await, 200);
    assert_eq!(served.analyze("After").await.status, 200);
}

pub(crate) fn master_key(place: &Place) -> String {
    std::fs::read_to_string(place.data().join("master.key")).unwrap()
}

fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn a_master_key_that_was_made_is_replaced_while_the_server_serves() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let mut place = Place::new(&sim);
    let served = place.serve().await;
    served.import(0..20).await;
    let old = master_key(&place);
    let (said, _) = run_beside(&place, &served, &["keys", "rewrap", "--new-key"]).await;
    assert!(said.contains("21 secrets were sealed anew; 21 of 21"), "{said}");
    let new = master_key(&place);
    assert_ne!(old, new);
    assert!(
        !place.data().join("master.key.previous").exists(),
        "the old one is forgotten"
    );
    served.import(20..21).await;
    drop(served);

    write_private(&place.data().join("master.key"), &old);
    place.refused();
    write_private(&place.data().join("master.key"), &new);
    let served = place.serve().await;
    assert_eq!(served.keys().await, 21);
    assert_eq!(served.analyze("After").await.status, 200);
}

#[tokio::test]
async fn a_wrong_master_key_stops_the_start_says_what_to_do_and_loses_nothing() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let mut place = Place::new(&sim);
    let served = place.serve().await;
    served.import(0..3).await;
    drop(served);
    let right = master_key(&place);
    let id: Value = serde_json::from_str(&place.run(&["keys", "rewrap", "--status", "--json"], 0)).unwrap();
    let id = id["masterKey"].as_str().unwrap().to_owned();

    place.set(NEW, None);
    let refused = place.refused();
    for words in [
        &format!("under master key {id}"),
        "KEYPOOL_MASTER_KEY",
        "master.key in DATA_DIR",
        "keypool keys rewrap",
    ] {
        assert!(refused.contains(words), "{words} is not in {refused}");
    }
    assert!(!refused.contains(NEW) && !refused.contains(right.trim()), "{refused}");
    for command in [
        &["keys", "list"][..],
        &["user", "list"],
        &["backup", "create", "wrong.backup"],
    ] {
        assert!(place.run(command, 1).contains(&id), "{command:?}");
    }

    place.settings.clear();
    std::fs::rename(place.data().join("master.key"), place.folder.path().join("lost")).unwrap();
    let refused = place.refused();
    assert!(
        refused.contains("master.key is missing") && refused.contains(&id),
        "{refused}"
    );
    assert!(!place.data().join("master.key").exists(), "no new one was made");

    std::fs::rename(place.folder.path().join("lost"), place.data().join("master.key")).unwrap();
    let served = place.serve().await;
    assert_eq!(served.keys().await, 3);
    assert_eq!(served.analyze("After").await.status, 200);
}

/// What the phone shows now.
fn code(app: &App, secret: &str) -> String {
    let phone = Builder::new().with_secret(Secret::try_from_base32(secret).unwrap());
    let now = app.clock.now().as_millis() / 1000;
    phone.build().unwrap().generate(now).to_string()
}

#[tokio::test]
async fn a_second_factor_goes_on_under_a_new_master_key() {
    let app = spawn_app().await;
    let email = app.account(Role::User).await;
    let ada = app.login(&email).await;
    let begun = app
        .post("/api/auth/two-factor", &ada, &json!({ "password": PASSWORD }))
        .await;
    let secret = begun.text("/data/secret");
    let confirm = json!({ "code": code(&app, &secret) });
    let confirmed = app.post("/api/auth/two-factor/confirm", &ada, &confirm).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.body);
    let admin = app.admin().await;
    let before = app.get("/api/admin/keys/rewrap", &admin).await.text("/data/masterKey");
    let done = app
        .post("/api/admin/keys/rewrap", &admin, &json!({ "newKey": true }))
        .await;
    assert_eq!(
        (done.status, &done.body["data"]["rewrapped"], &done.body["data"]["left"]),
        (200, &json!(2), &json!(0)),
        "the factor and the key of lookups: {}",
        done.body
    );
    assert_ne!(done.text("/data/masterKey"), before);

    let login = async |app: &App| {
        app.clock.advance(std::time::Duration::from_secs(30));
        let form = json!({ "email": email, "password": PASSWORD, "code": code(app, &secret) });
        app.post("/api/auth/login", "", &form).await.status
    };
    assert_eq!(login(&app).await, 200);
    let app = app.restart(Setup::default()).await;
    assert_eq!(login(&app).await, 200, "after a restart too");
    let form = json!({ "email": email, "password": PASSWORD });
    assert_eq!(
        app.post("/api/auth/login", "", &form).await.status,
        401,
        "it is asked for"
    );
}
