//! Liveness: the last fault is over. Every healthy key must serve every model again within the promised time.

use pool::{CellState, KeyId, KeyState, LeaseFacts, Outcome, Timestamp, Want};

use super::{Event, World, ms, next_reset};
use crate::oracle::Verdict;
use crate::plan::{DAY_MS, MINUTE_MS, MODELS};
use crate::provider::Call;
use crate::story::Violation;

const RULE: &str = "a healthy key serves again within the promised time";
/// The provider's refusals are true, and none of them goes on for ever.
const REFUSALS_MAX: u32 = 50;
/// Several probes of one key wait for each other, and each takes a moment.
const PROBES_TAKE_MS: u64 = 5 * MINUTE_MS;

/// No promise is longer than a day, and a clock that was set back a day makes it two.
const RECOVERY_MAX_MS: u64 = 5 * DAY_MS;

struct Hope {
    key: KeyId,
    model: usize,
    by: Timestamp,
    refusals: u32,
}

impl World<'_> {
    pub(super) fn recover(&mut self) -> Verdict {
        self.at_ms = self.at_ms.max(self.plan.horizon_ms);
        self.step_clock(-self.clock_error_ms);
        self.queue.clear();
        self.queue(self.at_ms, Event::Looks);
        self.bring_keys_back();
        let mut hopes: Vec<Hope> = Vec::new();
        for (key, held) in &self.keys {
            if !self.plan.is_lost(held.secret) {
                hopes.extend((0..MODELS.len()).map(|model| Hope {
                    key: *key,
                    model,
                    by: Timestamp::default(),
                    refusals: 0,
                }));
            }
        }
        let healthy = !hopes.is_empty();
        let given_up_ms = self.at_ms + RECOVERY_MAX_MS;
        while !hopes.is_empty() {
            if self.at_ms > given_up_ms {
                let what = format!("key {} is still waited for after days without faults", hopes[0].key);
                return Err(Violation::new(RULE, what));
            }
            for hope in &mut hopes {
                hope.by = hope.by.max(self.due(hope));
            }
            hopes.sort_by_key(|hope| (hope.by, hope.key, hope.model));
            self.wait_until(hopes[0].by)?;
            // Probes may have found something that takes longer.
            if self.due(&hopes[0]) > self.now() {
                continue;
            }
            if self.serves(&mut hopes[0])? {
                self.figures.recovered += 1;
                hopes.remove(0);
            }
        }
        if healthy { self.check_requests_succeed() } else { Ok(()) }
    }

    /// Faults that only a person ends have been dealt with by one.
    fn bring_keys_back(&mut self) {
        let keys: Vec<KeyId> = self.keys.keys().copied().collect();
        let now = self.now();
        for key in keys {
            let held = &self.keys[&key];
            let lost = self.plan.is_lost(held.secret);
            if (self.oracle.is_revoked(key) && !lost) || !held.key.enabled {
                let changes = self.pool.set_enabled(key, true, now);
                self.oracle.enabled(key, true, now);
                self.store(&changes);
            }
        }
    }

    fn due(&self, hope: &Hope) -> Timestamp {
        let back_by = self.oracle.back_by(hope.key, hope.model);
        if back_by == Timestamp::default() {
            self.now()
        } else {
            back_by.plus(ms(PROBES_TAKE_MS))
        }
    }

    /// Time passes, with nothing but probes.
    fn wait_until(&mut self, instant: Timestamp) -> Verdict {
        let until_ms = self.at_ms + self.wait_ms(instant);
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= until_ms) {
            let ((at_ms, _), event) = entry.remove_entry();
            self.happens(at_ms, event)?;
        }
        self.at_ms = self.at_ms.max(until_ms);
        Ok(())
    }

    /// True when the key's project served; false when the provider truly refused, and named another instant.
    fn serves(&mut self, hope: &mut Hope) -> Result<bool, Violation> {
        let now = self.now();
        let project = self.keys[&hope.key].key.project;
        if self.is_day_full(project, hope.key, hope.model) {
            hope.by = next_reset(now).plus(self.pool.policy().day_jitter_max);
            return self.refused_again(hope);
        }
        let journey = self.pool.journey();
        let want = Want {
            model: self.models[hope.model],
            tokens: 100,
            journey: &journey,
            owner: Some(project),
        };
        let chance = self.chances.next();
        let lease = self.pool.acquire(&want, now, chance);
        // Asking is what makes the pool look at a clock that was set right, so the view comes after it.
        let snapshot = self.pool.snapshot(now);
        let view = snapshot.keys.iter().find(|view| view.key.id == hope.key).unwrap();
        let cell = view.cells.iter().find(|cell| cell.model == MODELS[hope.model]);
        let state = cell.map_or(CellState::Ready, |cell| cell.state);
        let is_ready = view.state == KeyState::Ready;
        // Busy by this very call, where it is a trial.
        let usable = is_ready && matches!(state, CellState::Ready | CellState::Trial | CellState::Busy);
        let lease = match lease {
            Ok(lease) if usable => lease,
            refused => {
                if let Ok(lease) = refused {
                    let _ = self.pool.report(lease, &Outcome::Cancelled, now);
                }
                // A minute that is full for this driver's own calls is no broken promise.
                let a_minute_later = self.oracle.last_used(project, hope.model).plus(ms(MINUTE_MS + 1_000));
                if is_ready && a_minute_later > now {
                    hope.by = a_minute_later;
                    return self.refused_again(hope);
                }
                return Err(Violation::new(
                    RULE,
                    format!(
                        "key {} should serve model {} again: it is {:?}, its cell {state:?}, the model {:?}, the provider {:?}",
                        hope.key, hope.model, view.state, snapshot.models, snapshot.provider
                    ),
                ));
            }
        };
        let facts = lease.facts();
        let leased = self.oracle.leased(facts, hope.model, Some(project), now)?;
        let outcome = self.answered_at_once(&facts, hope.model);
        let changes = self.pool.report(lease, &outcome, now);
        let limit = self.day_limit(facts.key, hope.model);
        self.oracle.reported(leased, &outcome, limit, now);
        self.store(&changes);
        self.tell("hope", &[hope.key.0, facts.key.0], || {
            format!("project {project} is asked for key {} and says {outcome:?}", hope.key)
        });
        if outcome.is_answer() {
            return Ok(true);
        }
        self.refused_again(hope)
    }

    fn refused_again(&self, hope: &mut Hope) -> Result<bool, Violation> {
        hope.refusals += 1;
        if hope.refusals > REFUSALS_MAX {
            let what = format!("key {} is refused over and over", hope.key);
            return Err(Violation::new(RULE, what));
        }
        Ok(false)
    }

    fn answered_at_once(&mut self, facts: &LeaseFacts, model: usize) -> Outcome {
        let call = Call {
            secret: self.keys[&facts.key].secret,
            model,
            tokens: 100,
            is_bad: false,
            at_ms: self.at_ms,
        };
        self.figures.calls += 1;
        self.provider.answer(self.plan, call).outcome
    }

    /// An ordinary request, with all failovers it may need.
    fn check_requests_succeed(&mut self) -> Verdict {
        for model in 0..MODELS.len() {
            self.wait_until(self.now().plus(ms(MINUTE_MS + 1_000)))?;
            if self.keys.keys().all(|key| {
                let project = self.keys[key].key.project;
                self.plan.is_lost(self.keys[key].secret) || self.is_day_full(project, *key, model)
            }) {
                continue;
            }
            let (now, mut journey) = (self.now(), self.pool.journey());
            let mut last = None;
            for _ in 0..8 {
                let want = Want {
                    model: self.models[model],
                    tokens: 100,
                    journey: &journey,
                    owner: None,
                };
                let chance = self.chances.next();
                let Ok(lease) = self.pool.acquire(&want, now, chance) else {
                    break;
                };
                let facts = lease.facts();
                let leased = self.oracle.leased(facts, model, None, now)?;
                let outcome = self.answered_at_once(&facts, model);
                let changes = self.pool.report(lease, &outcome, now);
                let limit = self.day_limit(facts.key, model);
                self.oracle.reported(leased, &outcome, limit, now);
                self.store(&changes);
                let _ = journey.after(&facts, &outcome, false, chance);
                let done = outcome.is_answer();
                last = Some(outcome);
                if done {
                    break;
                }
            }
            if !last.as_ref().is_some_and(Outcome::is_answer) {
                let what = format!("a request for model {model} ended with {last:?} though all faults are over");
                return Err(Violation::new("a request succeeds when all faults are over", what));
            }
        }
        Ok(())
    }
}
