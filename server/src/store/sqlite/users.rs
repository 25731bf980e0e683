use app::types::Role;
use pool::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::convert::{at, from_whole, ms, whole};
use super::error::{conflict, unreadable};
use super::{analyses, sessions, usage};
use crate::email::Email;
use crate::store::{Digest, LinkUse, Result, StoredUser, UserChange};

const COLUMNS: &str = "id, email, name, role, password_hash, created_at, disabled, last_sign_in_at, credentials";

pub(super) fn create(connection: &Connection, user: &StoredUser) -> Result<()> {
    let sql = format!("INSERT INTO users ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    let values = params![
        user.id,
        user.email.as_str(),
        user.name,
        user.role.as_str(),
        user.password_hash,
        ms(user.created_at),
        user.disabled,
        user.last_sign_in_at.map(ms),
        whole(user.credentials)
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

pub(super) fn update(connection: &Connection, id: &str, change: &UserChange) -> Result<bool> {
    let sql = "UPDATE users SET role = coalesce(?2, role), disabled = coalesce(?3, disabled), name = coalesce(?4, name) \
               WHERE id = ?1";
    let values = params![id, change.role.map(Role::as_str), change.disabled, change.name];
    let changed = connection.execute(sql, values)?;
    if change.role.is_some() || change.disabled.is_some() {
        sessions::end_all(connection, id, None, None)?;
    }
    // Through an invitation of their own they would come back as somebody else.
    if change.role.is_some_and(|role| role != Role::Admin) || change.disabled == Some(true) {
        connection.execute("DELETE FROM account_links WHERE created_by = ?1", [id])?;
    }
    if change.disabled == Some(true) {
        delete_password_links(connection, id)?;
    }
    Ok(changed > 0)
}

pub(super) fn set_password_hash(
    connection: &Connection,
    id: &str,
    hash: &str,
    except_session: Option<&Digest>,
) -> Result<bool> {
    let changed = connection.execute("UPDATE users SET password_hash = ?2 WHERE id = ?1", (id, hash))?;
    sessions::end_all(connection, id, except_session, None)?;
    // Whoever holds such a link could undo the change.
    delete_password_links(connection, id)?;
    Ok(changed > 0)
}

fn delete_password_links(connection: &Connection, id: &str) -> Result<()> {
    let sql = "DELETE FROM account_links WHERE user_id = ?1 AND kind = 'password'";
    connection.execute(sql, [id])?;
    Ok(())
}

pub(super) fn note_sign_in(connection: &Connection, id: &str, signed_in_at: Timestamp) -> Result<()> {
    let sql = "UPDATE users SET last_sign_in_at = ?2 WHERE id = ?1";
    connection.execute(sql, (id, ms(signed_in_at)))?;
    Ok(())
}

pub(super) fn count_active(connection: &Connection, role: Role) -> Result<u64> {
    let sql = "SELECT count(*) FROM users WHERE role = ?1 AND NOT disabled";
    Ok(from_whole(
        connection.query_row(sql, [role.as_str()], |row| row.get(0))?,
    ))
}

/// Whether nothing has ended what the user had signed in since these credentials were read.
pub(super) fn are_unchanged(connection: &Connection, id: &str, credentials: u64) -> Result<bool> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM users WHERE id = ?1 AND (disabled OR credentials <> ?2))";
    Ok(connection.query_row(sql, (id, whole(credentials)), |row| row.get(0))?)
}

pub(super) fn change_credentials(connection: &Connection, id: &str) -> Result<()> {
    connection.execute("UPDATE users SET credentials = credentials + 1 WHERE id = ?1", [id])?;
    Ok(())
}

/// Every table that says whose a row is. The audit log is left: who did what must outlive the account.
pub(super) fn delete(connection: &Connection, id: &str) -> Result<bool> {
    for sql in [
        "DELETE FROM sessions WHERE user_id = ?1",
        "DELETE FROM sign_ins WHERE user_id = ?1",
        "DELETE FROM refresh_tokens WHERE user_id = ?1",
        "DELETE FROM api_tokens WHERE user_id = ?1",
        "DELETE FROM account_links WHERE user_id = ?1 OR created_by = ?1",
        "DELETE FROM recovery_codes WHERE user_id = ?1",
        "DELETE FROM second_factors WHERE user_id = ?1",
        "DELETE FROM idempotency WHERE caller = ?1",
    ] {
        connection.execute(sql, [id])?;
    }
    usage::forget_user(connection, id)?;
    analyses::delete_of_user(connection, id)?;
    Ok(connection.execute("DELETE FROM users WHERE id = ?1", [id])? > 0)
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
        disabled: row.get(6)?,
        last_sign_in_at: row.get::<_, Option<i64>>(7)?.map(at),
        credentials: from_whole(row.get(8)?),
    })
}
