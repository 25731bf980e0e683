//! The rules: what each looks for, as it comes and as an admin changed it.

use std::collections::BTreeMap;
use std::time::Duration;

use app::error::{AppError, ErrorCode};
use app::types::{AlertRulePatch, AlertSeverity as Shown};
use serde::{Deserialize, Serialize};

use crate::store::AlertSeverity;

/// Two windows before the last day are still there minute by minute.
const WINDOW_MINUTES_MAX: u32 = 360;
const SAMPLES_MAX: u64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleId {
    NoKeyAvailable,
    QuotaExceeded,
    KeyNeedsPerson,
    LowSuccessRate,
    ErrorRateJump,
    LatencyJump,
    ForecastDry,
    StoreTrouble,
    EventsDropped,
}

/// What a rule's threshold counts, and from where to where it may be set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub unit: &'static str,
    pub min: f64,
    pub max: f64,
    pub is_whole: bool,
}

impl RuleId {
    pub const ALL: [Self; 9] = [
        Self::NoKeyAvailable,
        Self::QuotaExceeded,
        Self::KeyNeedsPerson,
        Self::LowSuccessRate,
        Self::ErrorRateJump,
        Self::LatencyJump,
        Self::ForecastDry,
        Self::StoreTrouble,
        Self::EventsDropped,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoKeyAvailable => "no_key_available",
            Self::QuotaExceeded => "quota_exceeded",
            Self::KeyNeedsPerson => "key_needs_person",
            Self::LowSuccessRate => "low_success_rate",
            Self::ErrorRateJump => "error_rate_jump",
            Self::LatencyJump => "latency_jump",
            Self::ForecastDry => "forecast_dry",
            Self::StoreTrouble => "store_trouble",
            Self::EventsDropped => "events_dropped",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.as_str() == text)
    }

    /// Absent where the rule has none.
    pub const fn threshold(self) -> Option<Bounds> {
        let (unit, min, max, is_whole) = match self {
            Self::QuotaExceeded => ("keys", 1.0, 100_000.0, true),
            Self::LowSuccessRate => ("percent", 1.0, 100.0, false),
            Self::ErrorRateJump => ("points", 5.0, 100.0, false),
            Self::LatencyJump => ("times", 1.2, 100.0, false),
            Self::ForecastDry => ("hours", 0.25, 24.0, false),
            Self::EventsDropped => ("events", 1.0, 1_000_000_000.0, true),
            Self::NoKeyAvailable | Self::KeyNeedsPerson | Self::StoreTrouble => return None,
        };
        Some(Bounds {
            unit,
            min,
            max,
            is_whole,
        })
    }

    /// How long something must be wrong to open an incident, and well to end it.
    pub const fn hold(self) -> Duration {
        match self {
            // The pool has made sure by a second call.
            Self::KeyNeedsPerson => Duration::ZERO,
            Self::NoKeyAvailable | Self::QuotaExceeded | Self::StoreTrouble | Self::EventsDropped => {
                Duration::from_secs(30)
            }
            Self::LowSuccessRate | Self::ErrorRateJump | Self::LatencyJump | Self::ForecastDry => {
                Duration::from_secs(60)
            }
        }
    }

    /// Whether it is told here; otherwise the announcer tells of the same facts, and once is enough.
    pub fn is_told_here(self) -> bool {
        self.told_as() == "alert"
    }

    /// By which notifications people hear of it: the part of their kind before the point.
    pub const fn told_as(self) -> &'static str {
        match self {
            Self::NoKeyAvailable | Self::QuotaExceeded => "service",
            Self::KeyNeedsPerson => "key",
            Self::LowSuccessRate
            | Self::ErrorRateJump
            | Self::LatencyJump
            | Self::ForecastDry
            | Self::StoreTrouble
            | Self::EventsDropped => "alert",
        }
    }

    /// Whether what it looks at can be read again from rollups.
    pub const fn is_of_usage(self) -> bool {
        matches!(self, Self::LowSuccessRate | Self::ErrorRateJump | Self::LatencyJump)
    }
}

/// A rule as it is in effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    pub id: RuleId,
    pub enabled: bool,
    pub severity: AlertSeverity,
    pub threshold: Option<f64>,
    pub window_minutes: Option<u32>,
    pub min_samples: Option<u64>,
}

impl Rule {
    /// As it comes.
    pub const fn usual(id: RuleId) -> Self {
        let (severity, threshold, window_minutes, min_samples) = match id {
            RuleId::NoKeyAvailable => (AlertSeverity::Critical, None, None, None),
            RuleId::QuotaExceeded => (AlertSeverity::Medium, Some(1.0), None, None),
            RuleId::KeyNeedsPerson => (AlertSeverity::Medium, None, None, None),
            // The seed's: more than 10 requests.
            RuleId::LowSuccessRate => (AlertSeverity::Medium, Some(80.0), Some(60), Some(11)),
            RuleId::ErrorRateJump => (AlertSeverity::Medium, Some(20.0), Some(15), Some(20)),
            RuleId::LatencyJump => (AlertSeverity::Medium, Some(2.0), Some(15), Some(20)),
            RuleId::ForecastDry => (AlertSeverity::Medium, Some(2.0), None, None),
            RuleId::StoreTrouble => (AlertSeverity::Critical, None, None, None),
            RuleId::EventsDropped => (AlertSeverity::Medium, Some(1.0), Some(15), None),
        };
        Self {
            id,
            enabled: true,
            severity,
            threshold,
            window_minutes,
            min_samples,
        }
    }

