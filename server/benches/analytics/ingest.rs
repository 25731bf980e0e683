//! Recording as it happens: events of this moment, as many as 20,000 a second.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use pool::Timestamp;
use server::analytics::{self, Stretch};
use server::clock::Clock;
use server::demo_data::Plan;
use server::store::{Dimensions, EventKind, Store, UsageEvent};
use server::usage::{self, Durability, Entry, Recorder};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::per_second;

/// Events handed to the store at once.
pub(crate) const GROUP: usize = 1_000;
/// What must be kept up with.
pub(crate) const RATE: u64 = 20_000;
const TICK: Duration = Duration::from_millis(5);

/// What became of events that came at a rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recorded {
    pub(crate) offered_per_second: u64,
    pub(crate) stored_per_second: f64,
    pub(crate) lost: u64,
    /// After the last one came.
    pub(crate) settled_in: Duration,
}

/// Events of the seconds from now on that so many take.
fn live(like: &Plan, seed: u64, events: u64, rate: u64) -> Vec<UsageEvent> {
    let from = Clock::system().now();
    let plan = Plan {
        seed,
        events,
        from,
        to: from.plus(Duration::from_millis(events * 1_000 / rate)),
        ..like.clone()
    };
    plan.events().collect()
}

/// Through the store itself, one group after the other. Per second.
pub(crate) async fn append(store: &dyn Store, like: &Plan, events: u64) -> Result<f64> {
    let events = live(like, 101, events, RATE);
    let count = events.len() as u64;
    let groups: Vec<Vec<UsageEvent>> = events.chunks(GROUP).map(<[UsageEvent]>::to_vec).collect();
    let began = Instant::now();
    for group in groups {
        store.append_usage(group).await?;
    }
    Ok(per_second(count, began.elapsed()))
}

/// Through the recorder, as requests do: at the target's rate, and at more than can be stored.
pub(crate) async fn record(store: &Arc<dyn Store>, like: &Plan, events: u64) -> Result<Vec<Recorded>> {
    let mut recorded = Vec::new();
    for (seed, rate) in [(102, RATE), (103, 10 * RATE)] {
        recorded.push(at_rate(store, live(like, seed, events, rate), rate).await?);
    }
    Ok(recorded)
}

async fn at_rate(store: &Arc<dyn Store>, events: Vec<UsageEvent>, rate: u64) -> Result<Recorded> {
    let (count, before) = (events.len() as u64, stored(store.as_ref()).await?);
    let (recorder, entries) = Recorder::new(true, Durability::Group);
    let finish = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(usage::run(entries, Arc::clone(store), None, finish.clone()));
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (began, mut coming) = (Instant::now(), events.into_iter());
    let mut given = 0;
    while given < count {
        ticks.tick().await;
        let due = u64::try_from(began.elapsed().as_millis())? * rate / 1_000;
        for event in coming.by_ref().take(usize::try_from(due.saturating_sub(given))?) {
            given += 1;
            recorder.record(Entry::Usage(Box::new(event)));
        }
    }
    let given_in = began.elapsed();
    finish.cancel();
    drop(recorder);
    while tasks.join_next().await.transpose()?.is_some() {}
    let took = began.elapsed();
    let kept = stored(store.as_ref()).await? - before;
    ensure!(kept <= count, "{kept} of {count} events were stored");
    Ok(Recorded {
        offered_per_second: rate,
        stored_per_second: per_second(kept, took),
        lost: count - kept,
        settled_in: took.saturating_sub(given_in),
    })
}

/// All there are, by what they add up to.
async fn stored(store: &dyn Store) -> Result<u64> {
    let far = Clock::system().now().plus(Duration::from_secs(24 * 3600));
    let mut count = 0;
    for kind in EventKind::ALL {
        let ever = Stretch::until(Timestamp::from_millis(0), far);
        let sums = analytics::sums(store, kind, ever, Dimensions::default()).await?;
        count += sums.iter().map(|row| row.sums.count).sum::<u64>();
    }
    Ok(count)
}
