//! `cargo xtask fuzz`: the targets of `fuzz/`, one or each in turn, for some time.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::run::{command, is_installed, output, run};
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One of the files in fuzz/targets, without `.rs`; otherwise all of them
    target: Option<String>,
    /// For how long, each
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Name the targets and stop
    #[arg(long)]
    list: bool,
}

pub(crate) fn fuzz(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let mut targets = targets(workspace)?;
    if args.list {
        targets.iter().for_each(|target| println!("{target}"));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(wanted) = &args.target {
        if !targets.contains(wanted) {
            bail!("there is no target {wanted}; there are {}", targets.join(", "));
        }
        targets = vec![wanted.clone()];
    }
    ensure_tools(workspace)?;
    for target in &targets {
        run_one(workspace, target, args.seconds)?;
    }
    println!(
        "\nNothing was found by {}, {} s each.",
        targets.join(", "),
        args.seconds
    );
    Ok(ExitCode::SUCCESS)
}

/// What is new goes to `fuzz/target`, so that the corpus in the repository stays small.
fn run_one(workspace: &Workspace, target: &str, seconds: u64) -> Result<()> {
    let found = format!("fuzz/target/corpus/{target}");
    fs::create_dir_all(workspace.root.join(&found)).with_context(|| found.clone())?;
    // The server has no unsafe code of its own, so the sanitizer for addresses would cost time and find nothing.
    let mut fuzz = command(workspace, "cargo", "+nightly fuzz run --sanitizer none");
    fuzz.args([target, &found, &format!("fuzz/corpus/{target}"), "--"])
        .arg(format!("-max_total_time={seconds}"))
        .args([
            "-timeout=5",
            "-rss_limit_mb=2048",
            "-max_len=8192",
            "-print_final_stats=1",
        ]);
    let dictionary = format!("fuzz/dictionaries/{target}.dict");
    if workspace.root.join(&dictionary).is_file() {
        fuzz.arg(format!("-dict={dictionary}"));
    }
    run(&mut fuzz).with_context(|| {
        format!(
            "{target} found something: add the file named above to fuzz/corpus/{target} and mend what it shows; \
             `cargo test -p server --test it fuzz_corpus` replays it"
        )
    })
}

fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(workspace.root.join("fuzz/targets")).context("fuzz/targets")? {
        let path = entry?.path();
        targets.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}

/// A nightly compiler, which knows how to watch a program's coverage, and cargo-fuzz.
fn ensure_tools(workspace: &Workspace) -> Result<()> {
    if output(&mut command(workspace, "cargo", "+nightly --version")).is_err() {
        run(&mut command(
            workspace,
            "rustup",
            "toolchain install nightly --profile minimal",
        ))?;
    }
    if !is_installed("cargo-fuzz") {
        run(&mut command(workspace, "cargo", "install --locked cargo-fuzz"))?;
    }
    Ok(())
}
