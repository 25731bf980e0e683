use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::convert::{at, ms};
use super::error::unreadable;
use crate::store::{Begun, Result, StoredIdempotency};

const COLUMNS: &str = "caller, key, request, analysis_id, response, created_at, expires_at";

pub(super) fn begin(connection: &Connection, request: &StoredIdempotency) -> Result<Begun> {
    let sql = "DELETE FROM idempotency WHERE caller = ?1 AND key = ?2 AND expires_at <= ?3";
    connection
        .prepare_cached(sql)?
        .execute((&request.caller, &request.key, ms(request.created_at)))?;
    let sql = format!("SELECT {COLUMNS} FROM idempotency WHERE caller = ?1 AND key = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((&request.caller, &request.key))?;
    if let Some(row) = rows.next()? {
        return read(row).map(Begun::Existing);
    }
    let sql = format!("INSERT INTO idempotency ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    connection.prepare_cached(&sql)?.execute(params![
        request.caller,
        request.key,
        request.request,
        request.analysis_id,
        request.response.as_ref().map(Value::to_string),
        ms(request.created_at),
        ms(request.expires_at)
    ])?;
    Ok(Begun::New)
}

pub(super) fn finish(
    connection: &Connection,
    caller: &str,
    key: &str,
    analysis_id: Option<&str>,
    response: Option<&Value>,
) -> Result<()> {
    let sql = "UPDATE idempotency SET analysis_id = ?3, response = ?4 WHERE caller = ?1 AND key = ?2";
    let response = response.map(Value::to_string);
    connection
        .prepare_cached(sql)?
        .execute((caller, key, analysis_id, response))?;
    Ok(())
}

pub(super) fn abandon(connection: &Connection, caller: &str, key: &str) -> Result<()> {
    let sql = "DELETE FROM idempotency WHERE caller = ?1 AND key = ?2 AND analysis_id IS NULL AND response IS NULL";
    connection.prepare_cached(sql)?.execute((caller, key))?;
    Ok(())
}

pub(super) fn abandon_all(connection: &Connection) -> Result<u64> {
    let sql = "DELETE FROM idempotency WHERE analysis_id IS NULL AND response IS NULL";
    Ok(connection.execute(sql, [])? as u64)
}

fn read(row: &Row<'_>) -> Result<StoredIdempotency> {
    let response: Option<String> = row.get(4)?;
    Ok(StoredIdempotency {
        caller: row.get(0)?,
        key: row.get(1)?,
        request: row.get(2)?,
        analysis_id: row.get(3)?,
        response: response
            .map(|text| serde_json::from_str(&text).map_err(|_| unreadable(4)))
            .transpose()?,
        created_at: at(row.get(5)?),
        expires_at: at(row.get(6)?),
    })
}
