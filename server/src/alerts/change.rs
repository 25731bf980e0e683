//! What a change makes of an incident's record.

use super::evaluator::Change;
use crate::store::{IncidentChange, IncidentNews, StoredIncident};

impl Change {
    /// Of the incident that is changed; empty for one that opens.
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Open { .. } => "",
            Self::Update { id, .. } | Self::Resolve { id, .. } => id,
        }
    }

    /// The record of an incident that opens.
    pub(super) fn opened(self, new_id: String) -> Option<StoredIncident> {
        let Self::Open {
            rule,
            subject,
            severity,
            message,
            baseline,
            at,
        } = self
        else {
            return None;
        };
        Some(StoredIncident {
            id: new_id,
            rule: rule.as_str().into(),
            subject,
            severity,
            escalated: false,
            message,
            baseline,
            opened_at: at,
            last_seen_at: at,
            acknowledged: None,
            silenced_until: None,
            resolved_at: None,
            untold: rule.is_told_here().then_some(IncidentNews::Opened),
        })
    }

    /// What it makes of one that is open, but for what is told of its end.
    pub(super) fn applied(self) -> IncidentChange {
        match self {
            Self::Open { .. } => IncidentChange::default(),
            Self::Update {
                rule,
                severity,
                message,
                escalates,
                at,
                ..
            } => IncidentChange {
                severity: Some(severity),
                escalated: escalates.then_some(true),
                message: Some(message),
                last_seen_at: Some(at),
                untold: (escalates && rule.is_told_here()).then_some(Some(IncidentNews::Escalated)),
                ..IncidentChange::default()
            },
            Self::Resolve { at, .. } => IncidentChange {
                resolved_at: Some(at),
                ..IncidentChange::default()
            },
        }
    }
}
