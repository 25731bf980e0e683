//! The project's commands: `cargo xtask start`, `test`, `build`, `bench`, `simulate`, `fuzz` and `sbom`.
//!
//! They need a Rust toolchain, a C compiler, Node and npm, and say how to get, or get themselves, all the rest. Nothing is
//! fetched but through cargo, rustup, npm, pip and apt.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool: what it prints is what it is for"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the bans keep the product's time and settings in one place; this program is not the product"
)]

mod bench;
mod canary;
mod fuzz;
mod run;
mod sbom;
mod simulate;
mod site;
mod start;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Keypool's commands", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything in release mode and start Keypool on <http://127.0.0.1:5000>
    Start(start::Args),
    /// Check everything that CI checks, after installing what that needs
    Test(test::Args),
    /// Build the browser's half into target/site
    Build(site::Args),
    /// Run benchmarks
    Bench(bench::Args),
    /// Try the pool against many seeds of random faults, each two simulated days long
    Simulate(simulate::Args),
    /// Fuzz the code that reads what comes from outside: one target, or each in turn
    Fuzz(fuzz::Args),
    /// Write what the program is made of to target/sbom.json (CycloneDX 1.5)
    Sbom,
}

fn main() -> ExitCode {
    let workspace = Workspace::here();
    let result = match Cli::parse().command {
        Command::Start(args) => start::start(&workspace, &args),
        Command::Test(args) => test::test(&workspace, &args),
        Command::Build(args) => site::build_command(&workspace, &args),
        Command::Bench(args) => bench::bench(&workspace, &args),
        Command::Simulate(args) => simulate::simulate(&workspace, &args),
        Command::Fuzz(args) => fuzz::fuzz(&workspace, &args),
        Command::Sbom => sbom::sbom(&workspace),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
