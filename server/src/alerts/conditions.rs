//! What each rule finds in the facts. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use app::text::alerts as seed_words;
use pool::Timestamp;

use super::facts::{Facts, Measured};
use super::rules::{Rule, RuleId};
use super::tally::Share;
use super::words;
use crate::announcer::KeyFault;
use crate::store::AlertSeverity;

/// The subject of rules that look at the pool as a whole.
const POOL: &str = "pool";
/// The subject of rules that look at all requests.
pub(super) const REQUESTS: &str = "requests";
/// Fewer failures than these are nothing to be woken for, however few are usual. Percent.
const ERROR_RATE_MIN: f64 = 10.0;
/// From here on most callers notice. Percent.
const ERROR_RATE_CRITICAL: f64 = 50.0;
/// A slower answer than usual is one that people notice.
const SLOWER_BY_MIN_MS: f64 = 500.0;

/// What one rule sees. Subjects that are named nowhere are well.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// What the facts are of: now, or the end of what was counted.
    pub(super) at: Timestamp,
    pub(super) bad: BTreeMap<String, Bad>,
    /// Too little is known: what was said of them stands.
    pub(super) unsure: BTreeSet<String>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Bad {
    pub(super) severity: AlertSeverity,
    pub(super) message: String,
    /// What was usual before.
    pub(super) baseline: Option<f64>,
    /// Another rule tells of what it is by now: it only keeps open what is open.
    pub(super) is_known: bool,
}

/// `None` when the facts say nothing about what the rule looks at. `baseline`: of the rule's open incident, for the rules
/// that have but one.
pub(super) fn look(rule: &Rule, facts: &Facts, baseline: Option<f64>) -> Option<Seen> {
    let mut seen = Seen {
        at: facts.now,
        ..Seen::default()
    };
    let bad = |message| Bad {
        severity: rule.severity,
        message,
        baseline: None,
        is_known: false,
    };
    let threshold = rule.threshold.unwrap_or_default();
    match rule.id {
        RuleId::NoKeyAvailable => {
            let none = facts.pool.as_ref()?.none_available;
            seen.find(POOL, none.then(|| bad(seed_words::NO_KEY.to_owned())));
        }
        RuleId::QuotaExceeded => {
            let pool = facts.pool.as_ref()?;
            let found = pool.spent > 0 && whole(pool.spent as u64) >= threshold;
            let all = pool.spent == pool.total;
            seen.find(
                POOL,
                found.then(|| Bad {
                    severity: if all { AlertSeverity::Critical } else { rule.severity },
                    ..bad(seed_words::quota_exceeded(pool.spent))
                }),
            );
        }
        RuleId::KeyNeedsPerson => {
            let pool = facts.pool.as_ref()?;
            seen.unsure = pool.doubtful.iter().map(|number| of_key(*number)).collect();
            for (number, fault) in &pool.faulty {
                let found = Bad {
                    severity: match fault {
                        KeyFault::Revoked => AlertSeverity::Critical,
                        KeyFault::Invalid | KeyFault::NeedsSetup | KeyFault::NoCredit => rule.severity,
                    },
                    ..bad(words::key_fault(*number, *fault))
                };
                seen.find(&of_key(*number), Some(found));
            }
        }
        RuleId::LowSuccessRate => success_rates(rule, facts.usage.get(&rule.id)?, &mut seen),
        RuleId::ErrorRateJump => error_rate(rule, facts.usage.get(&rule.id)?, baseline, &mut seen),
        RuleId::LatencyJump => latency(rule, facts.usage.get(&rule.id)?, baseline, &mut seen),
        RuleId::ForecastDry => {
            let soon = facts.now.plus(Duration::from_secs_f64(threshold * 3600.0));
            for cell in facts.dry.as_ref()?.iter().filter(|cell| cell.dry_at <= soon) {
                let subject = format!("cell/{}/{}", cell.project, cell.model);
                let found = Bad {
                    is_known: cell.dry_at <= facts.now,
                    ..bad(words::runs_dry(cell, facts.now))
                };
                seen.find(&subject, Some(found));
            }
        }
        RuleId::StoreTrouble => {
            let fails = facts.store_fails?;
            seen.find("store", fails.then(|| bad(words::STORE_FAILS.to_owned())));
        }
        RuleId::EventsDropped => {
            let lost = facts.dropped?;
            let found = lost > 0 && whole(lost) >= threshold;
            let minutes = rule.window_minutes.unwrap_or_default();
            seen.find("usage", found.then(|| bad(words::dropped(lost, minutes))));
        }
    }
    Some(seen)
}

