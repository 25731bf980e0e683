//! How long calls took, as a distribution that can be merged: a histogram whose bins grow by 4 percent each.
//!
//! The bins are those of DDSketch (Masson, Rim, Lee: DDSketch, VLDB 2019) with a relative error of 2 percent. It is ours
//! because both stores add to bins where they lie: MongoDB increments a field per bin, SQLite merges two encoded sketches.

/// What a percentile may be off by.
pub const RELATIVE_ERROR: f64 = 0.02;
/// A bin's upper bound is this many times that of the one before it.
const GAMMA: f64 = (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR);
/// Longer than any request lives.
const MS_MAX: u64 = 24 * 3_600_000;

/// Milliseconds of many calls. Merging two is the same as adding all of both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latency {
    /// Those that are not empty, in order: mostly few, so a list is quicker than a tree.
    bins: Vec<(u16, u64)>,
}

impl Latency {
    pub fn add(&mut self, ms: u64) {
        self.add_to_bin(bin_of(ms), 1);
    }

    /// Of a bin as [`Latency::bins`] gave it.
    pub fn add_to_bin(&mut self, bin: u16, count: u64) {
        if count == 0 {
            return;
        }
        match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(place) => {
                if let Some((_, sum)) = self.bins.get_mut(place) {
                    *sum = sum.saturating_add(count);
                }
            }
            Err(place) => self.bins.insert(place, (bin, count)),
        }
    }

    pub fn merge(&mut self, other: &Self) {
        if let [(bin, count)] = other.bins[..] {
            return self.add_to_bin(bin, count);
        }
        let mut merged = Vec::with_capacity(self.bins.len() + other.bins.len());
        let mut rest = other.bins.iter().copied().peekable();
        for &(bin, count) in &self.bins {
            while let Some(before) = rest.next_if(|(theirs, _)| *theirs < bin) {
                merged.push(before);
            }
            let same = rest.next_if(|(theirs, _)| *theirs == bin);
            merged.push((bin, count.saturating_add(same.map_or(0, |(_, count)| count))));
        }
        merged.extend(rest);
        self.bins = merged;
    }

    /// Bins that are not empty, in order, each with its count.
    pub fn bins(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.bins.iter().copied()
    }

    pub fn count(&self) -> u64 {
        self.bins.iter().map(|(_, count)| count).sum()
    }

    /// The time that this part (0 to 1) of the calls did not exceed, by the nearest-rank method; `None` without calls.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank among counts below 2^53"
    )]
    pub fn quantile(&self, part: f64) -> Option<u64> {
        let count = self.count();
        let rank = ((part.clamp(0.0, 1.0) * count as f64).ceil() as u64).max(1);
        let mut seen = 0_u64;
        self.bins.iter().find_map(|&(bin, in_bin)| {
            seen = seen.saturating_add(in_bin);
            (seen >= rank).then(|| middle_of(bin))
        })
    }

    /// Pairs of numbers in the order of the bins: how far the bin is from the one before it, and its count; both as LEB128.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bins.len() * 3);
        let mut last = 0_u16;
        for (bin, count) in self.bins() {
            write_number(&mut bytes, u64::from(bin - last));
            write_number(&mut bytes, count);
            last = bin;
        }
        bytes
    }

    /// Adds what [`Latency::encode`] wrote; false, and nothing more is added, where that ends or makes no sense.
    pub fn add_encoded(&mut self, bytes: &[u8]) -> bool {
        let mut added = Self::default();
        let is_whole = decode(bytes, |bin, count| added.add_to_bin(bin, count));
        self.merge(&added);
        is_whole
    }
}

/// The sum of any number of them: a few are merged, many are added up with a place for every bin.
#[derive(Debug, Clone, Default)]
pub struct Total {
    few: Latency,
    /// How many are in `few`.
    merged: u32,
    counts: Vec<u64>,
}

/// More of them pay for the places.
const FEW: u32 = 8;

impl Total {
    /// As [`Latency::add_encoded`].
    pub fn add_encoded(&mut self, bytes: &[u8]) -> bool {
        if self.merged < FEW {
            self.merged += 1;
            return self.few.add_encoded(bytes);
        }
        decode(bytes, |bin, count| {
            let bin = usize::from(bin);
            if bin >= self.counts.len() {
                self.counts.resize(bin + 1, 0);
            }
            if let Some(sum) = self.counts.get_mut(bin) {
                *sum = sum.saturating_add(count);
            }
        })
    }

