use rusqlite::Connection;
use serde_json::Value;

use super::error::unreadable;
use crate::store::Result;

pub(super) fn save(connection: &Connection, changes: &[(String, Option<Value>)]) -> Result<()> {
    changes
        .iter()
        .try_for_each(|(name, value)| save_one(connection, name, value.as_ref()))
}

fn save_one(connection: &Connection, name: &str, value: Option<&Value>) -> Result<()> {
    let Some(value) = value else {
        connection.execute("DELETE FROM settings WHERE name = ?1", [name])?;
        return Ok(());
    };
    let sql = "INSERT INTO settings (name, value) VALUES (?1, ?2) \
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.prepare_cached(sql)?.execute((name, value.to_string()))?;
    Ok(())
}

pub(super) fn all(connection: &Connection) -> Result<Vec<(String, Value)>> {
    let mut statement = connection.prepare_cached("SELECT name, value FROM settings ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut settings = Vec::new();
    while let Some(row) = rows.next()? {
        let value: String = row.get(1)?;
        settings.push((row.get(0)?, serde_json::from_str(&value).map_err(|_| unreadable(1))?));
    }
    Ok(settings)
}
