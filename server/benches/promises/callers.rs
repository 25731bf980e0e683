//! Promises 7 and 10: neither a bad prompt nor leaving costs a key anything, and leaving ends the provider's work.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, stream};
use simulator::{Behaviour, Call, Ended};
use tokio::time::Instant;

use crate::Amount;
use crate::app::{App, Setup};
use crate::figures::{Durations, Row, ms};

const POISON: [&str; 5] = [
    "bad-argument",
    "context-too-long",
    "prompt-blocked",
    "answer-safety",
    "file-foreign",
];

pub(crate) async fn poison(amount: Amount) -> Result<Vec<Row>> {
    let app = App::start(Setup::of_keys(3)).await?;
    let (token, prompts) = (app.token().await?, amount.of(1_000));
    let behaviours = (0..prompts).map(|number| Behaviour::fixture(POISON[number % POISON.len()]));
    app.sim.script("*", "*", behaviours.collect());
    let asking = stream::iter(0..prompts).map(|_| app.ask(&token, "gemini-2.5-flash"));
    for reply in asking.buffer_unordered(16).collect::<Vec<_>>().await {
        let reply = reply?;
        ensure!([400, 422].contains(&reply.status), "{} {}", reply.status, reply.body);
    }
    let (keys, calls) = (app.pool.snapshot().keys, app.leases());
    let ready = |cell: &pool::CellView| cell.state == pool::CellState::Ready;
    let penalised = keys
        .iter()
        .filter(|key| key.failures > 0 || key.state != pool::KeyState::Ready || !key.cells.iter().all(ready))
        .count();
    Ok(vec![Row::promised(
        format!("{prompts} bad prompts of {} kinds: keys penalised", POISON.len()),
        format!("{penalised} of {}; {calls} calls", keys.len()),
        "0",
        penalised == 0 && calls == prompts as u64,
    )])
}

const AT_ONCE: usize = 50;

/// When whose caller left.
type Left = Mutex<BTreeMap<String, Instant>>;

pub(crate) async fn leaving(amount: Amount) -> Result<Vec<Row>> {
    let setup = Setup {
        // Whoever looks for calls that were closed looks at all of these at every change.
        calls_kept_max: 128,
        ..Setup::of_keys(3)
    };
    let app = App::start(setup).await?;
    app.sim.always("*", "*", Behaviour::answer().stall_after_bytes(400));
    let (token, streams) = (app.token().await?, amount.of(10_000));
    let left = Left::default();
    let leaving = async {
        let callers = stream::iter(0..streams).map(|number| leave(&app, &token, format!("Number {number}"), &left));
        let results: Vec<_> = callers.buffer_unordered(AT_ONCE).collect().await;
        results.into_iter().collect::<Result<()>>()
    };
    let (all_left, closed) = tokio::join!(leaving, closed_calls(&app, streams));
    all_left?;
    let closed = closed?;
    let mut delays = Durations::default();
    {
        let left = lock(&left);
        for (prompt, at) in closed {
            let left_at = left.get(&prompt).context("a call was closed before its caller left")?;
            delays.push(at.saturating_duration_since(*left_at));
        }
    }
    let leaked = leases_left_over(&app).await;
    Ok(vec![
        Row::promised(
            format!("{streams} callers leave within the text, {AT_ONCE} at once: the provider's call is closed after"),
            format!(
                "p50 {}, p99 {}, worst {}",
                ms(delays.p50()),
                ms(delays.p99()),
                ms(delays.max())
            ),
            "p99 ≤ 100 ms",
            delays.len() == streams && delays.p99() <= Duration::from_millis(100),
        ),
        Row::promised(
            "… leases and calls left over",
            format!("{leaked} and {}", app.sim.in_progress()),
            "0",
            leaked == 0 && app.sim.in_progress() == 0,
        ),
    ])
}

/// Reads up to the first text and closes the connection.
async fn leave(app: &App, token: &str, prompt: String, left: &Left) -> Result<()> {
    let mut response = app.open_stream(token, &prompt).await?;
    let mut seen = String::new();
    while !seen.contains("event: delta") {
        let piece = response
            .chunk()
            .await?
            .with_context(|| format!("the stream ended: {seen}"))?;
        seen += &String::from_utf8_lossy(&piece);
    }
    lock(left).insert(prompt, Instant::now());
    drop(response);
    Ok(())
}

/// When the simulator saw the call of each prompt closed by its caller, until there are so many.
async fn closed_calls(app: &App, count: usize) -> Result<Vec<(String, Instant)>> {
    let seen = Mutex::new((HashSet::new(), Vec::new()));
    loop {
        let before = lock(&seen).1.len();
        let waited = app.sim.wait_for(|calls| {
            let now = Instant::now();
            let (prompts, closed) = &mut *lock(&seen);
            for call in calls.iter().filter(|call| call.ended == Ended::ClosedByCaller) {
                let prompt = prompt(call);
                if !prompts.contains(prompt) {
                    prompts.insert(prompt.to_owned());
                    closed.push((prompt.to_owned(), now));
                }
            }
            closed.len() >= count
        });
        match waited.await {
            Ok(()) => return Ok(seen.into_inner().unwrap_or_else(PoisonError::into_inner).1),
            // It gives up after some seconds: go on while there is progress.
            Err(error) => ensure!(lock(&seen).1.len() > before, "{error}"),
        }
    }
}

fn prompt(call: &Call) -> &str {
    let text = call.body.pointer("/contents/0/parts/0/text");
    text.and_then(serde_json::Value::as_str).unwrap_or_default()
}

/// Leases that nobody gave back within some seconds.
async fn leases_left_over(app: &App) -> u32 {
    let mut changes = app.pool.subscribe();
    let all_back = async {
        while app.in_flight() > 0 {
            if changes.changed().await.is_err() {
                break;
            }
        }
    };
    // Whether in time or not: what counts is what is left.
    let _ = tokio::time::timeout(Duration::from_secs(5), all_back).await;
    app.in_flight()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