    pub fn window(&self) -> Duration {
        Duration::from_secs(u64::from(self.window_minutes.unwrap_or_default()) * 60)
    }
}

/// What admins changed of a rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Override {
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_minutes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_samples: Option<u64>,
}

/// What admins changed of all rules, as it is stored: by the rule's id. Those that this version does not know are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Overrides(BTreeMap<String, Override>);

impl Overrides {
    /// What can be read of a stored value: one rule that makes no sense takes no other with it.
    pub(super) fn read(stored: &serde_json::Value) -> Self {
        let rules = stored.as_object().into_iter().flatten();
        let known = rules.filter_map(|(id, value)| Some((id.clone(), serde_json::from_value(value.clone()).ok()?)));
        Self(known.collect())
    }

    /// All rules as they are in effect.
    pub(super) fn rules(&self) -> Vec<Rule> {
        RuleId::ALL.into_iter().map(|id| self.rule(id)).collect()
    }

    /// What a newer version stored beyond this one's bounds is left out.
    pub(super) fn rule(&self, id: RuleId) -> Rule {
        let usual = Rule::usual(id);
        let Some(made) = self.0.get(id.as_str()) else {
            return usual;
        };
        Rule {
            id,
            enabled: made.enabled.unwrap_or(usual.enabled),
            severity: made.severity.map_or(usual.severity, stored_severity),
            threshold: made
                .threshold
                .filter(|value| check_threshold(id, *value).is_ok())
                .or(usual.threshold),
            window_minutes: made
                .window_minutes
                .filter(|value| check_window(&usual, *value).is_ok())
                .or(usual.window_minutes),
            min_samples: made
                .min_samples
                .filter(|value| check_samples(&usual, *value).is_ok())
                .or(usual.min_samples),
        }
    }

