//! Removes what has grown too old, a piece at a time: each piece is a write of its own, and others come between.

use pool::Timestamp;
use rusqlite::{Connection, params};

use super::rollups::{grain, level};
use crate::store::sqlite::convert::{ms, whole};
use crate::store::{Grain, Level, Result};

/// Events or rollups of one piece; it takes a few milliseconds.
pub(in crate::store::sqlite) const PRUNED_AT_ONCE: usize = 1_000;

/// The oldest ones before the instant; returns how many. Fewer than [`PRUNED_AT_ONCE`]: there are no more.
pub(in crate::store::sqlite) fn prune_events(connection: &Connection, before: Timestamp) -> Result<usize> {
    let sql = "DELETE FROM usage_log WHERE (at, id) IN \
               (SELECT at, id FROM usage_log WHERE at < ?1 ORDER BY at, id LIMIT ?2)";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.execute(params![ms(before), whole(PRUNED_AT_ONCE as u64)])?)
}

/// Callers whose last event is gone.
pub(in crate::store::sqlite) fn prune_callers(connection: &Connection, before: Timestamp) -> Result<()> {
    let day = ms(before) / whole(Level::Day.ms());
    connection.execute("DELETE FROM usage_callers WHERE last_day < ?1", [day])?;
    Ok(())
}

/// A stretch of rollups that lie together in the order of time.
#[derive(Debug, Clone, Copy)]
pub(in crate::store::sqlite) struct Prefix {
    grain: i64,
    kind: i64,
    key_id: i64,
    model: i64,
}

/// Those that there are at a level, found by leaping from one to the next.
pub(in crate::store::sqlite) fn rollup_prefixes(connection: &Connection, of: Level) -> Result<Vec<Prefix>> {
    let sql = "SELECT grain, kind, key_id, model FROM usage_rollups \
               WHERE level = ?1 AND (grain, kind, key_id, model) > (?2, ?3, ?4, ?5) \
               ORDER BY grain, kind, key_id, model LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut prefixes: Vec<Prefix> = Vec::new();
    loop {
        let last = prefixes.last().copied().unwrap_or(Prefix {
            grain: grain(Grain::Total) - 1,
            kind: 0,
            key_id: 0,
            model: 0,
        });
        let mut rows = statement.query(params![level(of), last.grain, last.kind, last.key_id, last.model])?;
        let Some(row) = rows.next()? else {
            return Ok(prefixes);
        };
        prefixes.push(Prefix {
            grain: row.get(0)?,
            kind: row.get(1)?,
            key_id: row.get(2)?,
            model: row.get(3)?,
        });
    }
}

/// The oldest ones of the prefix; returns how many. Fewer than [`PRUNED_AT_ONCE`]: there are no more.
pub(in crate::store::sqlite) fn prune_rollups(
    connection: &Connection,
    of: Level,
    prefix: Prefix,
    before: Timestamp,
) -> Result<usize> {
    let sql = "DELETE FROM usage_rollups \
               WHERE (level, grain, kind, key_id, model, start, operation, outcome, error_type) IN \
               (SELECT level, grain, kind, key_id, model, start, operation, outcome, error_type FROM usage_rollups \
               WHERE level = ?1 AND grain = ?2 AND kind = ?3 AND key_id = ?4 AND model = ?5 AND start < ?6 \
               ORDER BY start LIMIT ?7)";
    let mut statement = connection.prepare_cached(sql)?;
    let pruned = statement.execute(params![
        level(of),
        prefix.grain,
        prefix.kind,
        prefix.key_id,
        prefix.model,
        ms(before) / whole(of.ms()),
        whole(PRUNED_AT_ONCE as u64),
    ])?;
    Ok(pruned)
}
