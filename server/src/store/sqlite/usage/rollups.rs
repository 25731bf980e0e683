//! Rollups: added to as events arrive, added up when asked for.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::{Names, kind, word_id};
use crate::latency::Latency;
use crate::store::sqlite::convert::{at, from_id, from_whole, id, ms, whole};
use crate::store::sqlite::error::unreadable;
use crate::store::{Added, Grain, Level, Result, Rollup, RollupQuery, Slot, Sums};

pub(super) fn level(level: Level) -> i64 {
    match level {
        Level::Minute => 0,
        Level::Quarter => 1,
        Level::Hour => 2,
        Level::Day => 3,
    }
}

pub(super) fn grain(grain: Grain) -> i64 {
    match grain {
        Grain::Total => 0,
        Grain::Key => 1,
        Grain::Model => 2,
        Grain::Full => 3,
    }
}

pub(super) fn add<'e>(
    connection: &Connection,
    names: &mut Names<'_, 'e>,
    rolled_up: &BTreeMap<Slot<'e>, Added>,
) -> Result<()> {
    let sql = "INSERT INTO usage_rollups (level, grain, kind, key_id, model, start, operation, outcome, error_type, count, \
               successes, quota_errors, cached, response_time_ms, prompt_tokens, output_tokens, cached_tokens, thought_tokens, \
               total_tokens, first_at, last_at, times, first_tokens) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23) \
               ON CONFLICT DO UPDATE SET count = count + excluded.count, successes = successes + excluded.successes, \
               quota_errors = quota_errors + excluded.quota_errors, cached = cached + excluded.cached, \
               response_time_ms = response_time_ms + excluded.response_time_ms, \
               prompt_tokens = prompt_tokens + excluded.prompt_tokens, output_tokens = output_tokens + excluded.output_tokens, \
               cached_tokens = cached_tokens + excluded.cached_tokens, thought_tokens = thought_tokens + excluded.thought_tokens, \
               total_tokens = total_tokens + excluded.total_tokens, \
               first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at), \
               times = latency_sum(times, excluded.times), first_tokens = latency_sum(first_tokens, excluded.first_tokens)";
    let mut statement = connection.prepare_cached(sql)?;
    for (slot, added) in rolled_up {
        let sums = &added.sums;
        statement.execute(params![
            level(slot.level),
            grain(slot.grain),
            kind(slot.kind),
            slot.key.map_or(0, |(key, _)| id(key)),
            names.word(slot.model.unwrap_or_default())?,
            ms(slot.start) / whole(slot.level.ms()),
            names.word(slot.operation.unwrap_or_default())?,
            names.word(slot.outcome)?,
            names.word(slot.error_type.unwrap_or_default())?,
            whole(sums.count),
            whole(sums.successes),
            whole(sums.quota_errors),
            whole(sums.cached),
            whole(sums.response_time_ms),
            whole(sums.prompt_tokens),
            whole(sums.output_tokens),
            whole(sums.cached_tokens),
            whole(sums.thought_tokens),
            whole(sums.total_tokens),
            ms(added.first_at),
            ms(added.last_at),
            added.times.encode(),
            added.first_tokens.encode(),
        ])?;
    }
    Ok(())
}

/// The rows of a key or a model lie together, in the order of time: each piece of each of them is one look into the tree.
pub(in crate::store::sqlite) fn query(connection: &Connection, query: &RollupQuery) -> Result<Vec<Rollup>> {
    let (by_key, by_model, _) = query.grain().keeps();
    let mut values: Vec<Value> = vec![grain(query.grain()).into(), kind(query.kind).into()];
    let keys = match query.key_number {
        _ if !by_key => "key_id = 0",
        None => "key_id IN (SELECT 0 UNION ALL SELECT id FROM usage_keys)",
        Some(number) => {
            values.push(i64::from(number).into());
            "key_id IN (SELECT id FROM usage_keys WHERE number = ?3)"
        }
    };
    let models = match &query.model {
        _ if !by_model => "model = 0".to_owned(),
        None => "model IN (SELECT id FROM usage_words)".to_owned(),
        Some(model) => {
            // No event ever named it.
            let Some(word) = word_id(connection, model)? else {
                return Ok(Vec::new());
            };
            values.push(word.into());
            format!("model = ?{}", values.len())
        }
    };
    let mut parts = Vec::with_capacity(query.pieces.len());
    for piece in &query.pieces {
        let length = piece.level.ms();
        let first = values.len() + 1;
        values.extend([
            level(piece.level).into(),
            whole(piece.from.as_millis() / length).into(),
            whole(piece.to.as_millis() / length).into(),
        ]);
        parts.push(format!(
            "SELECT start * {length} AS start, key_id, model, operation, outcome, error_type, {COLUMNS} FROM usage_rollups \
             WHERE level = ?{first} AND grain = ?1 AND kind = ?2 AND {keys} AND {models} AND start >= ?{} AND start < ?{}",
            first + 1,
            first + 2
        ));
    }
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let sql = statement(query, &parts.join(" UNION ALL "));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut rollups = Vec::new();
    while let Some(row) = rows.next()? {
        rollups.push(read(row)?);
    }
    Ok(rollups)
}

