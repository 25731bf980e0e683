//! Promise 16: a restart with a million events stored.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use pool::Timestamp;
use server::clock::{Clock, provider_day_start};
use server::store::sqlite::SqliteStore;
use server::store::{EventKey, EventKind, Store as _, UsageEvent};
use simulator::Behaviour;

use crate::Amount;
use crate::app::{App, Setup, key};
use crate::figures::{Durations, Row, ms};

const BATCH: usize = 5_000;
const RESTARTS: usize = 5;
const MODELS: [&str; 3] = ["gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-pro"];

pub(crate) async fn with_a_million_events(amount: Amount) -> Result<Vec<Row>> {
    let events = amount.of(1_000_000);
    let app = App::start(Setup::of_keys(2)).await?;
    app.sim.always(&key(1), "*", Behaviour::fixture("day-quota-paid"));
    let token = app.token().await?;
    while app.sim.call_count(&key(1)) == 0 {
        app.ask(&token, MODELS[0]).await?;
    }
    let keys: Vec<EventKey> = app
        .key_ids()
        .iter()
        .map(|(number, id)| EventKey {
            id: id.0,
            number: *number,
            project: None,
        })
        .collect();
    let fill = async |data: PathBuf| fill(data, &keys, events).await;
    let (mut app, (), first) = app.restart(fill).await?;
    let mut ready: Durations = std::iter::once(first).collect();
    for _ in 1..RESTARTS {
        let (next, (), took) = app.restart(async |_| Ok(())).await?;
        ready.push(took);
        app = next;
    }
    let before = app.sim.call_count(&key(1));
    let (token, requests) = (app.token().await?, 200);
    for _ in 0..requests {
        let reply = app.ask(&token, MODELS[0]).await?;
        ensure!(reply.status == 200, "{} {}", reply.status, reply.body);
    }
    let after = app.sim.call_count(&key(1)) - before;
    let worst = ready.max();
    Ok(vec![
        Row::promised(
            format!("{events} events of this day stored: ready after, worst of {RESTARTS} (p50)"),
            format!("{} ({})", ms(worst), ms(ready.p50())),
            "≤ 1 s",
            worst <= Duration::from_secs(1),
        ),
        Row::promised(
            format!("… calls on the exhausted cell in {requests} requests"),
            after.to_string(),
            "0",
            after == 0,
        ),
    ])
}

/// All of them in the provider's day that it is: the counters of that day are what a start reads.
async fn fill(data: PathBuf, keys: &[EventKey], count: usize) -> Result<()> {
    let path = data.join("keypool.db");
    let store = tokio::task::spawn_blocking(move || SqliteStore::open(&path)).await??;
    let now = Clock::system().now();
    let day_ms = now.since(provider_day_start(now)).as_millis();
    for first in (0..count).step_by(BATCH) {
        let numbers = first..count.min(first + BATCH);
        let at = |number: usize| {
            let back_ms = u64::try_from(day_ms * (count - number) as u128 / count as u128).unwrap_or(0);
            Timestamp::from_millis(now.as_millis() - back_ms)
        };
        let events = numbers.map(|number| event(number, at(number), keys));
        store.append_usage(events.collect()).await?;
    }
    store.close().await?;
    Ok(())
}

/// A request and the attempt for it, by turns.
fn event(number: usize, at: Timestamp, keys: &[EventKey]) -> UsageEvent {
    let failed = number.is_multiple_of(16);
    UsageEvent {
        id: uuid::Uuid::now_v7().to_string(),
        kind: EventKind::ALL[number % 2],
        at,
        request_id: format!("request-{}", number / 2),
        key: keys.get(number / 2 % keys.len()).cloned(),
        attempts: 1,
        model: MODELS[number / 4 % MODELS.len()].to_owned(),
        operation: "generateContentText".into(),
        surface: "api".into(),
        success: !failed,
        outcome: if failed { "server" } else { "success" }.into(),
        error_type: failed.then(|| "server".into()),
        response_time_ms: 900,
        first_token_ms: Some(300),
        prompt_tokens: 120,
        output_tokens: 300,
        cached_tokens: 0,
        thought_tokens: 0,
        total_tokens: 420,
        cached: false,
        user_id: Some("01980000-0000-7000-8000-000000000000".to_owned()),
        token_id: None,
        user_agent: Some("benchmark".to_owned()),
    }
}