impl Seen {
    fn find(&mut self, subject: &str, bad: Option<Bad>) {
        if let Some(bad) = bad {
            self.bad.insert(subject.to_owned(), bad);
        }
    }

    /// What is bad by too few samples opens nothing, and ends nothing.
    fn judge(&mut self, subject: String, is_bad: bool, is_enough: bool, bad: impl FnOnce() -> Bad) {
        match (is_bad, is_enough) {
            (true, true) => drop(self.bad.insert(subject, bad())),
            (true, false) => drop(self.unsure.insert(subject)),
            (false, _) => {}
        }
    }
}

/// The seed's rule, a key at a time.
fn success_rates(rule: &Rule, measured: &Measured, seen: &mut Seen) {
    seen.at = measured.until;
    for (number, share) in &measured.now.keys {
        let rate = success_rate(*share);
        let is_bad = share.count > 0 && rate < rule.threshold.unwrap_or_default();
        let is_enough = share.count >= rule.min_samples.unwrap_or_default();
        seen.judge(of_key(*number), is_bad, is_enough, || Bad {
            severity: rule.severity,
            message: seed_words::low_success_rate(*number, rate),
            baseline: None,
            is_known: false,
        });
    }
}

fn error_rate(rule: &Rule, measured: &Measured, baseline: Option<f64>, seen: &mut Seen) {
    seen.at = measured.until;
    let (now, before) = (measured.now.all, measured.before.all);
    let min = rule.min_samples.unwrap_or_default();
    // A few requests before say little of what is usual: their failures count as if there had been more requests.
    let usual = baseline.unwrap_or_else(|| percent(before.failures(), before.count.max(min.div_ceil(2))));
    let rate = percent(now.failures(), now.count);
    let is_bad = rate >= ERROR_RATE_MIN && rate - usual >= rule.threshold.unwrap_or_default();
    seen.judge(REQUESTS.to_owned(), is_bad, now.count >= min, || Bad {
        severity: match rate >= ERROR_RATE_CRITICAL {
            true => AlertSeverity::Critical,
            false => rule.severity,
        },
        message: words::error_rate(rate, usual, rule.window_minutes.unwrap_or_default()),
        baseline: Some(usual),
        is_known: false,
    });
}

fn latency(rule: &Rule, measured: &Measured, baseline: Option<f64>, seen: &mut Seen) {
    seen.at = measured.until;
    let min = rule.min_samples.unwrap_or_default();
    // Nothing was answered: nothing is slow.
    let Some(now) = measured.now.p95().map(whole) else {
        return;
    };
    let usual = measured
        .before
        .p95()
        .map(whole)
        .filter(|_| measured.before.all.successes >= min);
    let Some(usual) = baseline.or(usual) else {
        seen.unsure.insert(REQUESTS.to_owned());
        return;
    };
    let is_bad = now >= usual * rule.threshold.unwrap_or_default() && now - usual >= SLOWER_BY_MIN_MS;
    seen.judge(REQUESTS.to_owned(), is_bad, measured.now.all.successes >= min, || Bad {
        severity: rule.severity,
        message: words::latency(now, usual, rule.window_minutes.unwrap_or_default()),
        baseline: Some(usual),
        is_known: false,
    });
}

/// Percent, with at most two decimals, as the seed shows it.
pub(super) fn success_rate(share: Share) -> f64 {
    percent(share.successes, share.count)
}

fn percent(part: u64, of: u64) -> f64 {
    if of == 0 {
        return 0.0;
    }
    (whole(part) * 10_000.0 / whole(of)).round() / 100.0
}

#[expect(clippy::cast_precision_loss, reason = "counts and times far below 2^53")]
fn whole(number: u64) -> f64 {
    number as f64
}

fn of_key(number: u32) -> String {
    format!("key/{number}")
}
