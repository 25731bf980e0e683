//! The seed's three alert rules: what is wrong at this moment, in its words. The rules of alerts say the same of what holds.

use app::text::alerts as words;
use app::types::{KeyStat, SeedAlert, ServiceStatus};

use crate::store::AlertSeverity;

/// More requests than these, as the seed has it.
const REQUESTS_MORE_THAN: u64 = 10;
/// Percent.
const SUCCESS_RATE_MIN: f64 = 80.0;

/// Of what `real-time-metrics` tells: the status, and the calls of the last hour by key.
pub(super) fn seed_alerts(status: &ServiceStatus, stats: &[KeyStat]) -> Vec<SeedAlert> {
    let mut alerts = Vec::new();
    let spent = spent_keys(status);
    if spent > 0 {
        let severity = if spent == status.available_keys.len() {
            AlertSeverity::Critical
        } else {
            AlertSeverity::Medium
        };
        alerts.push(alert("warning", words::quota_exceeded(spent), severity));
    }
    let low = stats
        .iter()
        .filter(|stat| stat.request_count > REQUESTS_MORE_THAN && stat.success_rate < SUCCESS_RATE_MIN);
    alerts.extend(low.map(|stat| {
        let message = words::low_success_rate(stat.key_number, stat.success_rate);
        alert("warning", message, AlertSeverity::Medium)
    }));
    if status.healthy_keys == 0 {
        alerts.push(alert("error", words::NO_KEY.to_owned(), AlertSeverity::Critical));
    }
    alerts
}

/// How many keys have used up a day quota.
pub fn spent_keys(status: &ServiceStatus) -> usize {
    status.available_keys.iter().filter(|key| key.quota_exceeded).count()
}

fn alert(kind: &str, message: String, severity: AlertSeverity) -> SeedAlert {
    SeedAlert {
        kind: kind.to_owned(),
        message,
        severity: severity.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use app::types::{KeyState, KeyStatus, Level};

    use super::*;

    fn status(spent: &[bool], healthy_keys: u32) -> ServiceStatus {
        let key = |(number, spent): (u32, &bool)| KeyStatus {
            key_number: number,
            state: if *spent {
                KeyState::QuotaReached
            } else {
                KeyState::Available
            },
            quota_exceeded: *spent,
            quota_reset_time: None,
            ready_in_ms: None,
            request_count: 0,
            success_count: 0,
            error_count: 0,
            last_used: None,
            cells: Vec::new(),
        };
        let keys: Vec<KeyStatus> = (1..).zip(spent).map(key).collect();
        ServiceStatus {
            total_keys: u32::try_from(keys.len()).expect("few"),
            current_key_index: 0,
            available_keys: keys,
            level: Level::Degraded,
            healthy_keys,
            message: String::new(),
            next_reset: None,
            next_reset_in_ms: None,
            components: Vec::new(),
            obstacles: Vec::new(),
            simulated: false,
            checked_at: String::new(),
        }
    }

    fn stat(key_number: u32, request_count: u64, success_rate: f64) -> KeyStat {
        KeyStat {
            key_number,
            request_count,
            error_count: 0,
            success_rate,
        }
    }

    #[track_caller]
    fn check(status: &ServiceStatus, stats: &[KeyStat], expected: &[(&str, &str, &str)]) {
        let alerts = seed_alerts(status, stats);
        let told: Vec<_> = alerts
            .iter()
            .map(|alert| (alert.kind.as_str(), alert.message.as_str(), alert.severity.as_str()))
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn the_seeds_rules_speak_in_its_words_and_order() {
        let none = ("error", "No API keys available - service degraded", "critical");
        check(&status(&[false; 3], 3), &[], &[]);
        check(
            &status(&[true, false, false], 2),
            &[],
            &[("warning", "1 API key(s) have exceeded quota", "medium")],
        );
        check(
            &status(&[true; 3], 0),
            &[stat(2, 13, 61.54)],
            &[
                ("warning", "3 API key(s) have exceeded quota", "critical"),
                ("warning", "API Key 2 has low success rate: 61.54%", "medium"),
                none,
            ],
        );
        check(&status(&[], 0), &[], &[none]);
    }

    #[test]
    fn a_rate_is_low_under_80_percent_of_more_than_10_requests() {
        let well = status(&[false; 3], 3);
        check(&well, &[stat(1, 10, 0.0), stat(2, 11, 80.0), stat(3, 500, 100.0)], &[]);
        check(
            &well,
            &[stat(1, 11, 79.99), stat(2, 20, 50.0)],
            &[
                ("warning", "API Key 1 has low success rate: 79.99%", "medium"),
                ("warning", "API Key 2 has low success rate: 50%", "medium"),
            ],
        );
    }
}
