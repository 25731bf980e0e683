//! Lists of events.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, ToSql as _, params_from_iter};
use uuid::Uuid;

use super::{StoredId, kind, word_id};
use crate::store::sqlite::convert::{at, from_id, from_whole, ms};
use crate::store::sqlite::error::unreadable;
use crate::store::{Cursor, EventBounds, EventFilter, EventKey, EventKind, EventPage, Order, Result, UsageEvent, Word};

/// Goes through the log in its order and stops at the bounds, so a filter that hardly anything passes costs no more than
/// one that everything passes.
pub(in crate::store::sqlite) fn list(
    connection: &Connection,
    filter: &EventFilter,
    order: Order,
    cursor: Option<&Cursor>,
    bounds: EventBounds,
) -> Result<EventPage> {
    let mut conditions = Conditions::default();
    conditions.look_in(filter, order, cursor);
    let Some(passes) = conditions.passing(connection, filter)? else {
        return Ok(EventPage {
            events: Vec::new(),
            next: None,
        });
    };
    let direction = match order {
        Order::NewestFirst => "DESC",
        Order::OldestFirst => "ASC",
    };
    let sql = format!(
        "SELECT {passes}, at, log.id, kind, request_id, key_id, (SELECT number FROM usage_keys WHERE id = key_id), attempts, \
         {WORDS}, success, response_time_ms, first_token_ms, prompt_tokens, output_tokens, cached_tokens, thought_tokens, \
         total_tokens, cached, nullif(user_id, ''), nullif(token_id, ''), nullif(user_agent, '') \
         FROM usage_log AS log LEFT JOIN usage_callers ON usage_callers.id = caller \
         WHERE {} ORDER BY at {direction}, log.id {direction} LIMIT {}",
        conditions.looked_in.join(" AND "),
        bounds.looked_at_max,
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(conditions.values))?;
    let (mut events, mut last, mut looked_at) = (Vec::new(), None, 0);
    while let Some(row) = rows.next()? {
        looked_at += 1;
        let place = (row.get::<_, i64>(1)?, text(row, 2)?);
        if row.get(0)? {
            events.push(read(row)?);
        }
        last = Some(place);
        if events.len() >= bounds.events_max as usize {
            break;
        }
    }
    let is_cut = events.len() >= bounds.events_max as usize || looked_at >= bounds.looked_at_max;
    let next = last
        .filter(|_| is_cut)
        .map(|(ms, id)| Cursor { created_at: at(ms), id });
    Ok(EventPage { events, next })
}

const WORDS: &str = "(SELECT word FROM usage_words WHERE id = project), (SELECT word FROM usage_words WHERE id = model), \
                     (SELECT word FROM usage_words WHERE id = operation), (SELECT word FROM usage_words WHERE id = surface), \
                     (SELECT word FROM usage_words WHERE id = outcome), (SELECT word FROM usage_words WHERE id = error_type)";

