//! What the handle and the HTTP side share.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::behaviour::Behaviour;
use crate::calls::CallLog;
use crate::clock::Clock;
use crate::options::Options;
use crate::quota::Quotas;
use crate::script::Scripts;

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    state: Mutex<State>,
    /// Counts changes, for those who wait for one.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) calls: CallLog,
    pub(crate) scripts: Scripts,
    pub(crate) quotas: Quotas,
    pub(crate) known_keys: HashSet<String>,
    /// Sockets that are open.
    pub(crate) connections: usize,
}

impl Shared {
    pub(crate) fn new(options: Options) -> Self {
        let mut state = State {
            known_keys: options.known_keys.iter().cloned().collect(),
            ..State::default()
        };
        for (key, project) in &options.projects {
            state.assign(key, project);
        }
        for (project, model, limits) in &options.limits {
            state.quotas.limit(project, model, *limits);
        }
        Self {
            options,
            clock: Clock::default(),
            state: Mutex::new(state),
            changes: watch::Sender::new(0),
        }
    }

    /// Runs `f` on the state and tells those who wait. It must not come back here: the lock is held.
    pub(crate) fn change<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        let result = f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        result
    }

    /// Runs `f` on the state without telling anybody.
    pub(crate) fn read<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl State {
    pub(crate) fn script(&mut self, key: &str, model: &str, behaviours: Vec<Behaviour>) {
        self.learn(key);
        self.scripts.push(key, model, behaviours);
    }

    pub(crate) fn always(&mut self, key: &str, model: &str, behaviour: Behaviour) {
        self.learn(key);
        self.scripts.set_sticky(key, model, behaviour);
    }

    pub(crate) fn assign(&mut self, key: &str, project: &str) {
        self.learn(key);
        self.quotas.assign(key, project);
    }

    /// A key that was named is a key that exists.
    pub(crate) fn learn(&mut self, key: &str) {
        if key != "*" {
            self.known_keys.insert(key.to_owned());
        }
    }
}
