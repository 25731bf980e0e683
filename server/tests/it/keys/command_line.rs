//! `keypool keys …` as a process, with a server and without one, and the token it shows the server.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use server::accounts::TokenSigner;
use simulator::{Behaviour, Simulator};
use tempfile::TempDir;

use super::with_keys;
use crate::process::{keypool, start, text};
use crate::support::{App, Setup, key, spawn};

const JWT_SECRET: &str = "0123456789-a-secret-for-these-tests-only";

/// `keypool keys …` with the environment of the machine's operator.
struct Shell<'a> {
    data: &'a Path,
    sim: &'a Simulator,
    port: String,
}

impl Shell<'_> {
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = keypool(self.data);
        command
            .env("GOOGLE_AI_BASE_URL", self.sim.base_url())
            .env("PORT", &self.port)
            .arg("keys")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that does not read closes its end: no matter.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    /// What it prints; no key is ever in it.
    fn check(&self, arguments: &[&str], input: &str, code: i32) -> String {
        let output = self.run(arguments, input);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(!text.contains("canary-provider-key"), "{arguments:?}: {text}");
        for line in text.lines().filter(|_| !arguments.contains(&"--json")) {
            assert!(line.chars().count() <= 100 || line.starts_with("keypool: "), "{line}");
        }
        text
    }

    fn list(&self) -> Vec<Value> {
        serde_json::from_str(&self.check(&["list", "--json"], "", 0)).unwrap()
    }

    fn labels(&self) -> Vec<(u64, String, String)> {
        let word = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
        let keys = self.list();
        keys.iter()
            .map(|key| {
                (
                    key["keyNumber"].as_u64().unwrap(),
                    word(key, "label"),
                    word(key, "state"),
                )
            })
            .collect()
    }
}

fn row(number: u64, label: &str, state: &str) -> (u64, String, String) {
    (number, label.to_owned(), state.to_owned())
}

