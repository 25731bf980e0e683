use pool::Timestamp;
use rusqlite::{Connection, Row, params};

use super::convert::{at, ms};
use super::error::unreadable;
use crate::store::{
    Acknowledgement, AlertSeverity, Cursor, IncidentChange, IncidentNews, IncidentPage, Result, StoredIncident,
};

const COLUMNS: &str = "id, rule, subject, severity, escalated, message, baseline, opened_at, last_seen_at, \
                       acknowledged_by, acknowledged_at, silenced_until, resolved_at, untold";

pub(super) fn insert(connection: &Connection, incident: &StoredIncident) -> Result<bool> {
    let sql = format!(
        "INSERT INTO incidents ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
         ON CONFLICT DO NOTHING"
    );
    let acknowledged = incident.acknowledged.as_ref();
    let inserted = connection.prepare_cached(&sql)?.execute(params![
        incident.id,
        incident.rule,
        incident.subject,
        incident.severity.as_str(),
        incident.escalated,
        incident.message,
        incident.baseline,
        ms(incident.opened_at),
        ms(incident.last_seen_at),
        acknowledged.map(|acknowledged| &acknowledged.by),
        acknowledged.map(|acknowledged| ms(acknowledged.at)),
        incident.silenced_until.map(ms),
        incident.resolved_at.map(ms),
        incident.untold.map(IncidentNews::as_str),
    ])?;
    Ok(inserted > 0)
}

/// One statement for every change: what stays is what is there.
pub(super) fn update(connection: &Connection, id: &str, change: &IncidentChange) -> Result<bool> {
    let sql = "UPDATE incidents SET severity = coalesce(?2, severity), escalated = coalesce(?3, escalated), \
               message = coalesce(?4, message), last_seen_at = coalesce(?5, last_seen_at), \
               acknowledged_by = coalesce(?6, acknowledged_by), acknowledged_at = coalesce(?7, acknowledged_at), \
               silenced_until = CASE WHEN ?8 THEN ?9 ELSE silenced_until END, resolved_at = ?10, \
               untold = CASE WHEN ?11 THEN ?12 ELSE untold END \
               WHERE id = ?1 AND resolved_at IS NULL";
    let acknowledged = change.acknowledged.as_ref();
    let updated = connection.prepare_cached(sql)?.execute(params![
        id,
        change.severity.map(AlertSeverity::as_str),
        change.escalated,
        change.message,
        change.last_seen_at.map(ms),
        acknowledged.map(|acknowledged| &acknowledged.by),
        acknowledged.map(|acknowledged| ms(acknowledged.at)),
        change.silenced_until.is_some(),
        change.silenced_until.flatten().map(ms),
        change.resolved_at.map(ms),
        change.untold.is_some(),
        change.untold.flatten().map(IncidentNews::as_str),
    ])?;
    Ok(updated > 0)
}

pub(super) fn note_told(connection: &Connection, id: &str, news: IncidentNews) -> Result<bool> {
    let sql = "UPDATE incidents SET untold = NULL WHERE id = ?1 AND untold = ?2";
    let noted = connection.prepare_cached(sql)?.execute((id, news.as_str()))?;
    Ok(noted > 0)
}

pub(super) fn current(connection: &Connection) -> Result<Vec<StoredIncident>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM incidents WHERE resolved_at IS NULL OR untold IS NOT NULL ORDER BY opened_at, id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(incident(row)?);
    }
    Ok(found)
}

pub(super) fn page(connection: &Connection, cursor: Option<&Cursor>, limit: u32) -> Result<IncidentPage> {
    let sql = format!(
        "SELECT {COLUMNS} FROM incidents WHERE (opened_at, id) < (?1, ?2) ORDER BY opened_at DESC, id DESC LIMIT ?3"
    );
    // Without a cursor: after the end of time.
    let (before, before_id) = cursor.map_or((i64::MAX, ""), |cursor| (ms(cursor.created_at), cursor.id.as_str()));
    let mut statement = connection.prepare_cached(&sql)?;
    // One more than asked for tells whether there is a next page.
    let mut rows = statement.query(params![before, before_id, u64::from(limit).cast_signed() + 1])?;
    let mut page = IncidentPage {
        items: Vec::new(),
        next_cursor: None,
    };
    while let Some(row) = rows.next()? {
        if page.items.len() == limit as usize {
            page.next_cursor = page.items.last().map(|last| last.place().encode());
            break;
        }
        page.items.push(incident(row)?);
    }
    Ok(page)
}

pub(super) fn delete_before(connection: &Connection, resolved_before: Timestamp) -> Result<u64> {
    let deleted = connection.execute("DELETE FROM incidents WHERE resolved_at < ?1", [ms(resolved_before)])?;
    Ok(deleted as u64)
}

fn incident(row: &Row<'_>) -> Result<StoredIncident> {
    let severity: String = row.get(3)?;
    let untold: Option<String> = row.get(13)?;
    let acknowledged: (Option<String>, Option<i64>) = (row.get(9)?, row.get(10)?);
    let instant = |column: usize| -> Result<Option<Timestamp>> { Ok(row.get::<_, Option<i64>>(column)?.map(at)) };
    Ok(StoredIncident {
        id: row.get(0)?,
        rule: row.get::<_, String>(1)?.into(),
        subject: row.get(2)?,
        severity: AlertSeverity::parse(&severity).ok_or_else(|| unreadable(3))?,
        escalated: row.get(4)?,
        message: row.get(5)?,
        baseline: row.get(6)?,
        opened_at: at(row.get(7)?),
        last_seen_at: at(row.get(8)?),
        acknowledged: match acknowledged {
            (Some(by), Some(since)) => Some(Acknowledgement { by, at: at(since) }),
            _ => None,
        },
        silenced_until: instant(11)?,
        resolved_at: instant(12)?,
        untold: untold
            .map(|text| news(&text).ok_or_else(|| unreadable(13)))
            .transpose()?,
    })
}

fn news(text: &str) -> Option<IncidentNews> {
    IncidentNews::ALL.into_iter().find(|news| news.as_str() == text)
}
