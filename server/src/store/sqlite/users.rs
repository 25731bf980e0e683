use app::types::Role;
use pool::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::convert::{at, from_whole, ms};
use super::error::{conflict, unreadable};
use crate::email::Email;
use crate::store::{Digest, LinkUse, Result, StoredUser};

const COLUMNS: &str = "id, email, name, role, password_hash, created_at";

pub(super) fn create(connection: &Connection, user: &StoredUser) -> Result<()> {
    let sql = format!("INSERT INTO users ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    let values = params![
        user.id,
        user.email.as_str(),
        user.name,
        user.role.as_str(),
        user.password_hash,
        ms(user.created_at)
    ];
    connection.execute(&sql, values).map_err(conflict("This e-mail"))?;
    Ok(())
}

pub(super) fn by_email(connection: &Connection, email: &Email) -> Result<Option<StoredUser>> {
    one(
        connection,
        &format!("SELECT {COLUMNS} FROM users WHERE email = ?1"),
        email.as_str(),
    )
}

pub(super) fn by_id(connection: &Connection, id: &str) -> Result<Option<StoredUser>> {
    one(connection, &format!("SELECT {COLUMNS} FROM users WHERE id = ?1"), id)
}

pub(super) fn all(connection: &Connection) -> Result<Vec<StoredUser>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM users ORDER BY created_at, id"))?;
    let mut rows = statement.query([])?;
    let mut users = Vec::new();
    while let Some(row) = rows.next()? {
        users.push(read(row)?);
    }
    Ok(users)
}

pub(super) fn count(connection: &Connection, role: Role) -> Result<u64> {
    let counted = connection.query_row("SELECT count(*) FROM users WHERE role = ?1", [role.as_str()], |row| {
        row.get(0)
    })?;
    Ok(from_whole(counted))
}

pub(super) fn set_role(connection: &Connection, id: &str, role: Role) -> Result<bool> {
    let changed = connection.execute("UPDATE users SET role = ?2 WHERE id = ?1", (id, role.as_str()))?;
    end_all(connection, id)?;
    Ok(changed > 0)
}

pub(super) fn set_password_hash(connection: &Connection, id: &str, hash: &str) -> Result<bool> {
    let changed = connection.execute("UPDATE users SET password_hash = ?2 WHERE id = ?1", (id, hash))?;
    end_all(connection, id)?;
    Ok(changed > 0)
}

pub(super) fn insert_link(connection: &Connection, token: &Digest, expires_at: Timestamp) -> Result<()> {
    connection
        .execute(
            "INSERT INTO set_up_links (token, expires_at) VALUES (?1, ?2)",
            (token, ms(expires_at)),
        )
        .map_err(conflict("This link"))?;
    Ok(())
}

/// What using the link now would lead to.
pub(super) fn link_state(connection: &Connection, token: &Digest, now: Timestamp) -> Result<LinkUse> {
    if count(connection, Role::Admin)? > 0 {
        return Ok(LinkUse::AdminExists);
    }
    let sql = "SELECT expires_at FROM set_up_links WHERE token = ?1";
    let expires_at: Option<i64> = connection.query_row(sql, [token], |row| row.get(0)).optional()?;
    Ok(match expires_at {
        None => LinkUse::Unknown,
        Some(expires_at) if at(expires_at) <= now => LinkUse::Expired,
        Some(_) => LinkUse::Created,
    })
}

pub(super) fn create_first_admin(
    connection: &Connection,
    token: &Digest,
    user: &StoredUser,
    now: Timestamp,
) -> Result<LinkUse> {
    let state = link_state(connection, token, now)?;
    if state == LinkUse::Created {
        create(connection, user)?;
        connection.execute("DELETE FROM set_up_links", [])?;
    }
    Ok(state)
}

/// What was signed in with the old rights or the old password.
fn end_all(connection: &Connection, user_id: &str) -> Result<()> {
    connection.execute("DELETE FROM sessions WHERE user_id = ?1", [user_id])?;
    connection.execute("UPDATE refresh_tokens SET spent = 1 WHERE user_id = ?1", [user_id])?;
    Ok(())
}

fn one(connection: &Connection, sql: &str, value: &str) -> Result<Option<StoredUser>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([value])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<StoredUser> {
    let (email, role): (String, String) = (row.get(1)?, row.get(3)?);
    Ok(StoredUser {
        id: row.get(0)?,
        email: Email::parse(&email).map_err(|_| unreadable(1))?,
        name: row.get(2)?,
        role: Role::parse(&role).ok_or_else(|| unreadable(3))?,
        password_hash: row.get(4)?,
        created_at: at(row.get(5)?),
    })
}
