//! Sealed values, wherever they are kept.

use rusqlite::{Connection, OptionalExtension as _};

use crate::store::{Result, SealedValue};

pub(super) fn all(connection: &Connection) -> Result<Vec<SealedValue>> {
    // Keys of the environment have nothing sealed.
    let sql = "SELECT 'key/' || id, 'secret', sealed FROM keys WHERE length(sealed) > 0 \
               UNION ALL SELECT 'user/' || user_id, 'totp', sealed FROM second_factors \
               UNION ALL SELECT 'server/' || name, 'secret', sealed FROM server_secrets";
    let mut statement = connection.prepare_cached(sql)?;
    let values = statement.query_map([], |row| {
        Ok(SealedValue {
            record: row.get(0)?,
            field: row.get(1)?,
            sealed: row.get(2)?,
        })
    })?;
    Ok(values.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn replace(connection: &Connection, record: &str, field: &str, old: &[u8], new: &[u8]) -> Result<bool> {
    let replaced = match (record.split_once('/'), field) {
        (Some(("key", id)), "secret") => match id.parse::<i64>() {
            Ok(id) => connection.execute(
                "UPDATE keys SET sealed = ?3 WHERE id = ?1 AND sealed = ?2",
                (id, old, new),
            )?,
            Err(_) => 0,
        },
        (Some(("user", id)), "totp") => connection.execute(
            "UPDATE second_factors SET sealed = ?3 WHERE user_id = ?1 AND sealed = ?2",
            (id, old, new),
        )?,
        (Some(("server", name)), "secret") => connection.execute(
            "UPDATE server_secrets SET sealed = ?3 WHERE name = ?1 AND sealed = ?2",
            (name, old, new),
        )?,
        _ => 0,
    };
    Ok(replaced > 0)
}

pub(super) fn of_server(connection: &Connection, name: &str) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT sealed FROM server_secrets WHERE name = ?1";
    Ok(connection.query_row(sql, [name], |row| row.get(0)).optional()?)
}

pub(super) fn insert_of_server(connection: &Connection, name: &str, sealed: Vec<u8>) -> Result<Vec<u8>> {
    let sql = "INSERT INTO server_secrets (name, sealed) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    connection.execute(sql, (name, &sealed))?;
    Ok(of_server(connection, name)?.unwrap_or(sealed))
}
