//! What a rule would have opened: the evaluator that runs, on facts of the past.
//!
//! Usage is read minute by minute, as it was looked at: what the preview of a rule opens over a time is what the rule opened
//! over that time. Of the pool's states there is no record by the minute; rules about them are tried on the present.

use std::collections::VecDeque;
use std::time::Duration;

use pool::Timestamp;

use super::evaluator::{Change, Evaluator};
use super::facts::{Facts, Measured, counted_until, query, tally};
use super::rules::Rule;
use super::tally::Tally;
use crate::store::{AlertSeverity, Level, Result, Store, StoredIncident};

const MINUTE: Duration = Duration::from_secs(60);
const BACK: Duration = Duration::from_secs(24 * 3600);
/// Rollups read at once: a pool of very many keys has many of a minute.
const MINUTES_AT_ONCE: u32 = 60;

/// An incident that a rule would have opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Previewed {
    pub subject: String,
    /// As it would have opened, like the message.
    pub severity: AlertSeverity,
    pub message: String,
    pub opened_at: Timestamp,
    pub resolved_at: Option<Timestamp>,
}

/// The time a preview is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    pub from: Timestamp,
    pub to: Timestamp,
    pub incidents: Vec<Previewed>,
}

/// Over the last 24 hours of usage, for a rule of usage.
///
/// # Errors
/// When the store does not answer.
pub async fn of_usage(store: &dyn Store, rule: Rule, now: Timestamp) -> Result<Preview> {
    let rule = Rule { enabled: true, ..rule };
    let to = counted_until(now);
    let from = to.minus(BACK);
    let window = rule.window_minutes.unwrap_or(1);
    let mut trial = Trial::new(rule);
    let mut sliding = Sliding::new(window);
    // Both windows of the first minute that is looked at.
    let mut at = from.minus(MINUTE * 2 * window);
    while at < to {
        let end = at.plus(MINUTE * MINUTES_AT_ONCE).min(to);
        let rows = store.usage_rollups(query(&rule, at, end, Level::Minute, now)).await?;
        while at < end {
            sliding.push(tally(rows.iter().filter(|row| row.start == Some(at))));
            at = at.plus(MINUTE);
            if at > from {
                trial.look(&sliding.facts(&rule, at));
            }
        }
    }
    Ok(trial.ended(from, to))
}

/// On facts that would stay as they are, for any other rule.
pub fn of_now(rule: Rule, facts: &Facts) -> Preview {
    let rule = Rule { enabled: true, ..rule };
    let mut trial = Trial::new(rule);
    trial.look(facts);
    let held = facts.now.plus(rule.id.hold());
    if trial.opened.is_empty() {
        trial.look(&Facts {
            now: held,
            ..facts.clone()
        });
    }
    for incident in &mut trial.opened {
        incident.opened_at = facts.now;
    }
    trial.ended(facts.now, facts.now)
}

/// One rule with incidents of its own.
struct Trial {
    rule: Rule,
    evaluator: Evaluator,
    open: Vec<StoredIncident>,
    opened: Vec<Previewed>,
}

impl Trial {
    fn new(rule: Rule) -> Self {
        Self {
            rule,
            evaluator: Evaluator::default(),
            open: Vec::new(),
            opened: Vec::new(),
        }
    }

    fn look(&mut self, facts: &Facts) {
        for change in self
            .evaluator
            .judge(facts, std::slice::from_ref(&self.rule), &self.open)
        {
            // An id is the place in the list of those opened.
            if let Change::Open { .. } = &change {
                let id = self.opened.len().to_string();
                self.open.extend(change.opened(id));
                self.opened.extend(self.open.last().map(previewed));
                continue;
            }
            let Some(incident) = self.open.iter_mut().find(|incident| incident.id == change.id()) else {
                continue;
            };
            change.applied().apply(incident);
            let opened = incident
                .id
                .parse::<usize>()
                .ok()
                .and_then(|place| self.opened.get_mut(place));
            if let Some(opened) = opened {
                opened.resolved_at = incident.resolved_at;
            }
            self.open.retain(|incident| incident.resolved_at.is_none());
        }
    }

    fn ended(self, from: Timestamp, to: Timestamp) -> Preview {
        Preview {
            from,
            to,
            incidents: self.opened,
        }
    }
}

fn previewed(incident: &StoredIncident) -> Previewed {
    Previewed {
        subject: incident.subject.clone(),
        severity: incident.severity,
        message: incident.message.clone(),
        opened_at: incident.opened_at,
        resolved_at: None,
    }
}

/// Two windows that follow each other, moved on minute by minute.
struct Sliding {
    window: usize,
    /// The oldest first, at most two windows.
    minutes: VecDeque<Tally>,
    now: Tally,
    before: Tally,
}

impl Sliding {
    fn new(window_minutes: u32) -> Self {
        Self {
            window: window_minutes as usize,
            minutes: VecDeque::new(),
            now: Tally::default(),
            before: Tally::default(),
        }
    }

    fn push(&mut self, minute: Tally) {
        self.now.add(&minute);
        self.minutes.push_back(minute);
        let count = self.minutes.len();
        if count > self.window {
            let passing = &self.minutes[count - 1 - self.window];
            self.now.remove(passing);
            self.before.add(passing);
        }
        if count > 2 * self.window
            && let Some(leaving) = self.minutes.pop_front()
        {
            self.before.remove(&leaving);
        }
    }

    fn facts(&self, rule: &Rule, until: Timestamp) -> Facts {
        let measured = Measured {
            until,
            now: self.now.clone(),
            before: match rule.id {
                super::RuleId::LowSuccessRate => Tally::default(),
                _ => self.before.clone(),
            },
        };
        Facts {
            now: until,
            usage: [(rule.id, measured)].into(),
            ..Facts::default()
        }
    }
}
