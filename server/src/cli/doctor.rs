//! `keypool doctor`: the seed's debug report at the terminal.

use std::process::ExitCode;

use anyhow::Context;
use app::types::{CheckLevel, DoctorReport, DoctorTests};
use clap::Args;
use server::config::{Config, Layers, Mistakes};
use server::startup;

use super::remote::Remote;
use super::{EXIT_CONFIG, Listen, complain, say};

#[derive(Args)]
pub(super) struct Doctor {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Make no test request: it costs one request of a key's quota.
    #[arg(long)]
    no_performance: bool,
    /// Do not call the provider at all.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    pub(super) listen: Listen,
}

/// Looks itself, or asks the server that runs on this data.
pub(super) fn run(layers: &Layers, checked: Result<Config, Mistakes>, command: &Doctor) -> ExitCode {
    let tests = DoctorTests {
        keys: !command.offline,
        performance: !command.offline && !command.no_performance,
        offline: command.offline,
    };
    let exit_on_mistakes = checked.is_err().then(|| ExitCode::from(EXIT_CONFIG));
    let report = async {
        match checked {
            Ok(config) => report(&config, tests).await,
            Err(mistakes) => Ok(startup::doctor_of_mistakes(layers, mistakes).test(tests).await),
        }
    };
    let done = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(report))
        .and_then(|report| {
            Ok((
                if command.json {
                    serde_json::to_string(&report)?
                } else {
                    app::text::doctor::plain(&report)
                },
                report,
            ))
        });
    match done {
        Ok((text, report)) => {
            say(text);
            let failed = report.level() == CheckLevel::Failed;
            exit_on_mistakes.unwrap_or(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Err(error) => {
            complain(format_args!("keypool: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn report(config: &Config, tests: DoctorTests) -> Result<DoctorReport, anyhow::Error> {
    let opened = startup::open_doctor(config).await;
    // A token goes over the network only when the store's lock shows that a server runs.
    if opened.store_in_use
        && let Some(remote) = Remote::find(config).await
    {
        let answer = remote.post("/api/admin/doctor", &serde_json::to_value(tests)?).await?;
        return serde_json::from_value(answer).with_context(|| {
            format!(
                "the server at {} is of another version than this program",
                remote.base()
            )
        });
    }
    let report = opened.doctor.test(tests).await;
    opened.close().await?;
    Ok(report)
}
