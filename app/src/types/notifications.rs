use serde::{Deserialize, Serialize};

/// What was announced, and how far each channel got: `GET /api/admin/notifications`, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationPage {
    pub items: Vec<Notification>,
    /// Where the next page begins; absent on the last.
    pub next_cursor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    pub id: String,
    pub created_at: String,
    /// Such as `service.down`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    pub title: String,
    pub text: String,
    /// The same facts for programs.
    pub data: serde_json::Value,
    /// One a channel that was set up then; the log is none.
    pub deliveries: Vec<Delivery>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// `webhook`, `mail` or `chat`.
    pub channel: String,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// Tries so far.
    pub attempts: u32,
    /// While pending.
    pub next_try_at: Option<String>,
    /// Why the last try failed, and what to do.
    pub last_error: Option<String>,
    pub updated_at: String,
}

/// What became of a test notification: `POST /api/admin/notifications/test`, one a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelTest {
    /// `log`, `webhook`, `mail` or `chat`.
    pub channel: String,
    pub delivered: bool,
    /// Why not, and what to do.
    pub error: Option<String>,
}
