//! What the commands need beside a Rust toolchain, a C compiler, Node and npm; installed where that is possible.

mod mongod;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::run::{command, is_installed, output, run};
use crate::workspace::Workspace;

/// The browser, as a compile target.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Something the tests need from the system. To add one, add a row to [`SYSTEM_TOOLS`].
struct SystemTool {
    /// What for.
    purpose: &'static str,
    /// The Debian and Ubuntu package that has it.
    package: &'static str,
    is_there: fn() -> bool,
}

const SYSTEM_TOOLS: &[SystemTool] = &[
    SystemTool {
        purpose: "the browser of the browser tests",
        package: "chromium",
        is_there: has_chromium,
    },
    SystemTool {
        purpose: "the browser's fonts",
        package: "fonts-liberation",
        is_there: has_fonts,
    },
];

/// Installs everything the tests need that is not there yet.
pub(crate) fn ensure_all(workspace: &Workspace) -> Result<()> {
    ensure_wasm_target(workspace)?;
    ensure_components(workspace)?;
    // The test of licences looks at the crates of every system, also those that are not built here.
    run(&mut command(workspace, "cargo", "fetch --locked --quiet"))?;
    ensure_system_tools(workspace)?;
    ensure_npm_packages(workspace)?;
    mongod::ensure(workspace)
}

/// Adds the browser's target to the toolchain when it is missing.
pub(crate) fn ensure_wasm_target(workspace: &Workspace) -> Result<()> {
    let sysroot = output(&mut command(workspace, "rustc", "--print sysroot"))?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(WASM_TARGET).is_dir() {
        return Ok(());
    }
    println!("adding the target {WASM_TARGET}");
    run(&mut command(workspace, "rustup", &format!("target add {WASM_TARGET}")))
}

fn ensure_components(workspace: &Workspace) -> Result<()> {
    for (component, cargo_command) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if output(&mut command(workspace, "cargo", &format!("{cargo_command} --version"))).is_err() {
            println!("adding {component}");
            run(&mut command(workspace, "rustup", &format!("component add {component}")))?;
        }
    }
    Ok(())
}

fn ensure_system_tools(workspace: &Workspace) -> Result<()> {
    let missing: Vec<_> = SYSTEM_TOOLS.iter().filter(|tool| !(tool.is_there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for tool in &missing {
        println!("missing: {} ({})", tool.package, tool.purpose);
    }
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    if !is_installed("apt-get") {
        bail!(
            "install {} with this system's package manager, then run this again",
            packages.join(", ")
        );
    }
    if !is_root(workspace)? {
        bail!("run `sudo apt-get install {}`, then run this again", packages.join(" "));
    }
    apt_install(workspace, &packages)
}

fn apt_install(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let apt = |args: &str| run(command(workspace, "apt-get", args).env("DEBIAN_FRONTEND", "noninteractive"));
    let install = format!("install --yes --no-install-recommends -qq {}", packages.join(" "));
    if apt(&install).is_ok() {
        return Ok(());
    }
    // On a new machine the lists of packages are empty, on an old one they name files that are gone.
    apt("update -qq")?;
    apt(&install)
}

fn is_root(workspace: &Workspace) -> Result<bool> {
    Ok(output(&mut command(workspace, "id", "-u"))?.trim() == "0")
}

/// The test runner and its checks, exactly as the lock file names them.
fn ensure_npm_packages(workspace: &Workspace) -> Result<()> {
    let end2end = workspace.end2end();
    let wanted = fs::read(end2end.join("package-lock.json")).context("end2end/package-lock.json")?;
    // npm keeps a file of its own there, but in another shape; a copy of what was asked for can be compared.
    let installed = end2end.join("node_modules/.installed-from.json");
    if fs::read(&installed).is_ok_and(|copy| copy == wanted) {
        return Ok(());
    }
    let mut install = command(workspace, "npm", "ci --no-audit --no-fund");
    run(install
        .current_dir(&end2end)
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"))?;
    fs::write(&installed, wanted).with_context(|| installed.display().to_string())
}

/// Where `end2end/playwright.config.ts` looks too.
fn has_chromium() -> bool {
    let usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].map(OsString::from);
    let named = env::var_os("KEYPOOL_CHROMIUM");
    usual.into_iter().chain(named).any(|path| Path::new(&path).is_file())
}

/// Other systems keep their fonts elsewhere, and have some.
fn has_fonts() -> bool {
    Path::new("/usr/share/fonts/truetype/liberation").is_dir() || !is_installed("apt-get")
}
