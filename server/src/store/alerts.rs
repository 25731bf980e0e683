//! The records of alerts: what a rule found to be wrong, from when until when, and what people did about it.

use pool::Timestamp;

use super::{Cursor, Word};

/// How bad something is, in the words of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertSeverity {
    Low,
    Medium,
    Critical,
}

impl AlertSeverity {
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::Critical];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::Critical => "critical",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == text)
    }
}

/// What people are told of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IncidentNews {
    Opened,
    Escalated,
    Resolved,
}

impl IncidentNews {
    pub const ALL: [Self; 3] = [Self::Opened, Self::Escalated, Self::Resolved];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Resolved => "resolved",
        }
    }
}

/// Something that was found wrong, once from its beginning to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredIncident {
    /// A UUID, version 7.
    pub id: String,
    /// Such as `low_success_rate`.
    pub rule: Word,
    /// What of all that the rule looks at, such as `key/2`.
    pub subject: String,
    pub severity: AlertSeverity,
    /// Whether it ever became more severe than it began.
    pub escalated: bool,
    /// What is wrong, as it was last seen. Holds no secret.
    pub message: String,
    /// What was usual when it opened, for rules that compare with that.
    pub baseline: Option<f64>,
    pub opened_at: Timestamp,
    /// When it was last found so; written down now and then only.
    pub last_seen_at: Timestamp,
    pub acknowledged: Option<Acknowledgement>,
    /// Nothing is told of it before.
    pub silenced_until: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    /// What people are still to be told of it.
    pub untold: Option<IncidentNews>,
}

/// Somebody looks after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// A user's id, or `operator`.
    pub by: String,
    pub at: Timestamp,
}

/// What to change of an open incident; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentChange {
    pub severity: Option<AlertSeverity>,
    pub escalated: Option<bool>,
    pub message: Option<String>,
    pub last_seen_at: Option<Timestamp>,
    pub acknowledged: Option<Acknowledgement>,
    /// The inner `None` ends a silence.
    pub silenced_until: Option<Option<Timestamp>>,
    /// Ends it; it is not changed any more.
    pub resolved_at: Option<Timestamp>,
    /// The inner `None`: nothing.
    pub untold: Option<Option<IncidentNews>>,
}

impl IncidentChange {
    /// What becomes of the incident by it.
    pub fn apply(self, incident: &mut StoredIncident) {
        let set = |place: &mut Timestamp, value: Option<Timestamp>| *place = value.unwrap_or(*place);
        incident.severity = self.severity.unwrap_or(incident.severity);
        incident.escalated = self.escalated.unwrap_or(incident.escalated);
        incident.message = self.message.unwrap_or_else(|| std::mem::take(&mut incident.message));
        set(&mut incident.last_seen_at, self.last_seen_at);
        incident.acknowledged = self.acknowledged.or_else(|| incident.acknowledged.take());
        incident.silenced_until = self.silenced_until.unwrap_or(incident.silenced_until);
        incident.resolved_at = self.resolved_at.or(incident.resolved_at);
        incident.untold = self.untold.unwrap_or(incident.untold);
    }
}

impl IncidentChange {
    /// Both changes in one, this one first.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self {
            severity: later.severity.or(self.severity),
            escalated: later.escalated.or(self.escalated),
            message: later.message.or(self.message),
            last_seen_at: later.last_seen_at.or(self.last_seen_at),
            acknowledged: later.acknowledged.or(self.acknowledged),
            silenced_until: later.silenced_until.or(self.silenced_until),
            resolved_at: later.resolved_at.or(self.resolved_at),
            untold: later.untold.or(self.untold),
        }
    }
}

/// The one opened last first.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentPage {
    pub items: Vec<StoredIncident>,
    /// Where the next page begins; absent on the last.
    pub next_cursor: Option<String>,
}

impl StoredIncident {
    /// Its place in the list of all.
    pub fn place(&self) -> Cursor {
        Cursor {
            created_at: self.opened_at,
            id: self.id.clone(),
        }
    }
}
