//! What rules find wrong: `/api/admin/alerts…` and the pages over it.

use serde::{Deserialize, Deserializer, Serialize};

use super::Delivery;

/// `GET /api/admin/alerts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alerts {
    /// Open ones, the most severe first, then the one opened last.
    pub incidents: Vec<Incident>,
    pub rules: Vec<AlertRule>,
    pub channels: Vec<AlertChannel>,
    /// When the rules last looked; absent until they first did.
    pub evaluated_at: Option<String>,
}

/// Something that a rule found wrong, from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    pub id: String,
    /// The rule's id, such as `low_success_rate`.
    pub rule: String,
    /// The rule's name for people.
    pub title: String,
    /// What of all that the rule looks at, such as `key/2`.
    pub subject: String,
    pub severity: AlertSeverity,
    /// Whether it ever became more severe than it began.
    pub escalated: bool,
    pub state: IncidentState,
    /// What is wrong, as it was last seen.
    pub message: String,
    /// What to do about it.
    pub advice: String,
    pub opened_at: String,
    pub last_seen_at: String,
    pub acknowledged_at: Option<String>,
    /// E-mail, or what else people know them by; absent too when that account is gone.
    pub acknowledged_by: Option<String>,
    /// Nothing is told of it before.
    pub silenced_until: Option<String>,
    pub resolved_at: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AlertSeverity {
    Low,
    Medium,
    Critical,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IncidentState {
    Open,
    /// Somebody looks after it.
    Acknowledged,
    Silenced,
    Resolved,
}

/// `GET /api/admin/alerts/history` and `GET /api/admin/incidents`: the one opened last first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentPage {
    pub items: Vec<Incident>,
    /// Absent on the last page.
    pub next_cursor: Option<String>,
}

/// A rule as it is in effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertRule {
    pub id: String,
    pub title: String,
    pub description: String,
    pub enabled: bool,
    pub severity: AlertSeverity,
    /// Absent where the rule has none, as the window and the samples.
    pub threshold: Option<AlertThreshold>,
    pub window_minutes: Option<u32>,
    /// With fewer it stays silent.
    pub min_samples: Option<u64>,
    /// How long something must be wrong to open an incident, and well to end it.
    pub hold_seconds: u64,
    /// Somebody changed it: it is not as it comes.
    pub changed: bool,
    /// By which notifications it is told, such as `alert` or `service`: the part of their kind before the point.
    pub told_as: String,
    pub basis: PreviewBasis,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertThreshold {
    pub value: f64,
    /// `percent`, `points`, `times`, `hours`, `keys` or `events`.
    pub unit: String,
    pub min: f64,
    pub max: f64,
}

/// `PUT /api/admin/alerts/rules/{id}` and the rule to be tried: what is absent stays, `null` is as the rule comes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AlertRulePatch {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub enabled: Option<Option<bool>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub severity: Option<Option<AlertSeverity>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Option<f64>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub window_minutes: Option<Option<u32>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub min_samples: Option<Option<u64>>,
}

/// `POST /api/admin/alerts/{id}/silence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Silence {
    /// At most a week; 0 ends a silence.
    pub minutes: u32,
}

/// `POST /api/admin/alerts/rules/{id}/preview`: what the rule would have opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RulePreview {
    /// As it was tried.
    pub rule: AlertRule,
    pub basis: PreviewBasis,
    pub from: String,
    pub to: String,
    /// In the order in which they would have been opened.
    pub incidents: Vec<PreviewedIncident>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PreviewBasis {
    /// The usage of the last 24 hours, minute by minute.
    Last24Hours,
    /// What the rule looks at is not recorded: it is tried on what is so now.
    Now,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewedIncident {
    pub subject: String,
    pub severity: AlertSeverity,
    /// As it would have opened.
    pub message: String,
    pub opened_at: String,
    /// Absent when it would still be open.
    pub resolved_at: Option<String>,
}

/// A way to reach people, and what became of what was last sent there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertChannel {
    /// `webhook`, `mail` or `chat`.
    pub name: String,
    /// Absent when nothing was sent of late.
    pub last: Option<Delivery>,
}

/// A field that is there, whatever it says.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
