//! Logs go to stderr; what the program has to say to the person who started it goes to stdout.

use server::config::{Config, LogFormat};
use tracing::error;
use tracing_subscriber::EnvFilter;

/// Call it once.
pub(crate) fn start(config: &Config) {
    // `config` has made the filter, so it is one.
    // The migration library announces itself at every start.
    let filter = EnvFilter::try_new(format!("rusqlite_migration=warn,{}", config.log_filter)).unwrap_or_default();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false);
    match config.log_format {
        LogFormat::Pretty => builder.init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .init(),
    }
    // The message of a panic may hold any value, a secret too; the place in the code is enough to find it.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(%place, "a panic: this is a bug");
    }));
}
