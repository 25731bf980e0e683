//! Command line, start, wait, stop.

mod cli;
mod demo;
mod logging;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cli::run(&cli::Cli::parse())
}
