//! What one seed plans: the provider's projects, the keys, and everything that goes wrong, item by item, so that a
//! failing plan can be made smaller.

mod draw;

use pool::{Strategy, Tier};

pub(crate) const SECOND_MS: u64 = 1_000;
pub(crate) const MINUTE_MS: u64 = 60 * SECOND_MS;
pub(crate) const HOUR_MS: u64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: u64 = 24 * HOUR_MS;
/// Faults happen for so long.
pub(crate) const HORIZON_MS: u64 = 48 * HOUR_MS;
/// Milliseconds since the epoch at the start: noon where days begin at multiples of 24 hours.
pub(crate) const START_MS: u64 = 20_000 * DAY_MS + DAY_MS / 2;

pub(crate) const MODELS: [&str; 2] = ["pro", "flash"];

/// One project's true quota for one model; none where unlimited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    pub(crate) requests_per_minute: Option<u64>,
    pub(crate) tokens_per_minute: Option<u64>,
    pub(crate) requests_per_day: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ProjectPlan {
    pub(crate) account: u64,
    pub(crate) tier: Tier,
    pub(crate) quotas: [Quota; 2],
}

/// A secret: the provider knows its project, the pool may believe it to be alone in one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretPlan {
    pub(crate) project: usize,
    pub(crate) is_project_known: bool,
    pub(crate) priority: i32,
    pub(crate) weight: u32,
    /// Without it the pool has one key less.
    pub(crate) is_used: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failing {
    Overloaded,
    Broken,
    Unreachable,
    Mixed,
}

/// What goes wrong. Numbers of secrets and projects are places in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of one model or all; `permille` of the calls fail.
    Outage {
        model: Option<usize>,
        permille: u64,
        how: Failing,
    },
    /// Everybody gets a 429 without detail.
    Storm,
    /// One secret does.
    BareRefusals {
        secret: usize,
    },
    Invalid {
        secret: usize,
    },
    Revoked {
        secret: usize,
        whole_project: bool,
        for_good: bool,
    },
    NeedsSetup {
        secret: usize,
        whole_project: bool,
    },
    NoCredit {
        account: u64,
    },
    SpendsTooFast {
        account: u64,
    },
    /// The provider still counts yesterday.
    SlowReset,
    ZeroLimit {
        project: usize,
        model: usize,
    },
    ModelGone {
        model: usize,
    },
    RegionRefused,
    /// Answers take up to so long.
    Slow {
        longest_ms: u64,
    },
    /// Blocked, empty, truncated and unknown answers.
    OddAnswers {
        permille: u64,
    },
    BadPrompts {
        permille: u64,
    },
    Leavers {
        permille: u64,
    },
    Burst {
        gap_ms: u64,
    },
    ClockStep {
        by_ms: i64,
    },
    Restart {
        crash: bool,
    },
    Paused,
    Choosing(Strategy),
    SwitchTo {
        secret: usize,
    },
    ResetAll,
    ResetKey {
        secret: usize,
    },
    ResetCell {
        secret: usize,
        model: usize,
    },
    SwitchedOff {
        secret: usize,
    },
    Removed {
        secret: usize,
    },
    /// The pool learns that the secret belongs to another's project.
    Regrouped {
        secret: usize,
    },
}

/// How many kinds there are.
pub(crate) const KINDS: usize = 28;

/// From `from_ms` (included) until `until_ms` (excluded), counted from the start. What happens in one instant has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) from_ms: u64,
    pub(crate) until_ms: u64,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// No item acts after it.
    pub(crate) horizon_ms: u64,
    pub(crate) projects: Vec<ProjectPlan>,
    pub(crate) secrets: Vec<SecretPlan>,
    pub(crate) strategy: Strategy,
    pub(crate) request_gap_ms: u64,
    /// The pool is told the true limits in advance.
    pub(crate) is_configured: bool,
    /// How many of the minute refusals say when to come back, and how many of all refusals name the limit.
    pub(crate) advice_permille: u64,
    pub(crate) named_permille: u64,
    /// A free call finds an account without credit.
    pub(crate) probe_sees_bill: bool,
    /// Requests wait for `retry_at` as long as their deadline allows.
    pub(crate) is_patient: bool,
    pub(crate) has_fallback_model: bool,
    pub(crate) items: Vec<Item>,
}

impl Plan {
    /// Items of this kind that hold at `at_ms`.
    pub(crate) fn active(&self, at_ms: u64) -> impl Iterator<Item = Kind> {
        let horizon_ms = self.horizon_ms;
        self.items.iter().filter_map(move |item| {
            let began = item.from_ms <= at_ms && item.from_ms < horizon_ms;
            (began && at_ms < item.end_ms(horizon_ms)).then_some(item.kind)
        })
    }

    /// The provider has forgotten the secret for good.
    pub(crate) fn is_lost(&self, secret: usize) -> bool {
        self.items.iter().any(|item| {
            let Kind::Revoked {
                secret: revoked,
                whole_project,
                for_good: true,
            } = item.kind
            else {
                return false;
            };
            item.from_ms < self.horizon_ms && self.hits(revoked, whole_project, secret)
        })
    }

    /// Does a fault of `faulty` concern `secret`?
    pub(crate) fn hits(&self, faulty: usize, whole_project: bool, secret: usize) -> bool {
        faulty == secret || (whole_project && self.secrets[faulty].project == self.secrets[secret].project)
    }
}

impl Item {
    pub(crate) const fn end_ms(&self, horizon_ms: u64) -> u64 {
        let for_good = matches!(self.kind, Kind::Revoked { for_good: true, .. });
        if for_good || self.until_ms < horizon_ms {
            self.until_ms
        } else {
            horizon_ms
        }
    }
}
