//! Where a request stands, for people who wait.

use std::time::Duration;

use app::types::{Phase, Progress};

use super::{Analysis, words};
use crate::shared_pool::LeaseGuard;

impl Analysis {
    /// A call begins.
    pub(super) fn asking(&self, lease: &LeaseGuard) -> Progress {
        let key = lease.facts().number;
        let (phase, message) = match &self.last_failure {
            None => (Phase::Trying, words::asking()),
            Some(failure) if !self.is_switch(key) => (Phase::Trying, words::asking_again(&failure.outcome)),
            Some(failure) => (
                Phase::Switched,
                words::switched(&failure.outcome, self.keys_asked(key), self.keys()),
            ),
        };
        self.at(phase, message, key)
    }

    /// Text comes. The reason for a switch stays in sight.
    pub(super) fn writing(&self, lease: &LeaseGuard) -> Progress {
        let key = lease.facts().number;
        let switched = self.last_failure.as_ref().filter(|_| self.is_switch(key));
        let message = words::writing(
            switched.map(|failure| &failure.outcome),
            self.keys_asked(key),
            self.keys(),
        );
        self.at(Phase::Writing, message, key)
    }

    /// The only key rests for a moment.
    pub(super) fn queued(&self, wait: Duration) -> Progress {
        let key = self.attempts.last().map_or(0, |last| last.key_number);
        self.at(Phase::Queued, words::waiting(wait), key)
    }

    fn at(&self, phase: Phase, message: String, key: u32) -> Progress {
        Progress {
            phase,
            message,
            attempt: self.keys_asked(key),
            keys: self.keys(),
        }
    }

    fn is_switch(&self, key: u32) -> bool {
        self.attempts.last().is_some_and(|last| last.key_number != key)
    }

    /// Different keys so far, with this one: a key that is asked again is not another key.
    fn keys_asked(&self, key: u32) -> u32 {
        let mut asked: Vec<u32> = self
            .attempts
            .iter()
            .map(|attempt| attempt.key_number)
            .chain([key])
            .collect();
        asked.sort_unstable();
        asked.dedup();
        u32::try_from(asked.len()).unwrap_or(u32::MAX)
    }

    fn keys(&self) -> u32 {
        u32::try_from(self.deps.keyring.len()).unwrap_or(u32::MAX)
    }
}
