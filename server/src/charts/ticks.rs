use app::charts::Unit;

/// An axis from zero to `top` in equal intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) top: f64,
    pub(super) intervals: u32,
}

/// Steps that people count in.
const ROUND: [f64; 4] = [1.0, 2.0, 2.5, 5.0];

/// So few lines are hard to read a value from.
const INTERVALS_MIN: u32 = 3;

/// The lowest axis of round steps that `highest` fits on; of two as low, the one with more steps. One with too few steps
/// only where there is no other.
pub(super) fn scale(highest: f64, unit: Unit, intervals_max: u32) -> Scale {
    // Next to nothing has no power of ten that a number can hold.
    if highest < 1e-9 {
        return nothing(unit);
    }
    let power = highest.log10().floor() as i32;
    let steps = (power - 1..=power).flat_map(|power| ROUND.map(|round| round * 10_f64.powi(power)));
    let fitting = steps.filter(|step| is_said_whole(*step, unit)).map(|step| {
        // A step that is nearly a whole number of times in it is so in truth.
        let intervals = (highest / step - 1e-9).ceil().max(1.0);
        Scale {
            top: step * intervals,
            intervals: intervals as u32,
        }
    });
    let few = |scale: &Scale| INTERVALS_MIN.saturating_sub(scale.intervals);
    let best = fitting
        .filter(|scale| scale.intervals <= intervals_max)
        .min_by(|left, right| {
            let lower = few(left).cmp(&few(right)).then(left.top.total_cmp(&right.top));
            lower.then(right.intervals.cmp(&left.intervals))
        });
    // Less than the smallest step.
    best.unwrap_or(Scale {
        top: highest.max(1.0),
        intervals: 1,
    })
}

/// Half a request has no line, and a share has at most two decimals.
fn is_said_whole(step: f64, unit: Unit) -> bool {
    match unit {
        Unit::Count | Unit::Milliseconds => step.fract() == 0.0,
        Unit::Percent => step >= 0.1,
    }
}

fn nothing(unit: Unit) -> Scale {
    let top = match unit {
        Unit::Count => 1.0,
        Unit::Percent => 100.0,
        Unit::Milliseconds => 1_000.0,
    };
    Scale { top, intervals: 1 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        let check = |highest, unit, top, intervals| {
            let found = scale(highest, unit, 5);
            let near = f64::abs(found.top - top) < 1e-9;
            assert!(near && found.intervals == intervals, "{highest} {unit:?}: {found:?}");
        };
        check(0.0, Unit::Count, 1.0, 1);
        check(0.0, Unit::Percent, 100.0, 1);
        check(0.4, Unit::Count, 1.0, 1);
        check(1.0, Unit::Count, 1.0, 1);
        check(3.0, Unit::Count, 3.0, 3);
        check(5.0, Unit::Count, 5.0, 5);
        check(7.0, Unit::Count, 8.0, 4);
        check(42.0, Unit::Count, 50.0, 5);
        check(75.0, Unit::Count, 75.0, 3);
        check(1_204.0, Unit::Count, 1_250.0, 5);
        check(97.8, Unit::Percent, 100.0, 5);
        check(100.0, Unit::Percent, 100.0, 5);
        check(0.3, Unit::Percent, 0.3, 3);
        check(0.004, Unit::Percent, 1.0, 1);
        check(1_900.0, Unit::Milliseconds, 2_000.0, 4);
    }

    proptest! {
        #[test]
        fn every_value_fits_and_lines_are_few(highest in 1e-12_f64..1e20, intervals_max in 3_u32..8) {
            for unit in [Unit::Count, Unit::Percent, Unit::Milliseconds] {
                let found = scale(highest, unit, intervals_max);
                prop_assert!(found.top >= highest * (1.0 - 1e-8) && found.top.is_finite(), "{found:?}");
                prop_assert!((1..=intervals_max).contains(&found.intervals), "{found:?}");
            }
        }

        #[test]
        fn a_share_of_all_has_no_axis_beyond_all(highest in 0.0_f64..=100.0) {
            prop_assert!(scale(highest, Unit::Percent, 4).top <= 100.0);
        }
    }
}
