//! Numbers, durations and limits as people write them.

use std::time::Duration;

use pool::{Limits, Pace, Tier};

use super::ModelLimits;

/// `parse` alone would take a plus sign.
pub(super) fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// Such as `500ms`, `30s`, `15m` or `1h`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    units.iter().find_map(|(unit, ms)| {
        let amount = whole(text.strip_suffix(unit)?)?;
        amount.checked_mul(*ms).map(Duration::from_millis)
    })
}

/// Calls a second to a pace: one second's worth may go at once. The inner `None` is no pace at all.
pub(super) fn pace(text: &str) -> Option<Option<Pace>> {
    let rate: f64 = text.parse().ok()?;
    if !rate.is_finite() || !(0.0..=10_000.0).contains(&rate) {
        return None;
    }
    Some((rate > 0.0).then(|| Pace {
        every: Duration::from_secs_f64(1.0 / rate),
        burst: rate.ceil() as u32,
    }))
}

/// Such as `gemini-2.5-flash free rpm=10 tpm=250000 rpd=250; * paid rpm=1000`.
pub fn limits(text: &str) -> Option<Vec<ModelLimits>> {
    let entries = text.split(';').map(str::trim).filter(|entry| !entry.is_empty());
    let entries: Vec<ModelLimits> = entries.map(limits_of_model).collect::<Option<_>>()?;
    let named_twice = entries.iter().enumerate().any(|(place, entry)| {
        let same = |other: &ModelLimits| (&other.model, other.tier) == (&entry.model, entry.tier);
        entries[..place].iter().any(same)
    });
    (!named_twice).then_some(entries)
}

fn limits_of_model(entry: &str) -> Option<ModelLimits> {
    let mut words = entry.split_whitespace();
    let model = match words.next()? {
        "*" => None,
        name => Some(name.to_owned())
            .filter(|name| app::types::is_model_name(name))?
            .into(),
    };
    let tier = match words.next()? {
        "free" => Tier::Free,
        "paid" => Tier::Paid,
        _ => return None,
    };
    let mut limits = Limits::default();
    for word in words {
        let (name, value) = word.split_once('=')?;
        let value = Some(whole(value).filter(|value| *value > 0)?);
        match name {
            "rpm" => limits.requests_per_minute = value,
            "tpm" => limits.tokens_per_minute = value,
            "rpd" => limits.requests_per_day = value,
            "tpd" => limits.tokens_per_day = value,
            "concurrent" => limits.calls_at_once = value,
            _ => return None,
        }
    }
    (limits != Limits::default()).then_some(ModelLimits { model, tier, limits })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: PartialEq + std::fmt::Debug>(read: fn(&str) -> Option<T>, text: &str, expected: Option<T>) {
        assert_eq!(read(text), expected, "{text}");
    }

    #[test]
    fn durations_have_a_unit() {
        check(duration, "500ms", Some(Duration::from_millis(500)));
        check(duration, "30s", Some(Duration::from_secs(30)));
        check(duration, "0s", Some(Duration::ZERO));
        for wrong in ["", "30", "s", "-1s", "+1s", "1.5s", "1d", "99999999999999999999h"] {
            check(duration, wrong, None);
        }
    }

    #[test]
    fn a_pace_is_a_rate_with_a_second_at_once() {
        let ten = Pace {
            every: Duration::from_millis(100),
            burst: 10,
        };
        check(pace, "10", Some(Some(ten)));
        check(pace, "0", Some(None));
        for wrong in ["", "-1", "NaN", "inf", "fast", "1e9"] {
            check(pace, wrong, None);
        }
    }

    #[test]
    fn limits_name_model_tier_and_windows() {
        let flash = ModelLimits {
            model: Some("gemini-2.5-flash".to_owned()),
            tier: Tier::Free,
            limits: Limits {
                requests_per_minute: Some(10),
                requests_per_day: Some(250),
                ..Limits::default()
            },
        };
        let any = ModelLimits {
            model: None,
            tier: Tier::Paid,
            limits: Limits {
                calls_at_once: Some(4),
                ..Limits::default()
            },
        };
        check(
            limits,
            "gemini-2.5-flash free rpm=10 rpd=250; * paid concurrent=4;",
            Some(vec![flash, any]),
        );
        for wrong in [
            "* free rpm=1; * free rpm=2",
            "flash",
            "flash free",
            "flash cheap rpm=1",
            "a/b free rpm=1",
            "flash free rpm=0",
            "flash free rpm",
            "flash free rph=1",
        ] {
            check(limits, wrong, None);
        }
    }
}
