//! What one request has tried so far, and what it may try next.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    key::{AccountId, KeyId, ProjectId, Tier},
    lease::LeaseFacts,
    model::ModelId,
    outcome::Outcome,
    policy::{Doubling, Policy},
};

/// What a request does after an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait, then acquire again with this journey. If that is refused, no key is left for this model: wait until
    /// [`Exhausted::retry_at`](crate::Exhausted::retry_at) if the deadline allows, else take the fallback model or stop.
    Again {
        /// Zero when another key takes over.
        after: Duration,
        /// The next lease prefers the key just used.
        same_key: bool,
    },
    /// This model will not do: acquire with the fallback model, if there is one, else stop.
    FallbackModel,
    /// Return what there is.
    Stop,
}

/// What an attempt ruled out for the rest of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Excluded {
    Key(KeyId),
    Project(ProjectId),
    Account(AccountId),
    /// The cell is out of quota: the project may still serve another model.
    Cell {
        project: ProjectId,
        model: ModelId,
        brief: bool,
    },
    /// The key failed on the model through the model's fault.
    KeyOnModel {
        key: KeyId,
        model: ModelId,
    },
}

/// One request's attempts. Hand it to every `acquire` of the request, and tell it every outcome.
///
/// It is bounded: at most `attempts_max` calls, none with a project that said its quota is used up, and after a
/// failure of the provider only the few repetitions of the policy.
#[derive(Clone, Debug)]
pub struct Journey {
    bounds: Bounds,
    attempts: u32,
    excluded: Vec<Excluded>,
    stay_on: Option<KeyId>,
    /// The next lease prefers any other key.
    avoid: Option<KeyId>,
    paid_only: bool,
    /// The last call failed through the provider's fault: the next one repeats it.
    repeats: bool,
    trouble: Trouble,
}

#[derive(Clone, Debug)]
struct Bounds {
    attempts_max: u32,
    bare_429_more: u32,
    overload_same_key: u32,
    server_same_key: u32,
    same_key_wait: Doubling,
    transport_more: u32,
    empty_more: u32,
}

/// Failures that are nobody's quota, counted per model: a fallback model starts afresh.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    model: Option<ModelId>,
    overloads: u32,
    server_failures: u32,
    switched: bool,
    bare_429: u32,
    transport: u32,
    empty: u32,
}

impl Journey {
    /// A request that has tried nothing yet.
    #[must_use]
    pub const fn new(policy: &Policy) -> Self {
        Self {
            bounds: Bounds {
                attempts_max: policy.attempts_max,
                bare_429_more: policy.bare_429_more,
                overload_same_key: policy.overload_same_key,
                server_same_key: policy.server_same_key,
                same_key_wait: policy.same_key_wait,
                transport_more: policy.transport_more,
                empty_more: policy.empty_more,
            },
            attempts: 0,
            excluded: Vec::new(),
            stay_on: None,
            avoid: None,
            paid_only: false,
            repeats: false,
            trouble: Trouble {
                model: None,
                overloads: 0,
                server_failures: 0,
                switched: false,
                bare_429: 0,
                transport: 0,
                empty: 0,
            },
        }
    }

    /// Calls made so far.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Takes in how a call ended and says what the request does next. `sent_on`: some content already went to the
    /// caller, so nothing may be repeated. `chance`: any random number, it spreads the wait.
    #[must_use = "the answer decides whether the request goes on"]
    pub fn after(&mut self, lease: &LeaseFacts, outcome: &Outcome, sent_on: bool, chance: u64) -> Next {
        self.attempts = self.attempts.saturating_add(1);
        (self.stay_on, self.avoid) = (None, None);
        self.repeats = outcome.is_provider_failure();
        if self.trouble.model != Some(lease.model) {
            self.trouble = Trouble {
                model: Some(lease.model),
                ..Trouble::default()
            };
        }
        if sent_on {
            return Next::Stop;
        }
        let next = self.judge(lease, outcome, chance);
        match next {
            Next::Again { .. } | Next::FallbackModel if self.is_over() => Next::Stop,
            Next::Again { same_key, .. } => {
                self.stay_on = same_key.then_some(lease.key);
                next
            }
            Next::FallbackModel | Next::Stop => next,
        }
    }

    /// The caller has waited for [`Exhausted::retry_at`](crate::Exhausted::retry_at): projects excluded for a short rest
    /// count again. Worth calling only when the wait fits the request's deadline.
    pub fn waited(&mut self) {
        self.excluded
            .retain(|excluded| !matches!(excluded, Excluded::Cell { brief: true, .. }));
    }

