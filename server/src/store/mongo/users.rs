//! Accounts, and the links that make the first of them.

use app::types::Role;
use mongodb::bson::{Document, doc};
use pool::Timestamp;

use super::access::Access;
use super::error::{Result, conflict};
use super::row::{Row, at, bytes, whole};
use super::schema::{
    API_TOKENS, COUNTERS, IDEMPOTENCY, LINKS, REFRESH_TOKENS, SECOND_FACTORS, SESSIONS, SET_UP_LINKS, SIGN_INS, USERS,
};
use super::sessions::{Except, end_all};
use super::{analyses, usage};
use crate::email::Email;
use crate::store::{self, Digest, LinkUse, StoredUser, UserChange};

/// In a transaction.
pub(super) async fn create(db: &mut Access, user: &StoredUser) -> Result<()> {
    if user.role == Role::Admin {
        note_new_admin(db).await?;
    }
    let document = doc! {
        "_id": &user.id,
        "email": user.email.as_str(),
        "name": &user.name,
        "role": user.role.as_str(),
        "password_hash": &user.password_hash,
        "created_at": at(user.created_at),
        "disabled": user.disabled,
        "last_sign_in_at": user.last_sign_in_at.map(at),
        "credentials": whole(user.credentials),
    };
    db.insert(USERS, document).await.map_err(conflict("This e-mail"))
}

/// A transaction sees the admins of before it. Those that make one, or rest on there being none, all write this.
async fn note_new_admin(db: &mut Access) -> Result<()> {
    let filter = doc! { "_id": "admins_made" };
    db.upsert(COUNTERS, filter, doc! { "$inc": { "value": 1_i64 } }).await
}

pub(super) async fn by_email(db: &mut Access, email: &Email) -> Result<Option<StoredUser>> {
    one(db, doc! { "email": email.as_str() }).await
}

pub(super) async fn by_id(db: &mut Access, id: &str) -> Result<Option<StoredUser>> {
    one(db, doc! { "_id": id }).await
}

async fn one(db: &mut Access, filter: Document) -> Result<Option<StoredUser>> {
    let found = db.find_one(USERS, filter).await?;
    Ok(found.map(|row| read(&row)).transpose()?)
}

pub(super) async fn all(db: &mut Access) -> Result<Vec<StoredUser>> {
    let sort = doc! { "created_at": 1, "_id": 1 };
    let rows = db.find(USERS, doc! {}, sort, 0).await?;
    Ok(rows.iter().map(read).collect::<store::Result<_>>()?)
}

pub(super) async fn count(db: &mut Access, role: Role) -> Result<u64> {
    db.count(USERS, doc! { "role": role.as_str() }).await
}

pub(super) async fn count_active(db: &mut Access, role: Role) -> Result<u64> {
    let filter = doc! { "role": role.as_str(), "disabled": false };
    db.count(USERS, filter).await
}

/// In a transaction.
pub(super) async fn update(db: &mut Access, id: &str, change: &UserChange) -> Result<bool> {
    let mut fields = Document::new();
    if let Some(role) = change.role {
        fields.insert("role", role.as_str());
    }
    if let Some(disabled) = change.disabled {
        fields.insert("disabled", disabled);
    }
    if let Some(name) = &change.name {
        fields.insert("name", name);
    }
    if change.role == Some(Role::Admin) {
        note_new_admin(db).await?;
    }
    let is_there = if fields.is_empty() {
        by_id(db, id).await?.is_some()
    } else {
        db.update(USERS, doc! { "_id": id }, doc! { "$set": fields }).await?
    };
    if change.role.is_some() || change.disabled.is_some() {
        end_all(db, id, Except::default()).await?;
    }
    // Through an invitation of their own they would come back as somebody else.
    if change.role.is_some_and(|role| role != Role::Admin) || change.disabled == Some(true) {
        db.delete_many(LINKS, doc! { "created_by": id }).await?;
    }
    if change.disabled == Some(true) {
        delete_password_links(db, id).await?;
    }
    Ok(is_there)
}

/// In a transaction.
pub(super) async fn set_password_hash(
    db: &mut Access,
    id: &str,
    hash: &str,
    except_session: Option<&Digest>,
) -> Result<bool> {
    let set = doc! { "$set": { "password_hash": hash } };
    let is_there = db.update(USERS, doc! { "_id": id }, set).await?;
    let except = Except {
        session: except_session,
        sign_in: None,
    };
    end_all(db, id, except).await?;
    // Whoever holds such a link could undo the change.
    delete_password_links(db, id).await?;
    Ok(is_there)
}

