//! Sign-ins of the API with their refresh tokens. A sign-in ends with its document; its tokens, spent, stay until they expire.

use mongodb::bson::doc;
use pool::Timestamp;

use super::access::Access;
use super::error::{Result, conflict};
use super::row::{Row, at, bytes};
use super::schema::{REFRESH_TOKENS, SIGN_INS};
use super::users;
use crate::store::{self, Digest, Rotation, StoredRefreshToken, StoredSignIn, Successor};

/// In a transaction.
pub(super) async fn begin(
    db: &mut Access,
    token: &StoredRefreshToken,
    sign_in: &StoredSignIn,
    credentials: u64,
) -> Result<bool> {
    if !users::are_unchanged(db, &sign_in.user_id, credentials).await? {
        return Ok(false);
    }
    let document = doc! {
        "_id": &sign_in.family,
        "user_id": &sign_in.user_id,
        "began_at": at(sign_in.began_at),
        "last_used_at": at(sign_in.last_used_at),
        "expires_at": at(sign_in.expires_at),
        "user_agent": &sign_in.user_agent,
        "address": &sign_in.address,
    };
    db.insert(SIGN_INS, document).await.map_err(conflict("This sign-in"))?;
    insert_token(db, token).await?;
    Ok(true)
}

async fn insert_token(db: &mut Access, token: &StoredRefreshToken) -> Result<()> {
    let document = doc! {
        "_id": bytes(&token.token),
        "family": &token.family,
        "user_id": &token.user_id,
        "expires_at": at(token.expires_at),
        "spent": false,
    };
    db.insert(REFRESH_TOKENS, document)
        .await
        .map_err(conflict("This token"))
}

/// In a transaction: two uses at once both write the token, so one of them comes second and finds it spent. What ends the
/// sign-in meanwhile writes it too.
pub(super) async fn rotate(db: &mut Access, token: &Digest, successor: Successor, now: Timestamp) -> Result<Rotation> {
    let filter = doc! { "_id": bytes(token) };
    let Some(found) = db.find_one(REFRESH_TOKENS, filter.clone()).await? else {
        return Ok(Rotation::Unknown);
    };
    let (family, user_id) = (found.text("family")?, found.text("user_id")?);
    if found.flag("spent")? {
        end_family(db, &family).await?;
        return Ok(Rotation::Reused { family });
    }
    if found.at("expires_at")? <= now {
        return Ok(Rotation::Expired);
    }
    let Some(sign_in) = get(db, &family).await? else {
        return Ok(Rotation::Unknown);
    };
    db.update(REFRESH_TOKENS, filter, doc! { "$set": { "spent": true } })
        .await?;
    let expires_at = successor.expires_at.min(sign_in.began_at.plus(successor.life_max));
    let next = StoredRefreshToken {
        token: successor.token,
        family,
        user_id,
        expires_at,
    };
    insert_token(db, &next).await?;
    let used = doc! { "$set": { "last_used_at": at(now), "expires_at": at(expires_at) } };
    db.update(SIGN_INS, doc! { "_id": &next.family }, used).await?;
    Ok(Rotation::Fresh {
        user_id: next.user_id,
        family: next.family,
    })
}

/// In a transaction.
pub(super) async fn revoke_token(db: &mut Access, token: &Digest) -> Result<bool> {
    match db.find_one(REFRESH_TOKENS, doc! { "_id": bytes(token) }).await? {
        Some(found) => end_family(db, &found.text("family")?).await.map(|()| true),
        None => Ok(false),
    }
}

pub(super) async fn get(db: &mut Access, family: &str) -> Result<Option<StoredSignIn>> {
    let found = db.find_one(SIGN_INS, doc! { "_id": family }).await?;
    Ok(found.map(|row| read(&row)).transpose()?)
}

pub(super) async fn of_user(db: &mut Access, user_id: &str, now: Timestamp) -> Result<Vec<StoredSignIn>> {
    let filter = doc! { "user_id": user_id, "expires_at": { "$gt": at(now) } };
    let sort = doc! { "last_used_at": -1, "_id": -1 };
    let rows = db.find(SIGN_INS, filter, sort, 0).await?;
    Ok(rows.iter().map(read).collect::<store::Result<_>>()?)
}

/// In a transaction.
pub(super) async fn end(db: &mut Access, user_id: &str, family: &str) -> Result<bool> {
    let ended = db.delete(SIGN_INS, doc! { "_id": family, "user_id": user_id }).await?;
    if ended {
        spend_family(db, family).await?;
    }
    Ok(ended)
}

/// Ends all sign-ins of a user but one; returns how many. In a transaction.
pub(super) async fn end_all(db: &mut Access, user_id: &str, except: Option<&str>) -> Result<u64> {
    let (mut sign_ins, mut tokens) = (doc! { "user_id": user_id }, doc! { "user_id": user_id, "spent": false });
    if let Some(family) = except {
        sign_ins.insert("_id", doc! { "$ne": family });
        tokens.insert("family", doc! { "$ne": family });
    }
    let ended = db.delete_many(SIGN_INS, sign_ins).await?;
    db.update_many(REFRESH_TOKENS, tokens, doc! { "$set": { "spent": true } })
        .await?;
    Ok(ended)
}

async fn end_family(db: &mut Access, family: &str) -> Result<()> {
    db.delete(SIGN_INS, doc! { "_id": family }).await?;
    spend_family(db, family).await
}

async fn spend_family(db: &mut Access, family: &str) -> Result<()> {
    let unspent = doc! { "family": family, "spent": false };
    db.update_many(REFRESH_TOKENS, unspent, doc! { "$set": { "spent": true } })
        .await
}

fn read(row: &Row) -> store::Result<StoredSignIn> {
    Ok(StoredSignIn {
        family: row.text("_id")?,
        user_id: row.text("user_id")?,
        began_at: row.at("began_at")?,
        last_used_at: row.at("last_used_at")?,
        expires_at: row.at("expires_at")?,
        user_agent: row.maybe_text("user_agent")?,
        address: row.maybe_text("address")?,
    })
}
