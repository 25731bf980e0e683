//! How fast usage is recorded and read, beside the targets: a month of made-up history, stored as the product stores it, then
//! the questions that the pages ask.
//!
//! `cargo xtask bench analytics`, or a part: `-- --events 100k,1m --stores sqlite --keys 1000`. `--quick` looks whether it
//! runs. Ten million events take about two gigabytes of the temporary folder (`TMPDIR`), which are given back.

mod figures;
mod ingest;
mod mongod;
mod queries;
mod stores;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use app::types::Role;
use pool::Timestamp;
use server::clock::Clock;
use server::demo_data::{self, Plan};
use server::email::Email;
use server::store::{Store, StoredUser};
use tokio::time::Instant;

use crate::figures::{Measured, Report, count};
use crate::queries::{Asking, QUERIES};
use crate::stores::{Kind, Place};

const DAYS: u32 = 30;
const RUNS: usize = 21;
const MINUTES_KEPT_AT_MOST: Duration = Duration::from_secs(31 * 24 * 3600);

struct Wanted {
    events: Vec<u64>,
    stores: Vec<Kind>,
    keys: u32,
    runs: usize,
    /// Events of each look at recording.
    ingest: u64,
    /// Only queries whose name has this in it; then nothing is recorded for figures.
    only: Option<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let wanted = wanted(std::env::args().skip(1))?;
    for kind in &wanted.stores {
        let mut report = Report::new(*kind);
        for events in &wanted.events {
            match measure(*kind, *events, &wanted).await? {
                Some(measured) => report.add(measured),
                None => {
                    figures::say(&format!(
                        "{kind}: there is none here; `cargo xtask test --only tools` fetches it"
                    ));
                    break;
                }
            }
        }
        report.print();
    }
    Ok(ExitCode::SUCCESS)
}

fn wanted(arguments: impl Iterator<Item = String>) -> Result<Wanted> {
    let mut wanted = Wanted {
        events: vec![100_000, 1_000_000, 10_000_000],
        stores: Kind::ALL.to_vec(),
        keys: 5,
        runs: RUNS,
        ingest: 100_000,
        only: None,
    };
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} wants a value"));
        match argument.as_str() {
            // Cargo's own.
            "--bench" => {}
            "--quick" => (wanted.events, wanted.runs, wanted.ingest) = (vec![2_000, 20_000], 3, 5_000),
            "--events" => wanted.events = value()?.split(',').map(count).collect::<Result<_>>()?,
            "--stores" => wanted.stores = value()?.split(',').map(Kind::parse).collect::<Result<_>>()?,
            "--keys" => wanted.keys = value()?.parse().context("--keys wants a number")?,
            "--only" => wanted.only = Some(value()?),
            other => bail!("{other} is unknown; there are --events, --stores, --keys, --only and --quick"),
        }
    }
    ensure!(
        !wanted.events.is_empty() && wanted.keys > 0,
        "there is nothing to measure"
    );
    Ok(wanted)
}

/// `None` when there is no such store here.
async fn measure(kind: Kind, events: u64, wanted: &Wanted) -> Result<Option<Measured>> {
    let Some(place) = Place::new(kind).await? else {
        return Ok(None);
    };
    let store = place.open().await?;
    let now = Clock::system().now();
    let plan = Plan {
        events,
        keys: demo_data::made_up_keys(wanted.keys, 1),
        ..Plan::of_days(DAYS, now)
    };
    figures::say(&format!("{kind}: making up {events} events of {DAYS} days …"));
    make_accounts(store.as_ref(), now).await?;
    let began = Instant::now();
    demo_data::fill(store.as_ref(), plan.events(), ingest::GROUP, |_| {}).await?;
    let mut measured = Measured::new(events);
    measured.history_per_second = per_second(events, began.elapsed());
    // As a running server does every hour: minutes are kept for two days.
    let began = Instant::now();
    store.prune_usage(now.minus(MINUTES_KEPT_AT_MOST), now).await?;
    measured.pruned_in = began.elapsed();
    measured.bytes = place.bytes(&store).await?;
    ask(&store, &plan, now, wanted, &mut measured).await?;
    if wanted.only.is_none() {
        measured.appended_per_second = ingest::append(store.as_ref(), &plan, wanted.ingest).await?;
        measured.recorded = ingest::record(&store, &plan, wanted.ingest).await?;
    }
    store.close().await?;
    drop(store);
    place.clear().await?;
    Ok(Some(measured))
}

/// Events of nobody's account would be stored without who asked.
async fn make_accounts(store: &dyn Store, created_at: Timestamp) -> Result<()> {
    for (number, id) in demo_data::user_ids().into_iter().enumerate() {
        let user = StoredUser {
            id,
            email: Email::parse(&format!("user{number}@example.com"))?,
            name: format!("User {number}"),
            role: Role::User,
            password_hash: String::new(),
            created_at,
            disabled: false,
            last_sign_in_at: None,
            credentials: 0,
        };
        store.create_user(user).await?;
    }
    Ok(())
}

async fn ask(
    store: &Arc<dyn Store>,
    plan: &Plan,
    now: Timestamp,
    wanted: &Wanted,
    measured: &mut Measured,
) -> Result<()> {
    let asking = Asking::new(Arc::clone(store), plan, now).await?;
    for query in QUERIES {
        if wanted
            .only
            .as_ref()
            .is_some_and(|only| !query.name.contains(only.as_str()))
        {
            continue;
        }
        let mut took = Vec::with_capacity(wanted.runs);
        let mut rows = 0;
        for _ in 0..wanted.runs {
            let began = Instant::now();
            rows = asking.ask(query).await?;
            took.push(began.elapsed());
        }
        measured.asked(query.name, took, rows);
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
