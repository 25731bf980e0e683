//! Usage: events, each a document under its own id, and rollups that are added to in the same transaction.
//!
//! Events are documents of an ordinary collection. One of time series cannot be written in a transaction, so an event
//! could be counted and not stored or the other way round, and nothing can be removed from it by time but by the server's
//! own clock.

mod events;
mod rollups;

use std::collections::{BTreeMap, BTreeSet};

use mongodb::bson::{Document, doc};
use pool::Timestamp;

use super::access::Access;
use super::error::Result;
use super::row::{at, whole};
use super::schema::{USAGE_CALLERS, USAGE_EVENTS, USAGE_ROLLUPS, USERS};
use crate::store::{self, EventBounds, EventFilter, EventKind, Grain, Level, Order, UsageEvent, roll_up};

pub(super) use events::list;
pub(super) use rollups::query;

/// Events of one piece.
pub(super) const PRUNED_AT_ONCE: usize = 1_000;

/// In a transaction: what is stored is counted, once.
pub(super) async fn append(db: &mut Access, events: &[UsageEvent]) -> Result<()> {
    let mut known = known(db, events).await?;
    let new: Vec<_> = events.iter().filter(|event| known.insert(event.id.clone())).collect();
    if new.is_empty() {
        return Ok(());
    }
    let mut callers = BTreeMap::new();
    let mut documents = Vec::with_capacity(new.len());
    for event in &new {
        let caller = caller(db, &mut callers, event).await?;
        documents.push(document(event, caller.as_deref()));
    }
    db.insert_many(USAGE_EVENTS, documents).await?;
    rollups::add(db, &roll_up(new)).await
}

/// The ids that are stored already.
async fn known(db: &mut Access, events: &[UsageEvent]) -> Result<BTreeSet<String>> {
    let ids: Vec<_> = events.iter().map(|event| event.id.as_str()).collect();
    let stages = vec![
        doc! { "$match": { "_id": { "$in": ids } } },
        doc! { "$project": { "_id": 1 } },
    ];
    let rows = db.aggregate(USAGE_EVENTS, stages).await?;
    Ok(rows.iter().map(|row| row.text("_id")).collect::<store::Result<_>>()?)
}

/// User, token, agent, and the day of the event.
type Caller<'e> = (&'e str, &'e str, &'e str, u64);

/// The id of who called; `None` for nobody, and for somebody whose account is gone: their last events may come after it.
async fn caller<'e>(
    db: &mut Access,
    known: &mut BTreeMap<Caller<'e>, String>,
    event: &'e UsageEvent,
) -> Result<Option<String>> {
    let text = |text: &'e Option<String>| text.as_deref().unwrap_or_default();
    let day = event.at.as_millis() / Level::Day.ms();
    let caller = (
        text(&event.user_id),
        text(&event.token_id),
        text(&event.user_agent),
        day,
    );
    if (caller.0, caller.1, caller.2) == ("", "", "") {
        return Ok(None);
    }
    if let Some(id) = known.get(&caller) {
        return Ok(Some(id.clone()));
    }
    if !caller.0.is_empty() && db.count(USERS, doc! { "_id": caller.0 }).await? == 0 {
        return Ok(None);
    }
    let filter = doc! { "user_id": caller.0, "token_id": caller.1, "user_agent": caller.2 };
    // Drawn at random: what is left of a caller that was removed must not tell who it was.
    let change = doc! {
        "$setOnInsert": { "_id": uuid::Uuid::new_v4().to_string() },
        "$max": { "last_day": whole(day) },
    };
    let row = db.changed_or_made(USAGE_CALLERS, filter, change).await?;
    let id = row.map(|row| row.text("_id")).transpose()?;
    if let Some(id) = &id {
        known.insert(caller, id.clone());
    }
    Ok(id)
}

