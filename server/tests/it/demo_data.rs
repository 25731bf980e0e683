//! A made-up history of usage: by the command, and in a demo.

use std::path::Path;
use std::sync::Arc;

use pool::Timestamp;
use serde_json::{Value, json};
use server::clock::{Clock, provider_day_start, rfc3339};
use server::demo_data::{self, fill_once};
use server::store::sqlite::SqliteStore;
use server::store::{EventBounds, EventFilter, Order, Store, UsageEvent};
use simulator::Simulator;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::process::{keypool, start, text};
use crate::support::{START, Setup, spawn, spawn_on};

/// What the command prints.
#[track_caller]
fn run(data: &Path, arguments: &[&str], code: i32) -> String {
    let output = keypool(data).args(arguments).output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    text
}

fn facts(data: &Path, arguments: &[&str]) -> Value {
    let arguments = [&["demo-data", "--json"], arguments].concat();
    serde_json::from_str(&run(data, &arguments, 0)).unwrap()
}

fn open(data: &Path) -> SqliteStore {
    SqliteStore::open(&data.join("data/keypool.db")).unwrap()
}

async fn events(store: &SqliteStore) -> Vec<UsageEvent> {
    let bounds = EventBounds {
        events_max: 100_000,
        looked_at_max: 100_000,
    };
    let page = store.usage_events(EventFilter::default(), Order::OldestFirst, None, bounds);
    page.await.unwrap().events
}

#[tokio::test]
async fn a_history_is_made_up_once_unless_more_is_wanted() {
    let data = TempDir::new().unwrap();
    let began = Clock::system().now();
    let made = facts(data.path(), &["--events", "300", "--days", "3"]);
    assert_eq!(
        (&made["events"], &made["keyNumbers"], &made["madeUpKeys"]),
        (&json!(300), &json!([1, 2, 3]), &json!(true))
    );
    assert!(
        made["to"].as_str().unwrap() >= rfc3339(began).as_str(),
        "it ends now: {made}"
    );
    let store = open(data.path());
    let first = events(&store).await;
    store.close().await.unwrap();
    assert_eq!(first.len(), 300);

    let refused = run(data.path(), &["demo-data", "--events", "300"], 1);
    assert!(refused.contains("--yes") && refused.contains("--data-dir"), "{refused}");
    let more = facts(data.path(), &["--events", "1k", "--seed", "2", "--keys", "7", "--yes"]);
    assert_eq!(more["keyNumbers"].as_array().unwrap().len(), 7);
    let store = open(data.path());
    assert_eq!(events(&store).await.len(), 1_300);
    assert!(demo_data::has_usage(&store, Clock::system().now()).await.unwrap());
    store.close().await.unwrap();
    let entries: Value = serde_json::from_str(&run(data.path(), &["audit", "list", "--json"], 0)).unwrap();
    let is_told = |entry: &&Value| entry["action"] == "usage.make_up";
    assert_eq!(entries.as_array().unwrap().iter().filter(is_told).count(), 2);
    run(data.path(), &["audit", "verify"], 0);
}

#[test]
fn what_cannot_be_made_up_is_wrong_usage() {
    let data = TempDir::new().unwrap();
    for wrong in [
        ["--events", "0"],
        ["--events", "many"],
        ["--days", "0"],
        ["--days", "401"],
        ["--keys", "0"],
    ] {
        let arguments = ["demo-data", wrong[0], wrong[1]];
        let told = run(data.path(), &arguments, 2);
        assert!(told.contains(wrong[0]), "{told}");
    }
    assert!(!data.path().join("data").exists(), "nothing was made");
}

#[tokio::test]
async fn nothing_is_counted_as_used_today_of_the_keys_that_a_history_is_of() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let data = TempDir::new().unwrap();
    let running = start(data.path(), &sim);
    let refused = run(data.path(), &["demo-data"], 1);
    assert!(refused.contains("another Keypool is running"), "{refused}");
    running.kill();

    let made = facts(data.path(), &["--events", "2000", "--days", "2"]);
    assert_eq!(
        (&made["keyNumbers"], &made["madeUpKeys"]),
        (&json!([1, 2]), &json!(false))
    );
    let store = open(data.path());
    let (keys, made) = (store.keys().await.unwrap(), events(&store).await);
    store.close().await.unwrap();
    assert_eq!(made.len(), 2_000);
    let today = provider_day_start(Clock::system().now());
    assert!(made.iter().all(|event| event.at < today));
    let is_known = |event: &UsageEvent| {
        event
            .key
            .as_ref()
            .is_none_or(|of| keys.iter().any(|key| key.id == of.id))
    };
    assert!(made.iter().all(is_known));

    let running = start(data.path(), &sim);
    let client = crate::process::sign_in(&running).await;
    let status = client.get(format!("{}/api/ai-analysis/service-status", running.base));
    let status: Value = status.send().await.unwrap().json().await.unwrap();
    check_unused(&status["data"]);
    running.kill();
}

/// Every cell of every key.
fn check_unused(status: &Value) {
    let keys = status["availableKeys"].as_array().unwrap();
    assert!(!keys.is_empty(), "{status}");
    for cell in keys.iter().flat_map(|key| key["cells"].as_array().unwrap()) {
        assert_eq!(cell["usedToday"], 0, "{status}");
    }
}

#[tokio::test]
async fn a_demo_makes_up_its_history_once_and_goes_on_where_it_was_cut_short() {
    let demo = || Setup {
        demo: true,
        ..Setup::default()
    };
    let app = spawn(demo()).await;
    let clock = app.clock.clone();
    // At once: it has hardly begun.
    let (data, sim) = app.stop().await;
    fill(data.path(), START).await;
    // One that was cut short.
    let store = open(data.path());
    let cut = json!({ "to": START.as_millis(), "done": false });
    store.save_setting("demo_history".to_owned(), Some(cut)).await.unwrap();
    store.close().await.unwrap();
    fill(data.path(), START.plus(std::time::Duration::from_secs(3600))).await;

    let app = spawn_on(demo(), sim, data, clock).await;
    check_unused(&app.status(&app.admin().await).await);
    let (data, _sim) = app.stop().await;
    let store = open(data.path());
    let made = events(&store).await;
    assert_eq!(made.len(), 20_000);
    assert!(
        made.iter().any(|event| event.at > provider_day_start(START)),
        "of today too"
    );
    assert!(made.iter().all(|event| event.at <= START));
}

async fn fill(data: &Path, now: Timestamp) {
    let store: Arc<dyn Store> = Arc::new(open(data));
    let models = demo_data::models(&["gemini-2.5-flash"]);
    fill_once(Arc::clone(&store), models, now, CancellationToken::new()).await;
    store.close().await.unwrap();
}
