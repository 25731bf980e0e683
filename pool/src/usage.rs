//! What a project used of a model's quota, what is under way, and what is left.

mod learned;
mod room;
mod window;

use alloc::boxed::Box;
use core::time::Duration;

use learned::Learned;
use window::Window;

use crate::{
    key::Tier,
    outcome::Outcome,
    policy::Policy,
    quota::{Limits, Used},
    record::StoredMinute,
    rest::Serial,
    time::Timestamp,
};

const MINUTE_MS: u64 = 60_000;
/// One whole, in millionths.
pub(crate) const WHOLE_PPM: u32 = 1_000_000;
const WHOLE_PERMILLE: u16 = 1_000;

/// A reservation that ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reserved {
    pub(crate) call: Serial,
    pub(crate) tokens: u64,
    /// The provider had accepted the call: [`Usage::accept`] was told.
    pub(crate) accepted: bool,
}

/// The counters of one cell. Only charged calls count; what is under way is reserved beside them.
///
/// With 100,000 projects the time goes into memory, not into arithmetic: what choosing reads lies in the first cache
/// line, and what only reports need in the second.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Usage {
    /// In the window.
    tokens_minute: u64,
    /// Of calls that are not accepted yet.
    tokens_reserved: u64,
    /// Until then the counts of the window hold.
    leaves_at: Timestamp,
    /// End of the counted day: counts of another day are void.
    day_end: Timestamp,
    /// In the window.
    requests_minute: u32,
    requests_today: u32,
    pub(crate) in_flight: u32,
    /// Calls under way that are not accepted yet.
    unaccepted: u32,
    pub(crate) project: u32,
    /// The most calls that the provider accepted in one minute.
    proven: u32,
    /// A call under way tests whether there is a limit: no other may start before this second since the Unix epoch. Zero
    /// while there is none.
    tested_until: u32,
    pub(crate) success_permille: u16,
    /// There are limits: a call may lack room.
    pub(crate) limited: bool,
    /// Of its project. It lies here because choosing has no time to look it up.
    pub(crate) tier: Tier,

    window: Window,
    tokens_today: u64,
    /// The epoch while there was none.
    last_success: Timestamp,
    /// Calls up to this one belong to an earlier owner of the place.
    born: Serial,
    learned: Option<Box<Learned>>,
}

const _: () = assert!(size_of::<Usage>() == 128, "two cache lines");

impl Usage {
    pub(crate) const fn new(project: u32, born: Serial) -> Self {
        Self {
            tokens_minute: 0,
            tokens_reserved: 0,
            leaves_at: Timestamp::MAX,
            day_end: Timestamp::EPOCH,
            requests_minute: 0,
            requests_today: 0,
            in_flight: 0,
            unaccepted: 0,
            project,
            proven: 0,
            tested_until: 0,
            success_permille: WHOLE_PERMILLE,
            limited: false,
            tier: Tier::Free,
            window: Window::new(),
            tokens_today: 0,
            last_success: Timestamp::EPOCH,
            born,
            learned: None,
        }
    }

    /// Does this call belong here, or to an earlier owner of the place?
    pub(crate) const fn knows(&self, project: u32, call: Serial) -> bool {
        self.project == project && self.born < call
    }

    /// Begins a reservation. The call may test whether there is a limit that nobody told yet: then no other may start.
    pub(crate) fn reserve(&mut self, tokens: u64, limits: &Limits, policy: &Policy, now: Timestamp) {
        self.roll(now);
        let before = self.requests_minute.saturating_add(self.unaccepted);
        self.in_flight = self.in_flight.saturating_add(1);
        self.unaccepted = self.unaccepted.saturating_add(1);
        self.tokens_reserved = self.tokens_reserved.saturating_add(tokens);
        let is_unproven = before >= self.proven && limits.requests_per_minute.is_none();
        if is_unproven && policy.usual_limits.contains(&before) {
            self.tested_until = second_of(now.plus(policy.limit_test_max));
        }
    }

    /// The provider accepted the call: from now on it lies in the window, with the reserved tokens until it is settled.
    pub(crate) fn accept(&mut self, reserved: &Reserved, now: Timestamp) {
        self.end_waiting(reserved);
        self.charge_minute(reserved.call, reserved.tokens, now);
    }

