use pool::Timestamp;
use rusqlite::{Connection, Row, params};

use super::convert::{at, ms};
use super::error::{conflict, unreadable};
use crate::store::{Digest, Result, StoredApiToken};

const COLUMNS: &str =
    "id, user_id, name, hash, hint, scopes, created_at, expires_at, requests_per_minute, last_used_at";

pub(super) fn insert(connection: &Connection, token: &StoredApiToken) -> Result<()> {
    let sql = format!("INSERT INTO api_tokens ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    let values = params![
        token.id,
        token.user_id,
        token.name,
        token.hash,
        token.hint,
        serde_json::Value::from(token.scopes.as_slice()).to_string(),
        ms(token.created_at),
        token.expires_at.map(ms),
        token.requests_per_minute,
        token.last_used_at.map(ms)
    ];
    connection.execute(&sql, values).map_err(conflict("This token"))?;
    Ok(())
}

pub(super) fn of_user(connection: &Connection, user_id: &str) -> Result<Vec<StoredApiToken>> {
    let sql = format!("SELECT {COLUMNS} FROM api_tokens WHERE user_id = ?1 ORDER BY created_at DESC, id DESC");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([user_id])?;
    let mut tokens = Vec::new();
    while let Some(row) = rows.next()? {
        tokens.push(read(row)?);
    }
    Ok(tokens)
}

pub(super) fn by_hash(connection: &Connection, hash: &Digest) -> Result<Option<StoredApiToken>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM api_tokens WHERE hash = ?1"))?;
    let mut rows = statement.query([hash])?;
    rows.next()?.map(read).transpose()
}

pub(super) fn delete(connection: &Connection, user_id: &str, id: &str) -> Result<bool> {
    let sql = "DELETE FROM api_tokens WHERE id = ?1 AND user_id = ?2";
    Ok(connection.execute(sql, (id, user_id))? > 0)
}

pub(super) fn delete_of_user(connection: &Connection, user_id: &str) -> Result<u64> {
    Ok(connection.execute("DELETE FROM api_tokens WHERE user_id = ?1", [user_id])? as u64)
}

pub(super) fn note_use(connection: &Connection, id: &str, used_at: Timestamp) -> Result<()> {
    let sql = "UPDATE api_tokens SET last_used_at = max(coalesce(last_used_at, 0), ?2) WHERE id = ?1";
    connection.prepare_cached(sql)?.execute((id, ms(used_at)))?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<StoredApiToken> {
    let scopes: String = row.get(5)?;
    Ok(StoredApiToken {
        id: row.get(0)?,
        user_id: row.get(1)?,
        name: row.get(2)?,
        hash: row.get(3)?,
        hint: row.get(4)?,
        scopes: serde_json::from_str(&scopes).map_err(|_| unreadable(5))?,
        created_at: at(row.get(6)?),
        expires_at: row.get::<_, Option<i64>>(7)?.map(at),
        requests_per_minute: row.get(8)?,
        last_used_at: row.get::<_, Option<i64>>(9)?.map(at),
    })
}
