use pool::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::convert::{at, from_whole, ms, whole};
use super::error::{conflict, unreadable};
use super::{sign_ins, users};
use crate::store::{Digest, Result, StoredSession};

const COLUMNS: &str = "id, user_id, data, expires_at, ends_at, credentials";

pub(super) fn create(connection: &Connection, session: &StoredSession) -> Result<bool> {
    if !may_begin(connection, session)? {
        return Ok(false);
    }
    let sql = format!("INSERT INTO sessions ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    let values = params![
        session.id,
        session.user_id,
        session.data.to_string(),
        ms(session.expires_at),
        ms(session.ends_at),
        whole(session.credentials)
    ];
    connection.execute(&sql, values).map_err(conflict("This session"))?;
    Ok(true)
}

fn may_begin(connection: &Connection, session: &StoredSession) -> Result<bool> {
    match &session.user_id {
        Some(user_id) => users::are_unchanged(connection, user_id, session.credentials),
        None => Ok(true),
    }
}

pub(super) fn save(connection: &Connection, session: &StoredSession) -> Result<bool> {
    let sql = "SELECT user_id IS ?2 FROM sessions WHERE id = ?1";
    let is_theirs = connection.query_row(sql, params![session.id, session.user_id], |row| row.get(0));
    match is_theirs.optional()? {
        // Signing in with it begins it anew.
        Some(false) if may_begin(connection, session)? => {}
        Some(true) => {}
        Some(false) | None => return Ok(false),
    }
    let sql = "UPDATE sessions SET data = ?3, expires_at = ?4, user_id = ?2, \
               credentials = CASE WHEN user_id IS ?2 THEN credentials ELSE ?5 END WHERE id = ?1";
    let values = params![
        session.id,
        session.user_id,
        session.data.to_string(),
        ms(session.expires_at),
        whole(session.credentials)
    ];
    Ok(connection.execute(sql, values)? > 0)
}

pub(super) fn by_id(connection: &Connection, id: &Digest) -> Result<Option<StoredSession>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1"))?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(read).transpose()
}

pub(super) fn delete(connection: &Connection, id: &Digest) -> Result<()> {
    connection.execute("DELETE FROM sessions WHERE id = ?1", [id])?;
    Ok(())
}

pub(super) fn of_user(connection: &Connection, user_id: &str, now: Timestamp) -> Result<Vec<StoredSession>> {
    // All live equally long, so the one that ends last began last.
    let sql = format!(
        "SELECT {COLUMNS} FROM sessions WHERE user_id = ?1 AND expires_at > ?2 AND ends_at > ?2 ORDER BY ends_at DESC, id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((user_id, ms(now)))?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next()? {
        sessions.push(read(row)?);
    }
    Ok(sessions)
}

/// Ends a user's sessions and sign-ins but the ones named; returns how many. Those that are being begun end with them:
/// what was checked for them counts no more.
pub(super) fn end_all(
    connection: &Connection,
    user_id: &str,
    except_session: Option<&Digest>,
    except_sign_in: Option<&str>,
) -> Result<u64> {
    let sql = "DELETE FROM sessions WHERE user_id = ?1 AND (?2 IS NULL OR id <> ?2)";
    let sessions = connection.execute(sql, (user_id, except_session))?;
    users::change_credentials(connection, user_id)?;
    let sql = "UPDATE sessions SET credentials = (SELECT credentials FROM users WHERE id = ?1) \
               WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM users WHERE id = ?1)";
    connection.execute(sql, [user_id])?;
    Ok(sessions as u64 + sign_ins::end_all(connection, user_id, except_sign_in)?)
}

/// Spent tokens go only when they expire: until then a second use of them must be noticed.
pub(super) fn delete_expired(connection: &Connection, now: Timestamp) -> Result<u64> {
    let now = ms(now);
    let sessions = connection.execute("DELETE FROM sessions WHERE expires_at <= ?1 OR ends_at <= ?1", [now])?;
    let tokens = connection.execute("DELETE FROM refresh_tokens WHERE expires_at <= ?1", [now])?;
    let sign_ins = connection.execute("DELETE FROM sign_ins WHERE expires_at <= ?1", [now])?;
    let set_up = connection.execute("DELETE FROM set_up_links WHERE expires_at <= ?1", [now])?;
    let links = connection.execute("DELETE FROM account_links WHERE expires_at <= ?1", [now])?;
    let requests = connection.execute("DELETE FROM idempotency WHERE expires_at <= ?1", [now])?;
    Ok((sessions + tokens + sign_ins + set_up + links + requests) as u64)
}

fn read(row: &Row<'_>) -> Result<StoredSession> {
    let data: String = row.get(2)?;
    Ok(StoredSession {
        id: row.get(0)?,
        user_id: row.get(1)?,
        data: serde_json::from_str(&data).map_err(|_| unreadable(2))?,
        expires_at: at(row.get(3)?),
        ends_at: at(row.get(4)?),
        credentials: from_whole(row.get(5)?),
    })
}
