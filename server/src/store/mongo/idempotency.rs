//! One document a caller and key, which are its id.

use mongodb::bson::{Document, doc};
use serde_json::Value;

use super::access::Access;
use super::error::Result;
use super::row::{Row, at, bytes, json};
use super::schema::IDEMPOTENCY;
use crate::store::{self, Begun, StoredIdempotency};

fn id(caller: &str, key: &str) -> Document {
    doc! { "caller": caller, "key": key }
}

/// In a transaction: two at once both write it, and one of them comes second.
pub(super) async fn begin(db: &mut Access, request: &StoredIdempotency) -> Result<Begun> {
    let id = id(&request.caller, &request.key);
    if let Some(found) = db.find_one(IDEMPOTENCY, doc! { "_id": &id }).await? {
        let found = read(&found)?;
        if found.expires_at > request.created_at {
            return Ok(Begun::Existing(found));
        }
    }
    let fields = doc! {
        "caller": &request.caller,
        "request": bytes(&request.request),
        "analysis_id": &request.analysis_id,
        "response": json(request.response.as_ref()),
        "created_at": at(request.created_at),
        "expires_at": at(request.expires_at),
    };
    db.upsert(IDEMPOTENCY, doc! { "_id": id }, doc! { "$set": fields })
        .await?;
    Ok(Begun::New)
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
