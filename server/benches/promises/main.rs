//! The promises that have a figure, measured: the real server over real HTTP, with the simulator as its provider.
//!
//! `cargo xtask bench promises`, or some of them: `cargo xtask bench promises -- 2 10`. `--quick` makes a hundredth of the
//! requests, to see that it runs. Ends with 1 when a promise is not kept.

mod app;
mod callers;
mod dribbling;
mod failover;
mod figures;
mod outage;
mod process;
mod quotas;
mod reading;
mod restart;
mod stopping;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::figures::Row;

const PROMISES: [u32; 11] = [1, 2, 3, 5, 6, 7, 10, 11, 12, 14, 16];

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Amount {
    quick: bool,
}

impl Amount {
    /// So many, or a hundredth of them, though not fewer than 20.
    pub(crate) fn of(self, count: usize) -> usize {
        if self.quick {
            (count / 100).clamp(20, count)
        } else {
            count
        }
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut amount = Amount { quick: false };
    let mut chosen = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            // Cargo's own.
            "--bench" => {}
            "--quick" => amount.quick = true,
            process::OVER_HTTP2 => return process::serve_over_http2().await.map(|()| ExitCode::SUCCESS),
            other => match other.parse() {
                Ok(number) if PROMISES.contains(&number) => chosen.push(number),
                _ => bail!("no promise with a benchmark: {other}; there are {PROMISES:?}"),
            },
        }
    }
    figures::print_head();
    let mut kept = true;
    for number in PROMISES {
        if !chosen.is_empty() && !chosen.contains(&number) {
            continue;
        }
        for row in measure(number, amount).await? {
            kept &= row.is_kept();
            row.print(number);
        }
    }
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Boxed: each is a future of its own size.
async fn measure(number: u32, amount: Amount) -> Result<Vec<Row>> {
    match number {
        1 => Box::pin(failover::faults_are_hidden(amount)).await,
        2 => Box::pin(failover::failing_over_is_fast(amount)).await,
        3 => Box::pin(outage::calls_in_an_outage(amount)).await,
        5 => Box::pin(quotas::minute_is_exact(amount)).await,
        6 => Box::pin(quotas::shared_project(amount)).await,
        7 => Box::pin(callers::poison(amount)).await,
        10 => Box::pin(callers::leaving(amount)).await,
        11 => Box::pin(reading::stopped_readers(amount)).await,
        12 => Box::pin(dribbling::beside_dribbled_heads(amount)).await,
        14 => Box::pin(stopping::sigterm(amount)).await,
        16 => Box::pin(restart::with_a_million_events(amount)).await,
        _ => Ok(Vec::new()),
    }
}
