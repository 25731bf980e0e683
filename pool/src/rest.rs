//! A rest and the trial after it: the one mechanism behind cooling cells, accounts, keys on a model, hidden models and breakers.

use crate::{snapshot::GateState, time::Timestamp};

/// Calls and rests are numbered in one sequence, so "was this call under way before the rest?" is a comparison.
pub(crate) type Serial = u64;

/// What a rest lets through at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Any number of calls.
    Open,
    /// One call.
    Trial,
    /// None, because the trial is under way; it counts as lost at `lost_at`.
    Busy { lost_at: Timestamp },
    /// None.
    Closed { until: Timestamp },
}

impl Gate {
    /// When a call may pass, the epoch if now.
    pub(crate) const fn passes_at(self) -> Timestamp {
        match self {
            Self::Open | Self::Trial => Timestamp::EPOCH,
            Self::Busy { lost_at } => lost_at,
            Self::Closed { until } => until,
        }
    }

    pub(crate) const fn view(self) -> GateState {
        match self {
            Self::Open => GateState::Open,
            Self::Trial => GateState::Trial,
            Self::Busy { .. } => GateState::Busy,
            Self::Closed { until } => GateState::Closed { until },
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    Resting {
        until: Timestamp,
    },
    /// The rest is over, nobody has tried yet.
    Waiting,
    Trying {
        holder: Serial,
        lost_at: Timestamp,
    },
}

/// ```text
/// Open ──rest──▶ Resting ──time──▶ Waiting ───try_begin───▶ Trying ──success──▶ Open
///                   ▲                 ▲                       │ │
///                   │                 └──any other outcome────┘ │
///                   └───────────────────rest────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rest {
    phase: Phase,
    /// The newest call when the rest began: calls up to it were under way before.
    since: Serial,
    /// Rests since the last success; rests grow with it.
    pub(crate) count: u8,
}

impl Rest {
    pub(crate) const fn new() -> Self {
        Self {
            phase: Phase::Open,
            since: 0,
            count: 0,
        }
    }

    pub(crate) fn gate(&self, now: Timestamp) -> Gate {
        match self.phase {
            Phase::Open => Gate::Open,
            Phase::Resting { until } if now < until => Gate::Closed { until },
            Phase::Trying { lost_at, .. } if now < lost_at => Gate::Busy { lost_at },
            Phase::Resting { .. } | Phase::Trying { .. } | Phase::Waiting => Gate::Trial,
        }
    }

    /// As [`gate`](Self::gate), and what has ended stays ended, also when the clock steps back.
    pub(crate) fn settle(&mut self, now: Timestamp) -> Gate {
        let gate = self.gate(now);
        if gate == Gate::Trial {
            self.phase = Phase::Waiting;
        }
        gate
    }

    /// When the rest or the trial must be [settled](Self::settle), the epoch if nothing is to be settled.
    pub(crate) const fn due(&self) -> Timestamp {
        match self.phase {
            Phase::Open | Phase::Waiting => Timestamp::EPOCH,
            Phase::Resting { until } => until,
            Phase::Trying { lost_at, .. } => lost_at,
        }
    }

    /// The end of a rest that has begun, whether or not it is over.
    pub(crate) const fn resting_until(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Resting { until } => Some(until),
            Phase::Open | Phase::Waiting | Phase::Trying { .. } => None,
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// The call was under way before the rest began.
    pub(crate) const fn is_late(&self, call: Serial) -> bool {
        call <= self.since
    }

    /// Counts one more rest and says how many came before it. Calls that were under way together fail together:
    /// only the first of them makes the next rest longer.
    pub(crate) const fn grow(&mut self, call: Serial) -> u8 {
        if self.is_late(call) {
            return self.count.saturating_sub(1);
        }
        let earlier = self.count;
        self.count = self.count.saturating_add(1);
        earlier
    }

    /// Rests until the later of `until` and what was decided before. True when `until` decided.
    pub(crate) fn rest(&mut self, until: Timestamp, newest_call: Serial) -> bool {
        if let Some(before) = self.resting_until()
            && until <= before
        {
            return false;
        }
        self.phase = Phase::Resting { until };
        self.since = newest_call;
        true
    }

    /// Makes this call the trial, if one is due.
    pub(crate) fn try_begin(&mut self, holder: Serial, now: Timestamp, lost_at: Timestamp) -> bool {
        let due = !self.is_open() && self.gate(now) == Gate::Trial;
        if due {
            self.phase = Phase::Trying { holder, lost_at };
        }
        due
    }

    /// The way out of a trial on every outcome; what the outcome says of the scope comes after. True if it was this call's trial.
    pub(crate) fn end_trial(&mut self, call: Serial) -> bool {
        let ended = matches!(self.phase, Phase::Trying { holder, .. } if holder == call);
        if ended {
            self.phase = Phase::Waiting;
        }
        ended
    }

    /// A call succeeded. True if that ended a trial or a waiting for one; calls that began before the rest prove nothing.
    pub(crate) fn succeed(&mut self, call: Serial) -> bool {
        if self.is_late(call) || (self.is_open() && self.count == 0) {
            return false;
        }
        self.clear();
        true
    }

    /// Ends no later than these instants, of the rest and of the trial.
    pub(crate) fn clamp(&mut self, rest: Timestamp, trial: Timestamp) {
        match &mut self.phase {
            Phase::Open | Phase::Waiting => {}
            Phase::Resting { until } => *until = rest.min(*until),
            Phase::Trying { lost_at, .. } => *lost_at = trial.min(*lost_at),
        }
    }

    /// A person's word, or a proof that the rest was a mistake.
    pub(crate) const fn clear(&mut self) {
        self.phase = Phase::Open;
        self.count = 0;
    }

    /// The next call is a trial.
    pub(crate) const fn await_trial(&mut self) {
        self.phase = Phase::Waiting;
    }
}
