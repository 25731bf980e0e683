//! The audit log. An entry's number is its id, so none takes the place of another; nothing here changes or removes one. The
//! database itself has no such rule: give Keypool's user a role without `update` and `remove` on `audit_entries` to have it.

use mongodb::bson::{Bson, Document, doc};

use super::access::Access;
use super::error::{Fault, Result, conflict};
use super::row::{Row, at, bytes, json, whole};
use super::schema::{AUDIT_ENTRIES, AUDIT_HEAD};
use crate::store::{self, AuditEntry, AuditFilter, AuditHead, Digest, StoreError};

const HEAD: &str = "head";
const PLACE: &str = "This place in the audit log";

pub(super) async fn head(db: &mut Access) -> Result<Option<AuditHead>> {
    let found = db.find_one(AUDIT_HEAD, doc! { "_id": HEAD }).await?;
    let read = |row: Row| {
        Ok::<_, StoreError>(AuditHead {
            seq: row.whole("seq")?,
            hash: row.digest("hash")?,
            seal: row.digest("seal")?,
        })
    };
    Ok(found.map(read).transpose()?)
}

/// In a transaction: two at once both write the head.
pub(super) async fn append(db: &mut Access, entry: &AuditEntry, seal: &Digest) -> Result<()> {
    // Where one of both was tampered with, the log goes on behind the later one.
    let last = db.find(AUDIT_ENTRIES, doc! {}, doc! { "_id": -1 }, 1).await?;
    let last = last.first().map(|row| row.whole("_id")).transpose()?;
    let head = head(db).await?.map(|head| head.seq);
    let last = last.max(head).unwrap_or(0);
    if entry.seq != last.saturating_add(1) {
        return Err(Fault::Store(StoreError::Conflict { what: PLACE }));
    }
    let document = doc! {
        "_id": whole(entry.seq),
        "at": at(entry.at),
        "actor_id": &entry.actor_id,
        "actor": &entry.actor,
        "surface": &entry.surface,
        "address": &entry.address,
        "request_id": &entry.request_id,
        "action": &entry.action,
        "target": &entry.target,
        "before": json(entry.before.as_ref()),
        "after": json(entry.after.as_ref()),
        "previous": bytes(&entry.previous),
        "hash": bytes(&entry.hash),
    };
    db.insert(AUDIT_ENTRIES, document).await.map_err(conflict(PLACE))?;
    let head = doc! { "seq": whole(entry.seq), "hash": bytes(&entry.hash), "seal": bytes(seal) };
    db.upsert(AUDIT_HEAD, doc! { "_id": HEAD }, doc! { "$set": head }).await
}

pub(super) async fn page(
    db: &mut Access,
    filter: &AuditFilter,
    before_seq: Option<u64>,
    limit: u32,
) -> Result<Vec<AuditEntry>> {
    let mut all = vec![doc! { "_id": { "$lt": before_seq.map_or(i64::MAX, whole) } }];
    if let Some(actor) = &filter.actor {
        let part = doc! { "$expr": { "$gte": [place_in("$actor", actor), 0] } };
        all.push(doc! { "$or": [{ "actor_id": actor }, part] });
    }
    if let Some(action) = &filter.action {
        all.push(doc! { "$expr": { "$eq": [place_in("$action", action), 0] } });
    }
    if let Some(target) = &filter.target {
        all.push(doc! { "$expr": { "$gte": [place_in("$target", target), 0] } });
    }
    // No more than none can be asked for: 0 would be all.
    if limit == 0 {
        return Ok(Vec::new());
    }
    let sort = doc! { "_id": -1 };
    let rows = db.find(AUDIT_ENTRIES, doc! { "$and": all }, sort, limit.into()).await?;
    Ok(rows.iter().map(read).collect::<store::Result<_>>()?)
}

/// Where the text is in the field, in any ASCII case; -1 where it is not. No pattern: every character means itself.
fn place_in(field: &str, text: &str) -> Document {
    let wanted = doc! { "$literal": text.to_ascii_lowercase() };
    doc! { "$indexOfBytes": [{ "$toLower": field }, Bson::from(wanted)] }
}

pub(super) async fn from(db: &mut Access, seq: u64, limit: u32) -> Result<Vec<AuditEntry>> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let filter = doc! { "_id": { "$gte": whole(seq) } };
    let rows = db.find(AUDIT_ENTRIES, filter, doc! { "_id": 1 }, limit.into()).await?;
    Ok(rows.iter().map(read).collect::<store::Result<_>>()?)
}

fn read(row: &Row) -> store::Result<AuditEntry> {
    Ok(AuditEntry {
        seq: row.whole("_id")?,
        at: row.at("at")?,
        actor_id: row.text("actor_id")?,
        actor: row.text("actor")?,
        surface: row.text("surface")?,
        address: row.maybe_text("address")?,
        request_id: row.maybe_text("request_id")?,
        action: row.text("action")?,
        target: row.text("target")?,
        before: row.maybe_json("before")?,
        after: row.maybe_json("after")?,
        previous: row.digest("previous")?,
        hash: row.digest("hash")?,
    })
}