    /// Ends a reservation: what was charged counts, the rest is refunded.
    pub(crate) fn settle(&mut self, outcome: &Outcome, reserved: &Reserved, now: Timestamp, day_end: Timestamp) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if !reserved.accepted {
            self.end_waiting(reserved);
        }
        match outcome.charged(reserved.tokens) {
            Some(tokens) => {
                if reserved.accepted {
                    self.correct_minute(reserved.call, tokens);
                } else {
                    self.charge_minute(reserved.call, tokens, now);
                }
                self.begin_day(day_end);
                self.requests_today = self.requests_today.saturating_add(1);
                self.tokens_today = self.tokens_today.saturating_add(tokens);
            }
            // Refused after all.
            None if reserved.accepted && outcome.is_failure() => {
                let tokens = self.window.withdraw(reserved.call);
                self.tokens_minute = self.tokens_minute.saturating_sub(tokens);
                self.recount(now);
            }
            // Who leaves after the provider accepted has used the minute, if not the day.
            None => {}
        }
        if outcome.is_answer() {
            self.success_permille += (WHOLE_PERMILLE - self.success_permille).div_ceil(8);
            self.last_success = now;
        }
    }

    const fn end_waiting(&mut self, reserved: &Reserved) {
        self.unaccepted = self.unaccepted.saturating_sub(1);
        self.tokens_reserved = self.tokens_reserved.saturating_sub(reserved.tokens);
        // Calls reach the provider in any order: the test is decided when all that were sent before it are.
        if self.unaccepted == 0 {
            self.tested_until = 0;
        }
    }

    fn charge_minute(&mut self, call: Serial, tokens: u64, now: Timestamp) {
        self.roll(now);
        let made_room = self.window.push(now, call, tokens);
        self.requests_minute = self.window.len();
        self.tokens_minute = self.tokens_minute.saturating_sub(made_room).saturating_add(tokens);
        self.leaves_at = self.window.oldest_leaves();
        self.proven = self.proven.max(self.requests_minute);
    }

    fn correct_minute(&mut self, call: Serial, tokens: u64) {
        if let Some(before) = self.window.correct(call, tokens) {
            self.tokens_minute = self.tokens_minute.saturating_sub(before).saturating_add(tokens);
        }
    }

    /// Forgets what left the window.
    fn roll(&mut self, now: Timestamp) {
        let ahead = self.leaves_at.as_millis() > now.as_millis().saturating_add(2 * MINUTE_MS);
        if now >= self.leaves_at || (ahead && self.requests_minute > 0) {
            self.recount(now);
        }
    }

    /// Calls that seem to lie ahead are forgotten.
    pub(crate) fn stepped_back(&mut self, now: Timestamp) {
        self.recount(now);
    }

    fn recount(&mut self, now: Timestamp) {
        let forgotten = self.window.roll(now);
        self.requests_minute = self.window.len();
        self.tokens_minute = self.tokens_minute.saturating_sub(forgotten);
        self.leaves_at = self.window.oldest_leaves();
    }

    /// Calls and tokens in the window.
    fn minute(&self, now: Timestamp) -> (u32, u64) {
        if now < self.leaves_at {
            (self.requests_minute, self.tokens_minute)
        } else {
            let (calls, tokens) = self.window.over(now);
            (
                self.requests_minute.saturating_sub(calls),
                self.tokens_minute.saturating_sub(tokens),
            )
        }
    }

    fn begin_day(&mut self, day_end: Timestamp) {
        if self.day_end != day_end {
            (self.requests_today, self.tokens_today, self.day_end) = (0, 0, day_end);
        }
    }

    pub(crate) fn used(&self, now: Timestamp, day_end: Timestamp) -> Used {
        let (requests, tokens) = self.minute(now);
        let today = self.day_end == day_end;
        Used {
            requests_minute: u64::from(requests).saturating_add(u64::from(self.unaccepted)),
            tokens_minute: tokens.saturating_add(self.tokens_reserved),
            requests_today: if today { u64::from(self.requests_today) } else { 0 },
            tokens_today: if today { self.tokens_today } else { 0 },
        }
    }

    /// Something was counted or learned, or is under way.
    pub(crate) const fn is_telling(&self) -> bool {
        self.learned.is_some() || self.requests_today > 0 || self.in_flight > 0
    }

    /// Calls and tokens of the day that ends at [`day_end`](Self::day_end).
    pub(crate) fn today(&self) -> (u64, u64) {
        (u64::from(self.requests_today), self.tokens_today)
    }

    pub(crate) const fn day_end(&self) -> Timestamp {
        self.day_end
    }

    pub(crate) fn last_success(&self) -> Option<Timestamp> {
        self.last_success.unless_epoch()
    }

    /// Counts from before a restart. Calls already counted since are kept.
    pub(crate) fn resume_day(&mut self, requests: u64, tokens: u64, day_end: Timestamp) {
        self.begin_day(day_end);
        self.requests_today = self.requests_today.max(u32::try_from(requests).unwrap_or(u32::MAX));
        self.tokens_today = self.tokens_today.max(tokens);
    }

    pub(crate) fn stored_minute(&self) -> Option<StoredMinute> {
        self.window.newest().map(|last_at| StoredMinute {
            requests: self.requests_minute,
            tokens: self.tokens_minute,
            last_at,
        })
    }

    /// The minute before a restart, as if all its calls had been the last one: rather too late than too early. What was
    /// counted since is kept.
    pub(crate) fn resume_minute(&mut self, minute: StoredMinute, now: Timestamp) {
        let is_over = minute.last_at > now || now.since(minute.last_at) >= Duration::from_millis(MINUTE_MS);
        if is_over || self.window.newest().is_some() {
            return;
        }
        for nth in 0..minute.requests {
            // No call has this number.
            self.charge_minute(0, if nth == 0 { minute.tokens } else { 0 }, minute.last_at);
        }
    }

    /// Takes over what a project used that was this one all along.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.window.merge(&other.window);
        self.requests_minute = self.window.len();
        self.tokens_minute = self.tokens_minute.saturating_add(other.tokens_minute);
        self.leaves_at = self.window.oldest_leaves();
        self.proven = self.proven.max(other.proven);
        if other.day_end > self.day_end {
            (self.requests_today, self.tokens_today, self.day_end) = (0, 0, other.day_end);
        }
        if other.day_end == self.day_end {
            self.requests_today = self.requests_today.saturating_add(other.requests_today);
            self.tokens_today = self.tokens_today.saturating_add(other.tokens_today);
        }
        self.last_success = self.last_success.max(other.last_success);
        let (limits, named_at) = other.learned_at();
        self.recall(limits, named_at);
    }

    pub(crate) const fn lower_success(&mut self) {
        self.success_permille -= self.success_permille / 8;
    }
}

fn second_of(now: Timestamp) -> u32 {
    u32::try_from(now.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

/// Minutes since the Unix epoch; enough for 8,000 years.
pub(crate) fn minute_of(now: Timestamp) -> u32 {
    u32::try_from(now.as_millis() / MINUTE_MS).unwrap_or(u32::MAX)
}
