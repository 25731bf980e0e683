//! One run of a plan: a queue of events in true time, a process whose clock may be wrong, and the pool under test.

mod actions;
mod checks;
mod probing;
mod recovery;
mod requests;
mod restart;

use std::collections::BTreeMap;
use std::time::Duration;

use pool::{Changes, Key, KeyId, KeyPool, Lease, Limits, ModelId, Outcome, Policy, ProjectId, Record, Tier, Timestamp};

use crate::oracle::{Leased, Oracle, Tried, Verdict};
use crate::plan::{DAY_MS, MODELS, Plan, START_MS};
use crate::provider::Provider;
use crate::random::Random;
use crate::story::{Story, Violation};

/// First instant of the provider's next day.
pub(crate) fn next_reset(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((now.as_millis() / DAY_MS + 1) * DAY_MS)
}

/// Some fifty times what a run has.
const EVENTS_MAX: u64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Arrives,
    Attempts {
        request: u64,
    },
    Accepted {
        call: u64,
    },
    Answers {
        call: u64,
    },
    /// The process looks whether anything is due.
    Looks,
    ProbeAnswers {
        probe: u64,
    },
    Begins {
        item: usize,
    },
    Ends {
        item: usize,
    },
}

/// A key as the shell keeps it.
#[derive(Clone, Debug)]
struct Held {
    secret: usize,
    key: Key,
}

struct Request {
    model: usize,
    tokens: u64,
    is_bad: bool,
    owner: Option<ProjectId>,
    leaves_at_ms: u64,
    deadline_ms: u64,
    journey: pool::Journey,
    tried: Tried,
    last: Option<Outcome>,
    waits: u32,
}

struct CallUnderWay {
    request: u64,
    lease: Lease,
    leased: Leased,
    outcome: Outcome,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) requests: u64,
    pub(crate) served: u64,
    pub(crate) calls: u64,
    pub(crate) probes: u64,
    pub(crate) trials: u64,
    pub(crate) restarts: u64,
    /// Outages with an audience of at least a hundred requests, and the most calls for a hundred of them.
    pub(crate) outages: u64,
    pub(crate) outage_calls_percent_max: u64,
    /// Keys that were shown to have come back after the last fault.
    pub(crate) recovered: u64,
}

impl Figures {
    pub(crate) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.served += other.served;
        self.calls += other.calls;
        self.probes += other.probes;
        self.trials += other.trials;
        self.restarts += other.restarts;
        self.outages += other.outages;
        self.outage_calls_percent_max = self.outage_calls_percent_max.max(other.outage_calls_percent_max);
        self.recovered += other.recovered;
    }
}

/// Rules beside the promises: a test that wants a failure adds one that the provider breaks.
pub(crate) type ExtraRule = fn(&Outcome) -> Verdict;

pub(crate) struct World<'a> {
    plan: &'a Plan,
    extra_rule: Option<ExtraRule>,
    pool: KeyPool,
    models: [ModelId; 2],
    provider: Provider,
    oracle: Oracle,
    pub(crate) story: Story,
    pub(crate) figures: Figures,
    /// True time since the start.
    at_ms: u64,
    clock_error_ms: i64,
    /// The process does nothing before this instant.
    stopped_until_ms: u64,
    queue: BTreeMap<(u64, u64), Event>,
    queued: u64,
    keys: BTreeMap<KeyId, Held>,
    next_key: u64,
    requests: BTreeMap<u64, Request>,
    calls: BTreeMap<u64, CallUnderWay>,
    probes: BTreeMap<u64, (KeyId, Outcome)>,
    names: u64,
    /// What reports asked to be stored, by subject.
    stored: BTreeMap<String, Record>,
    outages: BTreeMap<usize, (u64, u64)>,
    arrivals: Random,
    chances: Random,
    looks: u64,
}

impl<'a> World<'a> {
    pub(crate) fn new(plan: &'a Plan, is_told: bool, extra_rule: Option<ExtraRule>) -> Self {
        let policy = Policy::default();
        let mut pool = KeyPool::new(policy.clone(), plan.strategy, next_reset);
        let models = MODELS.map(|name| pool.model(name).unwrap());
        let mut world = Self {
            plan,
            extra_rule,
            pool,
            models,
            provider: Provider::new(plan.seed),
            oracle: Oracle::new(policy, next_reset),
            story: Story::new(is_told),
            figures: Figures::default(),
            at_ms: 0,
            clock_error_ms: 0,
            stopped_until_ms: 0,
            queue: BTreeMap::new(),
            queued: 0,
            keys: BTreeMap::new(),
            next_key: 1,
            requests: BTreeMap::new(),
            calls: BTreeMap::new(),
            probes: BTreeMap::new(),
            names: 0,
            stored: BTreeMap::new(),
            outages: BTreeMap::new(),
            arrivals: Random::new(plan.seed, 3),
            chances: Random::new(plan.seed, 4),
            looks: 0,
        };
        world.set_limits();
        for secret in 0..plan.secrets.len() {
            world.add_key(secret);
        }
        for (item, planned) in plan.items.iter().enumerate() {
            if planned.from_ms < plan.horizon_ms {
                world.queue(planned.from_ms, Event::Begins { item });
                if planned.until_ms > planned.from_ms && planned.until_ms < u64::MAX {
                    world.queue(planned.end_ms(plan.horizon_ms), Event::Ends { item });
                }
            }
        }
        world.queue(0, Event::Arrives);
        world.queue(1, Event::Looks);
        world
    }

