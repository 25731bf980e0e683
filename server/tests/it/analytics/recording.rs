//! What a store that is slow, away or killed costs.

use std::sync::Arc;
use std::time::Duration;

use server::store::sqlite::SqliteStore;
use server::store::{EventBounds, EventFilter, Order, Store, UsageEvent};
use server::usage::{self, Durability, Entry, Recorder};
use tokio_util::sync::CancellationToken;

use super::call;
use crate::support::{Setup, spawn};

const ALL: EventBounds = EventBounds {
    events_max: 100_000,
    looked_at_max: 100_000,
};

async fn count(store: &dyn Store) -> usize {
    let page = store.usage_events(EventFilter::default(), Order::OldestFirst, None, ALL);
    page.await.unwrap().events.len()
}

#[tokio::test]
async fn what_finds_the_queue_full_is_counted_and_nothing_else_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&dir.path().join("keypool.db")).unwrap());
    let (recorder, inbox) = Recorder::new(true, Durability::Group);
    for number in 0..50_100 {
        recorder.record(Entry::Usage(Box::new(call(number, Duration::ZERO))));
    }
    let coverage = recorder.coverage();
    assert_eq!((coverage.dropped, coverage.waiting), (100, 50_000));
    let finish = CancellationToken::new();
    finish.cancel();
    usage::run(inbox, Arc::clone(&store), finish).await;
    assert_eq!(count(store.as_ref()).await, 50_000);
    assert_eq!((recorder.coverage().dropped, recorder.coverage().waiting), (100, 0));
}

#[tokio::test]
async fn an_event_that_is_never_taken_costs_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&dir.path().join("keypool.db")).unwrap());
    let too_large = |number| UsageEvent {
        total_tokens: u64::MAX,
        ..call(number, Duration::ZERO)
    };
    // What is added to this is more than a column holds.
    store.append_usage(vec![too_large(100)]).await.unwrap();
    let (recorder, inbox) = Recorder::new(true, Durability::Group);
    for number in 0..20 {
        let event = match number {
            11 => too_large(11),
            _ => call(number, Duration::from_secs(2 * 86_400)),
        };
        recorder.record(Entry::Usage(Box::new(event)));
    }
    let finish = CancellationToken::new();
    finish.cancel();
    usage::run(inbox, Arc::clone(&store), finish).await;
    assert_eq!(count(store.as_ref()).await, 1 + 19);
    assert_eq!((recorder.coverage().dropped, recorder.coverage().waiting), (1, 0));
}

#[tokio::test]
async fn nobody_waits_for_a_store_that_refuses_and_what_it_refused_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&dir.path().join("keypool.db")).unwrap());
    store.close().await.unwrap();
    let (recorder, inbox) = Recorder::new(true, Durability::Strict);
    let running = usage::run(inbox, Arc::clone(&store), CancellationToken::new());
    let asking = async {
        for number in 0..3 {
            recorder.record(Entry::Usage(Box::new(call(number, Duration::ZERO))));
            recorder.settled().await;
        }
        recorder.coverage()
    };
    let coverage = tokio::select! {
        () = running => unreachable!("it goes on trying"),
        coverage = tokio::time::timeout(Duration::from_secs(20), asking) => coverage.expect("an answer"),
    };
    assert_eq!((coverage.dropped, coverage.waiting), (0, 3));
}

#[tokio::test]
async fn an_answer_that_is_recorded_strictly_is_stored_before_it_is_given() {
    let setup = Setup {
        environment: vec![("ANALYTICS_DURABILITY", "strict".to_owned())],
        ..Setup::default()
    };
    let app = spawn(setup).await;
    let token = app.user().await;
    for asked in 1..=3 {
        assert_eq!(app.analyze(&token).await.status, 200);
        assert_eq!(count(app.analytics.store.as_ref()).await, 2 * asked);
    }
}
