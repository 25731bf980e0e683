//! Usage events, each a document under its own id, and their counts.

use mongodb::bson::{Document, doc};
use pool::Timestamp;

use super::access::Access;
use super::error::Result;
use super::row::{Row, at, whole};
use super::schema::USAGE_EVENTS;
use crate::store::{self, EventKind, UsageCount, UsageEvent};

/// One that is stored already is a duplicate, and left as it is.
pub(super) async fn append(db: &mut Access, events: &[UsageEvent]) -> Result<()> {
    match db
        .insert_many(USAGE_EVENTS, events.iter().map(document).collect())
        .await
    {
        Err(failure) if failure.is_duplicate() => Ok(()),
        done => done,
    }
}

fn document(event: &UsageEvent) -> Document {
    let key = event.key.as_ref();
    doc! {
        "_id": &event.id,
        "kind": event.kind.as_str(),
        "at": at(event.at),
        "request_id": &event.request_id,
        "key_id": key.map(|key| whole(key.id)),
        "key_number": key.map(|key| i64::from(key.number)),
        "project": key.and_then(|key| key.project.as_deref()),
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
        "user_id": &event.user_id,
        "token_id": &event.token_id,
        "user_agent": &event.user_agent,
    }
}

pub(super) async fn counts(db: &mut Access, since: Timestamp) -> Result<Vec<UsageCount>> {
    let group = doc! {
        "_id": {
            "key_id": "$key_id", "model": "$model", "kind": "$kind", "outcome": "$outcome", "success": "$success",
        },
        "key_number": { "$max": "$key_number" },
        "count": { "$sum": 1_i64 },
        "total_tokens": { "$sum": "$total_tokens" },
        "last_at": { "$max": "$at" },
    };
    let order = doc! {
        "key_number": 1, "_id.key_id": 1, "_id.model": 1, "_id.kind": 1, "_id.outcome": 1, "_id.success": 1,
    };
    let stages = vec![
        doc! { "$match": { "at": { "$gte": at(since) } } },
        doc! { "$group": group },
        doc! { "$sort": order },
    ];
    let rows = db.aggregate(USAGE_EVENTS, stages).await?;
    Ok(rows.iter().map(read).collect::<store::Result<_>>()?)
}

fn read(row: &Row) -> store::Result<UsageCount> {
    let of = row.row("_id")?;
    Ok(UsageCount {
        key_id: of.maybe_whole("key_id")?,
        key_number: row.maybe_number("key_number")?,
        model: of.text("model")?,
        kind: of.word("kind", &EventKind::ALL, EventKind::as_str)?,
        outcome: of.text("outcome")?,
        success: of.flag("success")?,
        count: row.whole("count")?,
        total_tokens: row.whole("total_tokens")?,
        last_at: row.at("last_at")?,
    })
}
