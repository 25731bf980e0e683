use rusqlite::{Connection, OptionalExtension as _, params};

use super::convert::{from_whole, whole};
use super::sessions;
use crate::store::{Digest, Result, StoredSecondFactor};

pub(super) fn get(connection: &Connection, user_id: &str) -> Result<Option<StoredSecondFactor>> {
    let sql = "SELECT sealed, confirmed, last_step FROM second_factors WHERE user_id = ?1";
    let found = connection
        .query_row(sql, [user_id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((sealed, confirmed, last_step)) = found else {
        return Ok(None);
    };
    Ok(Some(StoredSecondFactor {
        user_id: user_id.to_owned(),
        sealed,
        confirmed,
        last_step: from_whole(last_step),
        recovery: recovery_codes(connection, user_id)?,
    }))
}

fn recovery_codes(connection: &Connection, user_id: &str) -> Result<Vec<Digest>> {
    let mut statement =
        connection.prepare_cached("SELECT code FROM recovery_codes WHERE user_id = ?1 ORDER BY code")?;
    let codes = statement.query_map([user_id], |row| row.get(0))?;
    Ok(codes.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn begin(connection: &Connection, user_id: &str, sealed: &[u8]) -> Result<bool> {
    let sql = "INSERT INTO second_factors (user_id, sealed, confirmed, last_step) VALUES (?1, ?2, 0, 0) \
               ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, last_step = 0 WHERE confirmed = 0";
    Ok(connection.execute(sql, (user_id, sealed))? > 0)
}

pub(super) fn confirm(
    connection: &Connection,
    factor: &StoredSecondFactor,
    except_session: Option<&Digest>,
    except_sign_in: Option<&str>,
) -> Result<bool> {
    let user_id = &factor.user_id;
    let sql = "UPDATE second_factors SET confirmed = 1 WHERE user_id = ?1 AND sealed = ?2 AND confirmed = 0";
    if connection.execute(sql, params![user_id, factor.sealed])? == 0 {
        return Ok(false);
    }
    write_recovery_codes(connection, user_id, &factor.recovery)?;
    sessions::end_all(connection, user_id, except_session, except_sign_in)?;
    Ok(true)
}

pub(super) fn replace_recovery_codes(connection: &Connection, user_id: &str, codes: &[Digest]) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM second_factors WHERE user_id = ?1 AND confirmed)";
    let is_on: bool = connection.query_row(sql, [user_id], |row| row.get(0))?;
    if is_on {
        write_recovery_codes(connection, user_id, codes)?;
    }
    Ok(is_on)
}

fn write_recovery_codes(connection: &Connection, user_id: &str, codes: &[Digest]) -> Result<()> {
    connection.execute("DELETE FROM recovery_codes WHERE user_id = ?1", [user_id])?;
    let sql = "INSERT INTO recovery_codes (user_id, code) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    let mut statement = connection.prepare_cached(sql)?;
    for code in codes {
        statement.execute(params![user_id, code])?;
    }
    Ok(())
}

pub(super) fn delete(connection: &Connection, user_id: &str) -> Result<bool> {
    connection.execute("DELETE FROM recovery_codes WHERE user_id = ?1", [user_id])?;
    Ok(connection.execute("DELETE FROM second_factors WHERE user_id = ?1", [user_id])? > 0)
}

pub(super) fn use_step(connection: &Connection, user_id: &str, step: u64) -> Result<bool> {
    let sql = "UPDATE second_factors SET last_step = ?2 WHERE user_id = ?1 AND last_step < ?2";
    Ok(connection.execute(sql, (user_id, whole(step)))? > 0)
}

pub(super) fn use_recovery_code(connection: &Connection, user_id: &str, code: &Digest) -> Result<bool> {
    let sql = "DELETE FROM recovery_codes WHERE user_id = ?1 AND code = ?2";
    Ok(connection.execute(sql, (user_id, code))? > 0)
}
