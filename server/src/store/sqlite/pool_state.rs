use rusqlite::Connection;
use serde_json::Value;

use super::error::unreadable;
use crate::store::Result;

pub(super) fn save(connection: &Connection, records: &[(String, Value)]) -> Result<()> {
    let sql = "INSERT INTO pool_records (name, value) VALUES (?1, ?2) \
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    let mut statement = connection.prepare_cached(sql)?;
    for (name, value) in records {
        statement.execute((name, value.to_string()))?;
    }
    Ok(())
}

pub(super) fn all(connection: &Connection) -> Result<Vec<(String, Value)>> {
    let mut statement = connection.prepare_cached("SELECT name, value FROM pool_records ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let value: String = row.get(1)?;
        records.push((row.get(0)?, serde_json::from_str(&value).map_err(|_| unreadable(1))?));
    }
    Ok(records)
}

pub(super) fn delete(connection: &Connection, names: &[String]) -> Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM pool_records WHERE name = ?1")?;
    for name in names {
        statement.execute([name])?;
    }
    Ok(())
}
