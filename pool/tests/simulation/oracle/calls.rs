//! The safety of one call: may it be made at all?

use pool::{KeyId, LeaseFacts, ProjectId, Timestamp};

use super::{Oracle, Rested, Verdict};
use crate::story::Violation;

/// A lease by its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leased {
    pub(crate) call: u64,
    pub(crate) facts: LeaseFacts,
    pub(crate) model: usize,
}

impl Oracle {
    /// The pool gave a lease. Breaks a promise where an answer, or a person, had ruled that out.
    pub(crate) fn leased(
        &mut self,
        facts: LeaseFacts,
        model: usize,
        owner: Option<ProjectId>,
        now: Timestamp,
    ) -> Result<Leased, Violation> {
        self.newest_call += 1;
        let leased = Leased {
            call: self.newest_call,
            facts,
            model,
        };
        self.check_key(facts, owner)?;
        let lost_after = self.policy.trial_lost_after;
        let newest_call = self.newest_call;
        let cell = self.cells.entry((facts.project, model)).or_default();
        cell.last_used = now;
        cell.in_flight += 1;
        // A cell that nobody knew is counted from its first call on.
        if cell.day_end == Timestamp::default() {
            cell.is_count_known = true;
        }
        let account = self.accounts.entry(facts.account).or_default();
        let scopes: [(&str, &mut Rested); 3] = [
            ("its project's quota for the model", &mut cell.quota),
            ("its account", &mut account.spend),
            ("the model", &mut self.hidden[model]),
        ];
        for (what, rested) in scopes {
            if now < rested.forbidden_until {
                let early_ms = rested.forbidden_until.since(now).as_millis();
                return Err(Violation::new(
                    "no call before the named instant",
                    format!(
                        "key {} was leased {early_ms} ms before {what} may be asked again",
                        facts.key
                    ),
                ));
            }
            if rested.unproven_since.is_none() {
                continue;
            }
            if let Some((_, began)) = rested.trial
                && now < began.plus(lost_after)
            {
                return Err(Violation::new(
                    "one trial at a time",
                    format!("key {} was leased while another call tries {what}", facts.key),
                ));
            }
            if !facts.trial {
                return Err(Violation::new(
                    "the first call after a rest is a trial",
                    format!("key {} was leased without knowing that it tries {what}", facts.key),
                ));
            }
            rested.trial = Some((newest_call, now));
        }
        Ok(leased)
    }

    fn check_key(&self, facts: LeaseFacts, owner: Option<ProjectId>) -> Verdict {
        let broken = |what: &str| {
            let what = format!("key {} {what}", facts.key);
            Err(Violation::new("no call with a key known to be bad", what))
        };
        let Some(key) = self.keys.get(&facts.key) else {
            return broken("is not in the pool");
        };
        if !key.is_enabled {
            return broken("is switched off");
        }
        if let Some(fault) = key.fault {
            return broken(&format!("is known to be {fault:?}"));
        }
        if let Some(fault) = self.projects.get(&key.project).and_then(|project| project.fault) {
            return broken(&format!("is of a project known to be {fault:?}"));
        }
        let account = self.accounts.get(&key.account);
        if account.is_some_and(|account| account.has_no_credit) {
            return broken("is of an account known to have no credit");
        }
        if (key.project, key.account) != (facts.project, facts.account) {
            return broken("was leased as another's");
        }
        if owner.is_some_and(|owner| owner != facts.project) {
            return broken("does not own the request's file");
        }
        Ok(())
    }

    /// A probe of this key begins; unanswered, it is not repeated at once.
    pub(crate) fn probe_began(&mut self, key: KeyId, now: Timestamp) {
        let back_by = now.plus(self.policy.unanswered_probe.longest + self.policy.probe_gap);
        self.postpone(key, back_by);
    }

    /// Whatever is wrong with the key, its project or its account ends by then at the latest.
    pub(super) fn postpone(&mut self, key: KeyId, back_by: Timestamp) {
        let Some(facts) = self.keys.get_mut(&key) else { return };
        facts.back_by = facts.back_by.max(back_by);
        if let Some(project) = self.projects.get_mut(&facts.project) {
            project.back_by = project.back_by.max(back_by);
        }
        if let Some(account) = self
            .accounts
            .get_mut(&facts.account)
            .filter(|account| account.has_no_credit)
        {
            account.back_by = account.back_by.max(back_by);
        }
    }
}
