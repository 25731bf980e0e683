//! Usage events, and their counts by hour beside them, written together.

use std::collections::BTreeMap;

use pool::Timestamp;
use rusqlite::{Connection, Row, params};

use super::convert::{at, from_id, from_whole, id, ms, whole};
use super::error::unreadable;
use crate::store::{EventKind, Result, UsageCount, UsageEvent};

pub(super) fn append(connection: &Connection, events: &[UsageEvent]) -> Result<()> {
    let sql = "INSERT INTO usage_events (id, kind, at, request_id, key_id, key_number, project, model, operation, \
               surface, success, outcome, error_type, response_time_ms, first_token_ms, prompt_tokens, output_tokens, \
               cached_tokens, thought_tokens, total_tokens, cached, user_id, token_id, user_agent) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, \
               ?21, ?22, ?23, ?24) ON CONFLICT (id) DO NOTHING";
    let mut statement = connection.prepare_cached(sql)?;
    let mut hours: BTreeMap<Hour<'_>, Counted> = BTreeMap::new();
    for event in events {
        let key = event.key.as_ref();
        let inserted = statement.execute(params![
            event.id,
            event.kind.as_str(),
            ms(event.at),
            event.request_id,
            key.map(|key| id(key.id)),
            key.map(|key| key.number),
            key.and_then(|key| key.project.as_deref()),
            event.model,
            event.operation,
            event.surface,
            event.success,
            event.outcome,
            event.error_type,
            whole(event.response_time_ms),
            event.first_token_ms.map(whole),
            whole(event.prompt_tokens),
            whole(event.output_tokens),
            whole(event.cached_tokens),
            whole(event.thought_tokens),
            whole(event.total_tokens),
            event.cached,
            event.user_id,
            event.token_id,
            event.user_agent,
        ])?;
        // One that is stored already is counted already.
        if inserted == 1 {
            hours.entry(Hour::of(event)).or_default().add(event);
        }
    }
    add_to_hours(connection, hours)
}

const HOUR_MS: i64 = 3_600_000;

/// What is counted together.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Hour<'a> {
    hour: i64,
    key_id: i64,
    model: &'a str,
    kind: &'static str,
    outcome: &'a str,
    success: bool,
}

impl<'a> Hour<'a> {
    fn of(event: &'a UsageEvent) -> Self {
        Self {
            hour: ms(event.at) / HOUR_MS,
            key_id: event.key.as_ref().map_or(0, |key| id(key.id)),
            model: &event.model,
            kind: event.kind.as_str(),
            outcome: &event.outcome,
            success: event.success,
        }
    }
}

#[derive(Default)]
struct Counted {
    key_number: Option<u32>,
    count: i64,
    total_tokens: i64,
    last_at: i64,
}

impl Counted {
    fn add(&mut self, event: &UsageEvent) {
        self.key_number = event.key.as_ref().map(|key| key.number);
        self.count += 1;
        self.total_tokens = self.total_tokens.saturating_add(whole(event.total_tokens));
        self.last_at = self.last_at.max(ms(event.at));
    }
}

fn add_to_hours(connection: &Connection, hours: BTreeMap<Hour<'_>, Counted>) -> Result<()> {
    let sql = "INSERT INTO usage_hours (hour, key_id, key_number, model, kind, outcome, success, count, total_tokens, last_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
               ON CONFLICT (hour, key_id, model, kind, outcome, success) DO UPDATE SET \
               count = count + excluded.count, total_tokens = total_tokens + excluded.total_tokens, \
               last_at = max(last_at, excluded.last_at)";
    let mut statement = connection.prepare_cached(sql)?;
    for (hour, counted) in hours {
        statement.execute(params![
            hour.hour,
            hour.key_id,
            counted.key_number,
            hour.model,
            hour.kind,
            hour.outcome,
            hour.success,
            counted.count,
            counted.total_tokens,
            counted.last_at,
        ])?;
    }
    Ok(())
}

/// Whole hours from their counts, the piece of an hour before them from its events.
pub(super) fn counts(connection: &Connection, since: Timestamp) -> Result<Vec<UsageCount>> {
    let sql = "SELECT nullif(key_id, 0), max(key_number), model, kind, outcome, success, sum(count), sum(total_tokens), max(last_at) \
               FROM (SELECT key_id, key_number, model, kind, outcome, success, count, total_tokens, last_at \
                     FROM usage_hours WHERE hour >= ?1 \
                     UNION ALL \
                     SELECT coalesce(key_id, 0), key_number, model, kind, outcome, success, 1, total_tokens, at \
                     FROM usage_events WHERE at >= ?2 AND at < ?3) \
               GROUP BY key_id, model, kind, outcome, success ORDER BY 2, 1, 3, 4, 5, 6";
    let first_whole = (ms(since) + HOUR_MS - 1) / HOUR_MS;
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([first_whole, ms(since), first_whole.saturating_mul(HOUR_MS)])?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next()? {
        counts.push(read(row)?);
    }
    Ok(counts)
}

fn read(row: &Row<'_>) -> Result<UsageCount> {
    let kind: String = row.get(3)?;
    Ok(UsageCount {
        key_id: row.get::<_, Option<i64>>(0)?.map(from_id),
        key_number: row.get(1)?,
        model: row.get(2)?,
        kind: EventKind::ALL
            .into_iter()
            .find(|known| known.as_str() == kind)
            .ok_or_else(|| unreadable(3))?,
        outcome: row.get(4)?,
        success: row.get(5)?,
        count: from_whole(row.get(6)?),
        total_tokens: from_whole(row.get(7)?),
        last_at: at(row.get(8)?),
    })
}
