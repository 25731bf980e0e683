//! What only MongoDB does: who may have a database, and what is left in it.

use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use server::store::mongo::MongoStore;
use server::store::{Dimensions, EventKind, Level, MongoAddress, Piece, RollupQuery, Store, StoreError};
use tempfile::TempDir;

use super::NOW;
use super::erasing::settle;
use super::usage::event;
use crate::support::mongod::{Mongod, Scratch};

#[tokio::test]
async fn one_keypool_at_a_time_has_a_database() {
    let place = Scratch::new().await;
    let first = place.open().await.unwrap();
    let same_folder = place.open().await.err();
    assert!(matches!(same_folder, Some(StoreError::InUse(_))), "{same_folder:?}");
    let elsewhere = TempDir::new().unwrap();
    let other_folder = MongoStore::open(&place.address(), elsewhere.path()).await.err();
    assert!(matches!(other_folder, Some(StoreError::InUse(_))), "{other_folder:?}");
    first.close().await.unwrap();
    let second = MongoStore::open(&place.address(), elsewhere.path()).await.unwrap();
    second.ready().await.unwrap();
    assert!(matches!(first.ready().await, Err(StoreError::Unavailable(_))));
    place.clear(second).await;
}

#[tokio::test]
async fn what_is_left_of_a_killed_keypool_keeps_nobody_out_who_comes_from_its_folder() {
    let place = Scratch::new().await;
    let first = place.open().await.unwrap();
    let leases = place.database().await.collection::<Document>("leases");
    let lease = leases.find_one(doc! {}).await.unwrap().unwrap();
    first.close().await.unwrap();
    assert!(leases.find_one(doc! {}).await.unwrap().is_none(), "it is given back");
    // As a kill leaves it.
    leases.insert_one(&lease).await.unwrap();
    let elsewhere = TempDir::new().unwrap();
    let stranger = MongoStore::open(&place.address(), elsewhere.path()).await.err();
    assert!(matches!(stranger, Some(StoreError::InUse(_))));
    let again = place.open().await.unwrap();
    again.close().await.unwrap();
    // Long after a kill.
    let long_ago = mongodb::bson::DateTime::from_millis(1_700_000_000_000);
    let mut stale = lease;
    stale.insert("renewed_at", long_ago);
    leases.insert_one(stale).await.unwrap();
    let stranger = MongoStore::open(&place.address(), elsewhere.path()).await.unwrap();
    place.clear(stranger).await;
}

#[tokio::test]
async fn a_database_that_was_lost_is_not_begun_anew() {
    let place = Scratch::new().await;
    assert!(!MongoStore::has_data(&place.address()).await.unwrap());
    place.open().await.unwrap().close().await.unwrap();
    assert!(MongoStore::has_data(&place.address()).await.unwrap());
    place.database().await.drop().await.unwrap();
    let lost = place.open().await.err();
    assert!(
        matches!(&lost, Some(StoreError::Corrupt(text)) if text.contains("mongo.lock")),
        "{lost:?}"
    );
    let names = place.database().await.list_collection_names().await.unwrap();
    assert!(names.is_empty(), "nothing was made: {names:?}");
    std::fs::remove_file(place.data.path().join("mongo.lock")).unwrap();
    let anew = place.open().await.unwrap();
    place.clear(anew).await;
}

#[tokio::test]
async fn a_database_of_another_program_or_of_a_newer_version_is_left_alone() {
    let place = Scratch::new().await;
    let database = place.database().await;
    database
        .collection::<Document>("orders")
        .insert_one(doc! {})
        .await
        .unwrap();
    let theirs = place.open().await.err();
    assert!(
        matches!(&theirs, Some(StoreError::Corrupt(text)) if text.contains("orders")),
        "{theirs:?}"
    );
    assert_eq!(database.list_collection_names().await.unwrap(), ["orders"]);
    database.drop().await.unwrap();

    place.open().await.unwrap().close().await.unwrap();
    let newer = doc! { "$set": { "version": 99 } };
    database
        .collection::<Document>("meta")
        .update_one(doc! {}, newer)
        .await
        .unwrap();
    let newer = place.open().await.err();
    assert!(
        matches!(newer, Some(StoreError::SchemaTooNew { found: 99, known: 2 })),
        "{newer:?}"
    );
    place.remove().await;
}

#[tokio::test]
async fn rollups_of_the_first_version_are_made_again_from_the_events() {
    let place = Scratch::new().await;
    let store = place.open().await.unwrap();
    let events: Vec<_> = (0..7)
        .map(|number| event(&format!("event {number}"), NOW, 1, "success"))
        .collect();
    store.append_usage(events).await.unwrap();
    let day = Level::Day.start_of(NOW);
    let query = RollupQuery {
        kind: EventKind::Attempt,
        pieces: vec![Piece {
            level: Level::Day,
            from: day,
            to: day.plus(Duration::from_secs(24 * 3600)),
        }],
        key_number: None,
        model: None,
        by: Dimensions::default(),
        times: true,
    };
    let expected = store.usage_rollups(query.clone()).await.unwrap();
    assert_eq!(expected[0].sums.count, 7);
    store.close().await.unwrap();

    let database = place.database().await;
    let rollups = database.collection::<Document>("usage_rollups");
    rollups.delete_many(doc! {}).await.unwrap();
    // As the first version wrote them: a bin was a field.
    let old = doc! { "_id": { "g": "total", "l": "day" }, "count": 7_i64, "times": { "44": 7_i64 } };
    rollups.insert_one(old).await.unwrap();
    let first = doc! { "$set": { "version": 1 } };
    let meta = database.collection::<Document>("meta");
    meta.update_one(doc! {}, first).await.unwrap();

    let store = place.open().await.unwrap();
    assert_eq!(store.schema_version().await.unwrap(), 2);
    assert_eq!(store.usage_rollups(query).await.unwrap(), expected);
    place.clear(store).await;
}

