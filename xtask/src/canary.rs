//! After all suites: no secret of a test is in anything that was written. Tests use recognisable ones, listed in
//! `server/tests/canaries.txt`, and log everything at TRACE when `KEYPOOL_CANARY_DIR` is set.

mod scanner;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use self::scanner::Scanner;
use crate::workspace::Workspace;

/// Where suites put their logs, and the secrets that were made while they ran.
pub(crate) const FOLDER_VARIABLE: &str = "KEYPOOL_CANARY_DIR";
const LIST: &str = "server/tests/canaries.txt";
/// Files of this ending hold secrets, a line each.
const SECRETS_ENDING: &str = "secrets";

pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("canary")
}

/// An empty folder for the suites to come.
pub(crate) fn prepare(workspace: &Workspace) -> Result<()> {
    let folder = folder(workspace);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).context("emptying target/canary"),
        _ => {}
    }
    fs::create_dir_all(&folder).context("making target/canary")
}

/// Logs, kept stores and the site: all must be free of every secret. Says where one is, never which.
pub(crate) fn scan(workspace: &Workspace) -> Result<()> {
    let folder = folder(workspace);
    let list = fs::read_to_string(workspace.root.join(LIST)).context(LIST)?;
    let made = secrets_made(&folder)?;
    let secrets = list.lines().chain(made.lines());
    let scanner = Scanner::new(secrets).context("too many secrets")?;
    let is_list = |path: &Path| path.extension().is_some_and(|ending| ending == SECRETS_ENDING);
    let mut findings = Vec::new();
    for (place, what) in [(folder, "logs"), (workspace.site(), "files of the site")] {
        let (found, files) = scanner
            .scan(&place, &is_list)
            .with_context(|| place.display().to_string())?;
        println!("{files} {what} looked at in {}", place.display());
        ensure!(
            files > 0,
            "{} is empty: run the steps tests, site and browser first",
            place.display()
        );
        findings.extend(found);
    }
    for finding in &findings {
        println!("  {finding}");
    }
    if !findings.is_empty() {
        bail!("a secret is in {} file(s)", findings.len());
    }
    Ok(())
}

/// What servers under test made for themselves: keys they sign and seal with.
fn secrets_made(folder: &Path) -> Result<String> {
    let mut made = String::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(made),
        entries => entries.with_context(|| folder.display().to_string())?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == SECRETS_ENDING) {
            made.push_str(&fs::read_to_string(&path).with_context(|| path.display().to_string())?);
            made.push('\n');
        }
    }
    Ok(made)
}
