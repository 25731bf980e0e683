//! Requests: the loop of the server's analysis, cut into events.

use pool::{Next, Outcome, Want};

use super::{CallUnderWay, Event, Request, World};
use crate::oracle::{Tried, Verdict};
use crate::plan::{Kind, MINUTE_MS, SECOND_MS};
use crate::provider::Call;
use crate::story::Violation;

const DEADLINE_MS: u64 = MINUTE_MS;
/// A request that waits on and on is a bug of the loop, not of the pool.
const WAITS_MAX: u32 = 20;
/// Requests that make an outage's figure worth judging.
const AUDIENCE: u64 = 100;
/// At most a tenth more calls than requests while nothing works.
const OUTAGE_CALLS_PERCENT_MAX: u64 = 110;

impl World<'_> {
    pub(super) fn arrives(&mut self) {
        if self.at_ms >= self.plan.horizon_ms {
            return;
        }
        let (mut gap_ms, mut bad, mut leaving) = (self.plan.request_gap_ms, 10, 10);
        for kind in self.plan.active(self.at_ms) {
            if let Kind::Burst { gap_ms: shorter } = kind {
                gap_ms = gap_ms.min(shorter);
            }
            if let Kind::BadPrompts { permille } = kind {
                bad = bad.max(permille);
            }
            if let Kind::Leavers { permille } = kind {
                leaving = leaving.max(permille);
            }
        }
        let next_ms = self.at_ms + self.arrivals.gap_ms(gap_ms);
        self.queue(next_ms, Event::Arrives);
        // The draws are the same whether the process listens or not.
        let random = &mut self.arrivals;
        let (model, tokens) = (random.index(2), random.between(50, 4_000));
        let is_bad = random.in_thousand(bad);
        let leaves = random.in_thousand(leaving).then(|| random.between(10, 8 * SECOND_MS));
        let owner_chance = random.next();
        if self.at_ms < self.stopped_until_ms {
            return;
        }
        let owner = owner_chance.is_multiple_of(16).then(|| {
            let nth = usize::try_from(owner_chance >> 32).unwrap() % self.keys.len().max(1);
            self.keys.values().nth(nth).map(|held| held.key.project)
        });
        let request = Request {
            model,
            tokens,
            is_bad,
            owner: owner.flatten(),
            leaves_at_ms: leaves.map_or(u64::MAX, |after_ms| self.at_ms + after_ms),
            deadline_ms: self.at_ms + DEADLINE_MS,
            journey: self.pool.journey(),
            tried: Tried::default(),
            last: None,
            waits: 0,
        };
        let name = self.name();
        self.figures.requests += 1;
        self.count_for_outages(true);
        self.tell("request", &[name, model as u64, tokens], || {
            format!(
                "request {name} for model {model}{}",
                if is_bad { ", a bad prompt" } else { "" }
            )
        });
        self.requests.insert(name, request);
        self.queue(self.at_ms, Event::Attempts { request: name });
    }

    pub(super) fn attempts(&mut self, name: u64) -> Verdict {
        let Some(mut request) = self.requests.remove(&name) else {
            return Ok(());
        };
        if self.at_ms > request.deadline_ms || self.at_ms > request.leaves_at_ms {
            return Ok(());
        }
        let (now, chance) = (self.now(), self.chances.next());
        let want = Want {
            model: self.models[request.model],
            tokens: request.tokens,
            journey: &request.journey,
            owner: request.owner,
        };
        match self.pool.acquire(&want, now, chance) {
            Ok(lease) => self.calls_provider(name, request, lease),
            Err(refused) => {
                self.tell(
                    "refused",
                    &[name, refused.retry_at.map_or(0, |at| at.as_millis())],
                    || format!("request {name}: {:?}", refused.verdict),
                );
                if request.journey.attempts() < self.pool.policy().attempts_max {
                    let (oracle, keys) = (&self.oracle, &self.keys);
                    oracle.refused(&request.tried, request.model, request.owner, now, |key| {
                        let limit = self.day_limit(key, request.model);
                        let project = keys[&key].key.project;
                        let used = oracle.charged(project, request.model, now);
                        // The half of a day that is surely left.
                        limit.is_none_or(|limit| used.is_some_and(|used| used * 2 < limit))
                    })?;
                }
                let minute = matches!(request.last, Some(Outcome::MinuteQuota { .. }));
                let waits = self.plan.is_patient || (minute && refused.counts.total == 1);
                let wait = refused.retry_at.map(|at| at.since(now));
                if let Some(wait) = wait.filter(|_| waits && request.waits < WAITS_MAX)
                    && let Ok(wait_ms) = u64::try_from(wait.as_millis())
                    && self.at_ms + wait_ms < request.deadline_ms
                {
                    request.journey.waited();
                    request.tried = Tried {
                        over_quota: request.tried.over_quota.clone(),
                        is_restricted: true,
                        ..request.tried
                    };
                    request.waits += 1;
                    self.queue(self.at_ms + wait_ms.max(1), Event::Attempts { request: name });
                    self.requests.insert(name, request);
                }
                Ok(())
            }
        }
    }

    fn calls_provider(&mut self, name: u64, request: Request, lease: pool::Lease) -> Verdict {
        let (facts, now) = (lease.facts(), self.now());
        self.figures.calls += 1;
        self.figures.trials += u64::from(facts.trial);
        self.count_for_outages(false);
        let secret = self.keys.get(&facts.key).map(|held| held.secret);
        self.tell("lease", &[name, facts.key.0, u64::from(facts.trial)], || {
            let trial = if facts.trial { ", a trial" } else { "" };
            format!(
                "request {name} calls with key {} of project {}{trial}",
                facts.key, facts.project
            )
        });
        let leased = self.oracle.leased(facts, request.model, request.owner, now)?;
        if request.tried.over_quota.contains(&(facts.project, request.model)) {
            return Err(Violation::new(
                "a project that said quota is not asked again",
                format!("request {name} asks project {} again", facts.project),
            ));
        }
        if request.journey.attempts() >= 8 {
            return Err(Violation::new("at most 8 calls a request", format!("request {name}")));
        }
        let Some(secret) = secret else {
            return Err(Violation::new("no call with a key known to be bad", "no such key"));
        };
        let call = Call {
            secret,
            model: request.model,
            tokens: request.tokens,
            is_bad: request.is_bad,
            at_ms: self.at_ms,
        };
        let answer = self.provider.answer(self.plan, call);
        if let Some(rule) = self.extra_rule {
            rule(&answer.outcome)?;
        }
        let call = self.name();
        let answers_at_ms = self.at_ms + answer.after_ms;
        let (at_ms, outcome) = if request.leaves_at_ms < answers_at_ms {
            (request.leaves_at_ms.max(self.at_ms), Outcome::Cancelled)
        } else {
            (answers_at_ms, answer.outcome)
        };
        if let Some(accepted_ms) = answer.accepted_ms
            && self.at_ms + accepted_ms < at_ms
        {
            self.queue(self.at_ms + accepted_ms, Event::Accepted { call });
        }
        self.queue(at_ms, Event::Answers { call });
        let under_way = CallUnderWay {
            request: name,
            lease,
            leased,
            outcome,
        };
        self.calls.insert(call, under_way);
        self.requests.insert(name, request);
        Ok(())
    }

    pub(super) fn accepted(&mut self, call: u64) {
        let now = self.now();
        if let Some(under_way) = self.calls.get_mut(&call) {
            let changes = self.pool.accepted(&mut under_way.lease, now);
            let leased = under_way.leased;
            self.oracle.accepted(leased, now);
            self.store(&changes);
            self.tell("accepted", &[call], || format!("the provider accepts call {call}"));
        }
    }

    pub(super) fn answers(&mut self, call: u64) -> Verdict {
        let Some(CallUnderWay {
            request: name,
            lease,
            leased,
            outcome,
        }) = self.calls.remove(&call)
        else {
            return Ok(());
        };
        let (facts, now) = (lease.facts(), self.now());
        self.tell("answer", &[name, facts.key.0], || {
            format!(
                "key {} of project {} answers request {name}: {outcome:?}",
                facts.key, facts.project
            )
        });
        self.story.hash.add_text(outcome.name());
        let innocent = matches!(
            outcome,
            Outcome::CallerFault | Outcome::FileForeign | Outcome::Cancelled | Outcome::Unknown
        );
        let before = innocent.then(|| self.pool.snapshot(now));
        let changes = self.pool.report(lease, &outcome, now);
        let limit = self.day_limit(facts.key, leased.model);
        self.oracle.reported(leased, &outcome, limit, now);
        if let Some(before) = before {
            self.check_nobody_is_blamed(&before, &changes)?;
        }
        self.store(&changes);
        self.goes_on(name, &facts, outcome);
        Ok(())
    }

    fn goes_on(&mut self, name: u64, facts: &pool::LeaseFacts, outcome: Outcome) {
        let Some(mut request) = self.requests.remove(&name) else {
            return;
        };
        self.figures.served += u64::from(outcome.is_answer());
        let chance = self.chances.next();
        let next = request.journey.after(facts, &outcome, false, chance);
        let tried = &mut request.tried;
        let quota = matches!(
            outcome,
            Outcome::DayQuota { .. } | Outcome::MinuteQuota { .. } | Outcome::ZeroLimit
        );
        if quota {
            tried.projects.push(facts.project);
        }
        if matches!(outcome, Outcome::DayQuota { .. } | Outcome::ZeroLimit) {
            tried.over_quota.push((facts.project, request.model));
        }
        if matches!(
            outcome,
            Outcome::InvalidKey | Outcome::KeyConfig { .. } | Outcome::Revoked { .. }
        ) {
            tried.keys.push(facts.key);
            tried.projects.push(facts.project);
        }
        if matches!(outcome, Outcome::Billing | Outcome::Spend) {
            tried.accounts.push(facts.account);
        }
        tried.is_restricted |= !quota && outcome.blame() != pool::Blame::Key && outcome.blame() != pool::Blame::Account;
        tried.is_restricted |= outcome == Outcome::Bare429;
        request.last = Some(outcome);
        match next {
            Next::Again { after, .. } => {
                let after_ms = u64::try_from(after.as_millis()).unwrap();
                self.queue(self.at_ms + after_ms, Event::Attempts { request: name });
                self.requests.insert(name, request);
            }
            Next::FallbackModel if self.plan.has_fallback_model && request.waits == 0 => {
                request.model = 1 - request.model;
                request.waits = WAITS_MAX;
                self.queue(self.at_ms, Event::Attempts { request: name });
                self.requests.insert(name, request);
            }
            Next::FallbackModel | Next::Stop => {}
        }
    }

    /// Total outages are counted item by item: requests that arrive in them, and calls that begin in them.
    fn count_for_outages(&mut self, is_request: bool) {
        for (nth, item) in self.plan.items.iter().enumerate() {
            let total = matches!(
                item.kind,
                Kind::Outage {
                    model: None,
                    permille: 1_000,
                    ..
                }
            );
            if total && item.from_ms <= self.at_ms && self.at_ms < item.end_ms(self.plan.horizon_ms) {
                let (requests, calls) = self.outages.entry(nth).or_default();
                *if is_request { requests } else { calls } += 1;
            }
        }
    }

    pub(super) fn check_outage(&mut self, item: usize) -> Verdict {
        let Some((requests, calls)) = self.outages.remove(&item).filter(|(requests, _)| *requests >= AUDIENCE) else {
            return Ok(());
        };
        let percent = calls * 100 / requests;
        self.figures.outages += 1;
        self.figures.outage_calls_percent_max = self.figures.outage_calls_percent_max.max(percent);
        if percent > OUTAGE_CALLS_PERCENT_MAX {
            return Err(Violation::new(
                "at most a tenth more calls than requests in a total outage",
                format!("{calls} calls for {requests} requests"),
            ));
        }
        Ok(())
    }

    pub(super) fn wait_ms(&self, until: pool::Timestamp) -> u64 {
        let wait = until.since(self.now());
        u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
    }
}
