use app::types::KeyOrigin;
use pool::Tier;
use rusqlite::{Connection, Row, named_params, params};

use super::convert::{at, from_id, id, ms};
use super::error::{conflict, unreadable};
use crate::store::{Digest, EnvironmentKey, KeyChange, NewStoredKey, Result, StoreError, StoredKey};

const COLUMNS: &str = "id, number, label, origin, fingerprint, sealed, project, account, tier, priority, weight, tags, \
                       enabled, created_at";

pub(super) fn all(connection: &Connection) -> Result<Vec<StoredKey>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM keys ORDER BY number"))?;
    let mut rows = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(read(row)?);
    }
    Ok(keys)
}

pub(super) fn next_id(connection: &Connection) -> Result<u64> {
    let sql = "INSERT INTO counters (name, value) VALUES ('key_id', 1) \
               ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value";
    Ok(from_id(connection.query_row(sql, [], |row| row.get(0))?))
}

pub(super) fn insert(connection: &Connection, new: NewStoredKey) -> Result<StoredKey> {
    let number = take_number(connection, None)?;
    let label = if new.label.is_empty() {
        format!("Key {number}")
    } else {
        new.label
    };
    let wanted = new.wanted;
    let key = StoredKey {
        id: new.id,
        number,
        label,
        origin: KeyOrigin::Console,
        fingerprint: new.fingerprint,
        sealed: new.sealed,
        project: wanted.project.flatten(),
        account: wanted.account.flatten(),
        tier: wanted.tier.unwrap_or(Tier::Free),
        priority: wanted.priority.unwrap_or(0),
        weight: wanted.weight.unwrap_or(1),
        tags: wanted.tags.unwrap_or_default(),
        enabled: wanted.enabled.unwrap_or(true),
        created_at: new.created_at,
    };
    write_new(connection, &key)?;
    Ok(key)
}

pub(super) fn adopt(connection: &Connection, wanted: EnvironmentKey) -> Result<StoredKey> {
    if let Some(known) = by_fingerprint(connection, &wanted.fingerprint)? {
        if known.origin == KeyOrigin::Console || known.label == wanted.label {
            return Ok(known);
        }
        return update(
            connection,
            known.id,
            KeyChange {
                label: Some(wanted.label),
                ..KeyChange::default()
            },
        );
    }
    let key = StoredKey {
        id: next_id(connection)?,
        number: take_number(connection, Some(wanted.preferred_number))?,
        label: wanted.label,
        origin: KeyOrigin::Environment,
        fingerprint: wanted.fingerprint,
        sealed: Vec::new(),
        project: None,
        account: None,
        tier: Tier::Free,
        priority: 0,
        weight: 1,
        tags: Vec::new(),
        enabled: true,
        created_at: wanted.now,
    };
    write_new(connection, &key)?;
    Ok(key)
}

pub(super) fn update(connection: &Connection, key_id: u64, change: KeyChange) -> Result<StoredKey> {
    // What may be cleared says whether it is set at all: NULL is a value there.
    let sql = "UPDATE keys SET label = coalesce(:label, label), project = iif(:sets_project, :project, project), \
               account = iif(:sets_account, :account, account), tier = coalesce(:tier, tier), \
               priority = coalesce(:priority, priority), weight = coalesce(:weight, weight), tags = coalesce(:tags, tags), \
               enabled = coalesce(:enabled, enabled), sealed = coalesce(:sealed, sealed), \
               origin = iif(:sealed IS NULL, origin, 'console') WHERE id = :id";
    let changed = connection.prepare_cached(sql)?.execute(named_params! {
        ":id": id(key_id),
        ":label": change.label,
        ":sets_project": change.project.is_some(),
        ":project": change.project.flatten(),
        ":sets_account": change.account.is_some(),
        ":account": change.account.flatten(),
        ":tier": change.tier.map(tier_word),
        ":priority": change.priority,
        ":weight": change.weight,
        ":tags": change.tags.as_deref().map(tags_text),
        ":enabled": change.enabled,
        ":sealed": change.sealed,
    })?;
    if changed == 0 {
        return Err(StoreError::NotFound { what: "This key" });
    }
    let sql = format!("SELECT {COLUMNS} FROM keys WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id(key_id)])?;
    rows.next()?
        .map(read)
        .unwrap_or(Err(StoreError::NotFound { what: "This key" }))
}

pub(super) fn delete(connection: &Connection, key_id: u64) -> Result<bool> {
    Ok(connection.execute("DELETE FROM keys WHERE id = ?1", [id(key_id)])? > 0)
}

fn by_fingerprint(connection: &Connection, fingerprint: &Digest) -> Result<Option<StoredKey>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM keys WHERE fingerprint = ?1"))?;
    let mut rows = statement.query([fingerprint])?;
    rows.next()?.map(read).transpose()
}

/// The preferred number unless a key ever had it, else the one after the highest ever.
fn take_number(connection: &Connection, preferred: Option<u32>) -> Result<u32> {
    if let Some(preferred) = preferred.filter(|number| *number > 0) {
        let taken = connection.execute("INSERT OR IGNORE INTO key_numbers (number) VALUES (?1)", [preferred])?;
        if taken > 0 {
            return Ok(preferred);
        }
    }
    let sql = "INSERT INTO key_numbers (number) SELECT coalesce(max(number), 0) + 1 FROM key_numbers RETURNING number";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

fn write_new(connection: &Connection, key: &StoredKey) -> Result<()> {
    let sql =
        format!("INSERT INTO keys ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)");
    let values = params![
        id(key.id),
        key.number,
        key.label,
        origin_word(key.origin),
        key.fingerprint,
        key.sealed,
        key.project,
        key.account,
        tier_word(key.tier),
        key.priority,
        key.weight,
        tags_text(&key.tags),
        key.enabled,
        ms(key.created_at)
    ];
    connection.execute(&sql, values).map_err(conflict("This key"))?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<StoredKey> {
    let origin: String = row.get(3)?;
    let tier: String = row.get(8)?;
    let tags: String = row.get(11)?;
    Ok(StoredKey {
        id: from_id(row.get(0)?),
        number: row.get(1)?,
        label: row.get(2)?,
        origin: [KeyOrigin::Environment, KeyOrigin::Console]
            .into_iter()
            .find(|known| origin_word(*known) == origin)
            .ok_or_else(|| unreadable(3))?,
        fingerprint: row.get(4)?,
        sealed: row.get(5)?,
        project: row.get(6)?,
        account: row.get(7)?,
        tier: [Tier::Free, Tier::Paid]
            .into_iter()
            .find(|known| tier_word(*known) == tier)
            .ok_or_else(|| unreadable(8))?,
        priority: row.get(9)?,
        weight: row.get(10)?,
        tags: serde_json::from_str(&tags).map_err(|_| unreadable(11))?,
        enabled: row.get(12)?,
        created_at: at(row.get(13)?),
    })
}

fn tags_text(tags: &[String]) -> String {
    serde_json::Value::from(tags).to_string()
}

fn origin_word(origin: KeyOrigin) -> &'static str {
    match origin {
        KeyOrigin::Environment => "environment",
        KeyOrigin::Console => "console",
    }
}

fn tier_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Free => "free",
        Tier::Paid => "paid",
    }
}
