//! Running other programs, and saying how long things took.

use std::env;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// A command that starts in the workspace's root. The arguments are separated by spaces; what may have spaces inside is
/// added with `.arg`.
pub(crate) fn command(workspace: &Workspace, program: impl AsRef<OsStr>, args: &str) -> Command {
    let mut command = Command::new(program);
    command.args(args.split_whitespace()).current_dir(&workspace.root);
    // `cargo run` describes this package to us in variables. Build scripts that look at them (ring's does) would run
    // again whenever cargo is called from here after a call by hand, and the other way round.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command to its end with its output shown. Errors when it cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    println!("$ {line}");
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| not_started(command))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs a command quietly and returns what it wrote to its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| not_started(command))?;
    if !output.status.success() {
        bail!(
            "`{}` failed ({}): {}",
            shown(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program of this name can be started from `PATH`.
pub(crate) fn is_installed(program: &str) -> bool {
    let started = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    !matches!(started, Err(error) if error.kind() == ErrorKind::NotFound)
}

/// Does one step and says what it was and how long it took.
pub(crate) fn timed<T>(what: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    let value = step()?;
    println!("{what}: {}", seconds(started.elapsed()));
    Ok(value)
}

/// "0.4 s", "12.3 s", "3 min 05 s".
pub(crate) fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    if whole < 120 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

fn not_started(command: &Command) -> String {
    format!(
        "could not start `{}`: is it installed?",
        command.get_program().to_string_lossy()
    )
}

/// The command as one would type it. Variables that were set for it are left out: they may hold secrets.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well_at_every_length() {
        assert_eq!(seconds(Duration::from_millis(440)), "0.4 s");
        assert_eq!(seconds(Duration::from_secs(119)), "119.0 s");
        assert_eq!(seconds(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn a_missing_program_is_named() {
        let workspace = Workspace::here();
        let error = run(&mut command(&workspace, "keypool-no-such-program", "")).unwrap_err();
        assert!(error.to_string().contains("keypool-no-such-program"), "{error}");
        assert!(!is_installed("keypool-no-such-program"));
    }

    #[test]
    fn a_failing_command_is_an_error_with_its_words() {
        let workspace = Workspace::here();
        let error = run(&mut command(&workspace, "cargo", "no-such-command")).unwrap_err();
        assert!(error.to_string().contains("cargo no-such-command"), "{error}");
    }
}
