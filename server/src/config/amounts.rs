//! Numbers, durations and limits as people write them.

use std::time::Duration;

use pool::{Limits, Pace, Tier};

use super::ModelLimits;

/// `parse` alone would take a plus sign.
pub(super) fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// Such as `500ms`, `30s`, `15m`, `1h` or `90d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let units = [
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
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

/// Which entry of the limits is wrong, the first is 1, and what it must be. The value is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entry {entry}: {what}")]
pub struct LimitsFault {
    pub entry: usize,
    pub what: &'static str,
}

/// Such as `gemini-2.5-flash free rpm=10 tpm=250000 rpd=250; * paid rpm=1000`.
///
/// # Errors
/// The first entry that is wrong.
pub fn limits(text: &str) -> Result<Vec<ModelLimits>, LimitsFault> {
    let mut read: Vec<ModelLimits> = Vec::new();
    let entries = text.split(';').map(str::trim).filter(|entry| !entry.is_empty());
    for (place, entry) in entries.enumerate() {
        let fault = |what| LimitsFault { entry: place + 1, what };
        let new = limits_of_model(entry).map_err(fault)?;
        let is_same = |other: &ModelLimits| (&other.model, other.tier) == (&new.model, new.tier);
        if read.iter().any(is_same) {
            return Err(fault("an entry before it is for the same model and tier"));
        }
        read.push(new);
    }
    Ok(read)
}

fn limits_of_model(entry: &str) -> Result<ModelLimits, &'static str> {
    let mut words = entry.split_whitespace();
    let model = match words.next() {
        Some("*") => None,
        Some(name) if app::types::is_model_name(name) => Some(name.to_owned()),
        _ => return Err("its first word must be a model such as gemini-2.5-flash, or *"),
    };
    let tier = match words.next() {
        Some("free") => Tier::Free,
        Some("paid") => Tier::Paid,
        _ => return Err("its second word must be free or paid"),
    };
    let mut limits = Limits::default();
    for word in words {
        let (name, value) = word.split_once('=').ok_or("its limits must be written as rpm=10")?;
        let value = whole(value)
            .filter(|value| *value > 0)
            .ok_or("a limit must be a whole number from 1")?;
        let limit = match name {
            "rpm" => &mut limits.requests_per_minute,
            "tpm" => &mut limits.tokens_per_minute,
            "rpd" => &mut limits.requests_per_day,
            "tpd" => &mut limits.tokens_per_day,
            "concurrent" => &mut limits.calls_at_once,
            _ => return Err("its limits must be rpm, tpm, rpd, tpd or concurrent"),
        };
        *limit = Some(value);
    }
    if limits == Limits::default() {
        return Err("it names no limit: add one such as rpm=10");
    }
    Ok(ModelLimits { model, tier, limits })
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
        check(duration, "90d", Some(Duration::from_secs(90 * 86_400)));
        for wrong in ["", "30", "s", "-1s", "+1s", "1.5s", "1w", "99999999999999999999h"] {
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
        assert_eq!(
            limits("gemini-2.5-flash free rpm=10 rpd=250; * paid concurrent=4;"),
            Ok(vec![flash, any])
        );
        for (wrong, entry, word) in [
            ("* free rpm=1; * free rpm=2", 2, "before"),
            ("flash", 1, "second word"),
            ("* paid rpm=1; flash free", 2, "no limit"),
            ("flash cheap rpm=1", 1, "free or paid"),
            ("a/b free rpm=1", 1, "first word"),
            ("flash free rpm=0", 1, "from 1"),
            ("flash free rpm", 1, "written as"),
            ("flash free rph=1", 1, "concurrent"),
        ] {
            let fault = limits(wrong).expect_err(wrong);
            assert!(fault.entry == entry && fault.what.contains(word), "{wrong}: {fault}");
        }
    }
}
