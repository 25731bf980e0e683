//! Usage: events in the order of time, words and callers stored once, and rollups written with the events.

mod events;
mod functions;
mod prune;
mod rollups;

use std::collections::HashMap;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, ToSql, params};
use uuid::Uuid;

use super::convert::{id, ms, whole};
use crate::store::{EventKind, Level, Result, UsageEvent, roll_up};

pub(super) use events::list;
pub(super) use functions::register;
pub(super) use prune::{PRUNED_AT_ONCE, prune_callers, prune_events, prune_rollups, rollup_prefixes};
pub(super) use rollups::query;

pub(super) fn append(connection: &Connection, events: &[UsageEvent]) -> Result<()> {
    let sql = "INSERT INTO usage_log (at, id, kind, request_id, key_id, attempts, project, model, operation, surface, \
               success, outcome, error_type, response_time_ms, first_token_ms, prompt_tokens, output_tokens, cached_tokens, \
               thought_tokens, total_tokens, cached, caller) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22) \
               ON CONFLICT DO NOTHING";
    let mut statement = connection.prepare_cached(sql)?;
    let mut names = Names::new(connection);
    let mut new = Vec::with_capacity(events.len());
    for event in events {
        let key = event.key.as_ref();
        let project = key.and_then(|key| key.project.as_deref());
        let inserted = statement.execute(params![
            ms(event.at),
            StoredId(&event.id),
            kind(event.kind),
            StoredId(&event.request_id),
            key.map(|key| id(key.id)),
            event.attempts,
            names.word(project.unwrap_or_default())?,
            names.word(&event.model)?,
            names.word(&event.operation)?,
            names.word(&event.surface)?,
            event.success,
            names.word(&event.outcome)?,
            names.word(event.error_type.as_deref().unwrap_or_default())?,
            whole(event.response_time_ms),
            event.first_token_ms.map(whole),
            whole(event.prompt_tokens),
            whole(event.output_tokens),
            whole(event.cached_tokens),
            whole(event.thought_tokens),
            whole(event.total_tokens),
            event.cached,
            names.caller(event)?,
        ])?;
        // One that is stored already is counted already.
        if inserted == 1 {
            names.key(event)?;
            new.push(event);
        }
    }
    rollups::add(connection, &mut names, &roll_up(new))
}

fn kind(kind: EventKind) -> i64 {
    match kind {
        EventKind::Request => 0,
        EventKind::Attempt => 1,
    }
}

/// A UUID as its 16 bytes, anything else as it is.
struct StoredId<'a>(&'a str);

impl ToSql for StoredId<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        // Only one that would be read back as it was written.
        let uuid = Uuid::try_parse(self.0)
            .ok()
            .filter(|uuid| uuid.hyphenated().to_string() == self.0);
        Ok(match uuid {
            Some(uuid) => ToSqlOutput::Owned(Value::Blob(uuid.as_bytes().to_vec())),
            None => ToSqlOutput::Borrowed(ValueRef::Text(self.0.as_bytes())),
        })
    }
}

/// Ids of words and callers, each looked up once a group of events. Kept no longer: what a failed transaction gave out
/// is void.
struct Names<'c, 'e> {
    connection: &'c Connection,
    words: HashMap<&'e str, i64>,
    callers: HashMap<Caller<'e>, i64>,
    keys: HashMap<u64, u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Caller<'e> {
    user_id: &'e str,
    token_id: &'e str,
    user_agent: &'e str,
    /// One whose last event is of an earlier day is seen again.
    day: i64,
}

impl<'c, 'e> Names<'c, 'e> {
    fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            words: HashMap::new(),
            callers: HashMap::new(),
            keys: HashMap::new(),
        }
    }

    /// 0 for no word.
    fn word(&mut self, word: &'e str) -> Result<i64> {
        if word.is_empty() {
            return Ok(0);
        }
        if let Some(&known) = self.words.get(word) {
            return Ok(known);
        }
        let stored = match word_id(self.connection, word)? {
            Some(stored) => stored,
            None => {
                let mut insert = self
                    .connection
                    .prepare_cached("INSERT INTO usage_words (word) VALUES (?1)")?;
                insert.insert([word])?
            }
        };
        self.words.insert(word, stored);
        Ok(stored)
    }

    /// 0 for nobody, and for somebody whose account is gone: their last events may come after it.
    fn caller(&mut self, event: &'e UsageEvent) -> Result<i64> {
        let text = |text: &'e Option<String>| text.as_deref().unwrap_or_default();
        let caller = Caller {
            user_id: text(&event.user_id),
            token_id: text(&event.token_id),
            user_agent: text(&event.user_agent),
            day: ms(Level::Day.start_of(event.at)) / whole(Level::Day.ms()),
        };
        if caller.user_id.is_empty() && caller.token_id.is_empty() && caller.user_agent.is_empty() {
            return Ok(0);
        }
        if let Some(&known) = self.callers.get(&caller) {
            return Ok(known);
        }
        let mut upsert = self.connection.prepare_cached(
            "INSERT INTO usage_callers (user_id, token_id, user_agent, last_day) SELECT ?1, ?2, ?3, ?4 \
             WHERE ?1 = '' OR EXISTS (SELECT 1 FROM users WHERE id = ?1) \
             ON CONFLICT (user_id, token_id, user_agent) DO UPDATE SET last_day = max(last_day, excluded.last_day) \
             RETURNING id",
        )?;
        let stored = upsert
            .query_row(
                params![caller.user_id, caller.token_id, caller.user_agent, caller.day],
                |row| row.get(0),
            )
            .optional()?
            .unwrap_or(0);
        self.callers.insert(caller, stored);
        Ok(stored)
    }

    fn key(&mut self, event: &UsageEvent) -> Result<()> {
        let Some(key) = &event.key else { return Ok(()) };
        if self.keys.insert(key.id, key.number) != Some(key.number) {
            let mut upsert = self.connection.prepare_cached(
                "INSERT INTO usage_keys (id, number) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET number = excluded.number",
            )?;
            upsert.execute(params![id(key.id), key.number])?;
        }
        Ok(())
    }
}

fn word_id(connection: &Connection, word: &str) -> Result<Option<i64>> {
    let mut select = connection.prepare_cached("SELECT id FROM usage_words WHERE word = ?1")?;
    Ok(select.query_row([word], |row| row.get(0)).optional()?)
}

/// Whoever they were, events forget it.
pub(super) fn forget_user(connection: &Connection, user_id: &str) -> Result<()> {
    connection.execute("DELETE FROM usage_callers WHERE user_id = ?1", [user_id])?;
    Ok(())
}
