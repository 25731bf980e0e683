//! Promise 14: a server that is told to stop fails no request.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::{join_all, try_join_all};
use reqwest::Response;
use simulator::Behaviour;
use tokio::time::Instant;

use crate::Amount;
use crate::figures::{Row, ms};
use crate::process::Process;

const LOADS: usize = 8;
const WARM: Duration = Duration::from_secs(1);

pub(crate) async fn sigterm(amount: Amount) -> Result<Vec<Row>> {
    let streams = amount.of(500);
    let mut process = Process::start(&[]).await?;
    // None of them ends by itself: the worst case.
    process
        .sim
        .always("*", "gemini-2.5-pro", Behaviour::answer().stall_after_bytes(400));
    let (half, model) = (streams / 2, "gemini-2.5-pro");
    let asked = (0..half).map(|_| process.ask("/api/ai-analysis/analyze/stream", model).send());
    let asked = try_join_all(asked).await?;
    let follow = format!("{}/api/ai-analysis/service-status/stream", process.base);
    let followed = (half..streams).map(|_| process.client.get(&follow).bearer_auth(&process.token).send());
    let followed = try_join_all(followed).await?;
    let open = asked
        .iter()
        .chain(&followed)
        .filter(|stream| stream.status() == 200)
        .count();
    ensure!(open == streams, "{open} of {streams} streams are open");
    let (enough, served, failed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let stopping = async {
        tokio::time::sleep(WARM).await;
        process.terminate()?;
        let told = Instant::now();
        let ready = format!("{}/readyz", process.base);
        while process.client.get(&ready).send().await?.status() == 200 {}
        let not_ready = told.elapsed();
        // A balancer that has seen it sends no more.
        enough.store(true, Ordering::Relaxed);
        anyhow::Ok((told, not_ready))
    };
    let ends = join_all(asked.into_iter().chain(followed).map(last_word));
    let loads = join_all((0..LOADS).map(|_| async {
        while !enough.load(Ordering::Relaxed) {
            let count = if process.ask_whole().await.is_ok() {
                &served
            } else {
                &failed
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let (ends, stopped, _) = tokio::join!(ends, stopping, loads);
    let (told, not_ready) = stopped?;
    let status = process.ended().await?;
    let exit = told.elapsed();
    ensure!(status.success(), "it ended with {status}");
    let silent = ends.iter().filter(|said| !**said).count();
    let (served, failed) = (served.into_inner(), failed.into_inner());
    Ok(rows(streams, (served, failed), not_ready, silent, exit))
}

fn rows(
    streams: usize,
    (served, failed): (usize, usize),
    not_ready: Duration,
    silent: usize,
    exit: Duration,
) -> Vec<Row> {
    vec![
        Row::promised(
            format!("SIGTERM with {streams} streams open and {LOADS} callers at work: failed requests"),
            format!("{failed} of {}", served + failed),
            "0",
            failed == 0 && served > 0,
        ),
        Row::promised(
            "… not ready after",
            ms(not_ready),
            "≤ 100 ms",
            not_ready <= Duration::from_millis(100),
        ),
        Row::promised(
            "… streams that ended without a last word",
            silent.to_string(),
            "0",
            silent == 0,
        ),
        Row::promised(
            "… exit after",
            format!("{:.1} s", exit.as_secs_f64()),
            "≤ 31 s",
            exit <= Duration::from_secs(31),
        ),
    ]
}

/// Whether it ended with an event that says so.
async fn last_word(stream: Response) -> bool {
    let text = stream.text().await.context("cut").unwrap_or_default();
    let last = text.rsplit("event: ").next().unwrap_or_default();
    ["done", "error", "closing"].iter().any(|word| last.starts_with(word)) && text.ends_with("\n\n")
}