/// Adds, imports, tests, switches and resets; gives back what the list says in the end.
fn every_command(shell: &Shell<'_>) -> Vec<(u64, String, String)> {
    shell.sim.always(&key(12), "*", Behaviour::fixture("key-leaked"));
    let added = shell.check(
        &["add", "--label", "Typed", "--tier", "paid"],
        &format!("{}\n", key(11)),
        0,
    );
    assert!(added.contains("(Typed, ••••0011)"), "{added}");
    let refused = shell.check(&["add"], &key(12), 1);
    assert!(refused.contains("AI Studio"), "it says what to do: {refused}");
    let twice = shell.check(&["add"], &key(11), 1);
    assert!(twice.contains("in the pool already"), "{twice}");
    let file = shell.data.join("key.txt");
    std::fs::write(&file, format!("{}\n", key(13))).unwrap();
    shell.check(&["add", "--no-test", "--file", file.to_str().unwrap()], "", 0);
    let lines = format!("# more\n{}\n{} Fourteen\n", key(13), key(14));
    let imported = shell.check(&["import", "-"], &lines, 0);
    assert!(imported.contains("1 added, 1 already there, 0 refused"), "{imported}");
    let imported = shell.check(&["import", "-", "--json"], &key(12), 1);
    assert!(imported.contains(r#""refused":1"#), "{imported}");

    let listed = shell.check(&["list"], "", 0);
    assert!(listed.contains("Fourteen") && listed.contains("••••0014"), "{listed}");
    let numbers: Vec<u64> = shell
        .list()
        .iter()
        .map(|key| key["keyNumber"].as_u64().unwrap())
        .collect();
    let last = numbers.last().unwrap().to_string();
    assert!(shell.check(&["test", &last], "", 0).contains("passed"));
    shell.check(&["disable", &last], "", 0);
    shell.check(&["enable", &last], "", 0);
    shell.check(&["disable", &last], "", 0);
    shell.sim.always(&key(13), "*", Behaviour::fixture("key-leaked"));
    let tests = shell.check(&["test", "--all"], "", 1);
    assert!(tests.contains("revoked") && tests.contains("1 of"), "{tests}");
    let unknown = shell.check(&["test", "99"], "", 1);
    assert!(unknown.contains("no key 99"), "{unknown}");
    shell.check(&["reset"], "", 0);
    shell.check(&["reset", &last, "--model", "gemini-9"], "", 1);
    shell.labels()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_speaks_with_the_server_that_runs() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let data = TempDir::new().unwrap();
    let running = start(data.path(), &sim);
    let port = running.base.rsplit(':').next().unwrap().to_owned();
    let shell = Shell {
        data: data.path(),
        sim: &sim,
        port,
    };
    let keys = every_command(&shell);
    let expected = [
        row(1, "GOOGLE_AI_API_KEY_1", "available"),
        row(2, "GOOGLE_AI_API_KEY_2", "available"),
        row(3, "Typed", "available"),
        row(4, "Key 4", "available"),
        row(5, "Fourteen", "disabled"),
    ];
    assert_eq!(keys, expected);

    // Where nothing listens, the store is in use by the server.
    let elsewhere = Shell {
        port: "1".to_owned(),
        ..shell
    };
    let in_use = elsewhere.check(&["list"], "", 1);
    assert!(in_use.contains("--port"), "it says what to do: {in_use}");

    running.kill();
    let log = std::fs::read_to_string(data.path().join("log")).unwrap();
    assert!(
        log.contains("TRACE") && log.contains("/api/admin/keys"),
        "the log tells all"
    );
    assert!(!log.contains("eyJ"), "no token is in the log");
    assert!(!log.contains("canary-provider-key"), "no key is in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_opens_the_store_itself_when_no_server_runs() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let data = TempDir::new().unwrap();
    let shell = Shell {
        data: data.path(),
        sim: &sim,
        port: "1".to_owned(),
    };
    let keys = every_command(&shell);
    let expected = [
        row(1, "Typed", "available"),
        row(2, "Key 2", "available"),
        row(3, "Fourteen", "disabled"),
    ];
    assert_eq!(keys, expected);
    shell.check(&["disable", "1"], "", 0);
    let last = shell.check(&["disable", "2"], "", 1);
    assert!(last.contains("last one that can serve"), "{last}");
    shell.check(&["disable", "2", "--force"], "", 0);
    shell.check(&["enable", "1"], "", 0);

    // A server that starts on it knows all of that.
    let running = start(data.path(), &sim);
    let port = running.base.rsplit(':').next().unwrap().to_owned();
    let shell = Shell { port, ..shell };
    let states: Vec<(u64, String)> = shell
        .labels()
        .into_iter()
        .map(|(number, _, state)| (number, state))
        .collect();
    let state = |wanted: u64| {
        states
            .iter()
            .find(|(number, _)| *number == wanted)
            .map(|(_, state)| state.as_str())
    };
    assert_eq!(
        (state(1), state(2), state(3)),
        (Some("available"), Some("disabled"), Some("disabled"))
    );
    running.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listens_on_the_port_while_no_server_runs_is_told_nothing() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let data = TempDir::new().unwrap();
    // A server ran before, so that there is a secret to sign tokens with.
    start(data.path(), &sim).kill();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let shell = Shell {
        data: data.path(),
        sim: &sim,
        port: other.local_addr().unwrap().port().to_string(),
    };
    shell.check(&["add", "--label", "Typed"], &key(11), 0);
    let doctor = keypool(data.path())
        .env("GOOGLE_AI_BASE_URL", sim.base_url())
        .env("PORT", &shell.port)
        .args(["doctor", "--offline", "--json"])
        .output()
        .unwrap();
    assert!(text(&doctor).contains("\"Store\""), "{}", text(&doctor));
    let came = other.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(came, Err(std::io::ErrorKind::WouldBlock), "nobody came");
}

#[test]
fn a_command_that_is_not_right_says_so_with_its_exit_code() {
    let data = TempDir::new().unwrap();
    let run = |arguments: &[&str]| keypool(data.path()).arg("keys").args(arguments).output().unwrap();
    for arguments in [
        &["test"][..],
        &["enable"],
        &["disable", "x"],
        &["add", "AQ.a-key-as-an-argument"],
        &["burn"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output));
    }
    let output = run(&["list"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("no data of Keypool"), "{}", text(&output));
    assert!(!data.path().join("data").exists(), "nothing was made");
    let output = keypool(data.path())
        .env("PORT", "x")
        .args(["keys", "list"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", text(&output));
    for command in ["list", "add", "import", "test", "enable", "disable", "reset"] {
        let output = run(&[command, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output).contains("Example"), "{command}: {}", text(&output));
    }
}

async fn ask(app: &App, path: &str, token: &str) -> u16 {
    let request = app.request(Method::GET, path).bearer_auth(token);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn an_operators_token_opens_the_admin_routes_for_a_minute_and_nothing_else() {
    let app = spawn(Setup {
        environment: vec![("JWT_SECRET", JWT_SECRET.to_owned())],
        ..with_keys(1)
    })
    .await;
    let signer = TokenSigner::new(&JWT_SECRET.into()).unwrap();
    let token = signer.sign_operator(app.clock.now()).unwrap();
    assert_eq!(ask(&app, "/api/admin/keys", &token).await, 200);
    for path in [
        "/api/auth/me",
        "/api/ai-analysis/service-status",
        "/api/ai-analysis/analyses",
    ] {
        assert_eq!(ask(&app, path, &token).await, 401, "{path}");
    }
    let request = app.request(Method::GET, "/history").bearer_auth(&token);
    assert_eq!(request.send().await.unwrap().status(), 401, "pages are for people");

    let other = TokenSigner::new(&"another-secret-of-another-server-0001".into()).unwrap();
    let foreign = other.sign_operator(app.clock.now()).unwrap();
    assert_eq!(ask(&app, "/api/admin/keys", &foreign).await, 401);
    let of_user = app.user().await;
    assert_eq!(
        ask(&app, "/api/admin/keys", &of_user).await,
        403,
        "an access token is none"
    );

    app.clock.advance(Duration::from_secs(59));
    assert_eq!(ask(&app, "/api/admin/keys", &token).await, 200);
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&app, "/api/admin/keys", &token).await, 401);
    let add = app.post("/api/admin/keys", &token, &json!({ "key": key(7) })).await;
    assert_eq!(add.status, 401);
}
