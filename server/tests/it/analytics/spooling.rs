//! A MongoDB that is away costs no event: they wait on the disk, also through the end of the process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use server::store::mongo::MongoStore;
use server::store::{MongoAddress, Store};
use server::usage::spool::{BYTES_MAX, Spool};
use server::usage::{self, Durability, Entry, Recorder};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::call;
use super::recording::count;
use crate::support::mongod::Mongod;

fn spool(dir: &Path, bytes_max: u64) -> Option<Spool> {
    Some(Spool::open(&dir.join("usage-spool"), bytes_max).unwrap())
}

async fn open(mongod: &Mongod, data: &TempDir) -> Arc<dyn Store> {
    let address = MongoAddress::parse(&mongod.uri("spooling")).unwrap();
    Arc::new(MongoStore::open(&address, data.path()).await.unwrap())
}

fn record(recorder: &Recorder, numbers: std::ops::Range<u64>) {
    for number in numbers {
        recorder.record(Entry::Usage(Box::new(call(number, Duration::ZERO))));
    }
}

#[tokio::test]
async fn what_is_recorded_while_mongodb_is_away_is_delivered_once_by_a_later_process() {
    let data = tempfile::tempdir().unwrap();
    let mut mongod = Mongod::start(true).await;
    let store = open(&mongod, &data).await;
    store
        .append_usage((0..3).map(|number| call(number, Duration::ZERO)).collect())
        .await
        .unwrap();
    mongod.kill();
    let (recorder, inbox) = Recorder::new(true, Durability::Strict);
    let running = usage::run(
        inbox,
        Arc::clone(&store),
        spool(data.path(), BYTES_MAX),
        CancellationToken::new(),
    );
    let asking = async {
        // Two of them are stored already.
        record(&recorder, 1..40);
        recorder.settled().await;
        // The store is known to be away by now.
        record(&recorder, 40..50);
        recorder.settled().await;
        recorder.coverage()
    };
    // As by SIGKILL: nothing is told that it ends.
    let coverage = tokio::select! {
        () = running => unreachable!("it goes on trying"),
        coverage = asking => coverage,
    };
    assert_eq!((coverage.dropped, coverage.waiting), (0, 49));
    drop(store);

    mongod.resume().await;
    let store = open(&mongod, &data).await;
    let (recorder, inbox) = Recorder::new(true, Durability::Group);
    assert_eq!(recorder.coverage().waiting, 0);
    let delivering = usage::run(
        inbox,
        Arc::clone(&store),
        spool(data.path(), BYTES_MAX),
        CancellationToken::new(),
    );
    let mut stored = recorder.subscribe();
    let delivered = async {
        while count(store.as_ref()).await < 50 || recorder.coverage().waiting > 0 {
            tokio::select! {
                changed = stored.changed() => changed.unwrap(),
                () = tokio::task::yield_now() => {}
            }
        }
    };
    tokio::select! {
        () = delivering => unreachable!("it goes on"),
        delivered = tokio::time::timeout(Duration::from_secs(60), delivered) => delivered.expect("delivered"),
    }
    assert_eq!(count(store.as_ref()).await, 50);
    assert_eq!(recorder.coverage().dropped, 0);
    assert_eq!(std::fs::read_dir(data.path().join("usage-spool")).unwrap().count(), 0);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_spool_has_an_end_and_what_is_damaged_costs_no_other() {
    let data = tempfile::tempdir().unwrap();
    let mut mongod = Mongod::start(true).await;
    let store = open(&mongod, &data).await;
    mongod.kill();
    let mut dropped = Vec::new();
    for (group, bytes_max) in [(0..10, BYTES_MAX), (10..20, BYTES_MAX), (20..30, 10)] {
        let (recorder, inbox) = Recorder::new(true, Durability::Group);
        record(&recorder, group);
        let finish = CancellationToken::new();
        finish.cancel();
        usage::run(inbox, Arc::clone(&store), spool(data.path(), bytes_max), finish).await;
        dropped.push(recorder.coverage().dropped);
    }
    assert_eq!(dropped, [0, 0, 10], "the last found no room");
    drop(store);
    let mut files: Vec<_> = std::fs::read_dir(data.path().join("usage-spool"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 2, "{files:?}");
    let bytes = std::fs::read(&files[0]).unwrap();
    std::fs::write(&files[0], &bytes[..bytes.len() / 2]).unwrap();

    mongod.resume().await;
    let store = open(&mongod, &data).await;
    let (recorder, inbox) = Recorder::new(true, Durability::Group);
    let delivering = usage::run(
        inbox,
        Arc::clone(&store),
        spool(data.path(), BYTES_MAX),
        CancellationToken::new(),
    );
    let delivered = async {
        while count(store.as_ref()).await < 10 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = delivering => unreachable!("it goes on"),
        delivered = tokio::time::timeout(Duration::from_secs(60), delivered) => delivered.expect("delivered"),
    }
    assert_eq!(recorder.coverage().dropped, 10);
    assert!(files[0].with_extension("damaged").exists());
    store.close().await.unwrap();
}
