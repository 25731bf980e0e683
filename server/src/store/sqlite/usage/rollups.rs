//! Rollups, added to as events arrive.

use rusqlite::{Connection, params};

use super::{Names, kind};
use crate::store::sqlite::convert::{id, ms, whole};
use crate::store::{Grain, Level, Result, Slots};

pub(super) fn level(level: Level) -> i64 {
    match level {
        Level::Minute => 0,
        Level::Quarter => 1,
        Level::Hour => 2,
        Level::Day => 3,
    }
}

/// `by_outcome`: of each outcome by itself, and not of all together.
pub(super) fn grain(grain: Grain, by_outcome: bool) -> i64 {
    let number = match grain {
        Grain::Total => 0,
        Grain::Key => 1,
        Grain::Model => 2,
        Grain::Full => 3,
    };
    if by_outcome { number } else { number + 4 }
}

pub(super) fn add<'e>(connection: &Connection, names: &mut Names<'_, 'e>, rolled_up: &Slots<'e>) -> Result<()> {
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
            grain(slot.grain, slot.outcome.is_some()),
            kind(slot.kind),
            slot.key.map_or(0, |(key, _)| id(key)),
            names.word(slot.model.unwrap_or_default())?,
            ms(slot.start) / whole(slot.level.ms()),
            names.word(slot.operation.unwrap_or_default())?,
            names.word(slot.outcome.unwrap_or_default())?,
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
