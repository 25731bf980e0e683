//! The audit log. Triggers of the schema refuse to change or remove an entry.

use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};
use serde_json::Value;

use super::convert::{at, from_whole, ms, whole};
use super::error::{conflict, unreadable};
use super::like;
use crate::store::{AuditEntry, AuditFilter, AuditHead, Digest, Result, StoreError};

const COLUMNS: &str =
    "seq, at, actor_id, actor, surface, address, request_id, action, target, before, after, previous, hash";

pub(super) fn head(connection: &Connection) -> Result<Option<AuditHead>> {
    let mut statement = connection.prepare_cached("SELECT seq, hash, seal FROM audit_head WHERE id = 1")?;
    let found = statement
        .query_row([], |row| {
            Ok(AuditHead {
                seq: from_whole(row.get(0)?),
                hash: row.get(1)?,
                seal: row.get(2)?,
            })
        })
        .optional()?;
    Ok(found)
}

pub(super) fn append(connection: &Connection, entry: &AuditEntry, seal: &Digest) -> Result<()> {
    // Where one of both was tampered with, the log goes on behind the later one.
    let sql = "SELECT max(coalesce((SELECT max(seq) FROM audit_entries), 0), \
               coalesce((SELECT seq FROM audit_head WHERE id = 1), 0))";
    let last: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    if whole(entry.seq) != last.saturating_add(1) {
        return Err(StoreError::Conflict {
            what: "This place in the audit log",
        });
    }
    let sql = format!(
        "INSERT INTO audit_entries ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
    );
    let values = params![
        whole(entry.seq),
        ms(entry.at),
        entry.actor_id,
        entry.actor,
        entry.surface,
        entry.address,
        entry.request_id,
        entry.action,
        entry.target,
        entry.before.as_ref().map(Value::to_string),
        entry.after.as_ref().map(Value::to_string),
        entry.previous,
        entry.hash
    ];
    connection
        .execute(&sql, values)
        .map_err(conflict("This place in the audit log"))?;
    let sql = "INSERT INTO audit_head (id, seq, hash, seal) VALUES (1, ?1, ?2, ?3) \
               ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, seal = excluded.seal";
    connection.execute(sql, params![whole(entry.seq), entry.hash, seal])?;
    Ok(())
}

pub(super) fn page(
    connection: &Connection,
    filter: &AuditFilter,
    before_seq: Option<u64>,
    limit: u32,
) -> Result<Vec<AuditEntry>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_entries WHERE seq < :before \
         AND (:actor IS NULL OR actor_id = :actor OR actor LIKE :actor_part ESCAPE '\\') \
         AND (:action IS NULL OR action LIKE :action ESCAPE '\\') \
         AND (:target IS NULL OR target LIKE :target ESCAPE '\\') ORDER BY seq DESC LIMIT :limit"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(named_params! {
        ":before": before_seq.map_or(i64::MAX, whole),
        ":actor": filter.actor,
        ":actor_part": filter.actor.as_deref().map(like::part),
        ":action": filter.action.as_deref().map(like::beginning),
        ":target": filter.target.as_deref().map(like::part),
        ":limit": limit,
    })?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(read(row)?);
    }
    Ok(entries)
}

pub(super) fn from(connection: &Connection, seq: u64, limit: u32) -> Result<Vec<AuditEntry>> {
    let sql = format!("SELECT {COLUMNS} FROM audit_entries WHERE seq >= ?1 ORDER BY seq LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((whole(seq), limit))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(read(row)?);
    }
    Ok(entries)
}

fn read(row: &Row<'_>) -> Result<AuditEntry> {
    let json = |column: usize| -> Result<Option<Value>> {
        let text: Option<String> = row.get(column)?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| unreadable(column)))
            .transpose()
    };
    Ok(AuditEntry {
        seq: from_whole(row.get(0)?),
        at: at(row.get(1)?),
        actor_id: row.get(2)?,
        actor: row.get(3)?,
        surface: row.get(4)?,
        address: row.get(5)?,
        request_id: row.get(6)?,
        action: row.get(7)?,
        target: row.get(8)?,
        before: json(9)?,
        after: json(10)?,
        previous: row.get(11)?,
        hash: row.get(12)?,
    })
}
