//! Keys as the shell describes them, and what may be wrong with one.

use core::fmt;

use crate::time::Timestamp;

/// A key's stable name, given by the shell. The secret stays with the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u64);

/// The project that owns a key: the provider counts quota per project and model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectId(pub u64);

/// The billing account behind a project: credit and spend limits hang on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u64);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a key costs. Free keys are chosen before paid ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Calls cost nothing.
    Free,
    /// Calls are billed.
    Paid,
}

/// One key as the shell configured it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Stable name, never reused.
    pub id: KeyId,
    /// Display order, 1-based. Ties are broken by `id`.
    pub number: u32,
    /// Owner of the quota.
    pub project: ProjectId,
    /// Owner of the bill. A project's keys share one account; the last key upserted decides.
    pub account: AccountId,
    /// Free or paid, as the project is billed.
    pub tier: Tier,
    /// Within a tier a higher priority is chosen first.
    pub priority: i32,
    /// Share of the calls under [`Strategy::Weighted`](crate::Strategy::Weighted), beside the other usable keys of its
    /// tier and priority; 0 counts as 1.
    pub weight: u32,
    /// False while a person has switched the key off.
    pub enabled: bool,
}

/// What stands between a key and *any* call, whatever the model. Quota is not here: it belongs to cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Nothing is known against the key.
    Ready,
    /// A call was refused as coming from an invalid key; a free call decides at `probe_at`.
    Suspect {
        /// When the free call is due.
        probe_at: Timestamp,
    },
    /// Confirmed invalid; looked at again at `probe_at`.
    Invalid {
        /// When the free call is due.
        probe_at: Timestamp,
    },
    /// The key or its project must be set up by a person (service disabled, referrer blocked, …).
    NeedsSetup {
        /// When the free call is due.
        probe_at: Timestamp,
    },
    /// The billing account has no credit.
    NoCredit {
        /// When the free call is due.
        probe_at: Timestamp,
    },
    /// The billing account spends too fast.
    SpendLimited {
        /// When the account may try again.
        until: Timestamp,
    },
    /// Leaked, suspended or denied: only a person can bring it back.
    Revoked,
    /// Switched off by a person.
    Disabled,
}

impl KeyState {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Suspect { .. } => "suspect",
            Self::Invalid { .. } => "invalid",
            Self::NeedsSetup { .. } => "needs_setup",
            Self::NoCredit { .. } => "no_credit",
            Self::SpendLimited { .. } => "spend_limited",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
        }
    }
}
