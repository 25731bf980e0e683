//! Scripted behaviours: who gets what next.

use std::collections::{HashMap, VecDeque};

use crate::behaviour::{Behaviour, Reply};
use crate::fixtures;

/// The pseudo-model whose script answers quota-free calls (`models.get`, `models.list`, `countTokens`).
pub const PROBES: &str = "(probes)";

/// Any key, or any model.
const ANY: &str = "*";

#[derive(Debug, Default)]
struct Script {
    queue: VecDeque<Behaviour>,
    sticky: Option<Behaviour>,
}

/// Scripts by key and model. The narrowest one that has something left to say wins.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    by_scope: HashMap<(String, String), Script>,
}

impl Scripts {
    pub(crate) fn push(&mut self, key: &str, model: &str, behaviours: Vec<Behaviour>) {
        self.script_mut(key, model).queue.extend(behaviours);
    }

    pub(crate) fn set_sticky(&mut self, key: &str, model: &str, behaviour: Behaviour) {
        self.script_mut(key, model).sticky = Some(behaviour);
    }

    /// What the next generating call gets.
    pub(crate) fn next(&mut self, key: &str, model: &str) -> Behaviour {
        scopes(key, model)
            .into_iter()
            .find_map(|scope| self.take(scope))
            .unwrap_or_default()
    }

    /// What the next quota-free call gets.
    pub(crate) fn next_probe(&mut self, key: &str, model: &str) -> Behaviour {
        [(key, PROBES), (ANY, PROBES)]
            .into_iter()
            .find_map(|scope| self.take(scope))
            .or_else(|| scopes(key, model).into_iter().find_map(|scope| self.key_fault(scope)))
            .unwrap_or_default()
    }

    fn take(&mut self, (key, model): (&str, &str)) -> Option<Behaviour> {
        let script = self.by_scope.get_mut(&(key.to_owned(), model.to_owned()))?;
        script.queue.pop_front().or_else(|| script.sticky.clone())
    }

    /// A sticky behaviour that blames the key itself, which no call of the key escapes.
    fn key_fault(&self, (key, model): (&str, &str)) -> Option<Behaviour> {
        let sticky = self
            .by_scope
            .get(&(key.to_owned(), model.to_owned()))?
            .sticky
            .as_ref()?;
        match &sticky.reply {
            Reply::Fixture(name) if fixtures::get(name)?.blames_key() => Some(sticky.clone()),
            _ => None,
        }
    }

    fn script_mut(&mut self, key: &str, model: &str) -> &mut Script {
        self.by_scope.entry((key.to_owned(), model.to_owned())).or_default()
    }
}

/// From narrow to wide.
fn scopes<'a>(key: &'a str, model: &'a str) -> [(&'a str, &'a str); 4] {
    [(key, model), (key, ANY), (ANY, model), (ANY, ANY)]
}
