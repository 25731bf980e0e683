//! What SIGKILL costs: a process of its own records events and is killed, two hundred times on one store.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use server::store::sqlite::SqliteStore;
use server::store::{Dimensions, EventBounds, EventFilter, EventKind, Level, Order, Piece, RollupQuery, Store};
use server::usage::{self, Durability, Entry, Recorder};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::call;
use crate::support::START;

const KILLS: u64 = 100;
/// Numbers of one round begin at a multiple of it.
const ROUND: u64 = 10_000;
/// What a crash may cost of events that are stored in groups.
const MISSING_MAX: Duration = Duration::from_secs(1);
/// For the child: the store's file, whether it is strict, and its first number.
const TOLD: &str = "KEYPOOL_TEST_RECORDING";

#[tokio::test]
async fn a_kill_costs_the_events_of_its_last_second_at_most_and_doubles_none() {
    check("group").await;
}

#[tokio::test]
async fn a_kill_costs_no_event_that_is_recorded_strictly() {
    check("strict").await;
}

/// Does nothing but in the process that the tests above start.
#[tokio::test]
async fn recording_until_it_is_killed() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the parent of this process tells it so what to do"
    )]
    let Ok(told) = std::env::var(TOLD) else { return };
    let [path, durability, first] = told.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let durability = match durability {
        "strict" => Durability::Strict,
        _ => Durability::Group,
    };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(Path::new(path)).unwrap());
    let (recorder, inbox) = Recorder::new(true, durability);
    let tasks = TaskTracker::new();
    tasks.spawn(usage::run(inbox, store, CancellationToken::new()));
    let mut pace = tokio::time::interval(Duration::from_millis(2));
    let first: u64 = first.parse().unwrap();
    // Ends by itself if nobody kills it.
    for number in first..first + ROUND {
        recorder.record(Entry::Usage(Box::new(call(number, Duration::ZERO))));
        recorder.settled().await;
        println_unbuffered(number);
        pace.tick().await;
    }
}

#[expect(clippy::print_stdout, reason = "what the parent reads")]
fn println_unbuffered(number: u64) {
    use std::io::Write as _;
    println!("recorded {number}");
    std::io::stdout().flush().unwrap();
}

async fn check(durability: &'static str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keypool.db");
    let (mut told, mut may_miss) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..KILLS {
        let file = path.clone();
        let lines = tokio::task::spawn_blocking(move || record_and_kill(&file, durability, round));
        let (lines, killed_at) = lines.await.unwrap();
        assert!(!lines.is_empty());
        for (number, at) in lines {
            told.insert(number);
            if durability == "group" && killed_at.duration_since(at) <= MISSING_MAX {
                may_miss.insert(number);
            }
        }
    }
    let store = SqliteStore::open(&path).unwrap();
    let bounds = EventBounds {
        events_max: 1_000_000,
        looked_at_max: 1_000_000,
    };
    let page = store.usage_events(EventFilter::default(), Order::OldestFirst, None, bounds);
    let events = page.await.unwrap().events;
    let stored: BTreeSet<u64> = events.iter().map(|event| event.id[24..].parse().unwrap()).collect();
    assert_eq!(stored.len(), events.len(), "none is there twice");
    let lost: Vec<_> = told
        .difference(&stored)
        .filter(|number| !may_miss.contains(number))
        .collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), told.len());
    let day = Level::Day.start_of(START);
    let query = RollupQuery {
        kind: EventKind::Attempt,
        pieces: vec![Piece {
            level: Level::Day,
            from: day,
            to: day.plus(Duration::from_millis(Level::Day.ms())),
        }],
        key_number: None,
        model: None,
        by: Dimensions::default(),
        times: true,
    };
    let sums = store.usage_rollups(query).await.unwrap();
    assert_eq!(
        sums[0].sums.count,
        events.len() as u64,
        "none is counted twice, and all are"
    );
    assert_eq!(sums[0].times.count(), events.len() as u64);
}

/// What the child said that it had recorded and when it was heard, and the instant before the kill. Some live for more than a
/// second, most are killed within the first group or two.
fn record_and_kill(path: &Path, durability: &str, round: u64) -> (Vec<(u64, Instant)>, Instant) {
    let told = format!("{}\n{durability}\n{}", path.display(), round * ROUND);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "analytics::killing::recording_until_it_is_killed",
            "--nocapture",
        ])
        .env(TOLD, told)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let life = Duration::from_millis(if round % 25 == 24 { 1_300 } else { round * 37 % 160 });
    let mut lines = Vec::new();
    let mut began = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let Some(number) = line
            .unwrap()
            .strip_prefix("recorded ")
            .and_then(|number| number.parse().ok())
        else {
            continue;
        };
        let now = Instant::now();
        lines.push((number, now));
        if now.duration_since(*began.get_or_insert(now)) >= life {
            break;
        }
    }
    let killed_at = Instant::now();
    child.kill().unwrap();
    child.wait().unwrap();
    (lines, killed_at)
}
