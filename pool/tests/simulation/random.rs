//! The only source of chance: `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).

#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Each `purpose` draws from a stream of its own, so that a smaller plan still meets the same arrivals.
    pub(crate) const fn new(seed: u64, purpose: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95) ^ purpose.wrapping_mul(0x2545_F491_4F6C_DD1D))
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `bound`; zero for zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(bound)) >> 64).unwrap()
    }

    /// From `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    pub(crate) fn in_thousand(&mut self, permille: u64) -> bool {
        self.below(1_000) < permille
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    /// Short gaps often, long ones rarely: the sum of two draws over the mean, at least 1 ms.
    pub(crate) fn gap_ms(&mut self, mean_ms: u64) -> u64 {
        let (first, second) = (self.below(mean_ms), self.below(mean_ms));
        (first * second / mean_ms.max(1) * 4).max(1)
    }
}
