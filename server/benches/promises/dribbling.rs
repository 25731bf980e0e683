//! Promise 12: callers that dribble their heads do not hurt the others.

use std::time::Duration;

use anyhow::Result;
use futures::future::join_all;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Amount;
use crate::figures::{Durations, Row, ms};
use crate::process::Process;

/// Of whole requests, planned ahead: a late answer makes no other request late.
const PER_SECOND: u64 = 100;
const BYTE_EVERY: Duration = Duration::from_secs(2);

pub(crate) async fn beside_dribbled_heads(amount: Amount) -> Result<Vec<Row>> {
    // Both ends of every connection are on this machine, though not in one process.
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    let mut rows = Vec::new();
    for (what, settings) in [
        ("all of them kept", &[("CONNECTIONS_PER_ADDRESS_MAX", "0")][..]),
        ("as it is set out of the box", &[][..]),
    ] {
        rows.extend(measure(amount, what, settings).await?);
    }
    Ok(rows)
}

async fn measure(amount: Amount, what: &str, settings: &[(&str, &str)]) -> Result<Vec<Row>> {
    let (slow, requests) = (amount.of(5_000), amount.of(2_000));
    let process = Process::start(settings).await?;
    let (mut alone, failed_alone) = load(&process, requests).await;
    let mut dribbling = JoinSet::new();
    for _ in 0..slow {
        dribbling.spawn(dribble(process.address().to_owned()));
        if dribbling.len() % 250 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let (mut beside, failed) = load(&process, requests).await;
    dribbling.shutdown().await;
    let ratio = beside.p99().as_secs_f64() / alone.p99().as_secs_f64().max(f64::EPSILON);
    Ok(vec![
        Row::promised(
            format!(
                "{slow} connections dribble their heads, {what}: p99 of {requests} requests without and beside them"
            ),
            format!("{} and {}: × {ratio:.2}", ms(alone.p99()), ms(beside.p99())),
            "≤ 2 ×",
            ratio <= 2.0,
        ),
        Row::promised(
            "… failed requests without and beside them",
            format!("{failed_alone} and {failed}"),
            "0",
            failed_alone + failed == 0,
        ),
        Row::beside("… p50", format!("{} and {}", ms(alone.p50()), ms(beside.p50()))),
    ])
}

/// How long each took from the moment that was planned for it, and how many failed.
async fn load(process: &Process, requests: usize) -> (Durations, usize) {
    let start = Instant::now();
    let asking = (0..requests).map(|number| async move {
        let planned = start + Duration::from_micros(1_000_000 / PER_SECOND * number as u64);
        tokio::time::sleep_until(planned).await;
        process.ask_whole().await.map(|()| planned.elapsed())
    });
    let ended = join_all(asking).await;
    let failed = ended.iter().filter(|ended| ended.is_err()).count();
    (ended.into_iter().filter_map(Result::ok).collect(), failed)
}

/// Comes back whenever it is cut.
async fn dribble(address: String) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            let mut head = b"GET / HTTP/1.1\r\nx: ".iter().chain(b"y".iter().cycle());
            while let Some(byte) = head.next()
                && stream.write_all(&[*byte]).await.is_ok()
            {
                tokio::time::sleep(BYTE_EVERY).await;
            }
        }
        tokio::time::sleep(BYTE_EVERY).await;
    }
}
