use app::types::Role;
use pool::Timestamp;
use rusqlite::{Connection, Row, params};

use super::convert::{at, ms};
use super::error::{conflict, unreadable};
use super::{api_tokens, users};
use crate::email::Email;
use crate::store::{Digest, LinkKind, LinkUse, OPERATOR, Result, StoredLink, StoredUser};

const COLUMNS: &str = "id, token, kind, email, role, user_id, created_by, created_at, expires_at";

pub(super) fn insert(connection: &Connection, link: &StoredLink) -> Result<()> {
    let sql = format!("INSERT INTO account_links ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    let values = params![
        link.id,
        link.token,
        link.kind.as_str(),
        link.email.as_ref().map(Email::as_str),
        link.role.map(Role::as_str),
        link.user_id,
        link.created_by,
        ms(link.created_at),
        ms(link.expires_at)
    ];
    connection.execute(&sql, values).map_err(conflict("This link"))?;
    Ok(())
}

pub(super) fn by_token(connection: &Connection, token: &Digest) -> Result<Option<StoredLink>> {
    let sql = format!("SELECT {COLUMNS} FROM account_links WHERE token = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([token])?;
    rows.next()?.map(read).transpose()
}

pub(super) fn all(connection: &Connection, kind: LinkKind) -> Result<Vec<StoredLink>> {
    let sql = format!("SELECT {COLUMNS} FROM account_links WHERE kind = ?1 ORDER BY created_at DESC, id DESC");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([kind.as_str()])?;
    let mut links = Vec::new();
    while let Some(row) = rows.next()? {
        links.push(read(row)?);
    }
    Ok(links)
}

pub(super) fn delete(connection: &Connection, id: &str) -> Result<bool> {
    Ok(connection.execute("DELETE FROM account_links WHERE id = ?1", [id])? > 0)
}

pub(super) fn create_invited_user(
    connection: &Connection,
    token: &Digest,
    user: &StoredUser,
    now: Timestamp,
) -> Result<LinkUse> {
    match by_token(connection, token)? {
        Some(link) if link.kind == LinkKind::Invitation => {
            if link.expires_at <= now {
                return Ok(LinkUse::Expired);
            }
            if !is_of_an_admin(connection, &link)? {
                return Ok(LinkUse::Unknown);
            }
            // A conflict here takes back the whole command, so that the invitation stays.
            users::create(connection, user)?;
            delete(connection, &link.id)?;
            Ok(LinkUse::Created)
        }
        _ => Ok(LinkUse::Unknown),
    }
}

pub(super) fn set_password(
    connection: &Connection,
    token: &Digest,
    hash: &str,
    now: Timestamp,
) -> Result<Option<String>> {
    let link = by_token(connection, token)?.filter(|link| link.kind == LinkKind::Password && link.expires_at > now);
    let link = match link {
        Some(link) if is_of_an_admin(connection, &link)? => link,
        _ => return Ok(None),
    };
    let Some(user_id) = link.user_id else {
        return Ok(None);
    };
    // The link goes with all links of its kind for this user.
    let is_set = users::set_password_hash(connection, &user_id, hash, None)?;
    api_tokens::delete_of_user(connection, &user_id)?;
    Ok(is_set.then_some(user_id))
}

/// Whether who made the link may still make links. Their links go with the right; this is for those of before that rule.
fn is_of_an_admin(connection: &Connection, link: &StoredLink) -> Result<bool> {
    if link.created_by == OPERATOR {
        return Ok(true);
    }
    let maker = users::by_id(connection, &link.created_by)?;
    Ok(maker.is_some_and(|maker| maker.role == Role::Admin && !maker.disabled))
}

fn read(row: &Row<'_>) -> Result<StoredLink> {
    let kind: String = row.get(2)?;
    let (email, role): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
    Ok(StoredLink {
        id: row.get(0)?,
        token: row.get(1)?,
        kind: LinkKind::ALL
            .into_iter()
            .find(|known| known.as_str() == kind)
            .ok_or_else(|| unreadable(2))?,
        email: email
            .map(|email| Email::parse(&email))
            .transpose()
            .map_err(|_| unreadable(3))?,
        role: role
            .map(|role| Role::parse(&role).ok_or_else(|| unreadable(4)))
            .transpose()?,
        user_id: row.get(5)?,
        created_by: row.get(6)?,
        created_at: at(row.get(7)?),
        expires_at: at(row.get(8)?),
    })
}
