//! Every duration and bound the core uses, as plain values.

use core::time::Duration;

/// A wait that doubles from `first` up to `longest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubling {
    /// The first wait.
    pub first: Duration,
    /// No wait is longer.
    pub longest: Duration,
}

impl Doubling {
    /// The wait after `earlier` waits without a success between.
    #[must_use]
    pub fn wait(&self, earlier: u8) -> Duration {
        let factor = 1_u32.checked_shl(u32::from(earlier)).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

/// How fast one key may be used: `burst` calls at once, then one `every` so often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between two calls.
    pub every: Duration,
    /// Calls that may go together after a pause, at least 1.
    pub burst: u32,
}

/// The rules in numbers. `Default` is the product's table of outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a confirmed invalid key rests before it is probed again.
    pub invalid_probe_every: Duration,
    /// Probes of keys that need a person's setup.
    pub setup_probe: Doubling,
    /// How often an account without credit is probed.
    pub credit_probe_every: Duration,
    /// The least time between two probes of one key.
    pub probe_gap: Duration,
    /// The wait after probes that answered nothing about the key.
    pub unanswered_probe: Doubling,

    /// How long a project without any quota for a model is left alone.
    pub not_entitled: Duration,
    /// Added to the day's reset, spread by a hash over `day_jitter_min..=day_jitter_max`, so that keys do not all return in one instant.
    pub day_jitter_min: Duration,
    /// See `day_jitter_min`.
    pub day_jitter_max: Duration,
    /// Waits of a cell that still answers "day quota" after its reset.
    pub day_again: Doubling,
    /// Rest after a minute quota without advice.
    pub minute_default: Duration,
    /// Added to the provider's advice.
    pub minute_extra: Duration,
    /// The shortest rest after a minute quota.
    pub minute_min: Duration,
    /// The longest rest after a minute quota: longer advice is a day quota by definition.
    pub minute_max: Duration,
    /// Rests of an account that spends too fast.
    pub spend: Doubling,
    /// Rests of a key on a model after refusals without detail; the last one repeats.
    pub bare_429: [Duration; 4],
    /// How long a model the provider does not know is hidden.
    pub model_hidden: Duration,

    /// Failures in a row that open a model's breaker.
    pub breaker_in_a_row: u32,
    /// Last calls of a model that the breaker looks at; half of them failed opens it. At most 32.
    pub breaker_window: u32,
    /// How long an open breaker refuses, before one call may try.
    pub breaker: Doubling,
    /// Distinct projects refused without detail that mean "the provider", not "the key".
    pub storm_projects: usize,
    /// The refusals must come within this time.
    pub storm_window: Duration,
    /// How long the pool refuses after such a storm, before one call may try.
    pub storm: Doubling,

    /// A trial whose lease was lost is given up after this time.
    pub trial_lost_after: Duration,
    /// Advice to callers that find a trial under way.
    pub busy_retry: Duration,

    /// Most calls one request makes.
    pub attempts_max: u32,
    /// Calls after a first refusal without detail.
    pub bare_429_more: u32,
    /// Calls with the same key after an overload.
    pub overload_same_key: u32,
    /// Calls with the same key after a server failure.
    pub server_same_key: u32,
    /// Waits before a call with the same key, full jitter.
    pub same_key_wait: Doubling,
    /// Calls after no answer came.
    pub transport_more: u32,
    /// Calls after an answer without content.
    pub empty_more: u32,

    /// Calls a minute at which providers like to stop. While a cell's limit is unknown, the first call beyond one of these
    /// goes alone: a burst then meets an unknown limit with one refused call, not with all of its calls.
    pub usual_limits: &'static [u32],
    /// How long such a call may hold up the others.
    pub limit_test_max: Duration,
    /// Calls that may be made again after failures of the provider, in thousandths of the requests.
    pub retry_permille: u32,
    /// Projects that spend a day's quota within this time may be one project in truth.
    pub sibling_window: Duration,

    /// Most models the pool knows at once.
    pub models_max: usize,

    /// How fast one key may be used, over all models; `None` for as fast as asked.
    pub pace: Option<Pace>,
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

impl Default for Policy {
    fn default() -> Self {
        Self {
            invalid_probe_every: secs(6 * HOUR),
            setup_probe: Doubling {
                first: secs(5 * MINUTE),
                longest: secs(6 * HOUR),
            },
            credit_probe_every: secs(HOUR),
            probe_gap: secs(MINUTE),
            unanswered_probe: Doubling {
                first: secs(MINUTE),
                longest: secs(HOUR),
            },
            not_entitled: secs(24 * HOUR),
            day_jitter_min: secs(30),
            day_jitter_max: secs(120),
            day_again: Doubling {
                first: secs(5 * MINUTE),
                longest: secs(HOUR),
            },
            minute_default: secs(60),
            minute_extra: secs(1),
            minute_min: secs(2),
            minute_max: secs(300),
            spend: Doubling {
                first: secs(60),
                longest: secs(10 * MINUTE),
            },
            bare_429: [secs(5), secs(15), secs(60), secs(300)],
            model_hidden: secs(HOUR),
            breaker_in_a_row: 5,
            breaker_window: 20,
            breaker: Doubling {
                first: secs(5),
                longest: secs(60),
            },
            storm_projects: 3,
            storm_window: secs(10),
            storm: Doubling {
                first: secs(5),
                longest: secs(60),
            },
            trial_lost_after: secs(15 * MINUTE),
            busy_retry: secs(1),
            attempts_max: 8,
            bare_429_more: 2,
            overload_same_key: 2,
            server_same_key: 1,
            same_key_wait: Doubling {
                first: secs(1),
                longest: secs(4),
            },
            transport_more: 1,
            empty_more: 1,
            usual_limits: &[2, 5, 10, 15, 20, 30, 60, 100, 150, 300, 500, 1_000, 2_000],
            limit_test_max: secs(2),
            retry_permille: 70,
            sibling_window: secs(10),
            models_max: 256,
            pace: None,
        }
    }
}
