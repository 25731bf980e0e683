//! Promises 1 and 2: failover hides the faults of keys, and is fast.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, stream};
use pool::Scope;
use simulator::{Behaviour, fixtures};
use tokio::time::Instant;

use crate::Amount;
use crate::app::{App, Setup, key};
use crate::figures::{Durations, Row, ms};

/// Requests, all at once, until the two keys are mended and fail in another way.
const A_ROUND: usize = 16;

/// Before the number of a limit.
const VALUE: &str = r#""quotaValue": ""#;

/// Outcomes that blame a key, its project, its account or its quota.
const BLAMING: [&str; 9] = [
    "DayQuota",
    "MinuteQuota",
    "ZeroLimit",
    "Bare429",
    "Billing",
    "Spend",
    "InvalidKey",
    "Revoked",
    "KeyConfig",
];

pub(crate) async fn faults_are_hidden(amount: Amount) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for strategy in ["headroom", "sticky"] {
        rows.extend(faults_under(strategy, amount.of(5_000).next_multiple_of(A_ROUND)).await?);
    }
    Ok(rows)
}

async fn faults_under(strategy: &'static str, requests: usize) -> Result<Vec<Row>> {
    let all = fixtures::all().iter();
    let bodies: Vec<&str> = all
        .filter(|fixture| BLAMING.contains(&fixture.outcome.as_str()))
        .map(|fixture| fixture.name)
        .collect();
    let app = App::start(Setup::of_keys(3).with("KEYPOOL_STRATEGY", strategy)).await?;
    let ids = app.key_ids();
    let (mut served, mut refusals) = (0_usize, BTreeMap::<String, u32>::new());
    let (mut token, started) = (app.token().await?, Instant::now());
    for round in 0..requests / A_ROUND {
        // Each body of key 1 meets another one of key 2 every time.
        let (turn, place) = (round / bodies.len(), round % bodies.len());
        for (number, name) in [(1, place), (2, place + turn * 2 + 1)] {
            let behaviour = refusal(bodies[name % bodies.len()])?;
            app.sim.always(&key(number), "*", behaviour);
        }
        // As if a person had mended them: they are asked again, and fail again.
        app.pool.reinstate(Scope::All);
        if strategy == "sticky" {
            app.pool.switch_to(ids[&(1 + round as u32 % 2)])?;
        }
        // A model a body: what is known of a model in one round must not decide the next.
        let model = format!("gemini-{place}");
        if round % 100 == 99 {
            token = app.token().await?;
        }
        let asking = stream::iter(0..A_ROUND).map(|_| app.ask(&token, &model));
        for reply in asking.buffer_unordered(A_ROUND).collect::<Vec<_>>().await {
            let reply = reply?;
            if reply.status == 200 {
                served += 1;
            } else {
                let why = format!("{} {}", reply.status, reply.body["error"]);
                *refusals.entry(why).or_default() += 1;
            }
        }
    }
    let faults = app.sim.call_count(&key(1)) + app.sim.call_count(&key(2));
    let success = served as f64 / requests as f64;
    let mut rows = vec![
        Row::promised(
            format!(
                "1 of 3 keys healthy, {} faults by turns, {strategy}, {A_ROUND} at once",
                bodies.len()
            ),
            format!("{:.3} % of {requests} requests served", success * 100.0),
            "≥ 99.99 %",
            success >= 0.9999,
        ),
        Row::beside(
            "… calls to the two others, and time",
            format!("{faults} calls, {:.1} s", started.elapsed().as_secs_f64()),
        ),
    ];
    rows.extend(
        refusals
            .iter()
            .map(|(why, count)| Row::beside(format!("… {why}"), count.to_string())),
    );
    Ok(rows)
}

/// A body of the corpus, but with a limit that is never met: what the pool learns from it must not keep the key from being
/// asked again.
fn refusal(name: &str) -> Result<Behaviour> {
    let fixture = fixtures::get(name).with_context(|| format!("no body named {name}"))?;
    let mut pieces = fixture.body.split(VALUE);
    let mut body = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        body += VALUE;
        body += "1000000";
        body += piece.trim_start_matches(|character: char| character.is_ascii_digit());
    }
    // Where there is nothing to change it stays one of the corpus: the simulator knows which of those fail everywhere.
    if body == fixture.body {
        return Ok(Behaviour::fixture(name));
    }
    Ok(Behaviour::respond(fixture.http_status, body))
}

/// A refusal at once, of a key that is asked first. An overload is not among them: the same key is asked again after a second,
/// by intent.
const REFUSALS: [(&str, &str); 3] = [
    ("day quota (429)", "day-quota-retry-zero"),
    ("minute quota (429)", "minute-requests"),
    ("invalid key (400)", "key-not-valid"),
];

pub(crate) async fn failing_over_is_fast(amount: Amount) -> Result<Vec<Row>> {
    const MODEL: &str = "gemini-2.5-flash";
    let mut rows = Vec::new();
    for (what, name) in REFUSALS {
        let app = App::start(Setup::of_keys(2).with("KEYPOOL_STRATEGY", "sticky")).await?;
        let token = app.token().await?;
        let first = app.key_ids()[&1];
        let (mut healthy, mut failing) = (Durations::default(), Durations::default());
        // By turns, so that whatever else the machine does is in both.
        for round in 0..2 * amount.of(1_000) {
            let fails = round % 2 == 1;
            app.sim.clear_scripts();
            if fails {
                app.sim.script(&key(1), "*", vec![refusal(name)?]);
            }
            app.pool.reinstate(Scope::All);
            app.pool.switch_to(first)?;
            app.pool.settled().await;
            let started = Instant::now();
            let reply = app.ask(&token, MODEL).await?;
            let took = started.elapsed();
            match reply.attempts()[..] {
                [(1, "success")] if !fails => healthy.push(took),
                [(1, _), (2, "success")] if fails => failing.push(took),
                _ => anyhow::bail!("{what}, round {round}: {} {}", reply.status, reply.body),
            }
        }
        let added = failing.p99().saturating_sub(healthy.p99());
        rows.push(Row::promised(
            format!("{what}: added at p99, {} requests", failing.len()),
            ms(added),
            "≤ 25 ms",
            added.as_millis() <= 25,
        ));
        let (p50, p99) = (ms(healthy.p50()), ms(healthy.p99()));
        rows.push(Row::beside(
            "… p50 and p99 without, and with the failure",
            format!("{p50}, {p99}; {}, {}", ms(failing.p50()), ms(failing.p99())),
        ));
    }
    Ok(rows)
}
