//! Which rollups a stretch of time is put together from: the longest that fit, so that a year reads little more than a day.

use pool::Timestamp;

use crate::store::{Level, Piece};

/// Covers the time from `from` to before `to` with rollups no longer than `longest`. Ends that lie within the finest
/// rollup that there still is at `now` are moved outwards to its bounds.
pub fn pieces(from: Timestamp, to: Timestamp, longest: Level, now: Timestamp) -> Vec<Piece> {
    let finest = |at: Timestamp| {
        let is_kept = |level: &Level| level.kept().is_none_or(|kept| level.start_of(at) >= now.minus(kept));
        Level::ALL.into_iter().find(is_kept).unwrap_or(Level::Day)
    };
    let from = finest(from).start_of(from);
    let to = ceil(to, finest(to));
    let mut pieces = Vec::new();
    cover(&mut pieces, from, to, longest);
    pieces
}

fn cover(pieces: &mut Vec<Piece>, from: Timestamp, to: Timestamp, level: Level) {
    if from >= to {
        return;
    }
    let (first, last) = (ceil(from, level), level.start_of(to));
    let finer = match level {
        Level::Day => Some(Level::Hour),
        Level::Hour => Some(Level::Quarter),
        Level::Quarter => Some(Level::Minute),
        Level::Minute => None,
    };
    let whole = (first < last).then_some(Piece {
        level,
        from: first,
        to: last,
    });
    match (whole, finer) {
        (Some(piece), Some(finer)) => {
            cover(pieces, from, first, finer);
            pieces.push(piece);
            cover(pieces, last, to, finer);
        }
        (Some(piece), None) => pieces.push(piece),
        (None, Some(finer)) => cover(pieces, from, to, finer),
        // Both ends are whole minutes, so there is nothing left.
        (None, None) => {}
    }
}

fn ceil(at: Timestamp, level: Level) -> Timestamp {
    let start = level.start_of(at);
    if start == at {
        at
    } else {
        Timestamp::from_millis(start.as_millis().saturating_add(level.ms()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const NOW: u64 = 20_000 * DAY + 13 * HOUR + 7 * MINUTE + 30_000;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// Level, and how many intervals before the present day's start it begins and how many there are.
    #[track_caller]
    fn check(from: u64, to: u64, longest: Level, expected: &[(Level, u64, u64)]) {
        let found: Vec<_> = pieces(at(from), at(to), longest, at(NOW))
            .into_iter()
            .map(|piece| {
                let (from, to) = (piece.from.as_millis(), piece.to.as_millis());
                (piece.level, from, (to - from) / piece.level.ms())
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_stretch_is_covered_by_the_longest_that_fit() {
        let day = 20_000 * DAY;
        check(day - DAY, day, Level::Day, &[(Level::Day, day - DAY, 1)]);
        check(day - DAY, day, Level::Hour, &[(Level::Hour, day - DAY, 24)]);
        check(
            day - 10 * HOUR - 20 * MINUTE,
            day + 46 * MINUTE,
            Level::Day,
            &[
                (Level::Minute, day - 10 * HOUR - 20 * MINUTE, 5),
                (Level::Quarter, day - 10 * HOUR - 15 * MINUTE, 1),
                (Level::Hour, day - 10 * HOUR, 10),
                (Level::Quarter, day, 3),
                (Level::Minute, day + 45 * MINUTE, 1),
            ],
        );
    }

    #[test]
    fn ends_that_are_too_old_for_their_minute_are_moved_outwards() {
        let day = 19_990 * DAY;
        check(
            day + 16 * MINUTE,
            day + 20 * MINUTE,
            Level::Day,
            &[(Level::Quarter, day + 15 * MINUTE, 1)],
        );
        let old = 19_000 * DAY;
        check(old + HOUR, old + 2 * HOUR, Level::Day, &[(Level::Day, old, 1)]);
    }

    #[test]
    fn nothing_has_no_pieces() {
        check(NOW, NOW - DAY, Level::Day, &[]);
        check(DAY, DAY, Level::Day, &[]);
    }

    proptest! {
        #[test]
        fn pieces_follow_each_other_without_gap(from in 0..2 * NOW, length in 0..900 * DAY, longest in 0..4_usize) {
            let longest = Level::ALL[longest];
            let found = pieces(at(from), at(from + length), longest, at(NOW));
            for piece in &found {
                prop_assert!(piece.level <= longest || piece.level == Level::Day);
                prop_assert_eq!(piece.level.start_of(piece.from), piece.from);
                prop_assert!(piece.from < piece.to);
                if longest == Level::Day {
                    let oldest = piece.level.kept().map_or(0, |kept| at(NOW).minus(kept).as_millis());
                    prop_assert!(piece.to.as_millis() > oldest, "{:?} is not kept any more", piece);
                }
                prop_assert_eq!((piece.to.as_millis() - piece.from.as_millis()) % piece.level.ms(), 0);
            }
            for pair in found.windows(2) {
                prop_assert_eq!(pair[0].to, pair[1].from);
            }
            if let (Some(first), Some(last)) = (found.first(), found.last()) {
                prop_assert!(first.from.as_millis() <= from && last.to.as_millis() >= from + length);
            }
        }
    }
}
