//! Requests that wait for a key, in a fair order: callers take turns, and each caller's requests go in the order they came.
//!
//! A new request joins those who wait for its model. Of those in line one with fewer tokens may pass one for which there is
//! no room yet; apart from that nobody overtakes. One task ([`run`]) serves the line whenever
//! the pool changes or a rest ends; a request that leaves takes its place in the line with it.

mod line;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pool::{Exhausted, Journey, ModelId, Timestamp};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::QueueBounds;
use crate::shared_pool::{LeaseGuard, SharedPool};

use line::{Line, Order, Waiter};

/// How often a waiting request is told its place.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// The window of the provider's limits.
const MINUTE: Duration = Duration::from_secs(60);
/// Between two looks at the line: a burst of reports is one change.
const PAUSE: Duration = Duration::from_millis(5);

/// What a request needs.
#[derive(Debug, Clone)]
pub struct Wish {
    pub model: ModelId,
    /// Estimated input tokens.
    pub tokens: u64,
    pub journey: Journey,
    /// Who takes turns with others: the user's id.
    pub caller: String,
    /// No lease is of use after it.
    pub deadline: Instant,
}

/// What became of a wish at once.
#[derive(Debug)]
pub enum Entered {
    Leased(LeaseGuard),
    Waiting(Ticket),
    Refused(Refusal),
}

/// Why there is no lease.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    pub exhausted: Exhausted,
    /// A key would have come in time, but so many wait already.
    pub line_is_full: bool,
}

/// News for who waits.
#[derive(Debug)]
pub enum Turn {
    Leased(LeaseGuard),
    Place(Place),
    Refused(Refusal),
}

/// Where a waiting request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Among those that wait for the same model; the next one is 1.
    pub position: u32,
    /// Until a key is expected.
    pub estimate: Duration,
}

/// The line of one process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WaitingRoom(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: SharedPool,
    clock: Clock,
    bounds: QueueBounds,
    line: Mutex<Line>,
    /// Somebody joined an empty line.
    joined: Notify,
}

impl WaitingRoom {
    pub fn new(pool: SharedPool, clock: Clock, bounds: QueueBounds) -> Self {
        Self(Arc::new(Inner {
            pool,
            clock,
            bounds,
            line: Mutex::default(),
            joined: Notify::new(),
        }))
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.0.lock().waiters.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A lease at once, if nobody waits for the model before. Never waits itself.
    pub fn try_now(&self, wish: &Wish) -> Result<LeaseGuard, Exhausted> {
        let line = self.0.lock();
        if line.waiting_for(wish.model) > 0 {
            let exhausted = self.0.refusal(wish, &line);
            return Err(exhausted);
        }
        self.0.acquire(wish)
    }

    /// A lease, a place in the line, or a refusal when no key comes back before the wish is void.
    pub fn enter(&self, mut wish: Wish) -> Entered {
        let mut line = self.0.lock();
        let refused = if line.waiting_for(wish.model) > 0 {
            self.0.refusal(&wish, &line)
        } else {
            match self.0.acquire(&wish) {
                Ok(lease) => return Entered::Leased(lease),
                Err(exhausted) => exhausted,
            }
        };
        let until = wish.deadline.min(Instant::now() + self.0.bounds.wait_max);
        let refused = self.0.behind(refused, wish.model, line.waiting_for(wish.model));
        if line.is_closed || !self.0.comes_before(refused.retry_at, until) {
            return Entered::Refused(Refusal {
                exhausted: refused,
                line_is_full: false,
            });
        }
        if line.waiters.len() >= self.0.bounds.waiting_max {
            return Entered::Refused(Refusal {
                exhausted: refused,
                line_is_full: self.0.bounds.waiting_max > 0,
            });
        }
        // Who waits for a key may ask one again that rested for a moment.
        wish.journey.waited();
        let (model, exhausted) = (wish.model, refused);
        let (answer, answered) = oneshot::channel();
        let order = line.join(Waiter {
            wish,
            until,
            exhausted,
            answer,
        });
        drop(line);
        self.0.joined.notify_one();
        Entered::Waiting(Ticket {
            room: Arc::clone(&self.0),
            order,
            model,
            until,
            answered,
            exhausted,
            told: None,
        })
    }
}

/// A place in the line; dropping it gives the place up.
#[derive(Debug)]
#[must_use = "a ticket that is dropped has left the line"]
pub struct Ticket {
    room: Arc<Inner>,
    order: Order,
    model: ModelId,
    until: Instant,
    answered: oneshot::Receiver<Result<LeaseGuard, Exhausted>>,
    exhausted: Exhausted,
    told: Option<Place>,
}

impl Ticket {
    /// Nobody waits longer.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Waits for news: the place at first and whenever it has changed, in the end a lease or a refusal. May be dropped at
    /// any time.
    pub async fn next(&mut self) -> Turn {
        if self.told.is_none() {
            return self.tell();
        }
        loop {
            let told_again = tokio::time::sleep(TOLD_EVERY);
            tokio::select! {
                biased;
                answer = &mut self.answered => {
                    return match answer {
                        Ok(Ok(lease)) => Turn::Leased(lease),
                        Ok(Err(exhausted)) => Turn::Refused(Refusal { exhausted, line_is_full: false }),
                        // Nobody serves the line any more.
                        Err(_) => self.refused(),
                    };
                }
                () = tokio::time::sleep_until(self.until) => return self.refused(),
                () = told_again => {}
            }
            if self.place() != self.told {
                return self.tell();
            }
        }
    }

