//! The pool as seen at one instant: plain values for pages, metrics and health checks.

use alloc::{string::String, vec::Vec};

use crate::{
    key::{Key, KeyState},
    quota::{Limits, Used},
    selection::Strategy,
    time::Timestamp,
};

/// What a project may do with one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellState {
    /// Calls may be made.
    Ready,
    /// A rest is over; the next call tries whether it holds.
    Trial,
    /// That call is under way; others wait for its end.
    Busy,
    /// The minute's quota is used up, or the provider refused without detail.
    Cooling {
        /// When the rest ends.
        until: Timestamp,
    },
    /// The day's quota is used up.
    Exhausted {
        /// When the rest ends: the provider's next day and some jitter.
        until: Timestamp,
    },
    /// The project has no quota for this model.
    NotEntitled {
        /// When the provider is asked again.
        until: Timestamp,
    },
}

impl CellState {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Trial => "trial",
            Self::Busy => "busy",
            Self::Cooling { .. } => "cooling",
            Self::Exhausted { .. } => "exhausted",
            Self::NotEntitled { .. } => "not_entitled",
        }
    }

    /// When the rest ends, `None` when there is none.
    #[must_use]
    pub const fn until(self) -> Option<Timestamp> {
        match self {
            Self::Ready | Self::Trial | Self::Busy => None,
            Self::Cooling { until } | Self::Exhausted { until } | Self::NotEntitled { until } => Some(until),
        }
    }
}

/// One key's sight of one model. Quota and counts are the project's: keys of one project show the same numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellView {
    /// Model name.
    pub model: String,
    /// May the key serve the model (the key's own state apart)?
    pub state: CellState,
    /// Calls under way.
    pub in_flight: u32,
    /// What was used in the running minute and day.
    pub used: Used,
    /// Known limits: learned ones before configured ones.
    pub limits: Limits,
    /// Smallest part left over all known limits, reservations included, in millionths.
    pub headroom_ppm: u32,
    /// Recent success, in thousandths.
    pub success_permille: u16,
    /// When the last answer came.
    pub last_success: Option<Timestamp>,
}

/// One key at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyView {
    /// As configured.
    pub key: Key,
    /// What stands between the key and any call.
    pub state: KeyState,
    /// Models this key's project was used with, in order of first use. Models that never answered are left out where
    /// there is nothing to tell.
    pub cells: Vec<CellView>,
    /// Calls leased since the process began.
    pub requests: u64,
    /// Answers since the process began.
    pub successes: u64,
    /// Calls since the process began that failed through no fault of the caller.
    pub failures: u64,
    /// When the last answer came.
    pub last_success: Option<Timestamp>,
}

/// Why a model, or the whole provider, is refused for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateState {
    /// Calls may be made.
    Open,
    /// The next call tries whether calls may be made again.
    Trial,
    /// That call is under way.
    Busy,
    /// No calls.
    Closed {
        /// When one call may try.
        until: Timestamp,
    },
}

/// One model at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelView {
    /// Model name.
    pub model: String,
    /// Closed while the provider says that there is no such model.
    pub hidden: GateState,
    /// Closed after too many failures.
    pub breaker: GateState,
    /// Answers without content since the process began.
    pub empty_answers: u64,
}

/// Each key counted once, under the one thing that matters most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All keys.
    pub total: u32,
    /// Can be leased now.
    pub available: u32,
    /// Waiting for a trial of its project to end.
    pub busy: u32,
    /// Out of daily quota.
    pub spent: u32,
    /// Resting for a short while: minute quota, refusals without detail, spending too fast.
    pub cooling: u32,
    /// No quota for the model.
    pub not_entitled: u32,
    /// The account has no credit.
    pub no_credit: u32,
    /// Waiting for a person's setup.
    pub needs_setup: u32,
    /// Refused as invalid, to be confirmed.
    pub suspect: u32,
    /// Confirmed invalid.
    pub invalid: u32,
    /// Leaked, suspended or denied.
    pub revoked: u32,
    /// Switched off by a person.
    pub disabled: u32,
}

/// The pool's state in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// At least one key can be leased.
    Serving,
    /// No key is configured.
    NoKeys,
    /// Every key is invalid, revoked or switched off.
    AllInvalid,
    /// Every key in use that has quota for the model has used up its day.
    AllSpent,
    /// Some keys have used up their day; the others fail for other reasons.
    PartlySpent,
    /// The model or the provider is refused for now, whatever the key.
    ProviderDown,
    /// Anything else, also: every usable key was tried by this request.
    Mixed,
}

impl Verdict {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::NoKeys => "no_keys",
            Self::AllInvalid => "all_invalid",
            Self::AllSpent => "all_spent",
            Self::PartlySpent => "partly_spent",
            Self::ProviderDown => "provider_down",
            Self::Mixed => "mixed",
        }
    }
}

/// The pool at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// All keys, by number.
    pub keys: Vec<KeyView>,
    /// Models the pool remembers, in order of first use.
    pub models: Vec<ModelView>,
    /// How the next key is chosen.
    pub strategy: Strategy,
    /// The key that `sticky` stays on.
    pub current: Option<crate::key::KeyId>,
    /// Over all models in use.
    pub verdict: Verdict,
    /// Over all models in use: a key counts as available when it can serve one of them.
    pub counts: Counts,
    /// Closed while the provider refuses everybody.
    pub provider: GateState,
    /// Since when the provider refuses our location to free keys.
    pub region_refused_since: Option<Timestamp>,
    /// When the provider's next day begins.
    pub next_reset: Timestamp,
}
