//! What was announced and how it was delivered, for admins.

use app::error::{AppError, ErrorCode};
use app::types::{ChannelTest, Delivery, Notification, NotificationPage};
use axum::Extension;
use axum::extract::State;
use serde::Deserialize;
use serde_json::json;

use super::AppState;
use super::answer::{Answer, Success};
use super::extract::Query;
use crate::audit::Actor;
use crate::clock::rfc3339;
use crate::store::{self, Cursor, DeliveryState, NotificationRecord};

const PAGE_SIZE: u32 = 20;
const PAGE_SIZE_MAX: u32 = 100;

#[derive(Deserialize)]
pub(super) struct PageQuery {
    cursor: Option<String>,
    limit: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Answer<Success<NotificationPage>> {
    let limit = match query.limit.as_deref().map(str::parse) {
        None => PAGE_SIZE,
        Some(Ok(limit)) if (1..=PAGE_SIZE_MAX).contains(&limit) => limit,
        Some(_) => {
            return Err(AppError::new(ErrorCode::BadRequest, "limit must be a whole number from 1 to 100.").into());
        }
    };
    let parse = |text: &str| {
        let message = "cursor is not one that a page of notifications gave.";
        Cursor::parse(text).ok_or_else(|| AppError::new(ErrorCode::BadRequest, message))
    };
    let cursor = query.cursor.as_deref().map(parse).transpose()?;
    let page = state.notifier.log(cursor.as_ref(), limit).await?;
    Ok(Success(NotificationPage {
        items: page.items.into_iter().map(shown).collect(),
        next_cursor: page.next_cursor,
    }))
}

pub(super) async fn test(
    State(state): State<AppState>,
    Extension(actor): Extension<Actor>,
) -> Answer<Success<Vec<ChannelTest>>> {
    Ok(Success(test_for(&state, actor).await?))
}

pub(super) async fn test_for(state: &AppState, actor: Actor) -> Result<Vec<ChannelTest>, AppError> {
    let own = state.clone();
    let act = async move {
        let tests = own.notifier.test().await;
        let after: Vec<_> = tests
            .iter()
            .map(|test| json!({ "channel": test.channel, "delivered": test.delivered }))
            .collect();
        own.audit
            .record(&actor, "notification.test", "notifications", None, Some(after.into()))
            .await?;
        Ok(tests)
    };
    state.audit.act(act).await
}

fn shown(record: NotificationRecord) -> Notification {
    let NotificationRecord {
        notification,
        deliveries,
    } = record;
    Notification {
        id: notification.id,
        created_at: rfc3339(notification.created_at),
        kind: notification.kind.into_owned(),
        severity: notification.severity.as_str().to_owned(),
        title: notification.title,
        text: notification.text,
        data: notification.data,
        deliveries: deliveries.into_iter().map(shown_delivery).collect(),
    }
}

fn shown_delivery(delivery: store::Delivery) -> Delivery {
    Delivery {
        channel: delivery.channel,
        state: delivery.state.as_str().to_owned(),
        attempts: delivery.attempts,
        next_try_at: (delivery.state == DeliveryState::Pending).then(|| rfc3339(delivery.due_at)),
        last_error: delivery.last_error,
        updated_at: rfc3339(delivery.updated_at),
    }
}