const COLUMNS: &str = "count, successes, quota_errors, cached, response_time_ms, prompt_tokens, output_tokens, cached_tokens, \
                       thought_tokens, total_tokens, first_at, last_at, times, first_tokens";

/// Adds up over what the query does not keep apart, and only then looks up words.
fn statement(query: &RollupQuery, parts: &str) -> String {
    let by = query.by;
    let kept = |keeps: bool, column: &'static str| if keeps { column } else { "NULL" };
    let times = if query.times {
        "latency_total(times), latency_total(first_tokens)"
    } else {
        "x'', x''"
    };
    let dimensions = [
        kept(by.start, "start"),
        kept(by.key, "key_id"),
        kept(by.model, "model"),
        kept(by.operation, "operation"),
        kept(by.outcome, "outcome"),
        kept(by.outcome, "error_type"),
    ];
    let mut groups: Vec<_> = dimensions.into_iter().filter(|column| *column != "NULL").collect();
    if groups.is_empty() {
        // Nothing added up is no row, and not one of zeros.
        groups.push("1 = 1");
    }
    format!(
        "SELECT d.s, nullif(d.k, 0), (SELECT number FROM usage_keys WHERE id = d.k), \
         (SELECT word FROM usage_words WHERE id = d.m), (SELECT word FROM usage_words WHERE id = d.o), \
         (SELECT word FROM usage_words WHERE id = d.u), (SELECT word FROM usage_words WHERE id = d.e), d.* \
         FROM (SELECT {} AS s, {} AS k, {} AS m, {} AS o, {} AS u, {} AS e, \
         sum(count), sum(successes), sum(quota_errors), sum(cached), sum(response_time_ms), sum(prompt_tokens), \
         sum(output_tokens), sum(cached_tokens), sum(thought_tokens), sum(total_tokens), min(first_at), max(last_at), {times} \
         FROM ({parts}) GROUP BY {}) AS d ORDER BY 1, 3, 4, 5, 6, 7",
        dimensions[0],
        dimensions[1],
        dimensions[2],
        dimensions[3],
        dimensions[4],
        dimensions[5],
        groups.join(", ")
    )
}

/// The first of the sums: before it are seven names, and the six ids they stand for.
const SUMS: usize = 13;

fn read(row: &Row<'_>) -> Result<Rollup> {
    let sum = |place: usize| -> rusqlite::Result<u64> { Ok(from_whole(row.get(SUMS + place)?)) };
    let latency = |place: usize| -> Result<Latency> {
        let mut latency = Latency::default();
        let column = SUMS + place;
        let bytes = row.get_ref(column)?.as_blob().map_err(|_| unreadable(column))?;
        latency
            .add_encoded(bytes)
            .then_some(latency)
            .ok_or_else(|| unreadable(column))
    };
    Ok(Rollup {
        start: row.get::<_, Option<i64>>(0)?.map(at),
        key_id: row.get::<_, Option<i64>>(1)?.map(from_id),
        key_number: row.get(2)?,
        model: row.get(3)?,
        operation: row.get(4)?,
        outcome: row.get(5)?,
        error_type: row.get(6)?,
        sums: Sums {
            count: sum(0)?,
            successes: sum(1)?,
            quota_errors: sum(2)?,
            cached: sum(3)?,
            response_time_ms: sum(4)?,
            prompt_tokens: sum(5)?,
            output_tokens: sum(6)?,
            cached_tokens: sum(7)?,
            thought_tokens: sum(8)?,
            total_tokens: sum(9)?,
        },
        first_at: at(row.get(SUMS + 10)?),
        last_at: at(row.get(SUMS + 11)?),
        times: latency(12)?,
        first_tokens: latency(13)?,
    })
}
