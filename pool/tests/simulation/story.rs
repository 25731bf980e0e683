//! What happened, as a hash always and as plain sentences when asked: two runs are equal when their hashes are.

use std::collections::VecDeque;
use std::fmt;

use crate::plan::{DAY_MS, HOUR_MS, Item, MINUTE_MS, Plan, SECOND_MS};

/// Sentences kept of a told story.
const LAST: usize = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Hash {
    /// FNV-1a, eight bytes at a time.
    pub(crate) const fn add(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x0000_0100_0000_01B3);
        self.0 ^= self.0 >> 29;
    }

    pub(crate) fn add_text(&mut self, text: &str) {
        for byte in text.bytes() {
            self.add(u64::from(byte));
        }
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Stable: a smaller plan must break the same promise.
    pub(crate) rule: &'static str,
    pub(crate) what: String,
}

impl Violation {
    pub(crate) fn new(rule: &'static str, what: impl Into<String>) -> Self {
        Self {
            rule,
            what: what.into(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) hash: Hash,
    pub(crate) events: u64,
    is_told: bool,
    last: VecDeque<String>,
}

impl Story {
    pub(crate) fn new(is_told: bool) -> Self {
        Self {
            is_told,
            ..Self::default()
        }
    }

    /// One event: numbers for the hash, and a sentence that is made only if the story is told.
    pub(crate) fn event(&mut self, at_ms: u64, kind: &str, numbers: &[u64], sentence: impl FnOnce() -> String) {
        self.events += 1;
        self.hash.add(at_ms);
        self.hash.add_text(kind);
        for number in numbers {
            self.hash.add(*number);
        }
        if self.is_told {
            if self.last.len() == LAST {
                self.last.pop_front();
            }
            self.last.push_back(format!("{} {kind}: {}", Moment(at_ms), sentence()));
        }
    }

    pub(crate) fn last(&self) -> impl Iterator<Item = &str> {
        self.last.iter().map(String::as_str)
    }
}

/// Time since the start.
pub(crate) struct Moment(pub(crate) u64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(ms) = *self;
        write!(
            f,
            "day {} {:02}:{:02}:{:02}.{:03}",
            ms / DAY_MS,
            ms % DAY_MS / HOUR_MS,
            ms % HOUR_MS / MINUTE_MS,
            ms % MINUTE_MS / SECOND_MS,
            ms % SECOND_MS
        )
    }
}

/// The story of a failing plan, as short as it was made.
pub(crate) fn told(plan: &Plan, violation: &Violation, story: &Story) -> String {
    let mut text = format!("seed {} breaks \"{}\": {}\n", plan.seed, violation.rule, violation.what);
    text += &format!(
        "times count from noon; {:?}, faults end at {}\n",
        plan.strategy,
        Moment(plan.horizon_ms)
    );
    let used = |project: usize| {
        plan.secrets
            .iter()
            .any(|secret| secret.is_used && secret.project == project)
    };
    for (nth, project) in plan.projects.iter().enumerate().filter(|(nth, _)| used(*nth)) {
        text += &format!("  project {nth}: {project:?}\n");
    }
    for (nth, secret) in plan.secrets.iter().enumerate().filter(|(_, secret)| secret.is_used) {
        text += &format!("  secret {nth}: {secret:?}\n");
    }
    text += &format!("{} items are needed:\n", plan.items.len());
    for Item {
        from_ms,
        until_ms,
        kind,
    } in &plan.items
    {
        text += &format!("  {} to {}: {kind:?}\n", Moment(*from_ms), Moment(*until_ms));
    }
    text += "the last events:\n";
    for sentence in story.last() {
        text += &format!("  {sentence}\n");
    }
    text
}
