//! The records of what is told to people, and of how far each telling got.

use pool::Timestamp;

use super::Word;

/// How soon a person should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Info,
    Warning,
    /// Requests fail, or a key is lost until a person acts.
    Critical,
}

impl Severity {
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Something worth telling a person: cause, effect and next step. Holds no secret.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredNotification {
    /// A UUID, version 7: the notification is stored once however often it is inserted.
    pub id: String,
    pub created_at: Timestamp,
    /// Such as `service.down`.
    pub kind: Word,
    pub severity: Severity,
    /// One line, without a full stop.
    pub title: String,
    /// A few plain sentences.
    pub text: String,
    /// An object with the same facts for programs; camelCase.
    pub data: serde_json::Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    Pending,
    Delivered,
    /// Given up: refused for good, or not accepted within a day.
    Failed,
}

impl DeliveryState {
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// How far a notification got on one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub notification_id: String,
    /// `webhook`, `mail` or `chat`.
    pub channel: String,
    pub state: DeliveryState,
    /// Tries so far.
    pub attempts: u32,
    /// When to try next, while pending.
    pub due_at: Timestamp,
    /// In our own words: no address, no secret, nothing the receiver said.
    pub last_error: Option<String>,
    pub updated_at: Timestamp,
}

/// A pending delivery with what it is to deliver.
#[derive(Debug, Clone, PartialEq)]
pub struct DueDelivery {
    pub notification: StoredNotification,
    pub delivery: Delivery,
}

/// A notification and its deliveries, by channel.
#[derive(Debug, Clone, PartialEq)]
pub struct NotificationRecord {
    pub notification: StoredNotification,
    pub deliveries: Vec<Delivery>,
}

/// Newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct NotificationPage {
    pub items: Vec<NotificationRecord>,
    /// Where the next page begins; absent on the last.
    pub next_cursor: Option<String>,
}
