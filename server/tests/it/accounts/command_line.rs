//! `keypool user …` as a process, with a server and without one.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use simulator::Simulator;
use tempfile::TempDir;

use crate::process::{keypool, start, text};
use crate::support::PASSWORD;

fn run(data: &Path, port: &str, arguments: &[&str], input: &str, code: i32) -> String {
    let mut command = keypool(data);
    command.env("PORT", port).arg("user").args(arguments);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that does not read closes its end: no matter.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(!text.contains("horse battery"), "{arguments:?}: {text}");
    text
}

/// Every command; the accounts that are there in the end.
fn every_command(data: &Path, port: &str) -> Vec<(String, String, bool)> {
    let run = |arguments: &[&str], input: &str, code| run(data, port, arguments, input, code);
    let password = format!("{PASSWORD}\n");
    run(&["create", "root@example.org", "--role", "admin"], &password, 0);
    run(&["create", "ada@example.org", "--name", "Ada"], &password, 0);
    let twice = run(&["create", "ada@example.org"], &password, 1);
    assert!(twice.contains("already"), "{twice}");
    run(&["create", "eve@example.org"], "short\n", 1);
    run(&["set-role", "ada@example.org", "viewer"], "", 0);
    run(&["set-role", "nobody@example.org", "viewer"], "", 1);
    run(
        &["set-password", "ada@example.org"],
        "another horse battery staple\n",
        0,
    );
    let others = ["disable", "sign-out", "reset-two-factor"];
    for command in others {
        run(&[command, "ada@example.org"], "", 0);
    }
    let listed = run(&["list"], "", 0);
    assert!(
        listed.contains("viewer   ada@example.org") && listed.contains("disabled"),
        "{listed}"
    );
    run(&["enable", "ada@example.org"], "", 0);
    run(&["create", "bob@example.org"], &password, 0);
    run(&["delete", "bob@example.org"], "", 0);
    let invited = run(
        &["invite", "--email", "zoe@example.org", "--hours", "1", "--json"],
        "",
        0,
    );
    let link: Value = serde_json::from_str(&invited).unwrap();
    assert!(link["url"].as_str().unwrap().contains("/invitation?token="), "{link}");
    run(&["disable", "ada@example.org"], "", 0);
    let accounts: Vec<Value> = serde_json::from_str(&run(&["list", "--json"], "", 0)).unwrap();
    let text = |account: &Value, name: &str| account[name].as_str().unwrap().to_owned();
    let shown = accounts.iter().map(|account| {
        (
            text(account, "email"),
            text(account, "role"),
            account["disabled"] == true,
        )
    });
    shown.collect()
}

fn expected() -> Vec<(String, String, bool)> {
    [
        ("root@example.org", "admin", false),
        ("ada@example.org", "viewer", true),
    ]
    .map(|(email, role, disabled)| (email.to_owned(), role.to_owned(), disabled))
    .to_vec()
}

#[test]
fn the_command_line_works_on_the_store_without_a_server() {
    let data = TempDir::new().unwrap();
    assert_eq!(every_command(data.path(), "0"), expected());
    let last = run(data.path(), "0", &["set-role", "root@example.org", "user"], "", 1);
    assert!(last.contains("only admin"), "{last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_speaks_with_the_server_that_runs() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let data = TempDir::new().unwrap();
    let running = start(data.path(), &sim);
    let port = running.base.rsplit(':').next().unwrap().to_owned();
    // The admin of the settings is there before.
    let (mut first, rest) = (every_command(data.path(), &port), expected());
    assert_eq!(first.split_off(first.len() - 2), rest);
}