    fn judge(&mut self, lease: &LeaseFacts, outcome: &Outcome, chance: u64) -> Next {
        match outcome {
            Outcome::Success { .. }
            | Outcome::Blocked { .. }
            | Outcome::Truncated
            | Outcome::Cancelled
            | Outcome::CallerFault
            | Outcome::FileForeign
            | Outcome::Unknown => Next::Stop,
            Outcome::ModelGone => Next::FallbackModel,
            Outcome::InvalidKey
            | Outcome::Revoked { whole_project: false }
            | Outcome::KeyConfig { whole_project: false } => self.without(Excluded::Key(lease.key)),
            Outcome::Revoked { whole_project: true } | Outcome::KeyConfig { whole_project: true } => {
                self.without(Excluded::Project(lease.project))
            }
            Outcome::Billing | Outcome::Spend => self.without(Excluded::Account(lease.account)),
            Outcome::DayQuota { .. } | Outcome::ZeroLimit => self.without(cell(lease, false)),
            Outcome::MinuteQuota { .. } => self.without(cell(lease, true)),
            Outcome::Region => self.after_region(lease),
            Outcome::Bare429 => {
                self.trouble.bare_429 += 1;
                if self.trouble.bare_429 > self.bounds.bare_429_more {
                    return Next::Stop;
                }
                self.without(cell(lease, true))
            }
            Outcome::Overload => {
                self.trouble.overloads += 1;
                let stay = self.trouble.overloads <= self.bounds.overload_same_key;
                self.after_provider_failure(lease, stay, chance)
            }
            Outcome::Server => {
                self.trouble.server_failures += 1;
                let stay = self.trouble.server_failures <= self.bounds.server_same_key;
                self.after_provider_failure(lease, stay, chance)
            }
            Outcome::Transport => {
                self.trouble.transport += 1;
                if self.trouble.transport > self.bounds.transport_more {
                    return Next::Stop;
                }
                // The key is not to blame, but who knows what hangs on it: the only key is asked again.
                self.avoid = Some(lease.key);
                Next::Again {
                    after: Duration::ZERO,
                    same_key: false,
                }
            }
            Outcome::Empty => {
                self.trouble.empty += 1;
                if self.trouble.empty > self.bounds.empty_more {
                    return Next::Stop;
                }
                Next::Again {
                    after: Duration::ZERO,
                    same_key: false,
                }
            }
        }
    }

    fn without(&mut self, excluded: Excluded) -> Next {
        if !self.excluded.contains(&excluded) {
            self.excluded.push(excluded);
        }
        Next::Again {
            after: Duration::ZERO,
            same_key: false,
        }
    }

    /// Our location is refused to free keys; one paid key may tell otherwise.
    const fn after_region(&mut self, lease: &LeaseFacts) -> Next {
        if self.paid_only || matches!(lease.tier, Tier::Paid) {
            return Next::Stop;
        }
        self.paid_only = true;
        Next::Again {
            after: Duration::ZERO,
            same_key: false,
        }
    }

    /// The key is not to blame: stay on it a little, look at one other in case it is served elsewhere, then leave the model.
    fn after_provider_failure(&mut self, lease: &LeaseFacts, stay: bool, chance: u64) -> Next {
        if self.trouble.switched {
            return Next::FallbackModel;
        }
        if stay {
            let failures = self.trouble.overloads + self.trouble.server_failures;
            let earlier = u8::try_from(failures.saturating_sub(1)).unwrap_or(u8::MAX);
            let after = jittered(self.bounds.same_key_wait.wait(earlier), chance);
            return Next::Again { after, same_key: true };
        }
        self.trouble.switched = true;
        self.without(Excluded::KeyOnModel {
            key: lease.key,
            model: lease.model,
        })
    }

    /// Nothing restricts the choice.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.excluded.is_empty() && self.stay_on.is_none() && self.avoid.is_none() && !self.paid_only
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.attempts >= self.bounds.attempts_max
    }

    /// Nothing was called yet.
    pub(crate) const fn is_new(&self) -> bool {
        self.attempts == 0
    }

    /// The next call counts against the retry budget.
    pub(crate) const fn repeats(&self) -> bool {
        self.repeats
    }

    pub(crate) const fn stay_on(&self) -> Option<KeyId> {
        self.stay_on
    }

    pub(crate) const fn avoid(&self) -> Option<KeyId> {
        self.avoid
    }

    pub(crate) const fn paid_only(&self) -> bool {
        self.paid_only
    }

    /// `brief`: also what was excluded only for a short rest.
    pub(crate) fn allows_project(&self, project: ProjectId, account: AccountId, model: ModelId, brief: bool) -> bool {
        self.excluded.iter().all(|excluded| match *excluded {
            Excluded::Project(excluded) => excluded != project,
            Excluded::Account(excluded) => excluded != account,
            Excluded::Cell {
                project: p,
                model: m,
                brief: short,
            } => p != project || m != model || (short && !brief),
            Excluded::Key(_) | Excluded::KeyOnModel { .. } => true,
        })
    }

    pub(crate) fn allows_key(&self, key: KeyId, model: ModelId) -> bool {
        self.excluded.iter().all(|excluded| match *excluded {
            Excluded::Key(excluded) => excluded != key,
            Excluded::KeyOnModel { key: k, model: m } => k != key || m != model,
            Excluded::Project(_) | Excluded::Account(_) | Excluded::Cell { .. } => true,
        })
    }
}

const fn cell(lease: &LeaseFacts, brief: bool) -> Excluded {
    Excluded::Cell {
        project: lease.project,
        model: lease.model,
        brief,
    }
}

/// Anything from zero to `longest`, by chance: callers that failed together do not return together.
fn jittered(longest: Duration, chance: u64) -> Duration {
    let longest_ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(scaled(chance, longest_ms.saturating_add(1)))
}

/// A number below `bound` (zero for zero), spread evenly by `chance`.
pub(crate) const fn scaled(chance: u64, bound: u64) -> u64 {
    ((chance as u128 * bound as u128) >> 64) as u64
}
