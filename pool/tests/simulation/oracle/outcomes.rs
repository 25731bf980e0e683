//! What the provider's answers forbid and promise, row by row of the table of outcomes.

use pool::{Fault, KeyId, Outcome, Timestamp};

use super::{Leased, Oracle, ms};
use crate::plan::HOUR_MS;

impl Oracle {
    /// The provider's status line promised an answer: what this call tried has proved itself.
    pub(crate) fn accepted(&mut self, leased: Leased, now: Timestamp) {
        if let Some(cell) = self.cells.get_mut(&(leased.facts.project, leased.model)) {
            cell.last_used = now;
        }
        self.answered(leased);
        self.end_trials(leased);
    }

    /// `day_limit`: the smallest limit that the pool may know.
    pub(crate) fn reported(&mut self, leased: Leased, outcome: &Outcome, day_limit: Option<u64>, now: Timestamp) {
        let Leased { facts, model, .. } = leased;
        self.end(leased, outcome, now);
        let newest = self.newest_call;
        let policy = self.policy.clone();
        if outcome.is_answer() {
            self.answered(leased);
            self.counted(leased, day_limit);
        }
        // A project that is gone took its state with it.
        let lives = self.projects.contains_key(&facts.project);
        if matches!(outcome, Outcome::DayQuota { .. }) && lives {
            self.day_spent(leased, now);
        }
        if let Outcome::MinuteQuota { retry_after, .. } = outcome
            && lives
        {
            let named = retry_after.unwrap_or(policy.minute_default);
            let back_by = now.plus((named + policy.minute_extra).max(policy.minute_min));
            self.cell(leased).rest(now.plus(named), back_by, newest);
        }
        if *outcome == Outcome::ZeroLimit && lives {
            let until = now.plus(policy.not_entitled);
            self.cell(leased).rest(until, until, newest);
        }
        if *outcome == Outcome::Spend
            && lives
            && let Some(account) = self.accounts.get_mut(&facts.account)
        {
            let (least, most) = (now.plus(policy.spend.first), now.plus(policy.spend.longest));
            account.spend.rest(least, most, newest);
        }
        if *outcome == Outcome::Billing
            && lives
            && let Some(account) = self.accounts.get_mut(&facts.account)
        {
            account.has_no_credit = true;
            account.back_by = account.back_by.max(now.plus(policy.credit_probe_every));
        }
        if *outcome == Outcome::ModelGone {
            let until = now.plus(policy.model_hidden);
            self.hidden[model].rest(until, until, newest);
        }
        if matches!(outcome, Outcome::Overload | Outcome::Server | Outcome::Transport) {
            self.failing[model].began(newest, now.plus(policy.breaker.longest));
        }
        if *outcome == Outcome::Bare429 {
            self.storm.began(newest, now.plus(policy.storm.longest));
            let bare = self.bare.entry((facts.key, model)).or_default();
            bare.began(newest, now.plus(policy.bare_429[3]));
        }
        self.blame_key(facts.key, outcome, now, lives);
    }

    fn cell(&mut self, leased: Leased) -> &mut super::Rested {
        let cell = self.cells.entry((leased.facts.project, leased.model)).or_default();
        &mut cell.quota
    }

    /// What every outcome does: trials end, and what was charged is counted.
    fn end(&mut self, leased: Leased, outcome: &Outcome, now: Timestamp) {
        let Leased { facts, model, .. } = leased;
        let day_end = (self.next_reset)(now);
        if let Some(cell) = self.cells.get_mut(&(facts.project, model)) {
            cell.in_flight = cell.in_flight.saturating_sub(1);
            cell.last_used = now;
            if outcome.is_answer() || matches!(outcome, Outcome::Empty | Outcome::Truncated) {
                if cell.day_end != day_end {
                    (cell.charged, cell.day_end, cell.is_count_known) = (0, day_end, true);
                }
                cell.charged += 1;
            }
        }
        self.end_trials(leased);
    }

    fn end_trials(&mut self, leased: Leased) {
        let Leased { call, facts, model } = leased;
        if let Some(cell) = self.cells.get_mut(&(facts.project, model)) {
            cell.quota.ended(call);
        }
        if let Some(account) = self.accounts.get_mut(&facts.account) {
            account.spend.ended(call);
        }
        self.hidden[model].ended(call);
    }

    /// The pool may know the day's limit, and then the last call of the day spends it without being refused.
    fn counted(&mut self, leased: Leased, day_limit: Option<u64>) {
        let jitter = self.policy.day_jitter_max;
        let is_vague = self.has_stepped_back;
        let Some(cell) = self.cells.get_mut(&(leased.facts.project, leased.model)) else {
            return;
        };
        if day_limit.is_some_and(|limit| is_vague || !cell.is_count_known || cell.charged >= limit) {
            cell.maybe_spent_until = Some(cell.day_end);
            cell.quota.back_by = cell.quota.back_by.max(cell.day_end.plus(jitter));
            cell.quota.is_doubtful = true;
        }
    }

    fn answered(&mut self, leased: Leased) {
        let Leased { call, facts, model } = leased;
        if let Some(cell) = self.cells.get_mut(&(facts.project, model)) {
            cell.quota.answered(call);
            if cell.quota.unproven_since.is_none() {
                cell.spent_until = None;
                cell.maybe_spent_until = None;
            }
        }
        if let Some(account) = self.accounts.get_mut(&facts.account) {
            account.spend.answered(call);
        }
        self.hidden[model].answered(call);
        self.failing[model].answered(call);
        self.storm.answered(call);
        if let Some(bare) = self.bare.get_mut(&(facts.key, model)) {
            bare.answered(call);
        }
    }