    fn tell(&mut self) -> Turn {
        self.told = self.place();
        Turn::Place(self.told.unwrap_or(Place {
            position: 1,
            estimate: Duration::ZERO,
        }))
    }

    fn refused(&self) -> Turn {
        Turn::Refused(Refusal {
            exhausted: self.exhausted,
            line_is_full: false,
        })
    }

    fn place(&mut self) -> Option<Place> {
        let line = self.room.lock();
        let waiter = line.waiters.get(&self.order)?;
        self.exhausted = waiter.exhausted;
        let before = line.waiters.range(..self.order);
        let before = before.filter(|(_, other)| other.wish.model == self.model).count();
        let position = u32::try_from(before + 1).unwrap_or(u32::MAX);
        let ahead = u32::try_from(before).unwrap_or(u32::MAX);
        let soonest = self
            .room
            .behind(waiter.exhausted, self.model, ahead)
            .retry_at
            .map_or(Duration::ZERO, |at| at.since(self.room.clock.now()));
        Some(Place {
            position,
            // Whole seconds: the place is told when it changes, not when a clock ticks.
            estimate: whole_seconds(soonest.max(line.pace() * position)),
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.room.lock().leave(self.order);
    }
}

impl Inner {
    fn acquire(&self, wish: &Wish) -> Result<LeaseGuard, Exhausted> {
        self.pool
            .acquire(wish.model, wish.tokens, &wish.journey, rand::random())
    }

    /// What the pool says to who must wait behind others: at least as long as the line takes.
    fn refusal(&self, wish: &Wish, line: &Line) -> Exhausted {
        let (verdict, counts) = self.pool.verdict(wish.model);
        let now = self.clock.now();
        let soonest = self.pool.retry_at(wish.model).unwrap_or(now);
        Exhausted {
            verdict,
            counts,
            retry_at: Some(soonest.max(now.plus(line.pace() * line.waiting_for(wish.model)))),
        }
    }

    /// When so many are served first: a minute serves only as many as the limits allow.
    fn behind(&self, exhausted: Exhausted, model: ModelId, before: u32) -> Exhausted {
        let rounds = self
            .pool
            .calls_per_minute(model)
            .map_or(0, |calls| u64::from(before) / calls);
        Exhausted {
            retry_at: exhausted
                .retry_at
                .map(|at| at.plus(MINUTE.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX)))),
            ..exhausted
        }
    }

    fn comes_before(&self, retry_at: Option<Timestamp>, until: Instant) -> bool {
        retry_at.is_some_and(|at| Instant::now() + at.since(self.clock.now()) < until)
    }

    /// Gives out what there is, in order. Returns when to look again at the latest; `None` when nobody waits.
    fn serve(&self) -> Option<Timestamp> {
        let mut line = self.lock();
        let mut again_at = None;
        // Who has tried nothing yet is refused like the first of its kind, unless it needs less.
        let mut refused: BTreeMap<ModelId, (u64, Exhausted)> = BTreeMap::new();
        for order in line.waiters.keys().copied().collect::<Vec<_>>() {
            let Some(waiter) = line.waiters.get_mut(&order) else {
                continue;
            };
            let wish = &waiter.wish;
            let like_another = refused
                .get(&wish.model)
                .filter(|(tokens, _)| wish.journey.attempts() == 0 && wish.tokens >= *tokens);
            let result = like_another.map_or_else(|| self.acquire(wish), |(_, exhausted)| Err(*exhausted));
            match result {
                Ok(lease) => line.hand_out(order, lease),
                Err(exhausted) => {
                    if wish.journey.attempts() == 0 {
                        refused.entry(wish.model).or_insert((wish.tokens, exhausted));
                    }
                    waiter.exhausted = exhausted;
                    if self.comes_before(exhausted.retry_at, waiter.until) {
                        again_at = again_at.into_iter().chain(exhausted.retry_at).min();
                    } else if let Some(waiter) = line.leave(order) {
                        // Who left meanwhile needs no answer.
                        let _ = waiter.answer.send(Err(exhausted));
                    }
                }
            }
        }
        again_at
    }

    /// Tells all who wait that nothing comes any more, and takes nobody in.
    fn close(&self) {
        let mut line = self.lock();
        line.is_closed = true;
        for order in line.waiters.keys().copied().collect::<Vec<_>>() {
            if let Some(waiter) = line.leave(order) {
                // Who left meanwhile needs no answer.
                let _ = waiter.answer.send(Err(waiter.exhausted));
            }
        }
    }

    // A panic elsewhere leaves the line whole: every change of it is a few inserts and removals.
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(u64::try_from(duration.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX))
}

/// Serves the line until `stop`, then ends it: who waits is told to come back.
pub async fn run(room: WaitingRoom, stop: CancellationToken) {
    let room = room.0;
    let mut changed = room.pool.subscribe();
    loop {
        changed.mark_unchanged();
        let again_at = room.serve();
        let look_again = async {
            match again_at {
                Some(at) => room.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let anybody = again_at.is_some();
        tokio::select! {
            () = stop.cancelled() => return room.close(),
            () = look_again => tokio::time::sleep(PAUSE).await,
            // A call under way may end at any time, and the clock may have been stepped.
            () = tokio::time::sleep(TOLD_EVERY), if anybody => {}
            () = room.joined.notified() => {}
            changed = changed.changed(), if anybody => if changed.is_ok() {
                tokio::time::sleep(PAUSE).await;
            },
        }
    }
}

#[cfg(test)]
mod tests;