    /// With the change made.
    ///
    /// # Errors
    /// `BAD_REQUEST` with the field at fault.
    pub(super) fn with(&self, id: RuleId, patch: &AlertRulePatch) -> Result<Self, AppError> {
        let usual = Rule::usual(id);
        if let Some(Some(value)) = patch.threshold {
            check_threshold(id, value)?;
        }
        if let Some(Some(value)) = patch.window_minutes {
            check_window(&usual, value)?;
        }
        if let Some(Some(value)) = patch.min_samples {
            check_samples(&usual, value)?;
        }
        let mut all = self.clone();
        let made = all.0.entry(id.as_str().to_owned()).or_default();
        made.enabled = patch.enabled.unwrap_or(made.enabled);
        made.severity = patch.severity.unwrap_or(made.severity);
        made.threshold = patch.threshold.unwrap_or(made.threshold);
        made.window_minutes = patch.window_minutes.unwrap_or(made.window_minutes);
        made.min_samples = patch.min_samples.unwrap_or(made.min_samples);
        if *made == Override::default() {
            all.0.remove(id.as_str());
        }
        Ok(all)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn check_threshold(id: RuleId, value: f64) -> Result<(), AppError> {
    let Some(bounds) = id.threshold() else {
        return Err(wrong("threshold", "This rule has no threshold.".to_owned()));
    };
    let Bounds { unit, min, max, .. } = bounds;
    let fits = (min..=max).contains(&value) && (!bounds.is_whole || value.fract() == 0.0);
    if fits {
        return Ok(());
    }
    let number = if bounds.is_whole { "a whole number" } else { "a number" };
    Err(wrong(
        "threshold",
        format!("The threshold must be {number} from {min} to {max} ({unit})."),
    ))
}

fn check_window(usual: &Rule, value: u32) -> Result<(), AppError> {
    if usual.window_minutes.is_none() {
        return Err(wrong("windowMinutes", "This rule has no window.".to_owned()));
    }
    if (1..=WINDOW_MINUTES_MAX).contains(&value) {
        return Ok(());
    }
    let message = format!("The window must be a whole number of minutes from 1 to {WINDOW_MINUTES_MAX}.");
    Err(wrong("windowMinutes", message))
}

fn check_samples(usual: &Rule, value: u64) -> Result<(), AppError> {
    if usual.min_samples.is_none() {
        return Err(wrong("minSamples", "This rule counts no samples.".to_owned()));
    }
    if (1..=SAMPLES_MAX).contains(&value) {
        return Ok(());
    }
    let message = format!("The least number of samples must be a whole number from 1 to {SAMPLES_MAX}.");
    Err(wrong("minSamples", message))
}

fn wrong(field: &str, message: String) -> AppError {
    AppError::new(ErrorCode::BadRequest, message).field(field)
}

pub(super) fn stored_severity(severity: Shown) -> AlertSeverity {
    match severity {
        Shown::Low => AlertSeverity::Low,
        Shown::Medium => AlertSeverity::Medium,
        Shown::Critical => AlertSeverity::Critical,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patch(value: serde_json::Value) -> AlertRulePatch {
        serde_json::from_value(value).expect("a patch")
    }

    #[test]
    fn every_rule_comes_within_its_own_bounds() {
        for id in RuleId::ALL {
            let usual = Rule::usual(id);
            assert_eq!(RuleId::parse(id.as_str()), Some(id));
            assert_eq!(usual.threshold.is_some(), id.threshold().is_some(), "{id:?}");
            assert!(usual.threshold.is_none_or(|value| check_threshold(id, value).is_ok()));
            assert!(
                usual
                    .window_minutes
                    .is_none_or(|value| check_window(&usual, value).is_ok())
            );
            assert!(
                usual
                    .min_samples
                    .is_none_or(|value| check_samples(&usual, value).is_ok())
            );
            assert_eq!(id.is_told_here(), id.told_as() == "alert", "{id:?}");
            assert_ne!(app::text::alerts::rule(id.as_str()).title, "Alert", "{id:?} has words");
        }
    }

    #[test]
    fn a_change_stays_until_null_takes_it_back() {
        let id = RuleId::LowSuccessRate;
        let made = Overrides::default()
            .with(
                id,
                &patch(json!({ "threshold": 95.5, "severity": "low", "enabled": false })),
            )
            .expect("in bounds");
        let rule = made.rule(id);
        assert_eq!(
            (rule.threshold, rule.severity, rule.enabled, rule.min_samples),
            (Some(95.5), AlertSeverity::Low, false, Some(11))
        );
        let stored = serde_json::to_value(&made).expect("JSON");
        assert_eq!(Overrides::read(&stored), made);
        let back = made
            .with(
                id,
                &patch(json!({ "threshold": null, "severity": null, "minSamples": 3 })),
            )
            .expect("in bounds");
        assert_eq!(back.rule(id).threshold, Some(80.0));
        let all_back = back
            .with(id, &patch(json!({ "enabled": null, "minSamples": null })))
            .expect("in bounds");
        assert!(all_back.is_empty());
        assert_eq!(all_back.rule(id), Rule::usual(id));
    }

    #[test]
    fn what_a_rule_cannot_be_is_told_by_its_field() {
        let check = |id, value: serde_json::Value, field: &str, says: &str| {
            let error = Overrides::default().with(id, &patch(value)).expect_err("out of bounds");
            assert_eq!(error.field.as_deref(), Some(field), "{error}");
            assert!(error.message.contains(says), "{error}");
        };
        check(
            RuleId::LowSuccessRate,
            json!({ "threshold": 0.5 }),
            "threshold",
            "from 1 to 100 (percent)",
        );
        check(
            RuleId::LowSuccessRate,
            json!({ "threshold": 101 }),
            "threshold",
            "from 1 to 100",
        );
        check(
            RuleId::QuotaExceeded,
            json!({ "threshold": 1.5 }),
            "threshold",
            "a whole number",
        );
        check(
            RuleId::StoreTrouble,
            json!({ "threshold": 1 }),
            "threshold",
            "has no threshold",
        );
        check(
            RuleId::LatencyJump,
            json!({ "windowMinutes": 0 }),
            "windowMinutes",
            "from 1 to 360",
        );
        check(
            RuleId::LatencyJump,
            json!({ "windowMinutes": 361 }),
            "windowMinutes",
            "from 1 to 360",
        );
        check(
            RuleId::QuotaExceeded,
            json!({ "windowMinutes": 5 }),
            "windowMinutes",
            "has no window",
        );
        check(
            RuleId::LowSuccessRate,
            json!({ "minSamples": 0 }),
            "minSamples",
            "from 1",
        );
        check(
            RuleId::EventsDropped,
            json!({ "minSamples": 5 }),
            "minSamples",
            "counts no samples",
        );
    }

    #[test]
    fn what_another_version_stored_takes_no_other_rule_with_it() {
        let stored = json!({
            "from_the_future": { "threshold": 3 },
            "low_success_rate": { "threshold": 1000, "minSamples": 5 },
            "latency_jump": "words",
            "quota_exceeded": { "threshold": 2, "later": true },
        });
        let made = Overrides::read(&stored);
        assert_eq!(made.rule(RuleId::LowSuccessRate).threshold, Some(80.0));
        assert_eq!(made.rule(RuleId::LowSuccessRate).min_samples, Some(5));
        assert_eq!(made.rule(RuleId::LatencyJump), Rule::usual(RuleId::LatencyJump));
        assert_eq!(made.rule(RuleId::QuotaExceeded).threshold, Some(2.0));
        assert_eq!(Overrides::read(&json!([1])), Overrides::default());
        assert_eq!(made.rules().len(), RuleId::ALL.len());
    }
}
