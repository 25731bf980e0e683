//! Promises 5 and 6: the minute's quota to the moment, and a project that two keys share.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, stream};
use pool::Policy;
use reqwest::Method;
use serde_json::json;
use server::clock::next_provider_midnight;
use simulator::{Behaviour, Limits, fixtures};

use crate::Amount;
use crate::app::{App, START, Setup, key};
use crate::figures::{Durations, Row, ms};

/// What the provider asks for.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// One request a cell: its call is refused, it waits in the line, and its key is asked again when the rest is over.
pub(crate) async fn minute_is_exact(_: Amount) -> Result<Vec<Row>> {
    const CELLS: u64 = 20;
    let body = fixtures::get("minute-requests")
        .context("a body of a minute's quota")?
        .body;
    let retry = format!(r#""retryDelay": "{}s""#, RETRY_AFTER.as_secs());
    let refusal = body
        .replace(r#""retryDelay": "21s""#, &retry)
        .replace("retry in 21.4s", "retry in 2s");
    ensure!(refusal.contains(&retry), "the body names another delay");
    let app = App::start(Setup::of_keys(1)).await?;
    let token = app.token().await?;
    let model = |cell: u64| format!("gemini-{cell}");
    for cell in 0..CELLS {
        app.sim
            .script(&key(1), &model(cell), vec![Behaviour::respond(429, refusal.as_str())]);
    }
    let asking = (0..CELLS).map(async |cell| {
        // Spread out, so that no two are due at the same moment.
        tokio::time::sleep(Duration::from_millis(cell * 53)).await;
        app.ask(&token, &model(cell)).await
    });
    for reply in futures::future::join_all(asking).await {
        let reply = reply?;
        ensure!(reply.status == 200, "not served: {} {}", reply.status, reply.body);
    }
    let calls = app.sim.calls();
    let mut waits = Durations::default();
    for cell in 0..CELLS {
        let times: Vec<u64> = calls
            .iter()
            .filter(|call| call.model == model(cell))
            .map(|call| call.at_ms)
            .collect();
        let [refused_ms, served_ms] = times[..] else {
            anyhow::bail!("{} calls of one cell", times.len())
        };
        waits.push(Duration::from_millis(served_ms - refused_ms));
    }
    // The provider cuts off fractions of a second when it names the delay, so the pool waits for one second more.
    let due = RETRY_AFTER + Policy::default().minute_extra;
    let (least, most) = (waits.permille(1), waits.max());
    Ok(vec![
        Row::promised(
            format!("RetryInfo {} s: calls before it is over", RETRY_AFTER.as_secs()),
            format!(
                "{} of {}; the soonest {} after the refusal",
                u8::from(least < RETRY_AFTER),
                waits.len(),
                ms(least)
            ),
            "0",
            least >= RETRY_AFTER,
        ),
        Row::promised(
            format!(
                "RetryInfo and the pool's {} s more: served after",
                Policy::default().minute_extra.as_secs()
            ),
            format!(
                "p50 {}, worst {}",
                ms(waits.p50().saturating_sub(due)),
                ms(most.saturating_sub(due))
            ),
            "≤ 250 ms",
            most.saturating_sub(due) <= Duration::from_millis(250),
        ),
    ])
}

const DAYS: usize = 5;
const A_DAY: u64 = 50;

/// Two keys of one project, asked for more than its day has, for some days.
pub(crate) async fn shared_project(_: Amount) -> Result<Vec<Row>> {
    let (told, found_out) = (wasted_by_day(true).await?, wasted_by_day(false).await?);
    Ok(vec![
        Row::promised(
            format!("project known, {DAYS} days of {A_DAY} requests: wasted calls by day"),
            format!("{told:?}"),
            "≤ 1 a day",
            told.iter().all(|wasted| *wasted <= 1),
        ),
        Row::beside("… nobody said that it is one project", format!("{found_out:?}")),
    ])
}

async fn wasted_by_day(told: bool) -> Result<Vec<u64>> {
    let app = App::start(Setup::of_keys(2).by_hand().with("QUEUE_WAIT_MAX", "0s")).await?;
    app.sim.assign(&key(1), "shared");
    app.sim.assign(&key(2), "shared");
    app.sim.limit(
        "shared",
        "*",
        Limits {
            rpd: Some(A_DAY),
            ..Limits::default()
        },
    );
    app.sim.set_now_ms(Some(START.as_millis()));
    if told {
        tell_the_project(&app).await?;
    }
    let mut wasted = Vec::new();
    let mut calls_before = 0;
    for _ in 0..DAYS {
        let token = app.token().await?;
        let asking = stream::iter(0..A_DAY + 20).then(async |_| {
            // Slower than any minute's limit that the pool expects.
            app.clock.advance(Duration::from_secs(5));
            app.sim.set_now_ms(Some(app.clock.now().as_millis()));
            app.ask(&token, "gemini-2.5-flash").await
        });
        let replies: Vec<_> = asking.collect().await;
        let mut served = 0;
        for reply in replies {
            served += u64::from(reply?.status == 200);
        }
        let calls = app.leases();
        wasted.push(calls - calls_before - served);
        ensure!(served == A_DAY, "{served} of {A_DAY} requests of the day were served");
        calls_before = calls;
        // Past the jitter after midnight.
        app.clock
            .set(next_provider_midnight(app.clock.now()).plus(Duration::from_secs(600)));
        app.sim.set_now_ms(Some(app.clock.now().as_millis()));
    }
    Ok(wasted)
}

/// As an admin does; else the provider's errors tell it.
async fn tell_the_project(app: &App) -> Result<()> {
    let token = app.token().await?;
    let listed = app
        .request(Method::GET, "/api/admin/keys")
        .bearer_auth(&token)
        .send()
        .await?;
    let body: serde_json::Value = serde_json::from_str(&listed.text().await?)?;
    for key in body["data"].as_array().context("a list of keys")? {
        let path = format!("/api/admin/keys/{}", key["id"].as_str().context("an id")?);
        let told = app
            .send(Method::PATCH, &path, &token, &json!({ "project": "shared" }))
            .await?;
        ensure!(told.status == 200, "{}", told.body);
    }
    Ok(())
}
