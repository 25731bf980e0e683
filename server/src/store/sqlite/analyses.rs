use app::types::{Analysis, AnalysisPage};
use pool::Timestamp;
use rusqlite::{Connection, params};

use super::convert::{at, ms};
use super::error::{conflict, unreadable};
use crate::store::{Cursor, Result, StoreError, StoredAnalysis};

pub(super) fn insert(connection: &Connection, stored: &StoredAnalysis) -> Result<()> {
    let analysis = &stored.analysis;
    let unwritable = |_| StoreError::Unavailable("an analysis cannot be written as JSON".to_owned());
    let summary = serde_json::to_string(&analysis.summary).map_err(unwritable)?;
    let body = serde_json::to_string(analysis).map_err(unwritable)?;
    let sql = "INSERT INTO analyses (id, user_id, created_at, summary, body) VALUES (?1, ?2, ?3, ?4, ?5)";
    let values = params![
        analysis.summary.id,
        stored.user_id,
        ms(stored.created_at),
        summary,
        body
    ];
    connection
        .prepare_cached(sql)?
        .execute(values)
        .map_err(conflict("This analysis"))?;
    Ok(())
}

pub(super) fn page(
    connection: &Connection,
    user_id: &str,
    cursor: Option<&Cursor>,
    limit: u32,
) -> Result<AnalysisPage> {
    let sql = "SELECT id, created_at, summary FROM analyses WHERE user_id = ?1 AND (created_at, id) < (?2, ?3) \
               ORDER BY created_at DESC, id DESC LIMIT ?4";
    // Without a cursor: after the end of time.
    let (before, before_id) = cursor.map_or((i64::MAX, ""), |cursor| (ms(cursor.created_at), cursor.id.as_str()));
    let mut statement = connection.prepare_cached(sql)?;
    // One more than asked for tells whether there is a next page.
    let mut rows = statement.query(params![user_id, before, before_id, u64::from(limit).cast_signed() + 1])?;
    let mut page = AnalysisPage {
        items: Vec::new(),
        next_cursor: None,
    };
    let mut last: Option<(Timestamp, String)> = None;
    while let Some(row) = rows.next()? {
        if page.items.len() == limit as usize {
            page.next_cursor = last.map(|(created_at, id)| Cursor { created_at, id }.encode());
            break;
        }
        let summary: String = row.get(2)?;
        page.items
            .push(serde_json::from_str(&summary).map_err(|_| unreadable(2))?);
        last = Some((at(row.get(1)?), row.get(0)?));
    }
    Ok(page)
}

pub(super) fn get(connection: &Connection, user_id: &str, id: &str) -> Result<Option<Analysis>> {
    let mut statement = connection.prepare_cached("SELECT body FROM analyses WHERE id = ?1 AND user_id = ?2")?;
    let mut rows = statement.query((id, user_id))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let body: String = row.get(0)?;
    serde_json::from_str(&body).map(Some).map_err(|_| unreadable(0))
}

pub(super) fn delete(connection: &Connection, user_id: &str, id: &str) -> Result<bool> {
    let sql = "DELETE FROM analyses WHERE id = ?1 AND user_id = ?2";
    let is_deleted = connection.execute(sql, (id, user_id))? > 0;
    if is_deleted {
        connection.execute("DELETE FROM idempotency WHERE analysis_id = ?1", [id])?;
    }
    Ok(is_deleted)
}

pub(super) fn delete_of_user(connection: &Connection, user_id: &str) -> Result<u64> {
    // Of a request under way nothing is kept yet: its record stays, so that it is not done twice.
    let sql = "DELETE FROM idempotency WHERE caller = ?1 AND (analysis_id IS NOT NULL OR response IS NOT NULL)";
    connection.execute(sql, [user_id])?;
    let sql = "DELETE FROM idempotency WHERE analysis_id IN (SELECT id FROM analyses WHERE user_id = ?1)";
    connection.execute(sql, [user_id])?;
    Ok(connection.execute("DELETE FROM analyses WHERE user_id = ?1", [user_id])? as u64)
}

pub(super) fn delete_before(connection: &Connection, before: Timestamp) -> Result<u64> {
    let sql = "DELETE FROM idempotency WHERE analysis_id IN (SELECT id FROM analyses WHERE created_at < ?1)";
    connection.execute(sql, [ms(before)])?;
    Ok(connection.execute("DELETE FROM analyses WHERE created_at < ?1", [ms(before)])? as u64)
}
