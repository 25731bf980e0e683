use rusqlite::{Connection, OptionalExtension as _, params};

use super::convert::{from_whole, whole};
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

pub(super) fn save(connection: &Connection, factor: &StoredSecondFactor) -> Result<()> {
    let sql = "INSERT INTO second_factors (user_id, sealed, confirmed, last_step) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, confirmed = excluded.confirmed, \
               last_step = CASE WHEN second_factors.sealed = excluded.sealed \
               THEN MAX(second_factors.last_step, excluded.last_step) ELSE excluded.last_step END";
    let values = params![factor.user_id, factor.sealed, factor.confirmed, whole(factor.last_step)];
    connection.execute(sql, values)?;
    connection.execute("DELETE FROM recovery_codes WHERE user_id = ?1", [&factor.user_id])?;
    let sql = "INSERT INTO recovery_codes (user_id, code) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    let mut statement = connection.prepare_cached(sql)?;
    for code in &factor.recovery {
        statement.execute(params![factor.user_id, code])?;
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
