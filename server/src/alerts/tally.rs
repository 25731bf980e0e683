//! Events of a stretch of time, added up the way rules look at them.

use std::collections::BTreeMap;

use crate::latency::Latency;
use crate::store::Rollup;

/// Error types that say something about a caller and nothing about the service.
const OF_CALLERS: [&str; 3] = ["bad_request", "blocked", "cancelled"];

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    pub count: u64,
    pub successes: u64,
}

impl Share {
    pub fn failures(&self) -> u64 {
        self.count.saturating_sub(self.successes)
    }

    fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.successes = self.successes.saturating_add(other.successes);
    }

    fn remove(&mut self, other: Self) {
        self.count = self.count.saturating_sub(other.count);
        self.successes = self.successes.saturating_sub(other.successes);
    }
}

/// What callers got wrong is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub all: Share,
    /// By key number, where the events were calls with a key.
    pub keys: BTreeMap<u32, Share>,
    /// Of successes, by the bin of [`Latency`].
    times: BTreeMap<u16, u64>,
}

impl Tally {
    /// Adds a row that is of one outcome, and of one key where keys matter.
    pub fn add_row(&mut self, row: &Rollup) {
        if row.error_type.as_deref().is_some_and(|name| OF_CALLERS.contains(&name)) {
            return;
        }
        let share = Share {
            count: row.sums.count,
            successes: row.sums.successes,
        };
        self.all.add(share);
        if let Some(number) = row.key_number {
            self.keys.entry(number).or_default().add(share);
        }
        if row.error_type.is_none() {
            for (bin, count) in row.times.bins() {
                *self.times.entry(bin).or_default() += count;
            }
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.all.add(other.all);
        for (number, share) in &other.keys {
            self.keys.entry(*number).or_default().add(*share);
        }
        for (bin, count) in &other.times {
            *self.times.entry(*bin).or_default() += count;
        }
    }

    /// Takes out what was added before.
    pub(super) fn remove(&mut self, other: &Self) {
        self.all.remove(other.all);
        for (number, share) in &other.keys {
            let sum = self.keys.entry(*number).or_default();
            sum.remove(*share);
            if sum.count == 0 {
                self.keys.remove(number);
            }
        }
        for (bin, count) in &other.times {
            let sum = self.times.entry(*bin).or_default();
            *sum = sum.saturating_sub(*count);
            if *sum == 0 {
                self.times.remove(bin);
            }
        }
    }

    /// Of the response times of successes, in milliseconds; `None` without any.
    pub(super) fn p95(&self) -> Option<u64> {
        let mut times = Latency::default();
        for (bin, count) in &self.times {
            times.add_to_bin(*bin, *count);
        }
        times.quantile(0.95)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::Sums;

    fn row(key_number: Option<u32>, error_type: Option<&str>, ms: &[u64]) -> Rollup {
        let count = ms.len() as u64;
        let mut times = Latency::default();
        ms.iter().for_each(|ms| times.add(*ms));
        Rollup {
            key_number,
            error_type: error_type.map(str::to_owned),
            sums: Sums {
                count,
                successes: if error_type.is_none() { count } else { 0 },
                ..Sums::default()
            },
            times,
            ..Rollup::default()
        }
    }

    #[test]
    fn what_callers_got_wrong_is_left_out_and_failures_have_no_times() {
        let mut tally = Tally::default();
        for name in OF_CALLERS {
            tally.add_row(&row(Some(1), Some(name), &[90_000]));
        }
        assert_eq!(tally, Tally::default());
        tally.add_row(&row(Some(1), None, &[100, 100]));
        tally.add_row(&row(Some(2), Some("timeout"), &[60_000]));
        assert_eq!(tally.all, Share { count: 3, successes: 2 });
        assert_eq!((tally.keys[&1].failures(), tally.keys[&2].failures()), (0, 1));
        assert!(tally.p95().is_some_and(|ms| ms.abs_diff(100) <= 2));
    }

    proptest! {
        #[test]
        fn what_is_taken_out_again_leaves_no_trace(
            rows in prop::collection::vec((0..4_u32, 0..3_u8, prop::collection::vec(0..5_000_u64, 1..4)), 0..20),
            split in 0..20_usize,
        ) {
            let part = |rows: &[(u32, u8, Vec<u64>)]| {
                let mut tally = Tally::default();
                for (key, kind, ms) in rows {
                    let error = ["", "quota", "blocked"][usize::from(*kind)];
                    tally.add_row(&row((*key > 0).then_some(*key), Some(error).filter(|name| !name.is_empty()), ms));
                }
                tally
            };
            let split = split.min(rows.len());
            let (first, second) = (part(&rows[..split]), part(&rows[split..]));
            let mut sum = first.clone();
            sum.add(&second);
            prop_assert_eq!(&sum, &part(&rows));
            sum.remove(&first);
            prop_assert_eq!(sum, second);
        }
    }
}
