//! Delays as the provider writes them.

use std::time::Duration;

/// Nothing waits longer than a day on the provider's word.
const DELAY_SECS_MAX: f64 = 86_400.0;

/// A delay at the start of `text`, such as `21s`, `45.57s`, `964.97ms` or `7h3m21.5s`; what follows it is ignored.
/// `None` when there is none. Absurdly long ones are a day.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim_start();
    let mut secs = None;
    while let Some((number, after)) = split_number(rest) {
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let Some(unit_secs) = unit_secs(unit) else { break };
        secs = Some(secs.unwrap_or(0.0) + number * unit_secs);
        rest = after;
    }
    secs.map(|secs: f64| Duration::from_secs_f64(secs.min(DELAY_SECS_MAX)))
}

/// The delay that the words "Please retry in …" name.
pub(super) fn in_words(message_lowercase: &str) -> Option<Duration> {
    let (_, after) = message_lowercase.split_once("retry in ")?;
    parse(after)
}

/// `Retry-After` in seconds. A date is not understood: the provider sends none, and it would need a clock.
pub(super) fn header(value: &str) -> Option<Duration> {
    let secs: u32 = value.trim().parse().ok()?;
    Some(Duration::from_secs_f64(f64::from(secs).min(DELAY_SECS_MAX)))
}

fn split_number(text: &str) -> Option<(f64, &str)> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    Some((number.parse().ok()?, rest))
}

fn unit_secs(unit: &str) -> Option<f64> {
    match unit {
        "h" => Some(3600.0),
        "m" => Some(60.0),
        "s" => Some(1.0),
        "ms" => Some(1e-3),
        "us" | "µs" => Some(1e-6),
        "ns" => Some(1e-9),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, millis: u64) {
        let parsed = parse(text).unwrap_or_else(|| panic!("{text:?} is a delay"));
        assert_eq!(parsed.as_micros().div_ceil(1000), u128::from(millis), "{text:?}");
    }

    #[test]
    fn delays_are_read_in_every_unit_seen() {
        check("0s", 0);
        check("21s", 21_000);
        check("45.57s", 45_570);
        check("964.972314ms", 965);
        check("7h3m21.5s", 25_401_500);
        check("2m", 120_000);
        check("21.4s. Then try again.", 21_400);
        check("21.4s.\n", 21_400);
    }

    #[test]
    fn absurd_delays_are_a_day() {
        check("1000000000000000000000000000000000000000s", 86_400_000);
        check(&format!("{}s", "9".repeat(400)), 86_400_000);
        assert_eq!(header("4294967295"), Some(Duration::from_secs(86_400)));
    }

    #[test]
    fn what_is_no_delay_is_none() {
        for text in ["", "s", "-5s", "NaNs", "infs", "1.2.3s", ".s", "5 minutes", "a moment"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(header("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(in_words("please try again later."), None);
    }

    #[test]
    fn words_and_headers_name_delays_too() {
        assert_eq!(
            in_words("quota exceeded.\nplease retry in 21.5s."),
            Some(Duration::from_millis(21_500))
        );
        assert_eq!(header(" 30 "), Some(Duration::from_secs(30)));
    }
}
