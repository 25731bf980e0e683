//! The only source of chance: `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). It
//! is ours because a seed is to mean the same events in every version.

#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One for a thing that always has the same chance, such as a minute.
    pub(super) fn of(seed: u64, thing: u64) -> Self {
        Self(mix(seed ^ mix(thing)))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// From 0 to below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(super) fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Below `end`, which is not 0; small numbers come more often.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and a small number of things"
    )]
    pub(super) fn low(&mut self, end: usize) -> usize {
        let part = self.part();
        ((part * part * end as f64) as usize).min(end.saturating_sub(1))
    }

    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.part() < probability
    }

    /// The median of it is 1; two thirds lie within a factor of e to the `sigma`.
    pub(super) fn log_normal(&mut self, sigma: f64) -> f64 {
        // Box and Muller's; 1 - part is never 0.
        let radius = (-2.0 * (1.0 - self.part()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.part()).cos();
        (sigma * normal).exp()
    }

    /// Around a median, within sane bounds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to small numbers"
    )]
    pub(super) fn around(&mut self, median: f64, sigma: f64) -> u64 {
        (median * self.log_normal(sigma)).round().clamp(0.0, 1e6) as u64
    }
}

/// No two numbers have the same.
pub(super) fn mix(number: u64) -> u64 {
    let mut mixed = number;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
