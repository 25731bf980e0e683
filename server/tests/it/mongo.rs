//! The server with its data in MongoDB: what is kept, who may, and what happens while the database is away.

use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use simulator::Simulator;
use tempfile::TempDir;

use crate::canary;
use crate::process::{Running, keypool, sign_in, start_with, text};
use crate::support::mongod::{Mongod, Scratch};
use crate::support::{ADMIN, App, PASSWORD, Setup, key, spawn};

/// Far above what anything here takes.
const WAIT_MAX: Duration = Duration::from_secs(60);

fn setup(uri: &str) -> Setup {
    Setup {
        environment: vec![("MONGO_URI", uri.to_owned())],
        ..Setup::default()
    }
}

/// Nothing that a test holds secret is in any document, nor in any of its binary fields.
async fn check_documents(place: &Scratch) {
    let documents = place.documents().await;
    assert!(documents.len() > 10, "the walk finds what is there");
    for (collection, document) in documents {
        canary::check(
            &format!("a document of {collection}"),
            &mongodb::bson::serialize_to_vec(&document).unwrap(),
        );
    }
}

#[tokio::test]
async fn everything_is_in_mongodb_and_is_there_after_a_restart() {
    let place = Scratch::new().await;
    let app = spawn(setup(&place.uri)).await;
    let email = app.account(app::types::Role::User).await;
    let token = app.login(&email).await;
    let analysed = app.analyze(&token).await;
    assert_eq!(analysed.status, 200, "{}", analysed.body);
    let admin = app.admin().await;
    let new = json!({ "key": key(9), "label": "Ninth", "test": false });
    let added = app.post("/api/admin/keys", &admin, &new).await;
    assert_eq!(added.status, 201, "{}", added.body);
    app.browser(ADMIN).await;

    let app = app.restart(setup(&place.uri)).await;
    let token = app.login(&email).await;
    let history = app.get("/api/ai-analysis/analyses", &token).await;
    assert_eq!(
        history.body["data"]["items"].as_array().map(Vec::len),
        Some(1),
        "{}",
        history.body
    );
    let admin = app.admin().await;
    let keys = app.get("/api/admin/keys", &admin).await;
    let labels: Vec<&str> = keys.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["label"].as_str().unwrap())
        .collect();
    assert!(labels.contains(&"Ninth") && labels.len() == 4, "{labels:?}");
    let audit = app.get("/api/admin/audit/verify", &admin).await;
    assert_eq!(audit.body["data"]["fault"], Value::Null, "{}", audit.body);
    let report = app.get("/api/admin/doctor", &admin).await.body.to_string();
    assert!(
        report.contains("MongoDB 6.") || report.contains("MongoDB 7.") || report.contains("MongoDB 8."),
        "{report}"
    );
    let files: Vec<_> = std::fs::read_dir(app.data_dir())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert!(
        !files.iter().any(|name| name.to_string_lossy().contains("keypool.db")),
        "{files:?}"
    );
    app.stop().await;
    check_documents(&place).await;
    place.remove().await;
}

async fn post(running: &Running, client: &Client, path: &str, body: &Value) -> (StatusCode, Value) {
    let request = client.post(format!("{}{path}", running.base)).json(body);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test]
async fn what_was_acknowledged_survives_kills_and_the_next_start_need_not_wait() {
    let place = Scratch::new().await;
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let settings = [("MONGO_URI", place.uri.as_str()), ("LOG_LEVEL", "trace")];
    for round in 0..3_u32 {
        let running = start_with(place.data.path(), &sim, &settings);
        let client = sign_in(&running).await;
        let new = json!({ "key": key(20 + round), "label": format!("Round {round}"), "test": false });
        let (status, body) = post(&running, &client, "/api/admin/keys", &new).await;
        assert_eq!(status, 201, "{body}");
        running.kill();
    }
    let running = start_with(place.data.path(), &sim, &settings);
    let client = sign_in(&running).await;
    let keys = client
        .get(format!("{}/api/admin/keys", running.base))
        .send()
        .await
        .unwrap();
    let keys: Value = keys.json().await.unwrap();
    for round in 0..3 {
        assert!(keys.to_string().contains(&format!("Round {round}")), "{keys}");
    }
    let verified = client
        .get(format!("{}/api/admin/audit/verify", running.base))
        .send()
        .await
        .unwrap();
    let verified: Value = verified.json().await.unwrap();
    assert_eq!(verified["data"]["fault"], Value::Null, "{verified}");
    running.kill();
    check_documents(&place).await;
    place.remove().await;
}

async fn answers(base: &str, path: &str) -> Option<(StatusCode, Value)> {
    let client = Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{base}{path}")).send().await.ok()?;
    Some((answer.status(), answer.json().await.ok()?))
}