    /// Until the reset; where that has passed and the day is still said to be used up, minutes instead.
    fn day_spent(&mut self, leased: Leased, now: Timestamp) {
        let (newest, policy) = (self.newest_call, self.policy.clone());
        let reset = (self.next_reset)(now);
        let reset_of_call = (self.next_reset)(leased.facts.issued_at);
        let Some(cell) = self.cells.get_mut(&(leased.facts.project, leased.model)) else {
            return;
        };
        let over = cell
            .spent_until
            .or((reset_of_call <= now).then_some(reset_of_call))
            // A reset of days ago tells nothing of today's quota.
            .filter(|over| *over <= now && reset.since(*over) <= ms(26 * HOUR_MS));
        if let Some(over) = over {
            cell.spent_until = Some(over);
            let (least, most) = (policy.day_again.first, policy.day_again.longest);
            cell.quota.rest(now.plus(least), now.plus(most), newest);
        } else if cell.maybe_spent_until.is_some_and(|over| over <= now) {
            let back_by = reset.plus(policy.day_jitter_max);
            cell.quota.rest(now.plus(policy.day_again.first), back_by, newest);
        } else {
            cell.spent_until = Some(reset);
            cell.quota.rest(reset, reset.plus(policy.day_jitter_max), newest);
            cell.quota.is_until_reset = true;
        }
    }

    fn blame_key(&mut self, key: KeyId, outcome: &Outcome, now: Timestamp, project_lives: bool) {
        let policy = self.policy.clone();
        let back_by = now.plus(policy.setup_probe.longest + policy.probe_gap);
        let Some((fault, whole_project)) = blamed(outcome) else {
            return;
        };
        let Some(facts) = self.keys.get_mut(&key) else { return };
        let (held, held_back_by) = if whole_project {
            if !project_lives {
                return;
            }
            let project = self.projects.entry(facts.project).or_default();
            (&mut project.fault, &mut project.back_by)
        } else {
            (&mut facts.fault, &mut facts.back_by)
        };
        if held.is_none_or(|before| before < fault) {
            *held = Some(fault);
            let suspect_by = now.plus(policy.unanswered_probe.longest + policy.probe_gap);
            let by = if fault == Fault::Suspect { suspect_by } else { back_by };
            *held_back_by = (*held_back_by).max(by);
        }
    }

    /// What a free call found.
    pub(crate) fn probed(&mut self, key: KeyId, outcome: &Outcome, now: Timestamp) {
        let policy = self.policy.clone();
        let gap = policy.probe_gap;
        let Some(facts) = self.keys.get(&key).copied() else {
            return;
        };
        let not_revoked = |fault: &Fault| *fault != Fault::Revoked;
        if outcome.is_answer() || *outcome == Outcome::Billing {
            if let Some(key) = self.keys.get_mut(&key) {
                key.fault.take_if(|fault| not_revoked(fault));
            }
            if let Some(project) = self.projects.get_mut(&facts.project) {
                project.fault.take_if(|fault| not_revoked(fault));
            }
        }
        if outcome.is_answer()
            && let Some(account) = self.accounts.get_mut(&facts.account)
            && account.has_no_credit
        {
            account.has_no_credit = false;
            // One paid call tries first.
            account.spend.unproven_since.get_or_insert(0);
        }
        if *outcome == Outcome::Billing
            && let Some(account) = self.accounts.get_mut(&facts.account)
        {
            account.has_no_credit = true;
            account.back_by = account.back_by.max(now.plus(policy.credit_probe_every + gap));
        }
        self.probe_blamed(key, facts.project, outcome);
        let later = if *outcome == Outcome::InvalidKey {
            policy.invalid_probe_every
        } else if matches!(outcome, Outcome::KeyConfig { .. }) {
            policy.setup_probe.longest
        } else if matches!(outcome, Outcome::Overload | Outcome::Server | Outcome::Transport) {
            policy.unanswered_probe.longest
        } else {
            ms(0)
        };
        self.postpone(key, now.plus(later + gap));
    }

    fn probe_blamed(&mut self, key: KeyId, project: pool::ProjectId, outcome: &Outcome) {
        let Some(facts) = self.keys.get_mut(&key) else { return };
        let Some((fault, whole_project)) = blamed(outcome) else {
            return;
        };
        // A second witness makes a suspicion a fact.
        let confirmed = fault == Fault::Suspect && matches!(facts.fault, Some(Fault::Suspect | Fault::Invalid));
        let fault = if confirmed { Fault::Invalid } else { fault };
        let held = if whole_project {
            &mut self.projects.entry(project).or_default().fault
        } else {
            &mut facts.fault
        };
        if *held != Some(Fault::Revoked) {
            *held = Some(fault);
        }
    }
}

/// What is wrong with the key, or with its whole project.
const fn blamed(outcome: &Outcome) -> Option<(Fault, bool)> {
    if let Outcome::Revoked { whole_project } = outcome {
        Some((Fault::Revoked, *whole_project))
    } else if let Outcome::KeyConfig { whole_project } = outcome {
        Some((Fault::NeedsSetup, *whole_project))
    } else if matches!(outcome, Outcome::InvalidKey) {
        Some((Fault::Suspect, false))
    } else {
        None
    }
}
