//! Permission for one call.

use crate::{
    journey::Journey,
    key::{AccountId, KeyId, ProjectId, Tier},
    model::ModelId,
    snapshot::{Counts, Verdict},
    time::Timestamp,
    usage::Reserved,
};

/// What one call needs.
#[derive(Clone, Copy, Debug)]
pub struct Want<'a> {
    /// The model to call.
    pub model: ModelId,
    /// Estimated input tokens, reserved until the report.
    pub tokens: u64,
    /// What the request tried before.
    pub journey: &'a Journey,
    /// The only project that can serve (it owns a file or cached content).
    pub owner: Option<ProjectId>,
}

/// The facts of a lease, free to copy and log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseFacts {
    /// The key to call with.
    pub key: KeyId,
    /// Its display number.
    pub number: u32,
    /// Owner of the quota.
    pub project: ProjectId,
    /// Owner of the bill.
    pub account: AccountId,
    /// Free or paid.
    pub tier: Tier,
    /// The model to call.
    pub model: ModelId,
    /// Input tokens reserved.
    pub tokens: u64,
    /// When the lease was given.
    pub issued_at: Timestamp,
    /// The call tries whether a rest is over; no other call of its scope starts before its report.
    pub trial: bool,
}

/// Permission for one call, spent by [`KeyPool::report`](crate::KeyPool::report). A lease that is not reported keeps
/// its reservation, so a shell reports [`Outcome::Cancelled`](crate::Outcome::Cancelled) when it drops one.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a lease must be reported, whatever happens to the call"]
pub struct Lease {
    pub(crate) facts: LeaseFacts,
    /// Orders leases and rests: a lease older than a rest was under way before it.
    pub(crate) serial: u64,
    pub(crate) key_slot: u32,
    pub(crate) project_slot: u32,
    pub(crate) account_slot: u32,
    /// The cell's place in its model's table.
    pub(crate) cell: u32,
    /// Nothing of its cell, key or account rested or waited for a trial.
    pub(crate) calm: bool,
    /// Where the project stood in its ready list: a guess by the time of the report.
    pub(crate) at: u32,
    /// [`KeyPool::accepted`](crate::KeyPool::accepted) was told.
    pub(crate) accepted: bool,
}

impl Lease {
    pub(crate) const fn reserved(&self) -> Reserved {
        Reserved {
            call: self.serial,
            tokens: self.facts.tokens,
            accepted: self.accepted,
        }
    }

    /// The facts of the lease.
    #[must_use]
    pub const fn facts(&self) -> LeaseFacts {
        self.facts
    }

    /// The key to call with.
    #[must_use]
    pub const fn key(&self) -> KeyId {
        self.facts.key
    }

    /// The model to call.
    #[must_use]
    pub const fn model(&self) -> ModelId {
        self.facts.model
    }
}

/// No lease for now, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// The pool's state in one word.
    pub verdict: Verdict,
    /// Keys by what is wrong with them, for the wanted model.
    pub counts: Counts,
    /// The soonest instant at which acquiring may succeed; `None` when only a person or a probe can help, or the journey has ended.
    pub retry_at: Option<Timestamp>,
}
