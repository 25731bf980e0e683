use pool::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::convert::{at, ms};
use super::error::{conflict, unreadable};
use crate::store::{Digest, Result, Rotation, StoredRefreshToken, StoredSession, Successor};

pub(super) fn create(connection: &Connection, session: &StoredSession) -> Result<()> {
    let sql = "INSERT INTO sessions (id, user_id, data, expires_at, ends_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let values = params![
        session.id,
        session.user_id,
        session.data.to_string(),
        ms(session.expires_at),
        ms(session.ends_at)
    ];
    connection.execute(sql, values).map_err(conflict("This session"))?;
    Ok(())
}

pub(super) fn save(connection: &Connection, session: &StoredSession) -> Result<bool> {
    let sql = "UPDATE sessions SET user_id = ?2, data = ?3, expires_at = ?4 WHERE id = ?1";
    let values = params![
        session.id,
        session.user_id,
        session.data.to_string(),
        ms(session.expires_at)
    ];
    Ok(connection.execute(sql, values)? > 0)
}

pub(super) fn by_id(connection: &Connection, id: &Digest) -> Result<Option<StoredSession>> {
    let mut statement =
        connection.prepare_cached("SELECT user_id, data, expires_at, ends_at FROM sessions WHERE id = ?1")?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let data: String = row.get(1)?;
    Ok(Some(StoredSession {
        id: *id,
        user_id: row.get(0)?,
        data: serde_json::from_str(&data).map_err(|_| unreadable(1))?,
        expires_at: at(row.get(2)?),
        ends_at: at(row.get(3)?),
    }))
}

pub(super) fn delete(connection: &Connection, id: &Digest) -> Result<()> {
    connection.execute("DELETE FROM sessions WHERE id = ?1", [id])?;
    Ok(())
}

pub(super) fn insert_token(connection: &Connection, token: &StoredRefreshToken) -> Result<()> {
    let sql = "INSERT INTO refresh_tokens (token, family, user_id, expires_at) VALUES (?1, ?2, ?3, ?4)";
    connection
        .execute(
            sql,
            params![token.token, token.family, token.user_id, ms(token.expires_at)],
        )
        .map_err(conflict("This token"))?;
    Ok(())
}

pub(super) fn rotate_token(
    connection: &Connection,
    token: &Digest,
    successor: Successor,
    now: Timestamp,
) -> Result<Rotation> {
    let sql = "SELECT family, user_id, expires_at, spent FROM refresh_tokens WHERE token = ?1";
    let found = connection
        .query_row(sql, [token], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((family, user_id, expires_at, is_spent)): Option<(String, String, i64, bool)> = found else {
        return Ok(Rotation::Unknown);
    };
    if is_spent {
        revoke_family(connection, &family)?;
        return Ok(Rotation::Reused { family });
    }
    if at(expires_at) <= now {
        return Ok(Rotation::Expired);
    }
    connection.execute("UPDATE refresh_tokens SET spent = 1 WHERE token = ?1", [token])?;
    let Successor { token, expires_at } = successor;
    let next = StoredRefreshToken {
        token,
        family,
        user_id,
        expires_at,
    };
    insert_token(connection, &next)?;
    Ok(Rotation::Fresh {
        user_id: next.user_id,
        family: next.family,
    })
}

pub(super) fn revoke_token(connection: &Connection, token: &Digest) -> Result<bool> {
    let sql = "SELECT family FROM refresh_tokens WHERE token = ?1";
    let family: Option<String> = connection.query_row(sql, [token], |row| row.get(0)).optional()?;
    match family {
        Some(family) => revoke_family(connection, &family).map(|()| true),
        None => Ok(false),
    }
}

/// Spent tokens go only when they expire: until then a second use of them must be noticed.
pub(super) fn delete_expired(connection: &Connection, now: Timestamp) -> Result<u64> {
    let now = ms(now);
    let sessions = connection.execute("DELETE FROM sessions WHERE expires_at <= ?1 OR ends_at <= ?1", [now])?;
    let tokens = connection.execute("DELETE FROM refresh_tokens WHERE expires_at <= ?1", [now])?;
    let links = connection.execute("DELETE FROM set_up_links WHERE expires_at <= ?1", [now])?;
    Ok((sessions + tokens + links) as u64)
}

fn revoke_family(connection: &Connection, family: &str) -> Result<()> {
    connection.execute("UPDATE refresh_tokens SET spent = 1 WHERE family = ?1", [family])?;
    Ok(())
}
