//! `cargo xtask start`: from a fresh checkout to a running Keypool.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::run::{command, run, timed};
use crate::site;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also start the provider simulator, with demo keys and accounts; every answer says that it is simulated
    #[arg(long)]
    demo: bool,
    /// Port to listen on (otherwise PORT, otherwise 5000)
    #[arg(long)]
    port: Option<u16>,
    /// Passed on to `keypool serve`, after `--`
    #[arg(last = true)]
    rest: Vec<String>,
}

pub(crate) fn start(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    timed("site", || site::build(workspace))?;
    timed("server", || build_server(workspace))?;

    let program = workspace.program("release", "keypool");
    let mut serve = command(workspace, &program, "serve");
    serve.env("SITE_DIR", workspace.site());
    if args.demo {
        serve.arg("--demo");
    }
    if let Some(port) = args.port {
        serve.env("PORT", port.to_string());
    }
    serve.args(&args.rest);
    println!("start: {}", program.display());
    hand_over(&mut serve)
}

/// Builds the release server, `target/release/keypool`.
pub(crate) fn build_server(workspace: &Workspace) -> Result<()> {
    run(&mut command(
        workspace,
        "cargo",
        "build --locked --release --package server",
    ))
}

/// The server takes this process's place, so that signals and its exit code need nobody in between.
#[cfg(unix)]
fn hand_over(serve: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = serve.exec();
    Err(error).with_context(|| format!("could not start {}", serve.get_program().to_string_lossy()))
}

#[cfg(not(unix))]
fn hand_over(serve: &mut Command) -> Result<ExitCode> {
    let status = serve
        .status()
        .with_context(|| format!("could not start {}", serve.get_program().to_string_lossy()))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
