//! `cargo xtask bench`.

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;

use crate::run::{command, run};
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    target: Target,
    /// Passed on to the benchmark, after `--`: a filter, for example
    #[arg(last = true)]
    rest: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    /// The pure core: choosing a key among 3 … 100,000
    Pool,
    /// The whole server: promises that have a figure, or some of them by number
    Promises,
    /// Recording of usage, and what the dashboards ask, with 100,000 to 10,000,000 events stored
    Analytics,
}

pub(crate) fn bench(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let mut bench = match args.target {
        Target::Pool => command(workspace, "cargo", "bench --locked --package pool"),
        Target::Promises => command(workspace, "cargo", "bench --locked --package server --bench promises"),
        Target::Analytics => command(workspace, "cargo", "bench --locked --package server --bench analytics"),
    };
    run(bench.arg("--").args(&args.rest))?;
    Ok(ExitCode::SUCCESS)
}
