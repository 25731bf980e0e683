//! What rules found to be wrong. That one is open a rule and subject is a unique index over the open ones.

use mongodb::bson::{Document, doc};
use pool::Timestamp;

use super::access::Access;
use super::error::Result;
use super::row::{Row, at};
use super::schema::INCIDENTS;
use crate::store::{
    self, Acknowledgement, AlertSeverity, Cursor, IncidentChange, IncidentNews, IncidentPage, StoredIncident,
};

/// Outside of a transaction, which a duplicate would end.
pub(super) async fn insert(db: &mut Access, incident: &StoredIncident) -> Result<bool> {
    let acknowledged = incident.acknowledged.as_ref();
    let document = doc! {
        "_id": &incident.id,
        "rule": incident.rule.as_ref(),
        "subject": &incident.subject,
        "severity": incident.severity.as_str(),
        "escalated": incident.escalated,
        "message": &incident.message,
        "baseline": incident.baseline,
        "opened_at": at(incident.opened_at),
        "last_seen_at": at(incident.last_seen_at),
        "acknowledged_by": acknowledged.map(|acknowledged| &acknowledged.by),
        "acknowledged_at": acknowledged.map(|acknowledged| at(acknowledged.at)),
        "silenced_until": incident.silenced_until.map(at),
        // Null is what the index of open ones is over.
        "resolved_at": incident.resolved_at.map(at),
        "untold": incident.untold.map(IncidentNews::as_str),
    };
    match db.insert(INCIDENTS, document).await {
        Err(fault) if fault.is_duplicate() => Ok(false),
        inserted => inserted.map(|()| true),
    }
}

/// One statement for every change: what stays is not named.
pub(super) async fn update(db: &mut Access, id: &str, change: &IncidentChange) -> Result<bool> {
    let mut made = Document::new();
    if let Some(severity) = change.severity {
        made.insert("severity", severity.as_str());
    }
    if let Some(escalated) = change.escalated {
        made.insert("escalated", escalated);
    }
    if let Some(message) = &change.message {
        made.insert("message", message);
    }
    if let Some(seen) = change.last_seen_at {
        made.insert("last_seen_at", at(seen));
    }
    if let Some(acknowledged) = &change.acknowledged {
        made.insert("acknowledged_by", &acknowledged.by);
        made.insert("acknowledged_at", at(acknowledged.at));
    }
    if let Some(until) = change.silenced_until {
        made.insert("silenced_until", until.map(at));
    }
    if let Some(news) = change.untold {
        made.insert("untold", news.map(IncidentNews::as_str));
    }
    // Always named: the server refuses to set nothing.
    made.insert("resolved_at", change.resolved_at.map(at));
    let open = doc! { "_id": id, "resolved_at": null };
    db.update(INCIDENTS, open, doc! { "$set": made }).await
}

pub(super) async fn note_told(db: &mut Access, id: &str, news: IncidentNews) -> Result<bool> {
    let untold = doc! { "_id": id, "untold": news.as_str() };
    db.update(INCIDENTS, untold, doc! { "$set": { "untold": null } }).await
}

pub(super) async fn current(db: &mut Access) -> Result<Vec<StoredIncident>> {
    let wanted = doc! { "$or": [{ "resolved_at": null }, { "untold": { "$ne": null } }] };
    let rows = db.find(INCIDENTS, wanted, doc! { "opened_at": 1, "_id": 1 }, 0).await?;
    Ok(rows.iter().map(incident).collect::<store::Result<_>>()?)
}

pub(super) async fn page(db: &mut Access, cursor: Option<&Cursor>, limit: u32) -> Result<IncidentPage> {
    let filter = cursor.map(after).unwrap_or_default();
    let sort = doc! { "opened_at": -1, "_id": -1 };
    // One more than asked for tells whether there is a next page.
    let rows = db.find(INCIDENTS, filter, sort, u64::from(limit) + 1).await?;
    let shown = rows.iter().take(limit as usize).map(incident);
    let items: Vec<StoredIncident> = shown.collect::<store::Result<_>>()?;
    let next_cursor = items
        .last()
        .filter(|_| rows.len() > items.len())
        .map(|last| last.place().encode());
    Ok(IncidentPage { items, next_cursor })
}

/// Those after a place, newest first.
fn after(cursor: &Cursor) -> Document {
    let opened_at = at(cursor.created_at);
    let same_time = doc! { "opened_at": opened_at, "_id": { "$lt": &cursor.id } };
    doc! { "$or": [{ "opened_at": { "$lt": opened_at } }, same_time] }
}

pub(super) async fn delete_before(db: &mut Access, resolved_before: Timestamp) -> Result<u64> {
    let old = doc! { "resolved_at": { "$lt": at(resolved_before) } };
    db.delete_many(INCIDENTS, old).await
}

fn incident(row: &Row) -> store::Result<StoredIncident> {
    let acknowledged = (row.maybe_text("acknowledged_by")?, row.maybe_at("acknowledged_at")?);
    Ok(StoredIncident {
        id: row.text("_id")?,
        rule: row.text("rule")?.into(),
        subject: row.text("subject")?,
        severity: row.word("severity", &AlertSeverity::ALL, AlertSeverity::as_str)?,
        escalated: row.flag("escalated")?,
        message: row.text("message")?,
        baseline: row.maybe_real("baseline")?,
        opened_at: row.at("opened_at")?,
        last_seen_at: row.at("last_seen_at")?,
        acknowledged: match acknowledged {
            (Some(by), Some(since)) => Some(Acknowledgement { by, at: since }),
            _ => None,
        },
        silenced_until: row.maybe_at("silenced_until")?,
        resolved_at: row.maybe_at("resolved_at")?,
        untold: row.maybe_word("untold", &IncidentNews::ALL, IncidentNews::as_str)?,
    })
}
