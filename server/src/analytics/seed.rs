//! The seed's three alert rules, in its words.

use app::types::{KeyStat, SeedAlert, ServiceStatus};

/// A key has to have more calls than that before its success rate says anything.
const CALLS_MIN: u64 = 10;
/// Percent.
const SUCCESS_RATE_MIN: f64 = 80.0;

pub(super) fn seed_alerts(status: &ServiceStatus, stats: &[KeyStat]) -> Vec<SeedAlert> {
    let mut alerts = Vec::new();
    let mut alert = |kind: &str, message: String, severity: &str| {
        alerts.push(SeedAlert {
            kind: kind.to_owned(),
            message,
            severity: severity.to_owned(),
        });
    };
    let spent = status.available_keys.iter().filter(|key| key.quota_exceeded).count();
    if spent > 0 {
        let severity = if spent == status.available_keys.len() {
            "critical"
        } else {
            "medium"
        };
        alert("warning", format!("{spent} API key(s) have exceeded quota"), severity);
    }
    for stat in stats {
        if stat.request_count > CALLS_MIN && stat.success_rate < SUCCESS_RATE_MIN {
            let (number, rate) = (stat.key_number, stat.success_rate);
            alert(
                "warning",
                format!("API Key {number} has low success rate: {rate}%"),
                "medium",
            );
        }
    }
    if status.healthy_keys == 0 {
        alert(
            "error",
            "No API keys available - service degraded".to_owned(),
            "critical",
        );
    }
    alerts
}
