use super::Unit;
use crate::text;

/// Sizes of counts, largest first, with their letters.
const SIZES: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];

impl Unit {
    /// A value as a table says it: 18,204, 97.8 %, 1.9 s.
    pub fn exact(self, value: f64) -> String {
        if !value.is_finite() {
            return text::NEVER.to_owned();
        }
        match self {
            // An average may have a fraction.
            Self::Count if value.fract() != 0.0 && value < 100.0 => trimmed(value, 1),
            Self::Count => text::count(value.round() as u64),
            Self::Percent => format!("{value:.1} %"),
            Self::Milliseconds => text::took(value.round() as u64),
        }
    }

    /// A value as short as it can be, for an axis: 1.2k, 95 %, 850 ms, 1.9 s.
    pub fn short(self, value: f64) -> String {
        match self {
            Self::Percent => format!("{} %", trimmed(value, 2)),
            _ if value == 0.0 => "0".to_owned(),
            Self::Milliseconds if value < 1e3 => format!("{} ms", trimmed(value, 2)),
            Self::Milliseconds => format!("{} s", sized(value / 1e3)),
            Self::Count => sized(value),
        }
    }
}

fn sized(value: f64) -> String {
    if value >= 1e15 {
        return format!("{value:.1e}");
    }
    match SIZES.iter().find(|(size, _)| value >= *size) {
        Some((size, letter)) => format!("{}{letter}", trimmed(value / size, 2)),
        None => trimmed(value, 2),
    }
}

/// At most so many decimals, and no zeros at their end.
fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_short_words() {
        let check = |unit: Unit, value, words| assert_eq!(unit.short(value), words);
        check(Unit::Count, 0.0, "0");
        check(Unit::Count, 750.0, "750");
        check(Unit::Count, 1_200.0, "1.2k");
        check(Unit::Count, 2_500_000.0, "2.5M");
        check(Unit::Count, 3e300, "3.0e300");
        check(Unit::Percent, 0.0, "0 %");
        check(Unit::Percent, 95.0, "95 %");
        check(Unit::Percent, 0.25, "0.25 %");
        check(Unit::Milliseconds, 0.0, "0");
        check(Unit::Milliseconds, 850.0, "850 ms");
        check(Unit::Milliseconds, 1_900.0, "1.9 s");
        check(Unit::Milliseconds, 3_000.0, "3 s");
    }

    #[test]
    fn a_table_has_the_value_itself() {
        let check = |unit: Unit, value, words| assert_eq!(unit.exact(value), words);
        check(Unit::Count, 18_204.0, "18,204");
        check(Unit::Count, 2.5, "2.5");
        check(Unit::Percent, 97.84, "97.8 %");
        check(Unit::Milliseconds, 1_949.6, "1.9 s");
        check(Unit::Count, f64::NAN, text::NEVER);
        check(Unit::Count, f64::INFINITY, text::NEVER);
    }
}
