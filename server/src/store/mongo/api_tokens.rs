use mongodb::bson::doc;
use pool::Timestamp;

use super::access::Access;
use super::error::{Result, conflict};
use super::row::{Row, at, bytes};
use super::schema::API_TOKENS;
use crate::store::{self, Digest, StoredApiToken};

/// In a transaction.
pub(super) async fn insert(db: &mut Access, token: &StoredApiToken) -> Result<()> {
    let document = doc! {
        "_id": &token.id,
        "user_id": &token.user_id,
        "name": &token.name,
        "hash": bytes(&token.hash),
        "hint": &token.hint,
        "scopes": &token.scopes,
        "created_at": at(token.created_at),
        "expires_at": token.expires_at.map(at),
        "requests_per_minute": token.requests_per_minute.map(i64::from),
        "last_used_at": token.last_used_at.map(at),
    };
    db.insert(API_TOKENS, document).await.map_err(conflict("This token"))
}

pub(super) async fn of_user(db: &mut Access, user_id: &str) -> Result<Vec<StoredApiToken>> {
    let sort = doc! { "created_at": -1, "_id": -1 };
    let rows = db.find(API_TOKENS, doc! { "user_id": user_id }, sort, 0).await?;
    Ok(rows.iter().map(read).collect::<store::Result<_>>()?)
}

pub(super) async fn by_hash(db: &mut Access, hash: &Digest) -> Result<Option<StoredApiToken>> {
    let found = db.find_one(API_TOKENS, doc! { "hash": bytes(hash) }).await?;
    Ok(found.map(|row| read(&row)).transpose()?)
}

/// In a transaction.
pub(super) async fn delete(db: &mut Access, user_id: &str, id: &str) -> Result<bool> {
    db.delete(API_TOKENS, doc! { "_id": id, "user_id": user_id }).await
}

/// In a transaction.
pub(super) async fn delete_of_user(db: &mut Access, user_id: &str) -> Result<u64> {
    db.delete_many(API_TOKENS, doc! { "user_id": user_id }).await
}

pub(super) async fn note_use(db: &mut Access, id: &str, used_at: Timestamp) -> Result<()> {
    let latest = doc! { "$max": { "last_used_at": at(used_at) } };
    db.update(API_TOKENS, doc! { "_id": id }, latest).await.map(|_| ())
}

fn read(row: &Row) -> store::Result<StoredApiToken> {
    Ok(StoredApiToken {
        id: row.text("_id")?,
        user_id: row.text("user_id")?,
        name: row.text("name")?,
        hash: row.digest("hash")?,
        hint: row.text("hint")?,
        scopes: row.texts("scopes")?,
        created_at: row.at("created_at")?,
        expires_at: row.maybe_at("expires_at")?,
        requests_per_minute: row.maybe_number("requests_per_minute")?,
        last_used_at: row.maybe_at("last_used_at")?,
    })
}
