//! When an incident opens, changes and ends. Pure: facts, rules and open incidents go in, changes come out.
//!
//! Something must be wrong for the rule's hold before an incident opens, and well as long before it ends; what is not known
//! counts for neither. An incident is open once a rule and subject.

use std::collections::BTreeMap;
use std::time::Duration;

use pool::Timestamp;

use super::conditions::{Bad, Seen, look};
use super::facts::Facts;
use super::rules::{Rule, RuleId};
use crate::store::{AlertSeverity, StoredIncident};

/// How old what is written down of an incident's last sight may get.
const SEEN_EVERY: Duration = Duration::from_secs(300);

/// How long the cause of an incident that a person ended must hold on before another one opens.
const REOPENS_AFTER: Duration = Duration::from_secs(600);

/// What becomes of incidents.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Open {
        rule: RuleId,
        subject: String,
        severity: AlertSeverity,
        message: String,
        baseline: Option<f64>,
        at: Timestamp,
    },
    Update {
        id: String,
        rule: RuleId,
        severity: AlertSeverity,
        message: String,
        /// For the first time more severe than it began.
        escalates: bool,
        at: Timestamp,
    },
    Resolve {
        id: String,
        rule: RuleId,
        /// The rule was switched off: a person did that, and need not be told.
        quietly: bool,
        at: Timestamp,
    },
}

/// Remembers since when each subject is as it is, and nothing else: a process that starts anew waits once more.
#[derive(Debug, Default)]
pub struct Evaluator(BTreeMap<(RuleId, String), Watch>);

#[derive(Debug, Default)]
struct Watch {
    bad_since: Option<Timestamp>,
    well_since: Option<Timestamp>,
    severity: Option<(AlertSeverity, Timestamp)>,
    /// It had an open incident when it was last looked at.
    is_open: bool,
    /// A person ended the incident, and its cause holds on.
    is_ended: bool,
}

impl Evaluator {
    /// `open` has no resolved ones in it.
    pub fn judge(&mut self, facts: &Facts, rules: &[Rule], open: &[StoredIncident]) -> Vec<Change> {
        let mut changes = Vec::new();
        for rule in rules {
            let of_rule = open.iter().filter(|incident| incident.rule == rule.id.as_str());
            let of_rule: BTreeMap<&str, &StoredIncident> =
                of_rule.map(|incident| (incident.subject.as_str(), incident)).collect();
            if !rule.enabled {
                self.0.retain(|(id, _), _| *id != rule.id);
                changes.extend(of_rule.values().map(|incident| Change::Resolve {
                    id: incident.id.clone(),
                    rule: rule.id,
                    quietly: true,
                    at: facts.now,
                }));
                continue;
            }
            let baseline = of_rule.values().next().and_then(|incident| incident.baseline);
            match look(rule, facts, baseline) {
                Some(seen) => self.judge_rule(rule, &seen, &of_rule, &mut changes),
                // Whether it held meanwhile, nobody knows.
                None => self.0.retain(|(id, _), _| *id != rule.id),
            }
        }
        changes
    }

    fn judge_rule(
        &mut self,
        rule: &Rule,
        seen: &Seen,
        open: &BTreeMap<&str, &StoredIncident>,
        changes: &mut Vec<Change>,
    ) {
        let hold = rule.id.hold();
        self.0.retain(|(id, subject), _| {
            *id != rule.id || seen.bad.contains_key(subject) || open.contains_key(subject.as_str())
        });
        let can_open = |subject: &str, bad: &Bad| !bad.is_known || open.contains_key(subject);
        for (subject, bad) in seen.bad.iter().filter(|(subject, bad)| can_open(subject, bad)) {
            let watch = self.0.entry((rule.id, subject.clone())).or_default();
            watch.well_since = None;
            match open.get(subject.as_str()) {
                Some(incident) => changes.extend(watch.update(rule.id, incident, bad, seen.at)),
                None => changes.extend(watch.open(rule.id, subject, bad, seen.at)),
            }
        }
        for (subject, incident) in open.iter().filter(|(subject, _)| !seen.bad.contains_key(**subject)) {
            let place = (rule.id, (*subject).to_owned());
            let is_unsure = seen.unsure.contains(*subject);
            let watch = self.0.entry(place.clone()).or_default();
            *watch = Watch {
                is_open: true,
                well_since: watch.well_since.filter(|_| !is_unsure),
                ..Watch::default()
            };
            if !is_unsure && has_held(&mut watch.well_since, seen.at, hold) {
                // It is over: what comes next is another one.
                self.0.remove(&place);
                changes.push(Change::Resolve {
                    id: incident.id.clone(),
                    rule: rule.id,
                    quietly: false,
                    at: seen.at,
                });
            }
        }
    }

    /// When something has held that is waited for, if nothing changes before.
    pub fn due_at(&self) -> Option<Timestamp> {
        let due = self.0.iter().filter_map(|((rule, _), watch)| {
            let waiting = [watch.well_since, watch.severity.map(|(_, since)| since)];
            let waiting = waiting.into_iter().flatten().map(|since| since.plus(rule.hold()));
            let opens = watch.bad_since.filter(|_| !watch.is_open);
            waiting.chain(opens.map(|since| since.plus(watch.hold(*rule)))).min()
        });
        due.min()
    }
}

impl Watch {
    /// Until an incident opens.
    fn hold(&self, rule: RuleId) -> Duration {
        match self.is_ended {
            true => rule.hold().max(REOPENS_AFTER),
            false => rule.hold(),
        }
    }

    fn open(&mut self, rule: RuleId, subject: &str, bad: &Bad, at: Timestamp) -> Option<Change> {
        if std::mem::take(&mut self.is_open) {
            *self = Self {
                is_ended: true,
                ..Self::default()
            };
        }
        let hold = self.hold(rule);
        self.is_open = has_held(&mut self.bad_since, at, hold);
        self.is_open.then(|| Change::Open {
            rule,
            subject: subject.to_owned(),
            severity: bad.severity,
            message: bad.message.clone(),
            baseline: bad.baseline,
            at,
        })
    }

    fn update(&mut self, rule: RuleId, incident: &StoredIncident, bad: &Bad, at: Timestamp) -> Option<Change> {
        (self.is_open, self.is_ended) = (true, false);
        self.bad_since = None;
        let mut severity = incident.severity;
        if bad.severity == severity {
            self.severity = None;
        } else {
            let mut since = self
                .severity
                .filter(|(waiting, _)| *waiting == bad.severity)
                .map(|(_, since)| since);
            if has_held(&mut since, at, rule.hold()) {
                severity = bad.severity;
            }
            self.severity = since
                .filter(|_| severity != bad.severity)
                .map(|since| (bad.severity, since));
        }
        let escalates = severity > incident.severity && !incident.escalated;
        let is_news = severity != incident.severity || bad.message != incident.message;
        let is_old = at.since(incident.last_seen_at) >= SEEN_EVERY;
        (is_news || is_old).then(|| Change::Update {
            id: incident.id.clone(),
            rule,
            severity,
            message: bad.message.clone(),
            escalates,
            at,
        })
    }
}

/// Whether it has been so for `hold` without a break. A clock that was stepped back begins anew.
fn has_held(since: &mut Option<Timestamp>, at: Timestamp, hold: Duration) -> bool {
    let began = since.filter(|began| *began <= at).unwrap_or(at);
    *since = Some(began);
    at.since(began) >= hold
}

#[cfg(test)]
mod tests;
