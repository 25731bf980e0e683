//! What must outlive the process, and what a call changed.

use alloc::{string::String, vec::Vec};

use crate::{
    key::{AccountId, KeyId, ProjectId},
    model::ModelId,
    quota::Limits,
    time::Timestamp,
};

/// Why a cell rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RestCause {
    /// The minute's quota, or a refusal without detail.
    Cooling,
    /// The day's quota.
    Exhausted,
    /// No quota for the model.
    NotEntitled,
}

/// A cell's rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredRest {
    /// Why.
    pub cause: RestCause,
    /// When it ends.
    pub until: Timestamp,
}

/// A fault of a key or of a whole project, the lightest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// To be confirmed by a probe.
    Suspect,
    /// A person must set it up.
    NeedsSetup,
    /// Confirmed invalid.
    Invalid,
    /// Only a person can bring it back.
    Revoked,
}

/// A fault as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredFault {
    /// What is wrong.
    pub fault: Fault,
    /// When a probe is due; [`Timestamp::MAX`] where no probe helps.
    pub probe_at: Timestamp,
    /// Probes that found it unchanged.
    pub probes: u8,
}

/// A billing account's trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredBilling {
    /// No credit.
    NoCredit {
        /// When a probe is due.
        probe_at: Timestamp,
    },
    /// Spends too fast.
    SpendLimited {
        /// When the rest ends.
        until: Timestamp,
        /// Rests since the last success.
        rests: u8,
    },
}

/// What lies in a cell's last 60 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredMinute {
    /// Calls accepted.
    pub requests: u32,
    /// Their input tokens.
    pub tokens: u64,
    /// When the last of them was.
    pub last_at: Timestamp,
}

/// One fact about the pool, with names that outlive the process. A newer record about the same subject replaces an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A key's own fault, `None` when there is none (any more).
    Key {
        /// Subject.
        key: KeyId,
        /// What is wrong with it.
        fault: Option<StoredFault>,
    },
    /// A whole project's fault.
    Project {
        /// Subject.
        project: ProjectId,
        /// What is wrong with it.
        fault: Option<StoredFault>,
    },
    /// A billing account's trouble.
    Account {
        /// Subject.
        account: AccountId,
        /// What is wrong with it.
        billing: Option<StoredBilling>,
    },
    /// A project's quota for a model.
    Cell {
        /// Subject.
        project: ProjectId,
        /// Subject.
        model: String,
        /// The rest, if any.
        rest: Option<StoredRest>,
        /// Provider's reset that the last exhaustion waited for, `None` after a success.
        spent_until_reset: Option<Timestamp>,
        /// Retries after that reset.
        day_retries: u8,
        /// Learned limits.
        learned: Limits,
        /// When an answer last named one of them.
        learned_at: Timestamp,
        /// What counts against the minute's limits, `None` when nothing did.
        minute: Option<StoredMinute>,
        /// Calls charged in the day that ends at `day_end`.
        requests_today: u64,
        /// Input tokens charged in that day.
        tokens_today: u64,
        /// End of the counted day.
        day_end: Timestamp,
    },
    /// A key that is refused on one model without detail.
    KeyOnModel {
        /// Subject.
        key: KeyId,
        /// Subject.
        model: String,
        /// When the rest ends, `None` when there is none (any more).
        until: Option<Timestamp>,
        /// Rests since the last success.
        rests: u8,
    },
    /// A model the provider does not know.
    Model {
        /// Subject.
        model: String,
        /// When the provider is asked again, `None` when it knows the model (again).
        hidden_until: Option<Timestamp>,
    },
}

/// Something a person may want to hear about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A key was refused as invalid; a probe decides.
    KeySuspect(KeyId),
    /// A probe confirmed that a key is invalid.
    KeyInvalid(KeyId),
    /// A key was leaked, suspended or denied. Critical.
    KeyRevoked(KeyId),
    /// A whole project was denied. Critical.
    ProjectRevoked(ProjectId),
    /// A key must be set up by a person.
    KeyNeedsSetup(KeyId),
    /// A project must be set up by a person.
    ProjectNeedsSetup(ProjectId),
    /// A billing account has no credit.
    NoCredit(AccountId),
    /// The provider refuses our location.
    RegionRefused,
    /// A project has used up a model's day.
    Exhausted {
        /// Subject.
        project: ProjectId,
        /// Subject.
        model: ModelId,
        /// When it returns.
        until: Timestamp,
    },
    /// Two projects spent a model's day within seconds, the second before its own count had reached the limit: they may be
    /// one project.
    SuspectedSiblings {
        /// Subject.
        first: ProjectId,
        /// Subject.
        second: ProjectId,
        /// Subject.
        model: ModelId,
    },
    /// The provider does not know a model.
    ModelHidden(ModelId),
    /// A model fails for everybody.
    BreakerOpened {
        /// Subject.
        model: ModelId,
        /// When one call may try.
        until: Timestamp,
    },
    /// The provider refuses everybody.
    ProviderRefuses {
        /// When one call may try.
        until: Timestamp,
    },
    /// A key is usable again after a fault.
    KeyRecovered(KeyId),
}

/// What a report changed. A plain success changes nothing worth storing and allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "records must be stored and notices told"]
pub struct Changes {
    /// What must be stored before a restart.
    pub records: Vec<Record>,
    /// What a person may want to hear.
    pub notices: Vec<Notice>,
}

impl Changes {
    /// True when there is nothing to store or tell.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty() && self.notices.is_empty()
    }

    pub(crate) fn record(&mut self, record: Record) {
        self.records.push(record);
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }
}
