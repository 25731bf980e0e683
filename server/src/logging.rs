//! Logs go to stderr; what the program has to say to the person who started it goes to stdout.

use std::io::{self, IsTerminal as _, Write as _};

use tracing::{Dispatch, error};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Config, LogFormat};
use crate::scrub::{self, Scrubbed};

/// Call it once.
pub fn start(config: &Config) {
    let is_terminal = io::stderr().is_terminal();
    let log = log(&config.log_filter, config.log_format, is_terminal, io::stderr);
    // Fails when there is one already, which then goes on.
    let _ = tracing::dispatcher::set_global_default(log);
}

/// Everything that passes `filter`, a line each, without secrets. The directives are those of `EnvFilter`.
pub fn log<W>(filter: &str, format: LogFormat, with_colours: bool, writer: W) -> Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // `config` has made the filter, so it is one.
    // The migration library announces itself at every start.
    let filter = EnvFilter::try_new(format!("rusqlite_migration=warn,{filter}")).unwrap_or_default();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Scrubbed::new(writer))
        .with_ansi(with_colours)
        .with_target(false);
    match format {
        LogFormat::Pretty => builder.into(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .into(),
    }
}

/// The message of a panic may hold any value, a secret or a prompt too; the place in the code is enough to find it.
pub fn hide_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if tracing::dispatcher::has_been_set() {
            error!(%place, "a panic: this is a bug");
        } else {
            // A command without a log. Nothing can be done where nobody can be told.
            let line = format!("keypool: a panic at {place}: this is a bug");
            let _ = writeln!(io::stderr(), "{}", scrub::process().scrub_log(&line));
        }
    }));
}