/// Until the server says of itself that it is ready, or not.
async fn until_ready(base: &str, ready: bool) -> Value {
    let wanted = async {
        loop {
            match answers(base, "/readyz").await {
                Some((status, body)) if status.is_success() == ready => return body,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(WAIT_MAX, wanted).await.expect("in time")
}

#[tokio::test]
async fn while_mongodb_is_away_callers_are_told_and_afterwards_all_goes_on() {
    let mut mongod = Mongod::start(true).await;
    let app = spawn(setup(&mongod.uri("keypool"))).await;
    let token = app.user().await;
    assert_eq!(app.analyze(&token).await.status, 200);
    mongod.kill();
    let form = json!({ "email": ADMIN, "password": PASSWORD });
    let asked = tokio::time::timeout(Duration::from_secs(15), app.post("/api/auth/login", "", &form)).await;
    let refused = asked.expect("no hang");
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert_eq!(
        (&refused.body["success"], &refused.body["error"]),
        (&json!(false), &json!("NO_CAPACITY"))
    );
    assert!(refused.headers.contains_key("retry-after"));
    let told = until_ready(&app.base, false).await;
    assert_eq!(
        (&told["store"], &told["reason"]),
        (&json!(false), &json!("the data store cannot be reached"))
    );
    assert_eq!(answers(&app.base, "/healthz").await.unwrap().0, 200);
    mongod.resume().await;
    until_ready(&app.base, true).await;
    let again = app.post("/api/auth/login", "", &form).await;
    assert_eq!(again.status, 200, "{}", again.body);
    assert_eq!(app.analyze(&token).await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn a_server_that_starts_before_mongodb_is_alive_and_waits_for_it() {
    let mut mongod = Mongod::start(true).await;
    mongod.kill();
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (base, port) = (format!("http://127.0.0.1:{port}"), port.to_string());
    let data = TempDir::new().unwrap();
    let (folder, uri) = (data.path().to_owned(), mongod.uri("keypool"));
    // It says where it listens when it is ready.
    let starting = tokio::task::spawn_blocking(move || {
        start_with(
            &folder,
            &sim,
            &[("MONGO_URI", &uri), ("PORT", &port), ("LOG_LEVEL", "info")],
        )
    });
    let told = until_ready(&base, false).await;
    assert_eq!((&told["store"], &told["status"]), (&json!(false), &json!("not ready")));
    assert_eq!(answers(&base, "/healthz").await.unwrap().0, 200);
    let (status, body) = answers(&base, "/api/ai-analysis/service-status").await.unwrap();
    assert_eq!(
        (status.as_u16(), &body["error"], &body["success"]),
        (503, &json!("NO_CAPACITY"), &json!(false)),
        "{body}"
    );
    assert!(body["requestId"].is_string(), "{body}");
    let said = async {
        let log = data.path().join("log");
        while !std::fs::read_to_string(&log)
            .unwrap()
            .contains("nothing answers at the address in MONGO_URI")
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT_MAX, said).await.expect("the log says why");
    mongod.resume().await;
    let running = starting.await.unwrap();
    until_ready(&base, true).await;
    sign_in(&running).await;
    running.kill();
}

fn command(data: &Path, uri: &str, arguments: &[&str]) -> Output {
    keypool(data).env("MONGO_URI", uri).args(arguments).output().unwrap()
}

#[tokio::test]
async fn the_command_line_works_on_the_database_and_through_the_server_that_runs_on_it() {
    let place = Scratch::new().await;
    let (data, uri) = (place.data.path(), place.uri.as_str());
    let nothing = command(data, uri, &["user", "list"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(
        text(&nothing).contains("no data of Keypool in the MongoDB database"),
        "{}",
        text(&nothing)
    );
    let names = place.database().await.list_collection_names().await.unwrap();
    assert!(names.is_empty(), "looking makes nothing: {names:?}");

    let invited = command(data, uri, &["user", "invite", "--email", "eve@example.org"]);
    assert!(invited.status.success(), "{}", text(&invited));
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let running = start_with(data, &sim, &[("MONGO_URI", uri), ("LOG_LEVEL", "warn")]);
    let port = running.base.rsplit(':').next().unwrap().to_owned();
    let list = ["user", "list", "--port", &port];
    let through_server = command(data, uri, &list);
    assert!(text(&through_server).contains(ADMIN), "{}", text(&through_server));
    let elsewhere = TempDir::new().unwrap();
    let second = command(elsewhere.path(), uri, &["serve"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(
        text(&second).contains("another Keypool is running on the MongoDB database"),
        "{}",
        text(&second)
    );
    running.kill();
    let directly = command(data, uri, &list);
    assert!(text(&directly).contains(ADMIN), "{}", text(&directly));
    let mut keys = keypool(data);
    keys.env("MONGO_URI", uri).env("GOOGLE_AI_API_KEY_2", key(2));
    let keys = keys.args(["keys", "list"]).output().unwrap();
    assert!(text(&keys).contains("GOOGLE_AI_API_KEY_2"), "{}", text(&keys));
    let verified = command(data, uri, &["audit", "verify"]);
    assert!(text(&verified).contains("intact"), "{}", text(&verified));
    place.remove().await;
}

#[tokio::test]
async fn a_backup_is_left_to_what_mongodb_has_for_it() {
    let place = Scratch::new().await;
    place.open().await.map(drop).unwrap();
    let (data, uri) = (place.data.path(), place.uri.as_str());
    let other = TempDir::new().unwrap();
    std::fs::create_dir(data.join("data")).unwrap();
    std::fs::rename(data.join("mongo.lock"), data.join("data/mongo.lock")).unwrap();
    let file = other.path().join("monday.backup");
    let file = file.to_str().unwrap();
    let made = command(data, uri, &["backup", file]);
    assert_eq!(made.status.code(), Some(1));
    assert!(text(&made).contains("mongodump"), "{}", text(&made));
    assert!(!Path::new(file).exists());
    let restored = command(data, uri, &["backup", "restore", file]);
    assert!(text(&restored).contains("mongorestore"), "{}", text(&restored));
    place.remove().await;
}

#[tokio::test]
async fn a_folder_that_was_used_with_mongodb_is_not_begun_anew_without_it() {
    let place = Scratch::new().await;
    let app: App = spawn(setup(&place.uri)).await;
    let (data, _sim) = app.stop().await;
    let refused = keypool(data.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("set MONGO_URI again"), "{}", text(&refused));
    place.remove().await;
}
