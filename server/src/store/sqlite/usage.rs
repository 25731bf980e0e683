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
    for event in events {
        let key = event.key.as_ref();
        statement.execute(params![
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
    }
    Ok(())
}

pub(super) fn counts(connection: &Connection, since: Timestamp) -> Result<Vec<UsageCount>> {
    let sql = "SELECT key_id, key_number, model, kind, outcome, success, count(*), sum(total_tokens), max(at) \
               FROM usage_events WHERE at >= ?1 GROUP BY key_id, key_number, model, kind, outcome, success ORDER BY 2, 1, 3, 4, 5, 6";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([ms(since)])?;
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
