//! Alerts as they cross the wire.

use std::collections::BTreeMap;

use app::text::alerts as words;
use app::types::{
    AlertChannel, AlertRule, AlertThreshold, Delivery, Incident, IncidentState, PreviewBasis, PreviewedIncident,
    RulePreview,
};
use pool::Timestamp;

use super::book::is_silenced;
use super::{Alerts, Preview, Previewed, Rule, severity};
use crate::clock::rfc3339;
use crate::store::{self, DeliveryState, OPERATOR, Result, StoredIncident};

/// Notifications among which the last of each channel is looked for.
const LOOKED_AT: u32 = 100;

pub(super) fn rule(rule: Rule) -> AlertRule {
    let words = words::rule(rule.id.as_str());
    AlertRule {
        id: rule.id.as_str().to_owned(),
        title: words.title.to_owned(),
        description: words.description.to_owned(),
        enabled: rule.enabled,
        severity: severity(rule.severity),
        threshold: rule
            .threshold
            .zip(rule.id.threshold())
            .map(|(value, bounds)| AlertThreshold {
                value,
                unit: bounds.unit.to_owned(),
                min: bounds.min,
                max: bounds.max,
            }),
        window_minutes: rule.window_minutes,
        min_samples: rule.min_samples,
        hold_seconds: rule.id.hold().as_secs(),
        changed: rule != Rule::usual(rule.id),
        told_as: rule.id.told_as().to_owned(),
        basis: basis(rule),
    }
}

fn basis(rule: Rule) -> PreviewBasis {
    if rule.id.is_of_usage() {
        PreviewBasis::Last24Hours
    } else {
        PreviewBasis::Now
    }
}

pub(super) fn preview(tried: Rule, preview: Preview) -> RulePreview {
    let incident = |previewed: Previewed| PreviewedIncident {
        subject: previewed.subject,
        severity: severity(previewed.severity),
        message: previewed.message,
        opened_at: rfc3339(previewed.opened_at),
        resolved_at: previewed.resolved_at.map(rfc3339),
    };
    RulePreview {
        rule: rule(tried),
        basis: basis(tried),
        from: rfc3339(preview.from),
        to: rfc3339(preview.to),
        incidents: preview.incidents.into_iter().map(incident).collect(),
    }
}

impl Alerts {
    pub(super) async fn shown(&self, incidents: Vec<StoredIncident>) -> Vec<Incident> {
        let names = self.names(&incidents).await;
        let now = self.0.clock.now();
        incidents
            .into_iter()
            .map(|incident| shown(incident, &names, now))
            .collect()
    }

    /// Who acknowledged them, by id. Who cannot be read is left out: the incident matters more.
    async fn names(&self, incidents: &[StoredIncident]) -> BTreeMap<String, String> {
        let mut names = BTreeMap::from([(OPERATOR.to_owned(), "Command line".to_owned())]);
        for by in incidents
            .iter()
            .filter_map(|incident| Some(&incident.acknowledged.as_ref()?.by))
        {
            if !names.contains_key(by)
                && let Ok(Some(user)) = self.0.store.user(by).await
            {
                names.insert(by.clone(), user.email.as_str().to_owned());
            }
        }
        names
    }

    /// The channels with what was last sent on each.
    pub(super) async fn channels(&self) -> Result<Vec<AlertChannel>> {
        let page = self.0.notifier.log(None, LOOKED_AT).await?;
        let last = |name: &str| {
            let deliveries = page.items.iter().flat_map(|record| &record.deliveries);
            let of_channel = deliveries.filter(|delivery| delivery.channel == name && delivery.attempts > 0);
            of_channel.max_by_key(|delivery| delivery.updated_at).cloned()
        };
        let names = self.0.notifier.channel_names();
        Ok(names
            .map(|name| AlertChannel {
                name: name.to_owned(),
                last: last(name).map(delivery),
            })
            .collect())
    }
}

fn shown(incident: StoredIncident, names: &BTreeMap<String, String>, now: Timestamp) -> Incident {
    let words = words::rule(&incident.rule);
    let state = if incident.resolved_at.is_some() {
        IncidentState::Resolved
    } else if is_silenced(&incident, now) {
        IncidentState::Silenced
    } else if incident.acknowledged.is_some() {
        IncidentState::Acknowledged
    } else {
        IncidentState::Open
    };
    let silenced_until = incident.silenced_until.filter(|until| *until > now);
    let acknowledged = incident.acknowledged.as_ref();
    Incident {
        id: incident.id,
        title: words.title.to_owned(),
        advice: words.advice.to_owned(),
        rule: incident.rule.into_owned(),
        subject: incident.subject,
        severity: severity(incident.severity),
        escalated: incident.escalated,
        state,
        message: incident.message,
        opened_at: rfc3339(incident.opened_at),
        last_seen_at: rfc3339(incident.last_seen_at),
        acknowledged_at: acknowledged.map(|acknowledged| rfc3339(acknowledged.at)),
        acknowledged_by: acknowledged.and_then(|acknowledged| names.get(&acknowledged.by).cloned()),
        silenced_until: silenced_until.map(rfc3339),
        resolved_at: incident.resolved_at.map(rfc3339),
    }
}

fn delivery(delivery: store::Delivery) -> Delivery {
    Delivery {
        channel: delivery.channel,
        state: delivery.state.as_str().to_owned(),
        attempts: delivery.attempts,
        next_try_at: (delivery.state == DeliveryState::Pending).then(|| rfc3339(delivery.due_at)),
        last_error: delivery.last_error,
        updated_at: rfc3339(delivery.updated_at),
    }
}
