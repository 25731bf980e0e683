//! Lists of events.

use std::collections::BTreeMap;

use mongodb::bson::{Document, doc};

use super::super::access::Access;
use super::super::error::Result;
use super::super::row::{Row, at};
use super::super::schema::{USAGE_CALLERS, USAGE_EVENTS};
use crate::store::{self, Cursor, EventBounds, EventFilter, EventKey, EventKind, EventPage, Order, UsageEvent, Word};

/// Looks at so many of the log in its order, whatever of them the filter lets through.
pub(in super::super) async fn list(
    db: &mut Access,
    filter: &EventFilter,
    order: Order,
    cursor: Option<&Cursor>,
    bounds: EventBounds,
) -> Result<EventPage> {
    let direction = match order {
        Order::NewestFirst => -1,
        Order::OldestFirst => 1,
    };
    let passing = passing(db, filter).await?;
    let sorted = doc! { "$sort": { "at": direction, "_id": direction } };
    let mut all = looked_in(filter, order, cursor);
    // Whatever passes fills the page. Else the place where the search stops is found first, in the index alone, and then held
    // to: what is stored meanwhile must not move it.
    let end = match passing.is_empty() {
        true => None,
        false => end(db, &all, &sorted, bounds).await?,
    };
    if let Some(end) = &end {
        all.extend(up_to(order, end));
    }
    let page = vec![
        doc! { "$match": { "$and": all } },
        sorted,
        doc! { "$match": passing },
        doc! { "$limit": i64::from(bounds.events_max) },
    ];
    let rows = db.aggregate(USAGE_EVENTS, page).await?;
    let callers = callers(db, &rows).await?;
    let events = rows
        .iter()
        .map(|row| read(row, &callers))
        .collect::<store::Result<Vec<_>>>()?;
    let next = if events.len() >= bounds.events_max as usize {
        events.last().map(|last| Cursor {
            created_at: last.at,
            id: last.id.clone(),
        })
    } else {
        end
    };
    Ok(EventPage { events, next })
}

/// The last one that is looked at; `None` when that is the last there is.
async fn end(db: &mut Access, all: &[Document], sorted: &Document, bounds: EventBounds) -> Result<Option<Cursor>> {
    let stages = vec![
        doc! { "$match": { "$and": all } },
        sorted.clone(),
        doc! { "$skip": i64::from(bounds.looked_at_max.saturating_sub(1)) },
        doc! { "$limit": 1 },
        doc! { "$project": { "at": 1 } },
    ];
    let found = db.aggregate(USAGE_EVENTS, stages).await?;
    let place = |row: &Row| {
        store::Result::Ok(Cursor {
            created_at: row.at("at")?,
            id: row.text("_id")?,
        })
    };
    Ok(found.first().map(place).transpose()?)
}

/// What the index is searched by.
fn looked_in(filter: &EventFilter, order: Order, cursor: Option<&Cursor>) -> Vec<Document> {
    let mut all = vec![doc! {}];
    if let Some(from) = filter.from {
        all.push(doc! { "at": { "$gte": at(from) } });
    }
    if let Some(to) = filter.to {
        all.push(doc! { "at": { "$lt": at(to) } });
    }
    if let Some(cursor) = cursor {
        let (behind, to) = match order {
            Order::NewestFirst => ("$lt", "$lte"),
            Order::OldestFirst => ("$gt", "$gte"),
        };
        all.extend(beyond(cursor, behind, behind, to));
    }
    if let Some(request_id) = &filter.request_id {
        all.push(doc! { "request_id": request_id });
    }
    all
}

/// Up to the place, and with it.
fn up_to(order: Order, end: &Cursor) -> [Document; 2] {
    match order {
        Order::NewestFirst => beyond(end, "$gt", "$gte", "$gte"),
        Order::OldestFirst => beyond(end, "$lt", "$lte", "$lte"),
    }
}

