//! Rollups added up when they are asked for.
//!
//! The rows of a key or a model lie together in the order of time, so that each piece of each of them is one look into the
//! tree. They are added up here and not by SQL, whose grouping would sort all of them once more.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use super::rollups::{grain, level};
use super::words::Words;
use super::{kind, word_id};
use crate::store::sqlite::convert::{at, from_id, from_whole, whole};
use crate::store::sqlite::error::unreadable;
use crate::store::{Dimensions, Level, Result, Rollup, RollupQuery, Sum, Sums};

/// Rows that lie together, within each level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Prefix {
    key_id: i64,
    model: i64,
}

/// What is kept apart, by its ids; 0 for what is added up over, and for what is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Group {
    start_ms: i64,
    key_id: i64,
    model: i64,
    operation: i64,
    outcome: i64,
    error_type: i64,
}

pub(in crate::store::sqlite) fn query(connection: &Connection, query: &RollupQuery) -> Result<Vec<Rollup>> {
    let times = if query.times { ", times, first_tokens" } else { "" };
    let sql = format!(
        "SELECT start, operation, outcome, error_type, count, successes, quota_errors, cached, response_time_ms, prompt_tokens, \
         output_tokens, cached_tokens, thought_tokens, total_tokens, first_at, last_at{times} FROM usage_rollups \
         WHERE level = ?1 AND grain = ?2 AND kind = ?3 AND key_id = ?4 AND model = ?5 AND start >= ?6 AND start < ?7"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut groups: HashMap<Group, Sum> = HashMap::new();
    let (grain, kind) = (grain(query.grain(), query.by.outcome), kind(query.kind));
    for prefix in prefixes(connection, query)? {
        for piece in &query.pieces {
            let length = whole(piece.level.ms());
            let (from, to) = (
                whole(piece.from.as_millis()) / length,
                whole(piece.to.as_millis()) / length,
            );
            let asked = params![level(piece.level), grain, kind, prefix.key_id, prefix.model, from, to];
            let mut rows = statement.query(asked)?;
            while let Some(row) = rows.next()? {
                let group = group(row, query.by, prefix, length)?;
                add_row(groups.entry(group).or_default(), row, query.times)?;
            }
        }
    }
    rollups(connection, query.by, groups)
}

/// Those that may have rows. Whatever has one at some level has one of its day, so days tell of all.
fn prefixes(connection: &Connection, query: &RollupQuery) -> Result<Vec<Prefix>> {
    let (by_key, by_model, _) = query.grain().keeps();
    let model = match &query.model {
        Some(model) if by_model => match word_id(connection, model)? {
            Some(model) => Some(model),
            // No event ever named it.
            None => return Ok(Vec::new()),
        },
        _ => None,
    };
    let keys = match query.key_number {
        Some(number) if by_key => Some(key_ids(connection, number)?),
        _ => None,
    };
    let all = |model: i64| {
        let keys = keys.iter().flatten();
        keys.map(|&key_id| Prefix { key_id, model }).collect()
    };
    Ok(match (by_key, by_model) {
        (false, false) => vec![Prefix { key_id: 0, model: 0 }],
        (true, false) if keys.is_some() => all(0),
        (true, true) if keys.is_some() && model.is_some() => all(model.unwrap_or_default()),
        (false, true) if model.is_some() => vec![Prefix {
            key_id: 0,
            model: model.unwrap_or_default(),
        }],
        _ => {
            let is_asked = |prefix: &Prefix| {
                model.is_none_or(|model| prefix.model == model)
                    && keys.as_ref().is_none_or(|keys| keys.contains(&prefix.key_id))
            };
            // The ones of all outcomes together are fewer.
            let stored = stored_prefixes(connection, grain(query.grain(), false), kind(query.kind))?;
            stored.into_iter().filter(is_asked).collect()
        }
    })
}

/// Of days, found by leaping from one to the next.
fn stored_prefixes(connection: &Connection, grain: i64, kind: i64) -> Result<Vec<Prefix>> {
    let sql = "SELECT key_id, model FROM usage_rollups \
               WHERE level = ?1 AND grain = ?2 AND kind = ?3 AND (key_id, model) > (?4, ?5) \
               ORDER BY key_id, model LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let (mut prefixes, mut last) = (Vec::new(), Prefix { key_id: -1, model: 0 });
    loop {
        let mut rows = statement.query(params![level(Level::Day), grain, kind, last.key_id, last.model])?;
        let Some(row) = rows.next()? else {
            return Ok(prefixes);
        };
        last = Prefix {
            key_id: row.get(0)?,
            model: row.get(1)?,
        };
        prefixes.push(last);
    }
}

fn key_ids(connection: &Connection, number: u32) -> Result<Vec<i64>> {
    let mut select = connection.prepare_cached("SELECT id FROM usage_keys WHERE number = ?1")?;
    let ids = select.query_map([number], |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

fn group(row: &Row<'_>, by: Dimensions, prefix: Prefix, length_ms: i64) -> Result<Group> {
    let mut group = Group::default();
    if by.start {
        group.start_ms = row.get::<_, i64>(0)? * length_ms;
    }
    if by.key {
        group.key_id = prefix.key_id;
    }
    if by.model {
        group.model = prefix.model;
    }
    if by.operation {
        group.operation = row.get(1)?;
    }
    if by.outcome {
        (group.outcome, group.error_type) = (row.get(2)?, row.get(3)?);
    }
    Ok(group)
}

fn add_row(sum: &mut Sum, row: &Row<'_>, times: bool) -> Result<()> {
    let value = |place: usize| -> rusqlite::Result<u64> { Ok(from_whole(row.get(4 + place)?)) };
    let sums = Sums {
        count: value(0)?,
        successes: value(1)?,
        quota_errors: value(2)?,
        cached: value(3)?,
        response_time_ms: value(4)?,
        prompt_tokens: value(5)?,
        output_tokens: value(6)?,
        cached_tokens: value(7)?,
        thought_tokens: value(8)?,
        total_tokens: value(9)?,
    };
    sum.add(&sums, at(row.get(14)?), at(row.get(15)?));
    if times {
        for (column, total) in [(16, &mut sum.times), (17, &mut sum.first_tokens)] {
            let bytes = row.get_ref(column)?.as_blob().map_err(|_| unreadable(column))?;
            if !total.add_encoded(bytes) {
                return Err(unreadable(column));
            }
        }
    }
    Ok(())
}

/// With names, in the order that the port promises.
fn rollups(connection: &Connection, by: Dimensions, groups: HashMap<Group, Sum>) -> Result<Vec<Rollup>> {
    let mut words = Words::new(connection);
    let mut rollups = Vec::with_capacity(groups.len());
    for (group, sum) in groups {
        let has_key = by.key && group.key_id != 0;
        rollups.push(Rollup {
            start: by.start.then(|| at(group.start_ms)),
            key_id: has_key.then(|| from_id(group.key_id)),
            key_number: if has_key { words.key(group.key_id)? } else { None },
            model: words.word(group.model)?,
            operation: words.word(group.operation)?,
            outcome: words.word(group.outcome)?,
            error_type: words.word(group.error_type)?,
            sums: sum.sums,
            times: sum.times.into_latency(),
            first_tokens: sum.first_tokens.into_latency(),
            first_at: sum.first_at,
            last_at: sum.last_at,
        });
    }
    rollups.sort_unstable_by(|left, right| in_order(left).cmp(&in_order(right)));
    Ok(rollups)
}

/// What sorts a row. A key's id comes last: it matters where two keys had the same number.
fn in_order(row: &Rollup) -> impl Ord + '_ {
    let words = (&row.model, &row.operation, &row.outcome, &row.error_type);
    (row.start, row.key_number, words, row.key_id)
}
