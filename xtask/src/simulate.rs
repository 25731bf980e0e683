//! `cargo xtask simulate`: the pool's simulation over many seeds, in release mode.

use std::process::ExitCode;

use anyhow::Result;

use crate::run::{command, run};
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Try the seeds below this number; `cargo test` tries 500
    #[arg(long, default_value_t = 10_000, conflicts_with = "seed")]
    seeds: u64,
    /// Try this seed alone
    #[arg(long)]
    seed: Option<u64>,
}

/// A seed that breaks a promise is an error, after its story was printed in its smallest form.
pub(crate) fn simulate(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let mut test = command(
        workspace,
        "cargo",
        "test --locked --release --package pool --test simulation no_seed_breaks_a_promise -- --nocapture",
    );
    match args.seed {
        Some(seed) => test.env("KEYPOOL_SIM_SEED", seed.to_string()),
        None => test
            .env_remove("KEYPOOL_SIM_SEED")
            .env("KEYPOOL_SIM_SEEDS", args.seeds.to_string()),
    };
    run(&mut test)?;
    Ok(ExitCode::SUCCESS)
}
