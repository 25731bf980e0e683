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
    let looked_at = vec![
        doc! { "$match": looked_in(filter, order, cursor) },
        doc! { "$sort": { "at": direction, "_id": direction } },
        doc! { "$limit": i64::from(bounds.looked_at_max) },
    ];
    let page = vec![
        doc! { "$match": passing },
        doc! { "$limit": i64::from(bounds.events_max) },
    ];
    // Ends as soon as the page is full, as it mostly is.
    let mut rows = db
        .aggregate(USAGE_EVENTS, [looked_at.clone(), page.clone()].concat())
        .await?;
    let mut end = None;
    if rows.len() < bounds.events_max as usize {
        // Both in one look: what is stored meanwhile must not move the place where it ends.
        let both = doc! { "$facet": { "page": page, "end": [
            { "$group": { "_id": null, "count": { "$sum": 1 }, "at": { "$last": "$at" }, "id": { "$last": "$_id" } } },
        ] } };
        let found = db.aggregate(USAGE_EVENTS, [looked_at, vec![both]].concat()).await?;
        if let Some(found) = found.first() {
            rows = found.rows("page")?;
            end = found
                .rows("end")?
                .first()
                .map(|row| end_of(row, bounds))
                .transpose()?
                .flatten();
        }
    }
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

/// Where the search stopped; `None` when it came to the end.
fn end_of(looked_at: &Row, bounds: EventBounds) -> store::Result<Option<Cursor>> {
    let is_cut = looked_at.whole("count")? >= u64::from(bounds.looked_at_max);
    let place = || {
        Ok(Cursor {
            created_at: looked_at.at("at")?,
            id: looked_at.text("id")?,
        })
    };
    is_cut.then(place).transpose()
}

/// What the index is searched by.
fn looked_in(filter: &EventFilter, order: Order, cursor: Option<&Cursor>) -> Document {
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
        let instant = at(cursor.created_at);
        // The second tells the index where to begin.
        all.push(doc! { "$or": [{ "at": { behind: instant } }, { "at": instant, "_id": { behind: &cursor.id } }] });
        all.push(doc! { "at": { to: instant } });
    }
    if let Some(request_id) = &filter.request_id {
        all.push(doc! { "request_id": request_id });
    }
    doc! { "$and": all }
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
