//! Where a request stands, for people who wait.

use app::types::{Phase, Progress};

use super::{Analysis, millis, words};
use crate::shared_pool::LeaseGuard;
use crate::waiting::Place;

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

    /// In the line for a key.
    pub(super) fn queued(&self, place: Place) -> Progress {
        Progress {
            position: Some(place.position),
            estimate_ms: Some(millis(place.estimate)),
            ..self.at(Phase::Queued, words::waiting(place), self.last_key())
        }
    }

    /// Behind an identical request.
    pub(super) fn following(&self) -> Progress {
        self.at(Phase::Queued, words::following(), self.last_key())
    }

    fn last_key(&self) -> u32 {
        self.attempts.last().map_or(0, |last| last.key_number)
    }

    fn at(&self, phase: Phase, message: String, key: u32) -> Progress {
        Progress {
            phase,
            message,
            attempt: self.keys_asked(key),
            keys: self.keys(),
            position: None,
            estimate_ms: None,
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
