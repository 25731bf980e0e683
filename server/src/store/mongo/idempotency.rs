//! One document a caller and key, which are its id: beginning it twice is a duplicate.

use mongodb::bson::{Document, doc};
use serde_json::Value;

use super::access::Access;
use super::error::Result;
use super::row::{Row, at, bytes, json};
use super::schema::IDEMPOTENCY;
use crate::store::{self, Begun, StoreError, StoredIdempotency};

/// Tries to find a record that is there and gone again.
const TRIES_MAX: u32 = 5;

fn id(caller: &str, key: &str) -> Document {
    doc! { "caller": caller, "key": key }
}

pub(super) async fn begin(db: &mut Access, request: &StoredIdempotency) -> Result<Begun> {
    let id = id(&request.caller, &request.key);
    let over = doc! { "_id": &id, "expires_at": { "$lte": at(request.created_at) } };
    let fields = doc! {
        "caller": &request.caller,
        "request": bytes(&request.request),
        "analysis_id": &request.analysis_id,
        "response": json(request.response.as_ref()),
        "created_at": at(request.created_at),
        "expires_at": at(request.expires_at),
    };
    for _ in 0..TRIES_MAX {
        // One operation: where there is none, or one that has expired, this takes its place.
        match db.upsert(IDEMPOTENCY, over.clone(), doc! { "$set": &fields }).await {
            Ok(()) => return Ok(Begun::New),
            Err(failure) if failure.is_duplicate() => {}
            Err(failure) => return Err(failure),
        }
        if let Some(found) = db.find_one(IDEMPOTENCY, doc! { "_id": &id }).await? {
            return Ok(Begun::Existing(read(&found)?));
        }
    }
    Err(StoreError::Unavailable("a request is begun and given up all the time".to_owned()).into())
}

pub(super) async fn finish(
    db: &mut Access,
    caller: &str,
    key: &str,
    analysis_id: Option<&str>,
    response: Option<&Value>,
) -> Result<()> {
    let set = doc! { "$set": { "analysis_id": analysis_id, "response": json(response) } };
    db.update(IDEMPOTENCY, doc! { "_id": id(caller, key) }, set)
        .await
        .map(|_| ())
}

pub(super) async fn abandon(db: &mut Access, caller: &str, key: &str) -> Result<()> {
    let open = doc! { "_id": id(caller, key), "analysis_id": null, "response": null };
    db.delete(IDEMPOTENCY, open).await.map(|_| ())
}

pub(super) async fn abandon_all(db: &mut Access) -> Result<u64> {
    db.delete_many(IDEMPOTENCY, doc! { "analysis_id": null, "response": null })
        .await
}

fn read(row: &Row) -> store::Result<StoredIdempotency> {
    let id = row.row("_id")?;
    Ok(StoredIdempotency {
        caller: id.text("caller")?,
        key: id.text("key")?,
        request: row.digest("request")?,
        analysis_id: row.maybe_text("analysis_id")?,
        response: row.maybe_json("response")?,
        created_at: row.at("created_at")?,
        expires_at: row.at("expires_at")?,
    })
}
