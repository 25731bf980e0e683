//! The provider: true quotas, and the faults of the plan.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use pool::{Limit, LimitUnit, Outcome, Tier};

use crate::plan::{DAY_MS, Failing, Kind, MINUTE_MS, Plan, SECOND_MS, START_MS};
use crate::random::Random;

/// One call as the provider sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) secret: usize,
    pub(crate) model: usize,
    pub(crate) tokens: u64,
    pub(crate) is_bad: bool,
    pub(crate) at_ms: u64,
}

/// What comes back, and how long that takes. `accepted_ms`: until the status line, where that was good.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) after_ms: u64,
    pub(crate) accepted_ms: Option<u64>,
}

#[derive(Debug, Default)]
struct Ledger {
    minute: VecDeque<(u64, u64)>,
    day: u64,
    requests_today: u64,
}

pub(crate) struct Provider {
    random: Random,
    ledgers: BTreeMap<(usize, usize), Ledger>,
}

impl Provider {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed, 2),
            ledgers: BTreeMap::new(),
        }
    }

    pub(crate) fn answer(&mut self, plan: &Plan, call: Call) -> Answer {
        let kinds: Vec<Kind> = plan.active(call.at_ms).collect();
        let outcome = self.judge(plan, &kinds, call);
        let longest_ms = kinds.iter().find_map(|kind| {
            let Kind::Slow { longest_ms } = kind else { return None };
            Some(*longest_ms)
        });
        let is_answer = outcome.is_answer() || matches!(outcome, Outcome::Empty | Outcome::Truncated);
        let after_ms = match (longest_ms, is_answer) {
            (Some(longest_ms), _) => self.random.between(300, longest_ms),
            (None, true) => self.random.between(400, 12 * SECOND_MS),
            (None, false) if outcome == Outcome::Transport => self.random.between(100, 15 * SECOND_MS),
            (None, false) => self.random.between(30, 900),
        };
        Answer {
            outcome,
            after_ms,
            accepted_ms: is_answer.then(|| self.random.between(20, after_ms)),
        }
    }

    /// A call that costs no quota.
    pub(crate) fn probe(&mut self, plan: &Plan, secret: usize, at_ms: u64) -> Outcome {
        let kinds: Vec<Kind> = plan.active(at_ms).collect();
        if let Some(outcome) = self.outage(&kinds, None) {
            return outcome;
        }
        if let Some(outcome) = fault(plan, &kinds, secret) {
            return outcome;
        }
        let account = plan.projects[plan.secrets[secret].project].account;
        if plan.probe_sees_bill && kinds.contains(&Kind::NoCredit { account }) {
            return Outcome::Billing;
        }
        Outcome::Success { tokens: 0 }
    }

    /// Day calls used of a project and model, as the provider counts at `at_ms`.
    pub(crate) fn used_today(&self, project: usize, model: usize, at_ms: u64) -> u64 {
        let ledger = self.ledgers.get(&(project, model));
        ledger
            .filter(|ledger| ledger.day == (START_MS + at_ms) / DAY_MS)
            .map_or(0, |ledger| ledger.requests_today)
    }

    fn judge(&mut self, plan: &Plan, kinds: &[Kind], call: Call) -> Outcome {
        let project = plan.secrets[call.secret].project;
        let (account, tier) = (plan.projects[project].account, plan.projects[project].tier);
        if let Some(outcome) = self.outage(kinds, Some(call.model)) {
            return outcome;
        }
        if let Some(outcome) = fault(plan, kinds, call.secret) {
            return outcome;
        }
        if kinds.contains(&Kind::RegionRefused) && tier == Tier::Free {
            return Outcome::Region;
        }
        if kinds.contains(&Kind::NoCredit { account }) {
            return Outcome::Billing;
        }
        if call.is_bad {
            return Outcome::CallerFault;
        }
        let model = call.model;
        if kinds.contains(&Kind::ModelGone { model }) {
            return Outcome::ModelGone;
        }
        if kinds.contains(&Kind::ZeroLimit { project, model }) {
            return Outcome::ZeroLimit;
        }
        if kinds.contains(&Kind::SpendsTooFast { account }) {
            return Outcome::Spend;
        }
        let bare = Kind::BareRefusals { secret: call.secret };
        if kinds.contains(&Kind::Storm) || kinds.contains(&bare) {
            return Outcome::Bare429;
        }
        if let Some(outcome) = self.refuse_by_quota(plan, kinds, project, call) {
            return outcome;
        }
        self.odd_answer(kinds, call.tokens).unwrap_or(Outcome::Success {
            tokens: call.tokens * self.random.between(80, 120) / 100,
        })
    }

    fn outage(&mut self, kinds: &[Kind], model: Option<usize>) -> Option<Outcome> {
        let how = kinds.iter().find_map(|kind| {
            let Kind::Outage {
                model: down,
                permille,
                how,
            } = *kind
            else {
                return None;
            };
            ((down.is_none() || down == model) && self.random.in_thousand(permille)).then_some(how)
        })?;
        let how = if how == Failing::Mixed {
            self.random
                .pick(&[Failing::Overloaded, Failing::Broken, Failing::Unreachable])
        } else {
            how
        };
        Some(match how {
            Failing::Overloaded => Outcome::Overload,
            Failing::Broken => Outcome::Server,
            Failing::Unreachable | Failing::Mixed => Outcome::Transport,
        })
    }

    /// Charges the call, or says which quota is used up. Refused calls are not charged.
    fn refuse_by_quota(&mut self, plan: &Plan, kinds: &[Kind], project: usize, call: Call) -> Option<Outcome> {
        let quota = plan.projects[project].quotas[call.model];
        let is_named = self.random.in_thousand(plan.named_permille);
        let limit = |unit, value| is_named.then_some(Limit { unit, value });
        let today = (START_MS + call.at_ms) / DAY_MS;
        let ledger = self.ledgers.entry((project, call.model)).or_default();
        if ledger.day != today && (!kinds.contains(&Kind::SlowReset) || ledger.day == 0) {
            (ledger.day, ledger.requests_today) = (today, 0);
        }
        if let Some(value) = quota.requests_per_day
            && ledger.requests_today >= value
        {
            return Some(Outcome::DayQuota {
                limit: limit(LimitUnit::Requests, value),
            });
        }
        let minute = &mut ledger.minute;
        while minute.front().is_some_and(|(at_ms, _)| at_ms + MINUTE_MS <= call.at_ms) {
            minute.pop_front();
        }
        let tokens: u64 = minute.iter().map(|(_, tokens)| tokens).sum();
        let oldest_leaves_ms = minute.front().map_or(call.at_ms, |(at_ms, _)| at_ms + MINUTE_MS);
        let over_requests = quota
            .requests_per_minute
            .filter(|limit| minute.len() as u64 >= *limit)
            .map(|value| limit(LimitUnit::Requests, value));
        let over_tokens = quota
            .tokens_per_minute
            .filter(|limit| tokens > 0 && tokens + call.tokens > *limit)
            .map(|value| limit(LimitUnit::Tokens, value));
        if let Some(limit) = over_requests.or(over_tokens) {
            let wait = Duration::from_secs((oldest_leaves_ms - call.at_ms).div_ceil(SECOND_MS));
            let retry_after = self.random.in_thousand(plan.advice_permille).then_some(wait);
            return Some(Outcome::MinuteQuota { retry_after, limit });
        }
        minute.push_back((call.at_ms, call.tokens));
        ledger.requests_today += 1;
        None
    }

    fn odd_answer(&mut self, kinds: &[Kind], tokens: u64) -> Option<Outcome> {
        let permille = kinds.iter().find_map(|kind| {
            let Kind::OddAnswers { permille } = kind else {
                return None;
            };
            Some(*permille)
        })?;
        self.random.in_thousand(permille).then(|| match self.random.below(5) {
            0 => Outcome::Blocked { tokens },
            1 => Outcome::Empty,
            2 => Outcome::Truncated,
            3 => Outcome::FileForeign,
            _ => Outcome::Unknown,
        })
    }
}

/// What is wrong with the secret, the worst first.
fn fault(plan: &Plan, kinds: &[Kind], secret: usize) -> Option<Outcome> {
    let found = |fits: &dyn Fn(&Kind) -> Option<Outcome>| kinds.iter().find_map(fits);
    found(&|kind| {
        let Kind::Revoked {
            secret: faulty,
            whole_project,
            ..
        } = *kind
        else {
            return None;
        };
        let hit = plan.hits(faulty, whole_project, secret);
        hit.then_some(Outcome::Revoked { whole_project })
    })
    .or_else(|| found(&|kind| (*kind == Kind::Invalid { secret }).then_some(Outcome::InvalidKey)))
    .or_else(|| {
        found(&|kind| {
            let Kind::NeedsSetup {
                secret: faulty,
                whole_project,
            } = *kind
            else {
                return None;
            };
            let hit = plan.hits(faulty, whole_project, secret);
            hit.then_some(Outcome::KeyConfig { whole_project })
        })
    })
}
