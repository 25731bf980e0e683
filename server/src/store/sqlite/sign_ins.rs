//! Sign-ins of the API with their refresh tokens. A sign-in ends with its row; its tokens, spent, stay until they expire.

use pool::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::convert::{at, ms};
use super::error::conflict;
use super::users;
use crate::store::{Digest, Result, Rotation, StoredRefreshToken, StoredSignIn, Successor};

const COLUMNS: &str = "family, user_id, began_at, last_used_at, expires_at, user_agent, address";

pub(super) fn begin(
    connection: &Connection,
    token: &StoredRefreshToken,
    sign_in: &StoredSignIn,
    credentials: u64,
) -> Result<bool> {
    if !users::are_unchanged(connection, &sign_in.user_id, credentials)? {
        return Ok(false);
    }
    let sql = format!("INSERT INTO sign_ins ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    let values = params![
        sign_in.family,
        sign_in.user_id,
        ms(sign_in.began_at),
        ms(sign_in.last_used_at),
        ms(sign_in.expires_at),
        sign_in.user_agent,
        sign_in.address
    ];
    connection.execute(&sql, values).map_err(conflict("This sign-in"))?;
    insert_token(connection, token)?;
    Ok(true)
}

fn insert_token(connection: &Connection, token: &StoredRefreshToken) -> Result<()> {
    let sql = "INSERT INTO refresh_tokens (token, family, user_id, expires_at) VALUES (?1, ?2, ?3, ?4)";
    let values = params![token.token, token.family, token.user_id, ms(token.expires_at)];
    connection.execute(sql, values).map_err(conflict("This token"))?;
    Ok(())
}

pub(super) fn rotate(
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
        end_family(connection, &family)?;
        return Ok(Rotation::Reused { family });
    }
    if at(expires_at) <= now {
        return Ok(Rotation::Expired);
    }
    let sql = "SELECT began_at FROM sign_ins WHERE family = ?1";
    let began_at: Option<i64> = connection.query_row(sql, [&family], |row| row.get(0)).optional()?;
    let Some(began_at) = began_at else {
        return Ok(Rotation::Unknown);
    };
    connection.execute("UPDATE refresh_tokens SET spent = 1 WHERE token = ?1", [token])?;
    let Successor {
        token,
        expires_at,
        life_max,
    } = successor;
    let expires_at = expires_at.min(at(began_at).plus(life_max));
    let next = StoredRefreshToken {
        token,
        family,
        user_id,
        expires_at,
    };
    insert_token(connection, &next)?;
    let sql = "UPDATE sign_ins SET last_used_at = ?2, expires_at = ?3 WHERE family = ?1";
    connection.execute(sql, (&next.family, ms(now), ms(expires_at)))?;
    Ok(Rotation::Fresh {
        user_id: next.user_id,
        family: next.family,
    })
}

pub(super) fn revoke_token(connection: &Connection, token: &Digest) -> Result<bool> {
    let sql = "SELECT family FROM refresh_tokens WHERE token = ?1";
    let family: Option<String> = connection.query_row(sql, [token], |row| row.get(0)).optional()?;
    match family {
        Some(family) => end_family(connection, &family).map(|()| true),
        None => Ok(false),
    }
}

pub(super) fn get(connection: &Connection, family: &str) -> Result<Option<StoredSignIn>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM sign_ins WHERE family = ?1"))?;
    let found = statement.query_row([family], read).optional()?;
    Ok(found)
}

pub(super) fn of_user(connection: &Connection, user_id: &str, now: Timestamp) -> Result<Vec<StoredSignIn>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sign_ins WHERE user_id = ?1 AND expires_at > ?2 ORDER BY last_used_at DESC, family DESC"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let sign_ins = statement.query_map((user_id, ms(now)), read)?;
    Ok(sign_ins.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn end(connection: &Connection, user_id: &str, family: &str) -> Result<bool> {
    let sql = "DELETE FROM sign_ins WHERE family = ?1 AND user_id = ?2";
    let ended = connection.execute(sql, (family, user_id))? > 0;
    if ended {
        spend_family(connection, family)?;
    }
    Ok(ended)
}

/// Ends all sign-ins of a user but one; returns how many.
pub(super) fn end_all(connection: &Connection, user_id: &str, except: Option<&str>) -> Result<u64> {
    let sql = "DELETE FROM sign_ins WHERE user_id = ?1 AND (?2 IS NULL OR family <> ?2)";
    let ended = connection.execute(sql, (user_id, except))?;
    let sql = "UPDATE refresh_tokens SET spent = 1 WHERE user_id = ?1 AND (?2 IS NULL OR family <> ?2)";
    connection.execute(sql, (user_id, except))?;
    Ok(ended as u64)
}

fn end_family(connection: &Connection, family: &str) -> Result<()> {
    connection.execute("DELETE FROM sign_ins WHERE family = ?1", [family])?;
    spend_family(connection, family)
}

fn spend_family(connection: &Connection, family: &str) -> Result<()> {
    connection.execute("UPDATE refresh_tokens SET spent = 1 WHERE family = ?1", [family])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredSignIn> {
    Ok(StoredSignIn {
        family: row.get(0)?,
        user_id: row.get(1)?,
        began_at: at(row.get(2)?),
        last_used_at: at(row.get(3)?),
        expires_at: at(row.get(4)?),
        user_agent: row.get(5)?,
        address: row.get(6)?,
    })
}
