//! What people are told of an incident: `alert.opened`, `alert.escalated`, `alert.resolved`.

use app::text::alerts as words;
use serde_json::json;

use crate::clock::rfc3339;
use crate::notify::{Announcement, Severity};
use crate::store::{AlertSeverity, IncidentNews, StoredIncident};

pub(super) fn announcement(incident: &StoredIncident, news: IncidentNews) -> Announcement {
    let rule = words::rule(&incident.rule);
    let message = &incident.message;
    let (kind, title, text) = match news {
        IncidentNews::Opened => (
            "alert.opened",
            rule.title.to_owned(),
            format!("{message}. {}", rule.advice),
        ),
        IncidentNews::Escalated => (
            "alert.escalated",
            format!("{}, now {}", rule.title, incident.severity.as_str()),
            format!("{message}. {}", rule.advice),
        ),
        IncidentNews::Resolved => (
            "alert.resolved",
            format!("Over: {}", rule.title),
            format!("Last seen was: {message}. Nothing has to be done."),
        ),
    };
    Announcement {
        kind: kind.into(),
        severity: match (news, incident.severity) {
            (IncidentNews::Resolved, _) | (_, AlertSeverity::Low) => Severity::Info,
            (_, AlertSeverity::Medium) => Severity::Warning,
            (_, AlertSeverity::Critical) => Severity::Critical,
        },
        title,
        text,
        data: json!({
            "alertId": incident.id,
            "rule": incident.rule,
            "subject": incident.subject,
            "alertSeverity": incident.severity.as_str(),
            "message": message,
            "openedAt": rfc3339(incident.opened_at),
            "resolvedAt": incident.resolved_at.map(rfc3339),
        }),
    }
}

#[cfg(test)]
mod tests {
    use pool::Timestamp;

    use super::*;

    #[test]
    fn an_incident_is_told_with_cause_next_step_and_facts() {
        let incident = StoredIncident {
            id: "0190".to_owned(),
            rule: "low_success_rate".into(),
            subject: "key/2".to_owned(),
            severity: AlertSeverity::Medium,
            escalated: false,
            message: "API Key 2 has low success rate: 61.5%".to_owned(),
            baseline: None,
            opened_at: Timestamp::from_millis(1_700_000_000_000),
            last_seen_at: Timestamp::from_millis(1_700_000_000_000),
            acknowledged: None,
            silenced_until: None,
            resolved_at: None,
            untold: None,
        };
        let told = announcement(&incident, IncidentNews::Opened);
        assert_eq!((told.kind.as_ref(), told.severity), ("alert.opened", Severity::Warning));
        assert!(
            told.text
                .starts_with("API Key 2 has low success rate: 61.5%. The page Errors"),
            "{}",
            told.text
        );
        assert_eq!(
            told.data,
            json!({
                "alertId": "0190", "rule": "low_success_rate", "subject": "key/2", "alertSeverity": "medium",
                "message": "API Key 2 has low success rate: 61.5%", "openedAt": "2023-11-14T22:13:20.000Z",
                "resolvedAt": null,
            })
        );
        let over = announcement(&incident, IncidentNews::Resolved);
        assert_eq!((over.kind.as_ref(), over.severity), ("alert.resolved", Severity::Info));
        let worse = StoredIncident {
            severity: AlertSeverity::Critical,
            ..incident
        };
        let told = announcement(&worse, IncidentNews::Escalated);
        assert_eq!(
            (told.title.as_str(), told.severity),
            ("Low success rate of a key, now critical", Severity::Critical)
        );
    }
}