    /// Faults until the horizon, then quiet until every healthy key has served again.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub(crate) fn run(&mut self) -> Verdict {
        while let Some(((at_ms, _), event)) = self.queue.pop_first() {
            if at_ms >= self.plan.horizon_ms && self.is_quiet() {
                break;
            }
            self.happens(at_ms, event)?;
        }
        self.check_nothing_is_under_way()?;
        self.recover()
    }

    fn is_quiet(&self) -> bool {
        self.requests.is_empty() && self.calls.is_empty() && self.probes.is_empty()
    }

    fn happens(&mut self, at_ms: u64, event: Event) -> Verdict {
        if self.story.events > EVENTS_MAX {
            return Err(Violation::new("a run comes to its end", format!("{EVENTS_MAX} events")));
        }
        let is_outside = matches!(event, Event::Begins { .. } | Event::Ends { .. } | Event::Arrives);
        if !is_outside && at_ms < self.stopped_until_ms {
            self.queue(self.stopped_until_ms, event);
            return Ok(());
        }
        self.at_ms = self.at_ms.max(at_ms);
        match event {
            Event::Arrives => self.arrives(),
            Event::Attempts { request } => self.attempts(request)?,
            Event::Accepted { call } => self.accepted(call),
            Event::Answers { call } => self.answers(call)?,
            Event::Looks => self.looks()?,
            Event::ProbeAnswers { probe } => self.probe_answers(probe),
            Event::Begins { item } => self.begins(item),
            Event::Ends { item } => self.ends(item)?,
        }
        Ok(())
    }

    fn queue(&mut self, at_ms: u64, event: Event) {
        self.queued += 1;
        self.queue.insert((at_ms, self.queued), event);
    }

    /// What the process believes.
    fn now(&self) -> Timestamp {
        Timestamp::from_millis((START_MS + self.at_ms).checked_add_signed(self.clock_error_ms).unwrap())
    }

    fn name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    fn tell(&mut self, kind: &str, numbers: &[u64], sentence: impl FnOnce() -> String) {
        self.story.event(self.at_ms, kind, numbers, sentence);
    }

    fn store(&mut self, changes: &Changes) {
        for record in &changes.records {
            self.stored.insert(restart::subject(record), record.clone());
        }
    }

    fn add_key(&mut self, secret: usize) {
        let planned = &self.plan.secrets[secret];
        if !planned.is_used {
            return;
        }
        let (id, now) = (self.next_key, self.now());
        self.next_key += 1;
        let truth = &self.plan.projects[planned.project];
        // Projects that the provider named have small numbers, guessed ones the key's own.
        let project = if planned.is_project_known {
            planned.project as u64
        } else {
            1_000 + id
        };
        let key = Key {
            id: KeyId(id),
            number: u32::try_from(id).unwrap(),
            project: ProjectId(project),
            account: pool::AccountId(truth.account),
            tier: truth.tier,
            priority: planned.priority,
            weight: planned.weight,
            enabled: true,
        };
        self.pool.upsert(key.clone(), now);
        self.oracle.upserted(&key);
        self.keys.insert(key.id, Held { secret, key });
    }

    /// The smallest true limits of each tier: whoever configures them does not know one project from another.
    fn set_limits(&mut self) {
        if !self.plan.is_configured {
            return;
        }
        let mut configured = Vec::new();
        for (model, name) in MODELS.into_iter().enumerate() {
            for tier in [Tier::Free, Tier::Paid] {
                let quotas = || {
                    let projects = self.plan.projects.iter().filter(|project| project.tier == tier);
                    projects.map(|project| project.quotas[model])
                };
                let limits = Limits {
                    requests_per_minute: quotas().filter_map(|quota| quota.requests_per_minute).min(),
                    tokens_per_minute: quotas().filter_map(|quota| quota.tokens_per_minute).min(),
                    requests_per_day: quotas().filter_map(|quota| quota.requests_per_day).min(),
                    ..Limits::default()
                };
                configured.push((Some(name.to_owned()), tier, limits));
            }
        }
        let now = self.now();
        let changes = self.pool.configure_limits(&configured, now);
        self.store(&changes);
    }

    /// The smallest day limit that the pool may know of.
    fn day_limit(&self, key: KeyId, model: usize) -> Option<u64> {
        let held = self.keys.get(&key)?;
        let truth = &self.plan.projects[self.plan.secrets[held.secret].project];
        let tier = truth.tier;
        let configured = self.plan.projects.iter().filter(|project| project.tier == tier);
        let configured = configured
            .filter_map(|project| project.quotas[model].requests_per_day)
            .min();
        let configured = configured.filter(|_| self.plan.is_configured);
        configured.into_iter().chain(truth.quotas[model].requests_per_day).min()
    }
}

/// A run from beginning to end.
pub(crate) fn run(plan: &Plan, is_told: bool, extra_rule: Option<ExtraRule>) -> (Result<Figures, Violation>, Story) {
    let mut world = World::new(plan, is_told, extra_rule);
    let result = world.run();
    let mut story = std::mem::take(&mut world.story);
    if let Err(violation) = &result {
        story.event(world.at_ms, "a promise is broken", &[], || violation.what.clone());
    }
    (result.map(|()| world.figures), story)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