    pub fn add(&mut self, latency: &Latency) {
        self.few.merge(latency);
    }

    pub fn into_latency(self) -> Latency {
        let mut sum = self.few;
        let bins = (0..=u16::MAX).zip(self.counts).filter(|(_, count)| *count > 0);
        sum.merge(&Latency { bins: bins.collect() });
        sum
    }
}

fn decode(mut bytes: &[u8], mut found: impl FnMut(u16, u64)) -> bool {
    let mut bin = 0_u16;
    while !bytes.is_empty() {
        let (Some(step), Some(count)) = (read_number(&mut bytes), read_number(&mut bytes)) else {
            return false;
        };
        let Some(next) = u16::try_from(step).ok().and_then(|step| bin.checked_add(step)) else {
            return false;
        };
        bin = next;
        found(bin, count);
    }
    true
}

/// Bin 0 holds what took no whole millisecond; bin n+1 what took more than γⁿ⁻¹ and at most γⁿ.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most ln(86,400,000) / ln(1.04) = 457"
)]
fn bin_of(ms: u64) -> u16 {
    match ms.min(MS_MAX) {
        0 => 0,
        ms => ((ms as f64).ln() / GAMMA.ln()).ceil() as u16 + 1,
    }
}

/// The value whose relative distance to both ends of the bin is the same.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bins end at a day of milliseconds"
)]
fn middle_of(bin: u16) -> u64 {
    match bin {
        0 => 0,
        bin => (2.0 * GAMMA.powi(i32::from(bin) - 1) / (GAMMA + 1.0)).round() as u64,
    }
}

fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(times: &[u64]) -> Latency {
        let mut latency = Latency::default();
        for &ms in times {
            latency.add(ms);
        }
        latency
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Latency::default().quantile(0.5), None);
        assert!(Latency::default().encode().is_empty());
    }

    #[test]
    fn quantiles_are_those_of_the_nearest_rank() {
        let latency = of(&[0, 1, 10, 100, 1000]);
        let found = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0].map(|part| latency.quantile(part).unwrap());
        assert_eq!(found, [0, 0, 1, 10, 102, 993], "within 2 percent");
    }

    #[test]
    fn an_encoding_that_ends_early_is_refused() {
        let bytes = of(&[5, 5000]).encode();
        assert!(!Latency::default().add_encoded(&bytes[..bytes.len() - 1]));
        assert!(!Latency::default().add_encoded(&[0xff; 12]));
        assert!(!Latency::default().add_encoded(&[0xff, 0xff, 0x7f, 1]));
    }

    proptest! {
        #[test]
        fn a_total_of_many_is_their_sum(parts in prop::collection::vec(prop::collection::vec(0_u64..400_000, 0..20), 0..20)) {
            let mut total = Total::default();
            for part in &parts {
                prop_assert!(total.add_encoded(&of(part).encode()));
            }
            prop_assert_eq!(total.into_latency(), of(&parts.concat()));
        }

        #[test]
        fn a_quantile_is_within_two_percent(mut times in prop::collection::vec(0_u64..400_000, 1..200), part in 0.0..=1.0_f64) {
            let found = of(&times).quantile(part).unwrap();
            times.sort_unstable();
            let rank = ((part * times.len() as f64).ceil() as usize).max(1);
            let exact = times[rank - 1] as f64;
            // Half a millisecond comes from rounding.
            prop_assert!((found as f64 - exact).abs() <= exact * RELATIVE_ERROR + 0.5, "{found} for {exact}");
        }

        #[test]
        fn merging_is_adding_all_of_both(left in prop::collection::vec(any::<u64>(), 0..50), right in prop::collection::vec(any::<u64>(), 0..50)) {
            let mut merged = of(&left);
            merged.merge(&of(&right));
            let mut encoded = Latency::default();
            prop_assert!(encoded.add_encoded(&of(&right).encode()));
            prop_assert!(encoded.add_encoded(&of(&left).encode()));
            prop_assert_eq!(&merged, &of(&[left, right].concat()));
            prop_assert_eq!(merged, encoded);
        }
    }
}