#[tokio::test]
async fn a_server_without_transactions_is_refused_with_what_to_do() {
    let mongod = Mongod::start(false).await;
    let data = TempDir::new().unwrap();
    let address = MongoAddress::parse(&mongod.uri("keypool")).unwrap();
    let refused = MongoStore::open(&address, data.path()).await.err();
    assert!(
        matches!(&refused, Some(StoreError::Unfit(text)) if text.contains("rs.initiate()") && text.contains("--replSet")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_without_the_address() {
    let data = TempDir::new().unwrap();
    // Nothing listens on the port of "discard".
    let address = MongoAddress::parse("mongodb://canary:secret@127.0.0.1:9/keypool").unwrap();
    let refused = MongoStore::open(&address, data.path()).await.err();
    let Some(StoreError::Unavailable(text)) = refused else {
        panic!("{refused:?}");
    };
    assert!(text.contains("nothing answers"), "{text}");
    for secret in ["canary", "secret", "127.0.0.1"] {
        assert!(!text.contains(secret), "{text}");
    }
}

/// A look into the database itself: a new place for a user's id is found without anybody thinking of it.
#[tokio::test]
async fn no_document_names_a_deleted_user() {
    const ID: &str = "0190aaaa-dead-7000-8000-canarycanary";
    let place = Scratch::new().await;
    let store = place.open().await.unwrap();
    settle(&store, ID, 10).await;
    let places = async || {
        let documents = place.documents().await;
        let named = documents
            .into_iter()
            .filter(|(_, document)| document.to_string().contains(ID));
        named
            .map(|(collection, _)| collection)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let before = places().await;
    assert!(before.len() >= 9, "the walk finds what is there: {before:?}");
    assert!(store.delete_user(ID).await.unwrap());
    let after = places().await;
    assert!(after.is_empty(), "{after:?}");
    place.clear(store).await;
}

/// What a person looks at in mongosh, and what an index of MongoDB works with.
#[tokio::test]
async fn instants_are_dates_and_digests_are_bytes() {
    let place = Scratch::new().await;
    let store = place.open().await.unwrap();
    settle(&store, "ada", 10).await;
    let documents = place.documents().await;
    let session = &documents.iter().find(|(name, _)| name == "sessions").unwrap().1;
    assert!(matches!(session.get("ends_at"), Some(Bson::DateTime(_))));
    assert!(matches!(session.get("_id"), Some(Bson::Binary(id)) if id.bytes.len() == 32));
    place.clear(store).await;
}

/// The driver and our transactions try again what a server broke off that is primary no more.
#[tokio::test]
async fn a_step_down_fails_nothing_loses_nothing_and_doubles_nothing() {
    const WRITERS: u64 = 4;
    const WRITES: u64 = 60;
    let mongod = Mongod::start(true).await;
    let data = TempDir::new().unwrap();
    let address = MongoAddress::parse(&mongod.uri("keypool")).unwrap();
    let store = MongoStore::open(&address, data.path()).await.unwrap();
    let writer = async |writer: u64| {
        for write in 0..WRITES {
            let name = format!("{writer}-{write}");
            store.next_key_id().await.unwrap();
            let used = vec![event(&name, NOW, 1, "success")];
            store.append_usage(used).await.unwrap();
            store.save_settings(vec![(name, Some(write.into()))]).await.unwrap();
        }
    };
    let stepping_down = async {
        let client = mongodb::Client::with_uri_str(mongod.uri("admin")).await.unwrap();
        for _ in 0..2 {
            let step_down = doc! { "replSetStepDown": 1, "force": true };
            // The second comes before the server is primary again.
            while client.database("admin").run_command(step_down.clone()).await.is_err() {}
        }
    };
    let writers = futures::future::join_all((0..WRITERS).map(writer));
    futures::join!(writers, stepping_down);
    assert_eq!(store.next_key_id().await.unwrap(), WRITERS * WRITES + 1);
    assert_eq!(super::usage::all(&store).await.len() as u64, WRITERS * WRITES);
    assert_eq!(store.settings().await.unwrap().len() as u64, WRITERS * WRITES);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_no_hang() {
    let mongod = Mongod::start(true).await;
    let data = TempDir::new().unwrap();
    let address = MongoAddress::parse(&mongod.uri("keypool")).unwrap();
    let store = MongoStore::open(&address, data.path()).await.unwrap();
    mongod.freeze(true);
    // More than are let in at once.
    let asked = futures::future::join_all((0..1000).map(|_| store.keys()));
    let asked = tokio::time::timeout(Duration::from_secs(20), asked)
        .await
        .expect("no hang");
    assert!(
        asked
            .iter()
            .all(|asked| matches!(asked, Err(StoreError::Unavailable(_))))
    );
    assert!(store.ready().await.is_err());
    mongod.freeze(false);
    let again = async { while store.keys().await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(30), again)
        .await
        .expect("it goes on");
    store.next_key_id().await.unwrap();
    store.close().await.unwrap();
}
