//! One document a notification, its deliveries in it.

use std::collections::BTreeSet;

use mongodb::bson::{Document, doc};
use pool::Timestamp;

use super::access::Access;
use super::analyses::after;
use super::error::Result;
use super::row::{Row, at};
use super::schema::NOTIFICATIONS;
use crate::store::{
    self, Cursor, Delivery, DeliveryState, DueDelivery, NotificationPage, NotificationRecord, Severity,
    StoredNotification,
};

/// In a transaction.
pub(super) async fn insert(db: &mut Access, new: &StoredNotification, channels: &[String]) -> Result<()> {
    if db.find_one(NOTIFICATIONS, doc! { "_id": &new.id }).await?.is_some() {
        return Ok(());
    }
    let created_at = at(new.created_at);
    let channels: BTreeSet<&String> = channels.iter().collect();
    let deliveries = channels.into_iter().map(|channel| {
        doc! {
            "channel": channel,
            "state": DeliveryState::Pending.as_str(),
            "attempts": 0_i64,
            "due_at": created_at,
            "last_error": null,
            "updated_at": created_at,
        }
    });
    let document = doc! {
        "_id": &new.id,
        "created_at": created_at,
        "kind": new.kind.as_ref(),
        "severity": new.severity.as_str(),
        "title": &new.title,
        "text": &new.text,
        "data": new.data.to_string(),
        "deliveries": deliveries.collect::<Vec<_>>(),
    };
    db.insert(NOTIFICATIONS, document).await
}

/// Those of one channel by the time when they are due, each beside its notification.
fn pending(channel: &str, due: Option<Timestamp>, limit: u32) -> Vec<Document> {
    let mut wanted = doc! { "channel": channel, "state": DeliveryState::Pending.as_str() };
    if let Some(now) = due {
        wanted.insert("due_at", doc! { "$lte": at(now) });
    }
    let one: Document = wanted
        .iter()
        .map(|(name, value)| (format!("deliveries.{name}"), value.clone()))
        .collect();
    vec![
        doc! { "$match": { "deliveries": { "$elemMatch": wanted } } },
        doc! { "$unwind": "$deliveries" },
        doc! { "$match": one },
        doc! { "$sort": { "deliveries.due_at": 1, "_id": 1 } },
        // No stage of none: it must be positive.
        doc! { "$limit": i64::from(limit.max(1)) },
    ]
}

pub(super) async fn due(db: &mut Access, channel: &str, now: Timestamp, limit: u32) -> Result<Vec<DueDelivery>> {
    let rows = db.aggregate(NOTIFICATIONS, pending(channel, Some(now), limit)).await?;
    let due = rows.iter().take(limit as usize).map(|row| {
        let notification = notification(row)?;
        let delivery = delivery(&notification.id, &row.row("deliveries")?)?;
        Ok(DueDelivery { notification, delivery })
    });
    Ok(due.collect::<store::Result<_>>()?)
}

pub(super) async fn next_due(db: &mut Access, channel: &str) -> Result<Option<Timestamp>> {
    let rows = db.aggregate(NOTIFICATIONS, pending(channel, None, 1)).await?;
    let first = rows.first().map(|row| row.row("deliveries")?.at("due_at"));
    Ok(first.transpose()?)
}

pub(super) async fn save(db: &mut Access, delivery: &Delivery) -> Result<bool> {
    let filter = doc! { "_id": &delivery.notification_id, "deliveries.channel": &delivery.channel };
    let document = doc! {
        "channel": &delivery.channel,
        "state": delivery.state.as_str(),
        "attempts": i64::from(delivery.attempts),
        "due_at": at(delivery.due_at),
        "last_error": &delivery.last_error,
        "updated_at": at(delivery.updated_at),
    };
    db.update(NOTIFICATIONS, filter, doc! { "$set": { "deliveries.$": document } })
        .await
}

pub(super) async fn page(db: &mut Access, cursor: Option<&Cursor>, limit: u32) -> Result<NotificationPage> {
    let filter = cursor.map(after).unwrap_or_default();
    let sort = doc! { "created_at": -1, "_id": -1 };
    // One more than asked for tells whether there is a next page.
    let rows = db.find(NOTIFICATIONS, filter, sort, u64::from(limit) + 1).await?;
    let shown = rows.iter().take(limit as usize).map(record);
    let items: Vec<NotificationRecord> = shown.collect::<store::Result<_>>()?;
    let next_cursor = items
        .last()
        .filter(|_| rows.len() > items.len())
        .map(|last| place(&last.notification).encode());
    Ok(NotificationPage { items, next_cursor })
}

pub(super) async fn delete_before(db: &mut Access, before: Timestamp) -> Result<u64> {
    let old = doc! { "created_at": { "$lt": at(before) } };
    db.delete_many(NOTIFICATIONS, old).await
}

fn place(notification: &StoredNotification) -> Cursor {
    Cursor {
        created_at: notification.created_at,
        id: notification.id.clone(),
    }
}

fn record(row: &Row) -> store::Result<NotificationRecord> {
    let notification = notification(row)?;
    let rows = row.rows("deliveries")?;
    let deliveries = rows.iter().map(|row| delivery(&notification.id, row));
    Ok(NotificationRecord {
        deliveries: deliveries.collect::<store::Result<_>>()?,
        notification,
    })
}

fn notification(row: &Row) -> store::Result<StoredNotification> {
    Ok(StoredNotification {
        id: row.text("_id")?,
        created_at: row.at("created_at")?,
        kind: row.text("kind")?.into(),
        severity: row.word("severity", &Severity::ALL, Severity::as_str)?,
        title: row.text("title")?,
        text: row.text("text")?,
        data: row.json("data")?,
    })
}

fn delivery(notification_id: &str, row: &Row) -> store::Result<Delivery> {
    Ok(Delivery {
        notification_id: notification_id.to_owned(),
        channel: row.text("channel")?,
        state: row.word("state", &DeliveryState::ALL, DeliveryState::as_str)?,
        attempts: row.number("attempts")?,
        due_at: row.at("due_at")?,
        last_error: row.maybe_text("last_error")?,
        updated_at: row.at("updated_at")?,
    })
}
