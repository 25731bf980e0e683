//! `keypool doctor`, with and without a server.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use simulator::{Behaviour, Simulator};
use tempfile::TempDir;

use super::{environment, levels};
use crate::process::{keypool, start, text};
use crate::support::{PASSWORD, key};

fn doctor(data: &Path, sim: &Simulator, arguments: &[&str]) -> Command {
    let mut command = keypool(data);
    command
        .env("GOOGLE_AI_BASE_URL", sim.base_url())
        .env("GOOGLE_AI_API_KEY_1", key(1))
        .env("GOOGLE_AI_API_KEY_2", key(2))
        .env("KEYPOOL_ADMIN_EMAIL", "ada@example.org")
        .env("KEYPOOL_ADMIN_PASSWORD", PASSWORD)
        .arg("doctor")
        .args(arguments);
    command
}

/// The simulator answers on another thread's runtime, so the program may be waited for.
async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn check_no_secret(output: &Output) {
    let text = text(output);
    for secret in [&key(1), &key(2), PASSWORD, "canary"] {
        assert!(!text.contains(secret), "{secret} is in:\n{text}");
    }
}

async fn simulator() -> Simulator {
    Simulator::start(simulator::Options::default()).await.unwrap()
}

#[tokio::test]
async fn before_the_first_start_it_tests_everything_and_leaves_nothing_behind() {
    let (data, sim) = (TempDir::new().unwrap(), simulator().await);
    let output = run(doctor(data.path(), &sim, &[])).await;
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let titles = [
        "1. Environment configuration",
        "2. Service status",
        "3. Usage statistics",
        "4. Key testing",
        "5. Performance test",
        "6. Checks",
        "Debug report complete.",
    ];
    let places: Vec<usize> = titles.iter().map(|title| text.find(title).expect(title)).collect();
    assert!(places.is_sorted(), "the sections are in the seed's order:\n{text}");
    for line in [
        "GOOGLE_AI_API_KEY_1          Set  (environment)",
        "JWT_SECRET                   Missing",
        "Key 2: success",
        "Passed: ",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    check_no_secret(&output);
    assert!(
        !data.path().join("data").exists(),
        "the data folder is the first start's to make"
    );
}

#[tokio::test]
async fn what_fails_is_said_with_its_remedy_and_ends_with_1() {
    let (data, sim) = (TempDir::new().unwrap(), simulator().await);
    for model in ["*", "(probes)"] {
        sim.always(&key(2), model, Behaviour::fixture("key-not-valid"));
    }
    let output = run(doctor(data.path(), &sim, &["--json", "--no-performance"])).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    check_no_secret(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["keyTests"][1]["status"], "failed");
    assert!(report["performanceTest"].is_null());
    assert_eq!(levels(&report, "Store"), ["skipped"]);
    assert_eq!(levels(&report, "Clock"), ["ok"]);
}

#[tokio::test]
async fn offline_it_calls_nobody() {
    let (data, sim) = (TempDir::new().unwrap(), simulator().await);
    let output = run(doctor(data.path(), &sim, &["--offline", "--json"])).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(levels(&report, "Provider"), ["skipped"]);
    assert!(report["keyTests"].is_null());
    assert_eq!(sim.call_count(&key(1)), 0);
}

#[tokio::test]
async fn wrong_settings_are_all_in_the_report_which_ends_with_78() {
    let (data, sim) = (TempDir::new().unwrap(), simulator().await);
    for json in [false, true] {
        let mut command = doctor(data.path(), &sim, if json { &["--json"] } else { &[] });
        command.env("PORT", "canary-port").env("KEYPOOL_STRATGY", "canary");
        let output = run(command).await;
        let text = text(&output);
        assert_eq!(output.status.code(), Some(78), "{text}");
        assert!(
            text.contains("PORT: must be a port") && text.contains("did you mean KEYPOOL_STRATEGY"),
            "{text}"
        );
        check_no_secret(&output);
        if json {
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(environment(&report, "PORT"), "invalid");
            assert_eq!(levels(&report, "Settings"), ["failed", "failed"]);
            assert!(report["serviceStatus"].is_null());
        }
    }
    assert!(!data.path().join("data").exists());
}

#[tokio::test]
async fn a_running_server_is_asked_over_http() {
    let (data, sim) = (TempDir::new().unwrap(), simulator().await);
    let running = start(data.path(), &sim);
    let port = running.base.rsplit(':').next().unwrap().to_owned();
    let mut command = doctor(data.path(), &sim, &["--json"]);
    command.env("PORT", &port);
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    check_no_secret(&output);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        environment(&report, "KEYPOOL_STRATEGY"),
        "set",
        "it is the server's environment"
    );
    assert_eq!(levels(&report, "Store"), ["ok"]);
    assert_eq!(report["performanceTest"]["passed"], true);

    // Elsewhere it is not found, and its data is in use.
    let mut command = doctor(data.path(), &sim, &["--json"]);
    command.env("PORT", "1");
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(levels(&report, "Store"), ["failed"]);
    let (printed, _) = running.kill();
    assert!(!printed.contains(&key(1)));
}