async fn delete_password_links(db: &mut Access, id: &str) -> Result<()> {
    db.delete_many(LINKS, doc! { "user_id": id, "kind": "password" })
        .await
        .map(|_| ())
}

pub(super) async fn note_sign_in(db: &mut Access, id: &str, signed_in_at: Timestamp) -> Result<()> {
    let set = doc! { "$set": { "last_sign_in_at": at(signed_in_at) } };
    db.update(USERS, doc! { "_id": id }, set).await.map(|_| ())
}

/// Whether nothing has ended what the user had signed in since these credentials were read. In a transaction: what ends it
/// meanwhile writes the same document, so that one of the two comes after the other. Somebody unknown has nothing to end.
pub(super) async fn are_unchanged(db: &mut Access, id: &str, credentials: u64) -> Result<bool> {
    let filter = doc! { "_id": id, "disabled": false, "credentials": whole(credentials) };
    let touch = doc! { "$inc": { "begun": 1_i64 } };
    Ok(db.update(USERS, filter, touch).await? || by_id(db, id).await?.is_none())
}

/// The new number; `None` when there is no such user. In a transaction.
pub(super) async fn change_credentials(db: &mut Access, id: &str) -> Result<Option<i64>> {
    let change = doc! { "$inc": { "credentials": 1_i64 } };
    let changed = db.changed(USERS, doc! { "_id": id }, change).await?;
    Ok(changed.map(|row| row.whole("credentials").map(whole)).transpose()?)
}

/// What there may be very much of, step by step. Before the account
/// itself, so that whoever is told that it failed can ask again.
pub(super) async fn forget_history(db: &mut Access, id: &str) -> Result<()> {
    analyses::delete_of_user(db, id).await.map(|_| ())
}

/// Every collection that says whose a document is. The audit log is left: who did what must outlive the account. In a
/// transaction.
pub(super) async fn delete(db: &mut Access, id: &str) -> Result<bool> {
    for name in [SESSIONS, SIGN_INS, REFRESH_TOKENS, API_TOKENS, super::schema::ANALYSES] {
        db.delete_many(name, doc! { "user_id": id }).await?;
    }
    let theirs = doc! { "$or": [{ "user_id": id }, { "created_by": id }] };
    db.delete_many(LINKS, theirs).await?;
    db.delete_many(SECOND_FACTORS, doc! { "_id": id }).await?;
    db.delete_many(IDEMPOTENCY, doc! { "caller": id }).await?;
    usage::forget_user(db, id).await?;
    db.delete(USERS, doc! { "_id": id }).await
}

/// In a transaction.
pub(super) async fn insert_link(db: &mut Access, token: &Digest, expires_at: Timestamp) -> Result<()> {
    let document = doc! { "_id": bytes(token), "expires_at": at(expires_at) };
    db.insert(SET_UP_LINKS, document).await.map_err(conflict("This link"))
}

/// What using the link now would lead to.
pub(super) async fn link_state(db: &mut Access, token: &Digest, now: Timestamp) -> Result<LinkUse> {
    if count(db, Role::Admin).await? > 0 {
        return Ok(LinkUse::AdminExists);
    }
    let found = db.find_one(SET_UP_LINKS, doc! { "_id": bytes(token) }).await?;
    Ok(match found.map(|row| row.at("expires_at")).transpose()? {
        None => LinkUse::Unknown,
        Some(expires_at) if expires_at <= now => LinkUse::Expired,
        Some(_) => LinkUse::Created,
    })
}

/// In a transaction.
pub(super) async fn create_first_admin(
    db: &mut Access,
    token: &Digest,
    user: &StoredUser,
    now: Timestamp,
) -> Result<LinkUse> {
    let state = link_state(db, token, now).await?;
    if state == LinkUse::Created {
        note_new_admin(db).await?;
        create(db, user).await?;
        db.delete_many(SET_UP_LINKS, doc! {}).await?;
    }
    Ok(state)
}

fn read(row: &Row) -> store::Result<StoredUser> {
    Ok(StoredUser {
        id: row.text("_id")?,
        email: row.email("email")?,
        name: row.text("name")?,
        role: row.role("role")?,
        password_hash: row.text("password_hash")?,
        created_at: row.at("created_at")?,
        disabled: row.flag("disabled")?,
        last_sign_in_at: row.maybe_at("last_sign_in_at")?,
        credentials: row.whole("credentials")?,
    })
}
