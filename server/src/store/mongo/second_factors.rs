//! One document a user, its recovery codes in it.

use mongodb::bson::{Binary, doc};

use super::access::Access;
use super::error::Result;
use super::row::{Row, bytes, whole};
use super::schema::SECOND_FACTORS;
use super::sessions::{Except, end_all};
use crate::store::{self, Digest, StoredSecondFactor};

pub(super) async fn get(db: &mut Access, user_id: &str) -> Result<Option<StoredSecondFactor>> {
    let found = db.find_one(SECOND_FACTORS, doc! { "_id": user_id }).await?;
    Ok(found.map(|row| read(&row)).transpose()?)
}

/// In a transaction.
pub(super) async fn begin(db: &mut Access, user_id: &str, sealed: &[u8]) -> Result<bool> {
    if get(db, user_id).await?.is_some_and(|factor| factor.confirmed) {
        return Ok(false);
    }
    let set = doc! { "sealed": bytes(sealed), "confirmed": false, "last_step": 0_i64, "recovery": [] };
    db.upsert(SECOND_FACTORS, doc! { "_id": user_id }, doc! { "$set": set })
        .await?;
    Ok(true)
}

/// In a transaction.
pub(super) async fn confirm(db: &mut Access, factor: &StoredSecondFactor, except: Except<'_>) -> Result<bool> {
    let open = doc! { "_id": &factor.user_id, "sealed": bytes(&factor.sealed), "confirmed": false };
    let set = doc! { "confirmed": true, "recovery": codes(&factor.recovery) };
    let is_confirmed = db.update(SECOND_FACTORS, open, doc! { "$set": set }).await?;
    if is_confirmed {
        end_all(db, &factor.user_id, except).await?;
    }
    Ok(is_confirmed)
}

pub(super) async fn replace_recovery_codes(db: &mut Access, user_id: &str, new: &[Digest]) -> Result<bool> {
    let confirmed = doc! { "_id": user_id, "confirmed": true };
    let set = doc! { "$set": { "recovery": codes(new) } };
    db.update(SECOND_FACTORS, confirmed, set).await
}

/// In a transaction.
pub(super) async fn delete(db: &mut Access, user_id: &str) -> Result<bool> {
    db.delete(SECOND_FACTORS, doc! { "_id": user_id }).await
}

/// In a transaction.
pub(super) async fn use_step(db: &mut Access, user_id: &str, step: u64) -> Result<bool> {
    let before = doc! { "_id": user_id, "last_step": { "$lt": whole(step) } };
    let set = doc! { "$set": { "last_step": whole(step) } };
    db.update(SECOND_FACTORS, before, set).await
}

/// In a transaction.
pub(super) async fn use_recovery_code(db: &mut Access, user_id: &str, code: &Digest) -> Result<bool> {
    let left = doc! { "_id": user_id, "recovery": bytes(code) };
    let take = doc! { "$pull": { "recovery": bytes(code) } };
    db.update(SECOND_FACTORS, left, take).await
}

/// In an order of their own, and each once.
fn codes(codes: &[Digest]) -> Vec<Binary> {
    let codes: std::collections::BTreeSet<&Digest> = codes.iter().collect();
    codes.into_iter().map(|code| bytes(code)).collect()
}

fn read(row: &Row) -> store::Result<StoredSecondFactor> {
    Ok(StoredSecondFactor {
        user_id: row.text("_id")?,
        sealed: row.bytes("sealed")?,
        confirmed: row.flag("confirmed")?,
        last_step: row.whole("last_step")?,
        recovery: row.digests("recovery")?,
    })
}
