use app::types::{Analysis, AnalysisPage};
use futures::FutureExt as _;
use mongodb::bson::{Bson, Document, doc};
use pool::Timestamp;

use super::access::Access;
use super::error::{Result, conflict};
use super::row::at;
use super::runner::transact;
use super::schema::{ANALYSES, IDEMPOTENCY};
use crate::store::{Cursor, StoreError, StoredAnalysis};

/// Analyses removed in one transaction: far below what MongoDB takes.
const STEP: u64 = 500;

/// In a transaction.
pub(super) async fn insert(db: &mut Access, stored: &StoredAnalysis) -> Result<()> {
    let analysis = &stored.analysis;
    let unwritable = |_| StoreError::Unavailable("an analysis cannot be written as JSON".to_owned());
    let document = doc! {
        "_id": &analysis.summary.id,
        "user_id": &stored.user_id,
        "created_at": at(stored.created_at),
        // JSON: the row of the history, and the whole analysis.
        "summary": serde_json::to_string(&analysis.summary).map_err(unwritable)?,
        "body": serde_json::to_string(analysis).map_err(unwritable)?,
    };
    db.insert(ANALYSES, document).await.map_err(conflict("This analysis"))
}

/// Those after a place, newest first.
pub(super) fn after(cursor: &Cursor) -> Document {
    let created_at = at(cursor.created_at);
    let same_time = doc! { "created_at": created_at, "_id": { "$lt": &cursor.id } };
    doc! { "$or": [{ "created_at": { "$lt": created_at } }, same_time] }
}

pub(super) async fn page(db: &mut Access, user_id: &str, cursor: Option<&Cursor>, limit: u32) -> Result<AnalysisPage> {
    let mut filter = cursor.map(after).unwrap_or_default();
    filter.insert("user_id", user_id);
    let sort = doc! { "created_at": -1, "_id": -1 };
    // One more than asked for tells whether there is a next page.
    let rows = db.find(ANALYSES, filter, sort, u64::from(limit) + 1).await?;
    let shown = &rows[..rows.len().min(limit as usize)];
    let mut page = AnalysisPage {
        items: Vec::with_capacity(shown.len()),
        next_cursor: None,
    };
    for row in shown {
        page.items.push(row.parsed("summary")?);
    }
    if rows.len() > shown.len()
        && let Some(last) = shown.last()
    {
        let place = Cursor {
            created_at: last.at("created_at")?,
            id: last.text("_id")?,
        };
        page.next_cursor = Some(place.encode());
    }
    Ok(page)
}

pub(super) async fn get(db: &mut Access, user_id: &str, id: &str) -> Result<Option<Analysis>> {
    let found = db.find_one(ANALYSES, doc! { "_id": id, "user_id": user_id }).await?;
    Ok(found.map(|row| row.parsed("body")).transpose()?)
}

/// In a transaction.
pub(super) async fn delete(db: &mut Access, user_id: &str, id: &str) -> Result<bool> {
    let is_deleted = db.delete(ANALYSES, doc! { "_id": id, "user_id": user_id }).await?;
    if is_deleted {
        db.delete_many(IDEMPOTENCY, doc! { "analysis_id": id }).await?;
    }
    Ok(is_deleted)
}

/// Outside of a transaction, as below.
pub(super) async fn delete_of_user(db: &mut Access, user_id: &str) -> Result<u64> {
    // Of a request under way nothing is kept yet: its record stays, so that it is not done twice.
    let is_finished = doc! { "$or": [{ "analysis_id": { "$ne": null } }, { "response": { "$ne": null } }] };
    let mut filter = is_finished;
    filter.insert("caller", user_id);
    db.delete_many(IDEMPOTENCY, filter).await?;
    delete_all(db, doc! { "user_id": user_id }).await
}

pub(super) async fn delete_before(db: &mut Access, before: Timestamp) -> Result<u64> {
    delete_all(db, doc! { "created_at": { "$lt": at(before) } }).await
}

/// Step by step, for there may be very many. Each step is a transaction, so no analysis goes without what idempotency keeps
/// of it; one that is broken off is gone on with by asking again.
async fn delete_all(db: &mut Access, filter: Document) -> Result<u64> {
    let mut deleted = 0;
    loop {
        let step = transact(db, &filter, &|db, filter| delete_step(db, filter).boxed()).await?;
        deleted += step;
        if step < STEP {
            return Ok(deleted);
        }
    }
}

async fn delete_step(db: &mut Access, filter: &Document) -> Result<u64> {
    let step = vec![
        doc! { "$match": filter },
        doc! { "$limit": i64::try_from(STEP).unwrap_or(i64::MAX) },
        doc! { "$project": { "_id": 1 } },
    ];
    let rows = db.aggregate(ANALYSES, step).await?;
    let ids: Vec<Bson> = rows.iter().filter_map(|row| row.0.get("_id").cloned()).collect();
    if ids.is_empty() {
        return Ok(0);
    }
    db.delete_many(IDEMPOTENCY, doc! { "analysis_id": { "$in": &ids } })
        .await?;
    db.delete_many(ANALYSES, doc! { "_id": { "$in": ids } }).await
}
