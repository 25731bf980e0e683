//! Who waits, and whose turn it is.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use pool::{Exhausted, ModelId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Wish;
use crate::shared_pool::LeaseGuard;

/// Handed out lately: what the estimate is made of.
const HANDOUTS_KEPT: usize = 32;
const HANDOUTS_FOR: Duration = Duration::from_secs(60);
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) waiters: BTreeMap<Order, Waiter>,
    /// The server stops.
    pub(super) is_closed: bool,
    by_model: BTreeMap<ModelId, u32>,
    /// The last turn each waiting caller took.
    turns: BTreeMap<String, Turns>,
    /// The turn that is served now.
    turn: u64,
    joined: u64,
    handouts: VecDeque<Instant>,
}

/// First the turn, then who came first. (Start-time fair queueing, Goyal et al., 1996.)
pub(super) type Order = (u64, u64);

#[derive(Debug, Clone, Copy)]
struct Turns {
    last: u64,
    waiting: u32,
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) wish: Wish,
    pub(super) until: Instant,
    pub(super) exhausted: Exhausted,
    pub(super) answer: oneshot::Sender<Result<LeaseGuard, Exhausted>>,
}

impl Line {
    /// How many wait for the model.
    pub(super) fn waiting_for(&self, model: ModelId) -> u32 {
        self.by_model.get(&model).copied().unwrap_or(0)
    }

    pub(super) fn join(&mut self, waiter: Waiter) -> Order {
        let turns = self.turns.entry(waiter.wish.caller.clone());
        let turns = turns
            .and_modify(|turns| turns.last = (turns.last + 1).max(self.turn))
            .or_insert(Turns {
                last: self.turn,
                waiting: 0,
            });
        turns.waiting += 1;
        self.joined += 1;
        let order = (turns.last, self.joined);
        *self.by_model.entry(waiter.wish.model).or_insert(0) += 1;
        self.waiters.insert(order, waiter);
        order
    }

    pub(super) fn leave(&mut self, order: Order) -> Option<Waiter> {
        let waiter = self.waiters.remove(&order)?;
        if let Some(waiting) = self.by_model.get_mut(&waiter.wish.model) {
            *waiting -= 1;
            if *waiting == 0 {
                self.by_model.remove(&waiter.wish.model);
            }
        }
        if let Some(turns) = self.turns.get_mut(&waiter.wish.caller) {
            turns.waiting -= 1;
            if turns.waiting == 0 {
                self.turns.remove(&waiter.wish.caller);
            }
        }
        Some(waiter)
    }

    pub(super) fn hand_out(&mut self, order: Order, lease: LeaseGuard) {
        let Some(waiter) = self.leave(order) else { return };
        self.turn = self.turn.max(order.0);
        let now = Instant::now();
        while self.handouts.len() >= HANDOUTS_KEPT || self.handouts.front().is_some_and(|at| now - *at > HANDOUTS_FOR) {
            self.handouts.pop_front();
        }
        self.handouts.push_back(now);
        // To who left meanwhile nothing is sent: the lease reports itself when it is dropped.
        let _ = waiter.answer.send(Ok(lease));
    }

    /// The time between two leases, as of late; nothing while there were too few.
    pub(super) fn pace(&self) -> Duration {
        let Some((first, last)) = self.handouts.front().zip(self.handouts.back()) else {
            return Duration::ZERO;
        };
        let gaps = u32::try_from(self.handouts.len().saturating_sub(1)).unwrap_or(u32::MAX);
        (*last - *first).checked_div(gaps).unwrap_or_default()
    }
}
