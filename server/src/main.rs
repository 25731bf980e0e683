//! Command line, start, wait, stop.

mod cli;
mod demo;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    server::logging::hide_panics();
    cli::run(&cli::Cli::parse())
}