/// On one side of a place: by instant, and among those of its instant by id.
fn beyond(place: &Cursor, by_instant: &str, by_id: &str, at_most: &str) -> [Document; 2] {
    let instant = at(place.created_at);
    [
        doc! { "$or": [{ "at": { by_instant: instant } }, { "at": instant, "_id": { by_id: &place.id } }] },
        // Tells the index where to begin.
        doc! { "at": { at_most: instant } },
    ]
}

async fn passing(db: &mut Access, filter: &EventFilter) -> Result<Document> {
    let mut wanted = Document::new();
    if let Some(kind) = filter.kind {
        wanted.insert("kind", kind.as_str());
    }
    if let Some(number) = filter.key_number {
        wanted.insert("key_number", i64::from(number));
    }
    if let Some(success) = filter.success {
        wanted.insert("success", success);
    }
    for (field, word) in [
        ("model", &filter.model),
        ("operation", &filter.operation),
        ("surface", &filter.surface),
        ("error_type", &filter.error_type),
    ] {
        if let Some(word) = word {
            wanted.insert(field, word);
        }
    }
    let mut caller = Document::new();
    for (field, text) in [("user_id", &filter.user_id), ("token_id", &filter.token_id)] {
        if let Some(text) = text {
            caller.insert(field, text);
        }
    }
    if !caller.is_empty() {
        let rows = db.find(USAGE_CALLERS, caller, doc! { "_id": 1 }, 0).await?;
        let ids = rows
            .iter()
            .map(|row| row.text("_id"))
            .collect::<store::Result<Vec<_>>>()?;
        wanted.insert("caller", doc! { "$in": ids });
    }
    Ok(wanted)
}

/// Those that the events name, by id.
async fn callers(db: &mut Access, events: &[Row]) -> Result<BTreeMap<String, Row>> {
    let mut ids = events
        .iter()
        .filter_map(|row| row.maybe_text("caller").transpose())
        .collect::<store::Result<Vec<_>>>()?;
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = db
        .find(USAGE_CALLERS, doc! { "_id": { "$in": ids } }, doc! { "_id": 1 }, 0)
        .await?;
    let by_id = rows.into_iter().map(|row| Ok((row.text("_id")?, row)));
    Ok(by_id.collect::<store::Result<_>>()?)
}

fn read(row: &Row, callers: &BTreeMap<String, Row>) -> store::Result<UsageEvent> {
    let caller = row.maybe_text("caller")?;
    let caller = caller.and_then(|id| callers.get(&id));
    let of_caller = |name: &str| -> store::Result<Option<String>> {
        let text = caller.map(|caller| caller.text(name)).transpose()?;
        Ok(text.filter(|text| !text.is_empty()))
    };
    let key = match row.maybe_whole("key_id")? {
        None => None,
        Some(id) => Some(EventKey {
            id,
            number: row.number("key_number")?,
            project: row.maybe_text("project")?,
        }),
    };
    Ok(UsageEvent {
        id: row.text("_id")?,
        kind: row.word("kind", &EventKind::ALL, EventKind::as_str)?,
        at: row.at("at")?,
        request_id: row.text("request_id")?,
        key,
        attempts: row.number("attempts")?,
        model: row.text("model")?,
        operation: Word::Owned(row.text("operation")?),
        surface: Word::Owned(row.text("surface")?),
        success: row.flag("success")?,
        outcome: Word::Owned(row.text("outcome")?),
        error_type: row.maybe_text("error_type")?.map(Word::Owned),
        response_time_ms: row.whole("response_time_ms")?,
        first_token_ms: row.maybe_whole("first_token_ms")?,
        prompt_tokens: row.whole("prompt_tokens")?,
        output_tokens: row.whole("output_tokens")?,
        cached_tokens: row.whole("cached_tokens")?,
        thought_tokens: row.whole("thought_tokens")?,
        total_tokens: row.whole("total_tokens")?,
        cached: row.flag("cached")?,
        user_id: of_caller("user_id")?,
        token_id: of_caller("token_id")?,
        user_agent: of_caller("user_agent")?,
    })
}
