//! A request was refused: was a key left over that could surely have served it?

use pool::{AccountId, KeyId, ProjectId, Timestamp};

use super::{KeyFacts, Oracle, Verdict, ms};
use crate::plan::MINUTE_MS;
use crate::story::Violation;

/// What a request has tried, as far as that rules keys out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tried {
    pub(crate) keys: Vec<KeyId>,
    pub(crate) projects: Vec<ProjectId>,
    pub(crate) accounts: Vec<AccountId>,
    /// Projects and models that said quota: never to be asked again.
    pub(crate) over_quota: Vec<(ProjectId, usize)>,
    /// Something else than a key, a project or an account was at fault.
    pub(crate) is_restricted: bool,
}

impl Oracle {
    /// `room`: whether the cell's known limits surely leave room for a call.
    pub(crate) fn refused(
        &self,
        tried: &Tried,
        model: usize,
        owner: Option<ProjectId>,
        now: Timestamp,
        room: impl Fn(KeyId) -> bool,
    ) -> Verdict {
        if tried.is_restricted || !self.is_model_calm(model, now) {
            return Ok(());
        }
        for (key, facts) in &self.keys {
            let allowed = !tried.keys.contains(key)
                && !tried.projects.contains(&facts.project)
                && !tried.accounts.contains(&facts.account)
                && owner.is_none_or(|owner| owner == facts.project);
            if allowed && self.is_surely_usable(*key, facts, model, now) && room(*key) {
                return Err(Violation::new(
                    "no request fails while a healthy key is left over",
                    format!("a request for model {model} was refused though key {key} is usable"),
                ));
            }
        }
        Ok(())
    }

    fn is_model_calm(&self, model: usize, now: Timestamp) -> bool {
        self.hidden[model].is_calm(now) && self.failing[model].since.is_none() && self.storm.since.is_none()
    }

    fn is_surely_usable(&self, key: KeyId, facts: &KeyFacts, model: usize, now: Timestamp) -> bool {
        let sound = facts.is_enabled && facts.fault.is_none();
        let project = self.projects.get(&facts.project);
        let account = self.accounts.get(&facts.account);
        let bare = self.bare.get(&(key, model));
        let idle = self.cells.get(&(facts.project, model)).is_none_or(|cell| {
            // A minute that is over by any clock leaves room under every limit a minute.
            let over = cell.last_used.plus(ms(MINUTE_MS + MINUTE_MS / 60)) <= now;
            cell.in_flight == 0 && over && cell.quota.is_calm(now)
        });
        sound
            && idle
            && project.is_some_and(|project| project.fault.is_none())
            && account.is_some_and(|account| !account.has_no_credit && account.spend.is_calm(now))
            && bare.is_none_or(|bare| bare.since.is_none())
    }
}
