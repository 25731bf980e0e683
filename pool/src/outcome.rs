//! What a provider's answer means. Adapters produce outcomes; everything else decides from them.

use core::time::Duration;

/// What a learned limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitUnit {
    /// Calls.
    Requests,
    /// Input tokens.
    Tokens,
}

/// A limit named in a provider's answer (`quotaValue`). The window follows from the outcome that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limit {
    /// What is counted.
    pub unit: LimitUnit,
    /// How many are allowed in the window.
    pub value: u64,
}

/// Whose fault an outcome is, and so what rests because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blame {
    /// Nothing went wrong, or nobody could help it.
    Nobody,
    /// This key alone.
    Key,
    /// All keys of the project.
    Project,
    /// The project's quota for this model.
    Cell,
    /// All projects of the billing account.
    Account,
    /// The model, whatever the key.
    Model,
    /// The provider's endpoint, or where we call it from.
    Provider,
    /// The request itself.
    Caller,
}

/// The meaning of one answer, or of its absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A complete answer.
    Success {
        /// Input tokens charged, as the provider counted them.
        tokens: u64,
    },
    /// The provider does not know the key. Confirmed by a free call before it counts.
    InvalidKey,
    /// Leaked, suspended or denied access.
    Revoked {
        /// The whole project was denied, not one key.
        whole_project: bool,
    },
    /// The key is real but must be set up: service disabled, method, referrer or address blocked.
    KeyConfig {
        /// Every key of the project is concerned.
        whole_project: bool,
    },
    /// Prepaid credit or spending cap used up.
    Billing,
    /// The provider does not serve our location without billing.
    Region,
    /// The project has no quota at all for this model.
    ZeroLimit,
    /// The day's quota is used up.
    DayQuota {
        /// The day limit, when the answer named it.
        limit: Option<Limit>,
    },
    /// The minute's quota is used up.
    MinuteQuota {
        /// The provider's advice.
        retry_after: Option<Duration>,
        /// The minute limit, when the answer named it.
        limit: Option<Limit>,
    },
    /// The account spends too fast.
    Spend,
    /// Refused as too many requests, without any detail.
    Bare429,
    /// The provider has no such model.
    ModelGone,
    /// The file belongs to another project or is gone.
    FileForeign,
    /// The request is wrong and would be wrong with every key.
    CallerFault,
    /// The model is overloaded (503).
    Overload,
    /// The provider failed (500, 502, 504).
    Server,
    /// No answer: name lookup, TLS, connect or read time-out.
    Transport,
    /// An answer that says why there is no content. Never retried.
    Blocked {
        /// Input tokens charged.
        tokens: u64,
    },
    /// A success without content, or a stream that ended too early before any content was sent on.
    Empty,
    /// The answer broke off after content was sent on. Never retried.
    Truncated,
    /// The caller went away.
    Cancelled,
    /// Nothing we know.
    Unknown,
}

impl Outcome {
    /// Who is to blame.
    #[must_use]
    pub const fn blame(&self) -> Blame {
        match self {
            Self::Success { .. } | Self::Blocked { .. } | Self::FileForeign | Self::Cancelled | Self::Unknown => {
                Blame::Nobody
            }
            Self::InvalidKey
            | Self::Revoked { whole_project: false }
            | Self::KeyConfig { whole_project: false }
            | Self::Bare429 => Blame::Key,
            Self::Revoked { whole_project: true } | Self::KeyConfig { whole_project: true } => Blame::Project,
            Self::ZeroLimit | Self::DayQuota { .. } | Self::MinuteQuota { .. } => Blame::Cell,
            Self::Billing | Self::Spend => Blame::Account,
            Self::ModelGone | Self::Overload | Self::Server | Self::Empty | Self::Truncated => Blame::Model,
            Self::Region | Self::Transport => Blame::Provider,
            Self::CallerFault => Blame::Caller,
        }
    }

    /// A stable word for logs, metrics and the request log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Success { .. } => "success",
            Self::InvalidKey => "invalid_key",
            Self::Revoked { .. } => "revoked",
            Self::KeyConfig { .. } => "key_config",
            Self::Billing => "billing",
            Self::Region => "region",
            Self::ZeroLimit => "zero_limit",
            Self::DayQuota { .. } => "day_quota",
            Self::MinuteQuota { .. } => "minute_quota",
            Self::Spend => "spend",
            Self::Bare429 => "bare_429",
            Self::ModelGone => "model_gone",
            Self::FileForeign => "file_foreign",
            Self::CallerFault => "caller_fault",
            Self::Overload => "overload",
            Self::Server => "server",
            Self::Transport => "transport",
            Self::Blocked { .. } => "blocked",
            Self::Empty => "empty",
            Self::Truncated => "truncated",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// True for a whole answer, even one without content because the provider blocked it.
    #[must_use]
    pub const fn is_answer(&self) -> bool {
        matches!(self, Self::Success { .. } | Self::Blocked { .. })
    }

    /// The call failed through no fault and no wish of the caller.
    pub(crate) const fn is_failure(&self) -> bool {
        !self.is_answer() && !matches!(self, Self::CallerFault | Self::FileForeign | Self::Cancelled)
    }

    /// No key could have helped, so a repetition is a burden on a provider in trouble.
    pub(crate) const fn is_provider_failure(&self) -> bool {
        matches!(self, Self::Overload | Self::Server | Self::Transport | Self::Empty)
    }

    /// Input tokens charged, `None` when the whole reservation is refunded. `reserved` stands in where the
    /// provider charged a call but did not say how much.
    pub(crate) const fn charged(&self, reserved: u64) -> Option<u64> {
        match self {
            Self::Success { tokens } | Self::Blocked { tokens } => Some(*tokens),
            Self::Empty | Self::Truncated => Some(reserved),
            Self::InvalidKey
            | Self::Revoked { .. }
            | Self::KeyConfig { .. }
            | Self::Billing
            | Self::Region
            | Self::ZeroLimit
            | Self::DayQuota { .. }
            | Self::MinuteQuota { .. }
            | Self::Spend
            | Self::Bare429
            | Self::ModelGone
            | Self::FileForeign
            | Self::CallerFault
            | Self::Overload
            | Self::Server
            | Self::Transport
            | Self::Cancelled
            | Self::Unknown => None,
        }
    }
}
