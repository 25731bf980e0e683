//! The command line. Exit codes: 0 done, 1 failed, 2 wrong usage (from clap), 78 wrong settings.

mod accounts;
mod audit;
mod backup;
mod demo_data;
mod doctor;
mod input;
mod keys;
mod print;
mod remote;
mod serve;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use server::config::{self, Layers};

use self::print::{complain, say};
use crate::demo;

/// `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: u8 = 78;

/// Keeps AI-backed products answering: a pool of provider keys behind a web app and an API.
#[derive(Parser)]
#[command(
    name = "keypool",
    version,
    after_help = "Examples:\n  keypool                      serve on http://127.0.0.1:5000\n  keypool serve --demo         try it with simulated answers\n  keypool keys list            show the pool's keys\n  keypool doctor               look at everything and say what to do\n  keypool config check         show every setting and where it comes from"
)]
pub(crate) struct Cli {
    /// Settings file; ./keypool.toml is read when it is there.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the web app and the API (the default).
    #[command(after_help = "Examples:\n  keypool serve --port 8080\n  keypool serve --demo")]
    Serve(Serve),
    /// Ask a running server whether it is ready; for container health checks.
    #[command(after_help = "Example:\n  keypool healthcheck --port 8080")]
    Healthcheck(Listen),
    /// Look at the settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at everything and say what to do: settings, service, usage, keys, one test request.
    #[command(
        after_help = "Examples:\n  keypool doctor\n  keypool doctor --no-performance --json\n\nExit codes: 0 nothing failed, 1 something failed, 78 wrong settings"
    )]
    Doctor(doctor::Doctor),
    /// Manage the pool's keys, through the server when one runs on this data.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Back up everything into one encrypted file, look into one, or put one back.
    #[command(
        after_help = "Examples:\n  keypool backup monday.backup\n  keypool backup verify monday.backup\n  keypool backup restore monday.backup"
    )]
    Backup(backup::Backup),
    /// Who did what, and whether the log of it is as it was written.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Manage accounts, through the server when one runs on this data.
    #[command(subcommand)]
    User(accounts::UserCommand),
    /// Make up a history of usage: for a first look, pictures and benchmarks. No server may run on the data.
    #[command(
        after_help = "Examples:\n  keypool demo-data --data-dir /tmp/look\n  keypool demo-data --events 1m --days 30 --keys 5 --data-dir /tmp/look\n\nMade-up events cannot be told from real ones and are not taken out again: give them a data folder of their own. The same seed is the same history."
    )]
    DemoData(demo_data::DemoData),
}

#[derive(Args, Default)]
struct Serve {
    /// Simulated answers, three demo keys, a demo admin and a demo user.
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    listen: Listen,
}

#[derive(Args, Default)]
struct Listen {
    /// Address to listen on.
    #[arg(long)]
    host: Option<String>,
    /// Port to listen on; 0 takes a free one.
    #[arg(long)]
    port: Option<String>,
    /// Folder of the data.
    #[arg(long)]
    data_dir: Option<String>,
}

impl Listen {
    fn flags(&self) -> BTreeMap<String, String> {
        [("HOST", &self.host), ("PORT", &self.port), ("DATA_DIR", &self.data_dir)]
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
            .collect()
    }
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print every setting with its source, or all mistakes at once.
    #[command(after_help = "Example:\n  keypool config check --json")]
    Check {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(cli: &Cli) -> ExitCode {
    let default = Serve::default();
    let flags = match &cli.command {
        Some(Command::Serve(serve)) => serve.listen.flags(),
        Some(Command::Healthcheck(listen)) => listen.flags(),
        Some(Command::Doctor(command)) => command.listen.flags(),
        Some(Command::Keys(command)) => command.flags(),
        Some(Command::Backup(command)) => command.flags(),
        Some(Command::Audit(command)) => command.flags(),
        Some(Command::User(command)) => command.flags(),
        Some(Command::DemoData(command)) => command.flags(),
        Some(Command::Config(_)) | None => BTreeMap::new(),
    };
    let layers = Layers::read(cli.config.as_deref(), flags);
    let checked = config::check(&layers);
    if let Some(Command::Config(ConfigCommand::Check { json })) = &cli.command {
        return print::settings(&layers, checked.err(), *json);
    }
    if let Some(Command::Doctor(command)) = &cli.command {
        return doctor::run(&layers, checked, command);
    }
    let config = match checked {
        Ok(config) => config,
        Err(mistakes) => {
            complain(mistakes);
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    if let Some(Command::Serve(Serve { demo: true, .. })) = &cli.command
        && let Err(refused) = demo::check_host(&config)
    {
        complain(refused);
        return ExitCode::from(EXIT_CONFIG);
    }
    match &cli.command {
        Some(Command::Healthcheck(_)) => in_runtime(serve::healthcheck(config)),
        Some(Command::Keys(command)) => in_runtime(keys::run(config, command)),
        Some(Command::Backup(command)) => in_runtime(backup::run(config, command)),
        Some(Command::Audit(command)) => in_runtime(audit::run(config, command)),
        Some(Command::User(command)) => in_runtime(accounts::run(config, command)),
        Some(Command::DemoData(command)) => in_runtime(demo_data::run(config, command)),
        Some(Command::Serve(serve)) => in_runtime(serve::serve(config, serve.demo)),
        Some(Command::Config(_) | Command::Doctor(_)) | None => in_runtime(serve::serve(config, default.demo)),
    }
}

fn in_runtime(command: impl Future<Output = Result<(), anyhow::Error>>) -> ExitCode {
    let done = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(command));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("keypool: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
