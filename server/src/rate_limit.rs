//! How much each caller may ask of us. Who is over the limit is told when to come back.
//!
//! The generic cell rate algorithm (ITU-T I.371): a caller may send its whole quota at once, which then comes back evenly over
//! the window. A caller's state is one instant, so a store that several servers share can hold it behind the same face.
//!
//! By hand and not with the `governor` crate: that keeps as many keys as it is given, forgets nothing when the clock is set
//! back (a caller would stay refused for as long as the clock was moved), cannot ask two limits and take from both or neither,
//! and knows no quota of a key's own.

mod buckets;
mod gcra;

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pool::Timestamp;

use crate::clock::Clock;
use crate::config::RateLimit;
use crate::network::subscriber;
use buckets::{Buckets, Key};
use gcra::Quota;

const MINUTE: Duration = Duration::from_secs(60);

/// Who is asked to keep to a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller<'a> {
    User(&'a str),
    /// Counts for its owner, so that more tokens are not more requests, and for itself where it has a limit.
    Token {
        owner: &'a str,
        id: &'a str,
        requests_per_minute: Option<u32>,
    },
    /// Who has no credential, or a bad one.
    Address(IpAddr),
}

/// A limit that was asked, as it is after the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// `caller` or `token`.
    pub policy: &'static str,
    pub quota: u64,
    pub window: Duration,
    pub remaining: u64,
    /// Until the whole quota is there again.
    pub reset_after: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Every limit that applies; none when limits are off.
    pub standings: Vec<Standing>,
    /// Over the limit: time until one more request is taken.
    pub retry_after: Option<Duration>,
}

impl Decision {
    pub fn allowed(&self) -> bool {
        self.retry_after.is_none()
    }

    /// The limit that will refuse first.
    pub fn tightest(&self) -> Option<&Standing> {
        let slowest_first = |standing: &&Standing| (standing.remaining, std::cmp::Reverse(standing.reset_after));
        self.standings.iter().min_by_key(slowest_first)
    }
}

pub struct RateLimiter {
    /// Of every caller; absent when switched off.
    general: Option<Quota>,
    clock: Clock,
    buckets: Mutex<Buckets>,
}

impl RateLimiter {
    pub fn new(limit: RateLimit, clock: Clock) -> Self {
        Self {
            general: Quota::new(limit.requests, limit.window),
            clock,
            buckets: Mutex::new(Buckets::default()),
        }
    }

    /// Takes one request, from every limit that applies or from none.
    pub fn take(&self, caller: &Caller<'_>) -> Decision {
        let limits = self.limits(caller);
        if limits.is_empty() {
            return Decision {
                standings: Vec::new(),
                retry_after: None,
            };
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        buckets.tidy(now);
        let wait = limits
            .iter()
            .filter_map(|limit| limit.quota.wait(buckets.spent_until(&limit.key), now))
            .max();
        if wait.is_none() {
            for limit in &limits {
                let after = limit.quota.after_one(buckets.spent_until(&limit.key), now);
                buckets.set(limit.key.clone(), after, now);
            }
        }
        let standings = limits.iter().map(|limit| limit.standing(&buckets, now)).collect();
        Decision {
            standings,
            retry_after: wait,
        }
    }

    fn limits(&self, caller: &Caller<'_>) -> Vec<Limit> {
        let (who, own) = match caller {
            Caller::User(id) => (Key::User((*id).to_owned()), None),
            Caller::Token {
                owner,
                id,
                requests_per_minute,
            } => {
                let quota = requests_per_minute.and_then(|requests| Quota::new(u64::from(requests), MINUTE));
                let own = quota.map(|quota| Limit {
                    policy: "token",
                    key: Key::Token((*id).to_owned()),
                    quota,
                });
                (Key::User((*owner).to_owned()), own)
            }
            Caller::Address(address) => (Key::Address(subscriber(*address)), None),
        };
        let general = self.general.map(|quota| Limit {
            policy: "caller",
            key: who,
            quota,
        });
        general.into_iter().chain(own).collect()
    }
}

struct Limit {
    policy: &'static str,
    key: Key,
    quota: Quota,
}

impl Limit {
    fn standing(&self, buckets: &Buckets, now: Timestamp) -> Standing {
        let spent_until = buckets.spent_until(&self.key);
        Standing {
            policy: self.policy,
            quota: self.quota.requests,
            window: self.quota.window,
            remaining: self.quota.remaining(spent_until, now),
            reset_after: self.quota.reset_after(spent_until, now),
        }
    }
}

#[cfg(test)]
mod tests;
