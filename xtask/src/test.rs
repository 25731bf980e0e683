//! `cargo xtask test`: everything that CI checks, in order, stopping at the first failure.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::run::{command, is_installed, run, seconds};
use crate::tools::WASM_TARGET;
use crate::workspace::Workspace;
use crate::{canary, site, tools};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run these steps only, in their usual order
    #[arg(long, value_name = "STEP", value_delimiter = ',', num_args = 1..)]
    only: Vec<Step>,
    /// Name the steps and stop
    #[arg(long)]
    list: bool,
}

/// In the order in which they run: what is quick or installs something first.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Install what is missing: the wasm target, rustfmt and clippy, a browser, npm packages, mongod
    Tools,
    /// cargo fmt --check
    Fmt,
    /// clippy, for this machine and for the browser; a warning is an error
    Clippy,
    /// cargo doc; a warning is an error
    Docs,
    /// Unit and integration tests
    Tests,
    /// Licences, banned crates and sources, where cargo-deny is installed
    Deny,
    /// The browser's half of the app, and whether it is within its budget
    Site,
    /// Playwright in a real browser
    Browser,
    /// No secret of a test is in any log, store or page that the steps before it left
    Canary,
}

pub(crate) fn test(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let steps = Step::value_variants()
        .iter()
        .filter(|step| args.only.is_empty() || args.only.contains(step));
    if args.list {
        steps.for_each(|step| println!("{:<8} {}", step.name(), step.purpose()));
        return Ok(ExitCode::SUCCESS);
    }
    if steps.clone().any(|step| matches!(step, Step::Tests | Step::Browser)) {
        canary::prepare(workspace)?;
    }
    let started = Instant::now();
    let mut times = Vec::new();
    for step in steps {
        println!("\n== {}: {}", step.name(), step.purpose());
        let step_started = Instant::now();
        step.run(workspace).with_context(|| format!("step {}", step.name()))?;
        let took = seconds(step_started.elapsed());
        println!("== {} ok, {took}", step.name());
        times.push(format!("{} {took}", step.name()));
    }
    println!(
        "\nAll steps passed in {} ({}).",
        seconds(started.elapsed()),
        times.join(", ")
    );
    Ok(ExitCode::SUCCESS)
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    fn purpose(self) -> String {
        let value = self.to_possible_value();
        value
            .and_then(|value| value.get_help().map(ToString::to_string))
            .unwrap_or_default()
    }

    fn run(self, workspace: &Workspace) -> Result<()> {
        let cargo = |args: &str| run(&mut command(workspace, "cargo", args));
        match self {
            Self::Tools => tools::ensure_all(workspace),
            Self::Fmt => cargo("fmt --all --check"),
            Self::Clippy => {
                cargo("clippy --locked --workspace --all-targets -- -D warnings")?;
                tools::ensure_wasm_target(workspace)?;
                cargo(&format!(
                    "clippy --locked --package app --package frontend --target {WASM_TARGET} -- -D warnings"
                ))
            }
            Self::Docs => {
                let mut docs = command(workspace, "cargo", "doc --locked --no-deps --workspace");
                run(docs.env("RUSTDOCFLAGS", "-D warnings"))
            }
            Self::Tests => {
                let mut tests = command(workspace, "cargo", "test --locked --workspace");
                run(tests.env(canary::FOLDER_VARIABLE, canary::folder(workspace)))
            }
            Self::Deny => deny(workspace),
            Self::Site => {
                site::build(workspace)?;
                site::check_budget(workspace)
            }
            Self::Browser => browser(workspace),
            Self::Canary => canary::scan(workspace),
        }
    }
}

fn deny(workspace: &Workspace) -> Result<()> {
    if !is_installed("cargo-deny") {
        println!("skipped: cargo-deny is not installed (`cargo install --locked cargo-deny`)");
        return Ok(());
    }
    run(&mut command(
        workspace,
        "cargo",
        "deny --locked check bans licenses sources",
    ))
}

fn browser(workspace: &Workspace) -> Result<()> {
    site::build(workspace)?;
    // The two programs come with their integration tests. Building them alone would choose other features of the crates
    // that they share, and so compile nearly all of them once more.
    run(&mut command(
        workspace,
        "cargo",
        "test --locked --workspace --no-run --quiet",
    ))?;
    for check in ["tsc --noEmit", "playwright test"] {
        let mut npx = command(workspace, "npx", &format!("--no-install {check}"));
        run(npx
            .current_dir(workspace.end2end())
            .env("CARGO_TARGET_DIR", &workspace.target)
            .env(canary::FOLDER_VARIABLE, canary::folder(workspace)))?;
    }
    Ok(())
}