fn document(event: &UsageEvent, caller: Option<&str>) -> Document {
    let key = event.key.as_ref();
    doc! {
        "_id": &event.id,
        "kind": event.kind.as_str(),
        "at": at(event.at),
        "request_id": &event.request_id,
        "key_id": key.map(|key| whole(key.id)),
        "key_number": key.map(|key| i64::from(key.number)),
        "project": key.and_then(|key| key.project.as_deref()),
        "attempts": i64::from(event.attempts),
        "model": &event.model,
        "operation": event.operation.as_ref(),
        "surface": event.surface.as_ref(),
        "success": event.success,
        "outcome": event.outcome.as_ref(),
        "error_type": event.error_type.as_deref(),
        "response_time_ms": whole(event.response_time_ms),
        "first_token_ms": event.first_token_ms.map(whole),
        "prompt_tokens": whole(event.prompt_tokens),
        "output_tokens": whole(event.output_tokens),
        "cached_tokens": whole(event.cached_tokens),
        "thought_tokens": whole(event.thought_tokens),
        "total_tokens": whole(event.total_tokens),
        "cached": event.cached,
        "caller": caller,
    }
}

/// Makes all rollups again out of the events that are kept.
pub(super) async fn roll_up_anew(db: &mut Access) -> Result<()> {
    const AT_ONCE: EventBounds = EventBounds {
        events_max: 5_000,
        looked_at_max: 5_000,
    };
    db.delete_many(USAGE_ROLLUPS, doc! {}).await?;
    let (all, mut from) = (EventFilter::default(), None);
    loop {
        let page = list(db, &all, Order::OldestFirst, from.as_ref(), AT_ONCE).await?;
        rollups::add(db, &roll_up(&page.events)).await?;
        from = page.next;
        if from.is_none() {
            return Ok(());
        }
    }
}

/// Whoever they were, events forget it.
pub(super) async fn forget_user(db: &mut Access, user_id: &str) -> Result<()> {
    db.delete_many(USAGE_CALLERS, doc! { "user_id": user_id }).await?;
    Ok(())
}

/// The oldest ones before the instant; returns how many. Fewer than [`PRUNED_AT_ONCE`]: there are no more.
pub(super) async fn prune_events(db: &mut Access, before: Timestamp) -> Result<u64> {
    let stages = vec![
        doc! { "$match": { "at": { "$lt": at(before) } } },
        doc! { "$sort": { "at": 1, "_id": 1 } },
        doc! { "$limit": PRUNED_AT_ONCE as i64 },
        doc! { "$project": { "_id": 1 } },
    ];
    let rows = db.aggregate(USAGE_EVENTS, stages).await?;
    let ids = rows
        .iter()
        .map(|row| row.text("_id"))
        .collect::<store::Result<Vec<_>>>()?;
    db.delete_many(USAGE_EVENTS, doc! { "_id": { "$in": ids } }).await
}

/// Callers whose last event is gone, and rollups that are kept no longer.
pub(super) async fn prune_sums(db: &mut Access, events_before: Timestamp, now: Timestamp) -> Result<()> {
    let day = whole(events_before.as_millis() / Level::Day.ms());
    db.delete_many(USAGE_CALLERS, doc! { "last_day": { "$lt": day } })
        .await?;
    for level in Level::ALL {
        let Some(kept) = level.kept() else { continue };
        let before = at(level.start_of(now.minus(kept)));
        let grains = Grain::ALL.map(|grain| [true, false].map(|by_outcome| rollups::grain(grain, by_outcome)));
        for (grain, kind) in grains
            .as_flattened()
            .iter()
            .flat_map(|grain| EventKind::ALL.map(|kind| (grain, kind)))
        {
            let old = doc! {
                "_id.g": grain, "_id.l": level.as_str(), "_id.k": kind.as_str(), "_id.s": { "$lt": before },
            };
            db.delete_many(USAGE_ROLLUPS, old).await?;
        }
    }
    Ok(())
}
