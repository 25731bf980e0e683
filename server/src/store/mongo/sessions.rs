//! Browser sessions, and the end of everything that a user has signed in.

use mongodb::bson::{Document, doc};
use pool::Timestamp;

use super::access::Access;
use super::error::{Result, conflict};
use super::row::{Row, at, bytes, whole};
use super::schema::{IDEMPOTENCY, LINKS, REFRESH_TOKENS, SESSIONS, SET_UP_LINKS, SIGN_INS};
use super::{sign_ins, users};
use crate::store::{self, Digest, StoredSession};

/// In a transaction.
pub(super) async fn create(db: &mut Access, session: &StoredSession) -> Result<bool> {
    if !may_begin(db, session).await? {
        return Ok(false);
    }
    let document = doc! {
        "_id": bytes(&session.id),
        "user_id": &session.user_id,
        "data": session.data.to_string(),
        "expires_at": at(session.expires_at),
        "ends_at": at(session.ends_at),
        "credentials": whole(session.credentials),
    };
    db.insert(SESSIONS, document).await.map_err(conflict("This session"))?;
    Ok(true)
}

async fn may_begin(db: &mut Access, session: &StoredSession) -> Result<bool> {
    match &session.user_id {
        Some(user_id) => users::are_unchanged(db, user_id, session.credentials).await,
        None => Ok(true),
    }
}

/// While it is the same user's. False when there is none.
pub(super) async fn save_used(db: &mut Access, session: &StoredSession) -> Result<bool> {
    let filter = doc! { "_id": bytes(&session.id), "user_id": &session.user_id };
    db.update(SESSIONS, filter, doc! { "$set": used(session) }).await
}

/// Signing in with it begins it anew. In a transaction.
pub(super) async fn save(db: &mut Access, session: &StoredSession) -> Result<bool> {
    let filter = doc! { "_id": bytes(&session.id) };
    let Some(there) = db.find_one(SESSIONS, filter.clone()).await? else {
        return Ok(false);
    };
    let mut fields = used(session);
    if there.maybe_text("user_id")? != session.user_id {
        if !may_begin(db, session).await? {
            return Ok(false);
        }
        fields.insert("user_id", &session.user_id);
        fields.insert("credentials", whole(session.credentials));
    }
    db.update(SESSIONS, filter, doc! { "$set": fields }).await
}

fn used(session: &StoredSession) -> Document {
    doc! { "data": session.data.to_string(), "expires_at": at(session.expires_at) }
}

pub(super) async fn by_id(db: &mut Access, id: &Digest) -> Result<Option<StoredSession>> {
    let found = db.find_one(SESSIONS, doc! { "_id": bytes(id) }).await?;
    Ok(found.map(|row| read(&row)).transpose()?)
}

pub(super) async fn delete(db: &mut Access, id: &Digest) -> Result<()> {
    db.delete(SESSIONS, doc! { "_id": bytes(id) }).await.map(|_| ())
}

pub(super) async fn of_user(db: &mut Access, user_id: &str, now: Timestamp) -> Result<Vec<StoredSession>> {
    let (after, now) = ("$gt", at(now));
    let filter = doc! { "user_id": user_id, "expires_at": { after: now }, "ends_at": { after: now } };
    // All live equally long, so the one that ends last began last.
    let sort = doc! { "ends_at": -1, "_id": 1 };
    let rows = db.find(SESSIONS, filter, sort, 0).await?;
    Ok(rows.iter().map(read).collect::<store::Result<_>>()?)
}

/// What is spared.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Except<'a> {
    pub(super) session: Option<&'a Digest>,
    pub(super) sign_in: Option<&'a str>,
}

/// Ends a user's sessions and sign-ins but the ones named; returns how many. Those that are being begun end with them:
/// what was checked for them counts no more. In a transaction.
pub(super) async fn end_all(db: &mut Access, user_id: &str, except: Except<'_>) -> Result<u64> {
    // First, so that whatever begins at the same time is met here.
    let credentials = users::change_credentials(db, user_id).await?;
    let mut filter = doc! { "user_id": user_id };
    if let Some(session) = except.session {
        filter.insert("_id", doc! { "$ne": bytes(session) });
    }
    let sessions = db.delete_many(SESSIONS, filter).await?;
    if let Some(credentials) = credentials {
        let set = doc! { "$set": { "credentials": credentials } };
        db.update_many(SESSIONS, doc! { "user_id": user_id }, set).await?;
    }
    Ok(sessions + sign_ins::end_all(db, user_id, except.sign_in).await?)
}

/// Spent tokens go only when they expire: until then a second use of them must be noticed.
///
/// No index does this by itself: it would go by the server's clock, and could not say how many there were.
pub(super) async fn delete_expired(db: &mut Access, now: Timestamp) -> Result<u64> {
    let by = |field: &str| doc! { field: { "$lte": at(now) } };
    let mut deleted = db
        .delete_many(SESSIONS, doc! { "$or": [by("expires_at"), by("ends_at")] })
        .await?;
    for name in [REFRESH_TOKENS, SIGN_INS, SET_UP_LINKS, LINKS, IDEMPOTENCY] {
        deleted += db.delete_many(name, by("expires_at")).await?;
    }
    Ok(deleted)
}

fn read(row: &Row) -> store::Result<StoredSession> {
    Ok(StoredSession {
        id: row.digest("_id")?,
        user_id: row.maybe_text("user_id")?,
        data: row.json("data")?,
        expires_at: row.at("expires_at")?,
        ends_at: row.at("ends_at")?,
        credentials: row.whole("credentials")?,
    })
}
