//! Recognisable secrets, and the places where none of them may be: logs, answers, files.
//!
//! Answers and data folders are looked at in every run. `cargo xtask test` sets `KEYPOOL_CANARY_DIR`: then everything is also
//! logged at TRACE, through the product's own log, and looked at when all suites have run.

#[path = "../../../xtask/src/canary/scanner.rs"]
mod scanner;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Once};

use server::config::LogFormat;
use server::logging;
use server::scrub::HIDDEN;

use scanner::Scanner;

/// All of ours, and those that see requests and answers on their way.
const FILTER: &str = "server=trace,app=trace,pool=trace,reqwest=trace,hyper=trace,hyper_util=trace,h2=trace,\
                      rustls=trace,tower=trace,tower_http=trace,tower_sessions=trace,lettre=trace,leptos=trace,\
                      rusqlite=trace,axum=trace";
/// Files of a data folder that are secrets.
const SECRET_FILES: [&str; 3] = ["jwt.secret", "master.key", "master.key.previous"];

static SCANNER: LazyLock<Scanner> = LazyLock::new(|| Scanner::new(include_str!("../canaries.txt").lines()).unwrap());

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' own switch, which the program must not know"
)]
fn folder() -> Option<PathBuf> {
    std::env::var_os("KEYPOOL_CANARY_DIR").map(PathBuf::from)
}

/// Logs to a file from now on, where that is asked for.
pub(crate) fn log_everything() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Some(folder) = folder() else { return };
        let path = folder.join(format!("it-{}.log", std::process::id()));
        let file = File::create(path).unwrap();
        let log = logging::log(FILTER, LogFormat::Json, false, std::sync::Mutex::new(file));
        tracing::dispatcher::set_global_default(log).unwrap();
    });
}

/// Keeps what a child process printed for the look at the end, and looks at it now.
#[track_caller]
pub(crate) fn check_output(what: &str, text: &str) {
    check(what, text.as_bytes());
    if let Some(folder) = folder() {
        let path = folder.join(format!("children-{}.log", std::process::id()));
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{text}").unwrap();
    }
}

/// No secret of a test is in it.
#[track_caller]
pub(crate) fn check(what: &str, bytes: &[u8]) {
    if let Some(finding) = SCANNER.find(what, bytes) {
        panic!("a secret is in {finding}");
    }
}

/// A data folder that is looked at when it is dropped.
pub(crate) struct Watched {
    folder: PathBuf,
    log: Option<PathBuf>,
}

impl Watched {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            log: None,
        }
    }

    /// Of a program of its own that writes its log to a file.
    pub(crate) fn with_log(folder: &Path, log: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            log: Some(log.to_owned()),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // A second panic would end the process.
        if std::thread::panicking() {
            return;
        }
        keep_secrets(&self.folder);
        if let Some(log) = &self.log {
            check_output("a log", &std::fs::read_to_string(log).unwrap_or_default());
        }
        let (findings, _) = SCANNER.scan(&self.folder, &is_secret_file).unwrap();
        assert!(findings.is_empty(), "secrets are in {findings:?}");
    }
}

fn is_secret_file(path: &Path) -> bool {
    SECRET_FILES.iter().any(|name| path.ends_with(name))
}

/// Puts down what the server made for itself, to be looked for in logs.
fn keep_secrets(data: &Path) {
    let Some(folder) = folder() else { return };
    let path = folder.join(format!("it-{}.secrets", std::process::id()));
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    for name in SECRET_FILES {
        for data in [data, &data.join("data")] {
            if let Ok(secret) = std::fs::read_to_string(data.join(name)) {
                writeln!(file, "{}", secret.trim()).unwrap();
            }
        }
    }
}

#[test]
fn the_keys_and_passwords_of_tests_are_on_the_list() {
    let webhook = crate::notify::SECRET;
    for secret in [&crate::support::key(7), crate::support::PASSWORD, webhook] {
        assert!(SCANNER.find("", secret.as_bytes()).is_some(), "one is not");
    }
    assert!(SCANNER.find("", HIDDEN.as_bytes()).is_none());
}

#[test]
#[should_panic(expected = "a secret is in an answer, byte 10")]
fn an_answer_with_a_key_fails_its_test() {
    check(
        "an answer",
        format!("{{\"a\":1,{}}}", crate::support::key(1)).as_bytes(),
    );
}

#[test]
#[should_panic(expected = "secrets are in")]
fn a_data_folder_with_a_password_fails_its_test() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/keypool.db-wal"), crate::support::PASSWORD).unwrap();
    std::fs::write(folder.path().join("data/jwt.secret"), crate::support::PASSWORD).unwrap();
    drop(Watched::new(folder.path()));
}
