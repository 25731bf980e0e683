//! The collections, their indexes, and what tells our database from others.

use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;
use mongodb::{Database, IndexModel};

use super::access::Access;
use super::error::Result;
use super::row::Row;
use crate::store::StoreError;

pub(super) const ANALYSES: &str = "analyses";
pub(super) const API_TOKENS: &str = "api_tokens";
pub(super) const AUDIT_ENTRIES: &str = "audit_entries";
pub(super) const AUDIT_HEAD: &str = "audit_head";
pub(super) const COUNTERS: &str = "counters";
pub(super) const IDEMPOTENCY: &str = "idempotency";
pub(super) const INCIDENTS: &str = "incidents";
pub(super) const KEYS: &str = "keys";
pub(super) const KEY_NUMBERS: &str = "key_numbers";
pub(super) const LEASES: &str = "leases";
pub(super) const LINKS: &str = "account_links";
pub(super) const META: &str = "meta";
pub(super) const NOTIFICATIONS: &str = "notifications";
pub(super) const POOL_RECORDS: &str = "pool_records";
pub(super) const REFRESH_TOKENS: &str = "refresh_tokens";
pub(super) const SECOND_FACTORS: &str = "second_factors";
pub(super) const SERVER_SECRETS: &str = "server_secrets";
pub(super) const SESSIONS: &str = "sessions";
pub(super) const SETTINGS: &str = "settings";
pub(super) const SET_UP_LINKS: &str = "set_up_links";
pub(super) const SIGN_INS: &str = "sign_ins";
pub(super) const USAGE_CALLERS: &str = "usage_callers";
pub(super) const USAGE_EVENTS: &str = "usage_events";
pub(super) const USAGE_ROLLUPS: &str = "usage_rollups";
pub(super) const USERS: &str = "users";

/// A change of what is stored, and how, adds one. 2: other rollups, and incidents.
pub(super) const VERSION: u32 = 2;
const SCHEMA: &str = "schema";

/// Every collection but [`META`], which is made last, with its indexes. Instants are dates, digests 32 bytes, JSON is text.
fn collections() -> Vec<(&'static str, Vec<IndexModel>)> {
    let others = vec![
        (
            ANALYSES,
            vec![
                index(doc! { "user_id": 1, "created_at": -1, "_id": -1 }),
                // For those who keep a history for a time only.
                index(doc! { "created_at": 1 }),
            ],
        ),
        (
            API_TOKENS,
            vec![unique(doc! { "hash": 1 }), index(doc! { "user_id": 1 })],
        ),
        (AUDIT_ENTRIES, vec![]),
        (AUDIT_HEAD, vec![]),
        (COUNTERS, vec![]),
        (
            IDEMPOTENCY,
            vec![index(doc! { "analysis_id": 1 }), index(doc! { "expires_at": 1 })],
        ),
        (
            INCIDENTS,
            vec![
                index(doc! { "opened_at": -1, "_id": -1 }),
                index(doc! { "resolved_at": 1 }),
                // For those of which something is untold.
                index(doc! { "untold": 1 }),
                unique_among_open(doc! { "rule": 1, "subject": 1 }),
            ],
        ),
        (
            KEYS,
            vec![unique(doc! { "number": 1 }), unique(doc! { "fingerprint": 1 })],
        ),
        (KEY_NUMBERS, vec![]),
        (LEASES, vec![]),
        (LINKS, vec![unique(doc! { "token": 1 })]),
        (
            NOTIFICATIONS,
            vec![
                index(doc! { "created_at": -1, "_id": -1 }),
                index(doc! { "deliveries.channel": 1, "deliveries.state": 1, "deliveries.due_at": 1 }),
            ],
        ),
        (POOL_RECORDS, vec![]),
        (
            REFRESH_TOKENS,
            vec![
                index(doc! { "family": 1 }),
                index(doc! { "user_id": 1 }),
                index(doc! { "expires_at": 1 }),
            ],
        ),
        (SECOND_FACTORS, vec![]),
        (SERVER_SECRETS, vec![]),
        (
            SESSIONS,
            vec![index(doc! { "user_id": 1 }), index(doc! { "expires_at": 1 })],
        ),
        (SETTINGS, vec![]),
        (SET_UP_LINKS, vec![]),
        (SIGN_INS, vec![index(doc! { "user_id": 1 })]),
        (USERS, vec![unique(doc! { "email": 1 })]),
    ];
    [others, of_usage()].concat()
}

