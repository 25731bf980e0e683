use pool::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::convert::{at, ms};
use super::error::unreadable;
use crate::store::{
    Cursor, Delivery, DeliveryState, DueDelivery, NotificationPage, NotificationRecord, Result, Severity,
    StoredNotification,
};

const NOTIFICATION: &str = "n.id, n.created_at, n.kind, n.severity, n.title, n.text, n.data";
const DELIVERY: &str = "d.notification_id, d.channel, d.state, d.attempts, d.due_at, d.last_error, d.updated_at";
/// Columns of [`NOTIFICATION`].
const NOTIFICATION_COLUMNS: usize = 7;

pub(super) fn insert(connection: &Connection, notification: &StoredNotification, channels: &[String]) -> Result<()> {
    let sql = "INSERT INTO notifications (id, created_at, kind, severity, title, text, data) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING";
    let created_at = ms(notification.created_at);
    let added = connection.prepare_cached(sql)?.execute(params![
        notification.id,
        created_at,
        notification.kind,
        notification.severity.as_str(),
        notification.title,
        notification.text,
        notification.data.to_string(),
    ])?;
    if added == 0 {
        return Ok(());
    }
    let sql = "INSERT INTO deliveries (notification_id, channel, state, attempts, due_at, updated_at) \
               VALUES (?1, ?2, 'pending', 0, ?3, ?3) ON CONFLICT DO NOTHING";
    let mut statement = connection.prepare_cached(sql)?;
    for channel in channels {
        statement.execute(params![notification.id, channel, created_at])?;
    }
    Ok(())
}

pub(super) fn due(connection: &Connection, channel: &str, now: Timestamp, limit: u32) -> Result<Vec<DueDelivery>> {
    let sql = format!(
        "SELECT {NOTIFICATION}, {DELIVERY} FROM deliveries d JOIN notifications n ON n.id = d.notification_id \
         WHERE d.state = 'pending' AND d.channel = ?1 AND d.due_at <= ?2 ORDER BY d.due_at, d.notification_id LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((channel, ms(now), limit))?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        due.push(DueDelivery {
            notification: notification(row)?,
            delivery: delivery(row, NOTIFICATION_COLUMNS)?,
        });
    }
    Ok(due)
}

pub(super) fn next_due(connection: &Connection, channel: &str) -> Result<Option<Timestamp>> {
    let sql = "SELECT due_at FROM deliveries WHERE state = 'pending' AND channel = ?1 ORDER BY due_at LIMIT 1";
    let due: Option<i64> = connection.query_row(sql, [channel], |row| row.get(0)).optional()?;
    Ok(due.map(at))
}

pub(super) fn save(connection: &Connection, delivery: &Delivery) -> Result<bool> {
    let sql = "UPDATE deliveries SET state = ?3, attempts = ?4, due_at = ?5, last_error = ?6, updated_at = ?7 \
               WHERE notification_id = ?1 AND channel = ?2";
    let saved = connection.prepare_cached(sql)?.execute(params![
        delivery.notification_id,
        delivery.channel,
        delivery.state.as_str(),
        delivery.attempts,
        ms(delivery.due_at),
        delivery.last_error,
        ms(delivery.updated_at),
    ])?;
    Ok(saved > 0)
}

pub(super) fn page(connection: &Connection, cursor: Option<&Cursor>, limit: u32) -> Result<NotificationPage> {
    let sql = format!(
        "SELECT {NOTIFICATION} FROM notifications n WHERE (n.created_at, n.id) < (?1, ?2) \
         ORDER BY n.created_at DESC, n.id DESC LIMIT ?3"
    );
    // Without a cursor: after the end of time.
    let (before, before_id) = cursor.map_or((i64::MAX, ""), |cursor| (ms(cursor.created_at), cursor.id.as_str()));
    let mut statement = connection.prepare_cached(&sql)?;
    // One more than asked for tells whether there is a next page.
    let mut rows = statement.query(params![before, before_id, u64::from(limit).cast_signed() + 1])?;
    let mut page = NotificationPage {
        items: Vec::new(),
        next_cursor: None,
    };
    while let Some(row) = rows.next()? {
        if page.items.len() == limit as usize {
            page.next_cursor = page.items.last().map(|last| place(&last.notification).encode());
            break;
        }
        let notification = notification(row)?;
        page.items.push(NotificationRecord {
            deliveries: deliveries(connection, &notification.id)?,
            notification,
        });
    }
    Ok(page)
}

pub(super) fn delete_before(connection: &Connection, before: Timestamp) -> Result<u64> {
    // Their deliveries go with them.
    let deleted = connection.execute("DELETE FROM notifications WHERE created_at < ?1", [ms(before)])?;
    Ok(deleted as u64)
}

fn deliveries(connection: &Connection, notification_id: &str) -> Result<Vec<Delivery>> {
    let sql = format!("SELECT {DELIVERY} FROM deliveries d WHERE d.notification_id = ?1 ORDER BY d.channel");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([notification_id])?;
    let mut deliveries = Vec::new();
    while let Some(row) = rows.next()? {
        deliveries.push(delivery(row, 0)?);
    }
    Ok(deliveries)
}

fn place(notification: &StoredNotification) -> Cursor {
    Cursor {
        created_at: notification.created_at,
        id: notification.id.clone(),
    }
}

fn notification(row: &Row<'_>) -> Result<StoredNotification> {
    let severity: String = row.get(3)?;
    let data: String = row.get(6)?;
    Ok(StoredNotification {
        id: row.get(0)?,
        created_at: at(row.get(1)?),
        kind: row.get::<_, String>(2)?.into(),
        severity: Severity::ALL
            .into_iter()
            .find(|known| known.as_str() == severity)
            .ok_or_else(|| unreadable(3))?,
        title: row.get(4)?,
        text: row.get(5)?,
        data: serde_json::from_str(&data).map_err(|_| unreadable(6))?,
    })
}

fn delivery(row: &Row<'_>, first: usize) -> Result<Delivery> {
    let state: String = row.get(first + 2)?;
    Ok(Delivery {
        notification_id: row.get(first)?,
        channel: row.get(first + 1)?,
        state: DeliveryState::ALL
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or_else(|| unreadable(first + 2))?,
        attempts: row.get(first + 3)?,
        due_at: at(row.get(first + 4)?),
        last_error: row.get(first + 5)?,
        updated_at: at(row.get(first + 6)?),
    })
}
