//! Failures that no key can help: of one model, and of the whole provider.

use alloc::vec::Vec;

use crate::{
    model::ModelId,
    policy::Policy,
    rest::{Rest, Serial},
    time::Timestamp,
};

/// Refuses a model that keeps failing, so that callers are told at once and the provider is left in peace.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    pub(crate) rest: Rest,
    in_a_row: u32,
    /// Newest call in the lowest bit; set where it failed.
    window: u32,
    seen: u32,
}

impl Breaker {
    /// The model answered.
    pub(crate) fn answer(&mut self, call: Serial) {
        if self.rest.is_late(call) {
            return;
        }
        self.rest.succeed(call);
        self.in_a_row = 0;
        self.push(false);
    }

    /// The model failed. Returns the end of the refusal if this opened the breaker. Calls that were under way before it
    /// opened count no more: they fail for the reason already known.
    pub(crate) fn failure(
        &mut self,
        call: Serial,
        newest_call: Serial,
        policy: &Policy,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if self.rest.is_late(call) {
            return None;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.push(true);
        let half_open = !self.rest.is_open();
        if !half_open && self.in_a_row < policy.breaker_in_a_row && !self.half_failed(policy) {
            return None;
        }
        let until = now.plus(policy.breaker.wait(self.rest.grow(call)));
        self.rest.rest(until, newest_call);
        (self.in_a_row, self.window, self.seen) = (0, 0, 0);
        Some(until)
    }

    const fn push(&mut self, failed: bool) {
        self.window = self.window << 1 | failed as u32;
        self.seen = self.seen.saturating_add(1);
    }

    const fn half_failed(&self, policy: &Policy) -> bool {
        let size = if policy.breaker_window > u32::BITS {
            u32::BITS
        } else {
            policy.breaker_window
        };
        if size == 0 || self.seen < size {
            return false;
        }
        let mask = u32::MAX >> (u32::BITS - size);
        (self.window & mask).count_ones() * 2 >= size
    }

    /// A person's reset. True if there was anything to clear.
    pub(crate) fn reinstate(&mut self) -> bool {
        let closed = !self.rest.is_open();
        *self = Self::default();
        closed
    }
}

/// A refusal without detail that may turn out to be the provider's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) at: Timestamp,
    pub(crate) project: u32,
    pub(crate) key: u32,
    pub(crate) model: ModelId,
}

/// What a refusal without detail means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The key rests.
    Key,
    /// The provider is known to refuse everybody.
    Known,
    /// The provider refuses everybody, as this refusal shows: the earlier ones are forgiven.
    Storm { until: Timestamp, forgiven: Vec<Refusal> },
}

/// Refusals without detail from several projects at once: the provider is in trouble, not the keys.
#[derive(Debug)]
pub(crate) struct Storm {
    pub(crate) rest: Rest,
    recent: Vec<Refusal>,
}

impl Storm {
    pub(crate) const fn new() -> Self {
        Self {
            rest: Rest::new(),
            recent: Vec::new(),
        }
    }

    /// `live_projects`: how many projects could be refused at all; counted up to the policy's bound.
    pub(crate) fn refused(
        &mut self,
        refusal: Refusal,
        call: Serial,
        newest_call: Serial,
        live_projects: usize,
        policy: &Policy,
    ) -> Meaning {
        let open = self.rest.is_open();
        if self.rest.is_late(call) && !open {
            return Meaning::Known;
        }
        let now = refusal.at;
        self.recent.retain(|earlier| {
            let same = (earlier.key, earlier.model) == (refusal.key, refusal.model);
            !same && now.since(earlier.at) <= policy.storm_window
        });
        self.recent.push(refusal);
        let needed = policy.storm_projects.min(live_projects.max(1));
        if open && self.distinct_projects() < needed {
            return Meaning::Key;
        }
        let until = now.plus(policy.storm.wait(self.rest.grow(call)));
        self.rest.rest(until, newest_call);
        Meaning::Storm {
            until,
            forgiven: core::mem::take(&mut self.recent),
        }
    }

    fn distinct_projects(&self) -> usize {
        let mut seen: Vec<u32> = self.recent.iter().map(|refusal| refusal.project).collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    }

    pub(crate) fn answer(&mut self, call: Serial) {
        if !self.rest.is_open() {
            self.rest.succeed(call);
        }
    }

    /// The places of a removed project will be used again.
    pub(crate) fn forget_project(&mut self, project: u32) {
        self.recent.retain(|refusal| refusal.project != project);
    }

    pub(crate) fn forget_key(&mut self, key: u32) {
        self.recent.retain(|refusal| refusal.key != key);
    }

    pub(crate) fn reinstate(&mut self) {
        *self = Self::new();
    }
}