fn of_usage() -> Vec<(&'static str, Vec<IndexModel>)> {
    vec![
        (
            USAGE_CALLERS,
            vec![unique(doc! { "user_id": 1, "token_id": 1, "user_agent": 1 })],
        ),
        (
            USAGE_EVENTS,
            vec![index(doc! { "at": 1, "_id": 1 }), index(doc! { "request_id": 1 })],
        ),
        (
            USAGE_ROLLUPS,
            vec![
                index(doc! { "_id.g": 1, "_id.k": 1, "_id.l": 1, "_id.s": 1 }),
                // For one key or one model: its own, in the order of time.
                index(doc! { "_id.g": 1, "_id.k": 1, "_id.n": 1, "_id.m": 1, "_id.l": 1, "_id.s": 1 }),
            ],
        ),
    ]
}

fn index(keys: Document) -> IndexModel {
    IndexModel::builder().keys(keys).build()
}

fn unique(keys: Document) -> IndexModel {
    let options = IndexOptions::builder().unique(true).build();
    IndexModel::builder().keys(keys).options(options).build()
}

/// Over incidents that have no end.
fn unique_among_open(keys: Document) -> IndexModel {
    let options = IndexOptions::builder()
        .unique(true)
        .partial_filter_expression(doc! { "resolved_at": { "$type": "null" } })
        .build();
    IndexModel::builder().keys(keys).options(options).build()
}

/// What a database says of itself.
pub(super) struct Found {
    /// Given to it when it was made.
    pub(super) id: String,
    version: u32,
}

impl Found {
    /// # Errors
    /// `SchemaTooNew`.
    pub(super) fn check(&self) -> crate::store::Result<()> {
        if self.version > VERSION {
            return Err(StoreError::SchemaTooNew {
                found: self.version,
                known: VERSION,
            });
        }
        Ok(())
    }

    /// Whether its rollups are those of version 1.
    pub(super) fn has_old_rollups(&self) -> bool {
        self.version < 2
    }
}

/// `None` when nothing of ours was ever made there.
pub(super) async fn find(access: &mut Access) -> Result<Option<Found>> {
    let found = access.find_one(META, doc! { "_id": SCHEMA }).await?;
    Ok(found.map(|row| read(&row)).transpose()?)
}

fn read(row: &Row) -> crate::store::Result<Found> {
    Ok(Found {
        id: row.text("store_id")?,
        version: row.number("version")?,
    })
}

pub(super) async fn version(access: &mut Access) -> Result<u32> {
    let found = find(access).await?;
    let gone = || StoreError::Corrupt("the database does not say its schema any more".to_owned());
    Ok(found.ok_or_else(gone)?.version)
}

/// # Errors
/// `Corrupt` when there are collections that are not ours.
pub(super) async fn refuse_strange(database: &Database) -> Result<()> {
    let (there, ours) = (database.list_collection_names().await?, collections());
    let is_ours = |name: &str| name.starts_with("system.") || ours.iter().any(|(known, _)| *known == name);
    match there.iter().find(|name| !is_ours(name)) {
        None => Ok(()),
        Some(strange) => Err(StoreError::Corrupt(format!(
            "the database {} is another program's: it has a collection {strange}. Name another database in MONGO_URI",
            database.name()
        ))
        .into()),
    }
}

/// Makes what is not there yet; each index again, which does nothing where it is there.
pub(super) async fn make(access: &mut Access) -> Result<Found> {
    let database = access.database.clone();
    let there = database.list_collection_names().await?;
    for (name, indexes) in collections() {
        if !indexes.is_empty() {
            database.collection::<Document>(name).create_indexes(indexes).await?;
        } else if !there.iter().any(|known| known == name) {
            create(&database, name).await?;
        }
    }
    let id = uuid::Uuid::new_v4().to_string();
    let new = doc! { "$setOnInsert": { "store_id": id }, "$max": { "version": i64::from(VERSION) } };
    let made = access.changed_or_made(META, doc! { "_id": SCHEMA }, new).await?;
    let made = made.ok_or_else(|| StoreError::Unavailable("the schema was not stored".to_owned()))?;
    Ok(read(&made)?)
}

async fn create(database: &Database, name: &str) -> Result<()> {
    match database.create_collection(name).await {
        Err(error) if is_there_already(&error) => Ok(()),
        done => Ok(done?),
    }
}

/// Somebody made it at the same time.
fn is_there_already(error: &mongodb::error::Error) -> bool {
    const NAMESPACE_EXISTS: i32 = 48;
    matches!(&*error.kind, mongodb::error::ErrorKind::Command(failed) if failed.code == NAMESPACE_EXISTS)
}
