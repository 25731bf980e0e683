//! The server's recovery task: it wakes when something changes by time alone, and asks doubtful keys with free calls.

use pool::Outcome;

use super::{Event, World};
use crate::oracle::Verdict;
use crate::plan::SECOND_MS;

const SLEEP_MAX_MS: u64 = 60 * SECOND_MS;
const SLEEP_MIN_MS: u64 = 50;
/// The pool as a whole is compared with the oracle at one look in so many.
const CHECK_EVERY: u64 = 8;

impl World<'_> {
    pub(super) fn looks(&mut self) -> Verdict {
        self.looks += 1;
        if self.looks.is_multiple_of(CHECK_EVERY) {
            self.check_counts()?;
        }
        self.begin_probes();
        let now = self.now();
        let sleep_ms = self.pool.next_ready(now).map_or(SLEEP_MAX_MS, |at| self.wait_ms(at));
        let at_ms = self.at_ms + sleep_ms.clamp(SLEEP_MIN_MS, SLEEP_MAX_MS);
        self.queue(at_ms, Event::Looks);
        Ok(())
    }

    fn begin_probes(&mut self) {
        let now = self.now();
        for key in self.pool.probes_due(now) {
            let Some(secret) = self.keys.get(&key).map(|held| held.secret) else {
                continue;
            };
            self.figures.probes += 1;
            self.oracle.probe_began(key, now);
            let outcome = self.provider.probe(self.plan, secret, self.at_ms);
            let after_ms = if outcome == Outcome::Transport {
                10 * SECOND_MS
            } else {
                self.chances.between(30, 2 * SECOND_MS)
            };
            let probe = self.name();
            self.tell("probe", &[probe, key.0], || format!("a free call asks about key {key}"));
            self.probes.insert(probe, (key, outcome));
            self.queue(self.at_ms + after_ms, Event::ProbeAnswers { probe });
        }
    }

    pub(super) fn probe_answers(&mut self, probe: u64) {
        let Some((key, outcome)) = self.probes.remove(&probe) else {
            return;
        };
        let now = self.now();
        self.tell("probed", &[probe, key.0], || {
            format!("the free call about key {key} says {outcome:?}")
        });
        self.story.hash.add_text(outcome.name());
        let changes = self.pool.report_probe(key, &outcome, now);
        self.oracle.probed(key, &outcome, now);
        self.store(&changes);
    }
}