#[derive(Default)]
struct Conditions {
    /// What the tree is searched by.
    looked_in: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    /// The value's place in the statement.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    fn bind_id(&mut self, id: &str) -> String {
        let value = match StoredId(id).to_sql() {
            Ok(rusqlite::types::ToSqlOutput::Owned(value)) => value,
            _ => Value::Text(id.to_owned()),
        };
        self.bind(value)
    }

    fn look_in(&mut self, filter: &EventFilter, order: Order, cursor: Option<&Cursor>) {
        self.looked_in.push("1 = 1".to_owned());
        if let Some(from) = filter.from {
            let from = self.bind(ms(from));
            self.looked_in.push(format!("at >= {from}"));
        }
        if let Some(to) = filter.to {
            let to = self.bind(ms(to));
            self.looked_in.push(format!("at < {to}"));
        }
        if let Some(cursor) = cursor {
            let (ms, id) = (self.bind(ms(cursor.created_at)), self.bind_id(&cursor.id));
            let behind = match order {
                Order::NewestFirst => "<",
                Order::OldestFirst => ">",
            };
            self.looked_in.push(format!("(at, log.id) {behind} ({ms}, {id})"));
        }
        if let Some(request_id) = &filter.request_id {
            let request_id = self.bind_id(request_id);
            self.looked_in.push(format!("request_id = {request_id}"));
        }
    }

    /// Whether a row is wanted, as an expression; `None` when a word of the filter was never stored, so that none is.
    fn passing(&mut self, connection: &Connection, filter: &EventFilter) -> Result<Option<String>> {
        let mut all = vec!["1 = 1".to_owned()];
        if let Some(of) = filter.kind {
            let of = self.bind(kind(of));
            all.push(format!("kind = {of}"));
        }
        if let Some(number) = filter.key_number {
            let number = self.bind(i64::from(number));
            all.push(format!("key_id = (SELECT id FROM usage_keys WHERE number = {number})"));
        }
        if let Some(success) = filter.success {
            let success = self.bind(i64::from(success));
            all.push(format!("success = {success}"));
        }
        for (column, word) in [
            ("model", &filter.model),
            ("operation", &filter.operation),
            ("surface", &filter.surface),
            ("error_type", &filter.error_type),
        ] {
            let Some(word) = word else { continue };
            let Some(stored) = word_id(connection, word)? else {
                return Ok(None);
            };
            let stored = self.bind(stored);
            all.push(format!("{column} = {stored}"));
        }
        for (column, text) in [("user_id", &filter.user_id), ("token_id", &filter.token_id)] {
            let Some(text) = text else { continue };
            let text = self.bind(text.clone());
            all.push(format!("{column} IS {text}"));
        }
        Ok(Some(format!("coalesce({}, 0)", all.join(" AND "))))
    }
}

/// As [`StoredId`] wrote it.
fn text(row: &Row<'_>, column: usize) -> Result<String> {
    match row.get_ref(column)? {
        ValueRef::Text(bytes) => String::from_utf8(bytes.to_vec()).map_err(|_| unreadable(column)),
        ValueRef::Blob(bytes) => {
            let uuid = Uuid::from_slice(bytes).map_err(|_| unreadable(column))?;
            Ok(uuid.hyphenated().to_string())
        }
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Err(unreadable(column)),
    }
}

fn read(row: &Row<'_>) -> Result<UsageEvent> {
    let whole = |column: usize| -> rusqlite::Result<u64> { Ok(from_whole(row.get(column)?)) };
    let key_id: Option<i64> = row.get(5)?;
    let key = match key_id {
        None => None,
        Some(id) => Some(EventKey {
            id: from_id(id),
            number: row.get::<_, Option<u32>>(6)?.ok_or_else(|| unreadable(6))?,
            project: row.get(8)?,
        }),
    };
    Ok(UsageEvent {
        kind: match row.get(3)? {
            0_i64 => EventKind::Request,
            1 => EventKind::Attempt,
            _ => return Err(unreadable(3)),
        },
        at: at(row.get(1)?),
        id: text(row, 2)?,
        request_id: text(row, 4)?,
        key,
        attempts: row.get(7)?,
        model: row.get(9)?,
        operation: Word::Owned(row.get(10)?),
        surface: Word::Owned(row.get(11)?),
        outcome: Word::Owned(row.get(12)?),
        error_type: row.get::<_, Option<String>>(13)?.map(Word::Owned),
        success: row.get(14)?,
        response_time_ms: whole(15)?,
        first_token_ms: row.get::<_, Option<i64>>(16)?.map(from_whole),
        prompt_tokens: whole(17)?,
        output_tokens: whole(18)?,
        cached_tokens: whole(19)?,
        thought_tokens: whole(20)?,
        total_tokens: whole(21)?,
        cached: row.get(22)?,
        user_id: row.get(23)?,
        token_id: row.get(24)?,
        user_agent: row.get(25)?,
    })
}
